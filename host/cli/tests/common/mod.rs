//! Runs the built program as a user does: real processes on temporary data directories.
#![allow(dead_code, reason = "each test binary uses another part of it")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The JSON document on stdout.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON on stdout ({error}): {self:?}"))
    }

    /// The same, of a command that worked.
    #[track_caller]
    pub(crate) fn good(&self) -> Json {
        assert_eq!(self.exit, 0, "{self:?}");
        self.json()
    }
}

/// A data directory.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file beside the data directory.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command for people.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        run(command().arg("--data").arg(self.path()).args(arguments))
    }

    /// Runs a command for programs.
    pub(crate) fn json(&self, arguments: &[&str]) -> Done {
        run(command().arg("--data").arg(self.path()).arg("--json").args(arguments))
    }

    /// The same with text on its standard input.
    pub(crate) fn json_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = command();
        command.arg("--data").arg(self.path()).arg("--json").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Done {
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON answer of a command that works.
    #[track_caller]
    pub(crate) fn good(&self, arguments: &[&str]) -> Json {
        let done = self.json(arguments);
        assert_eq!(done.exit, 0, "{arguments:?}: {done:?}");
        done.json()
    }

    /// The id of a row that a command makes.
    #[track_caller]
    pub(crate) fn make(&self, arguments: &[&str]) -> String {
        let mut all = vec!["create"];
        all.extend(arguments);
        self.good(&all)["id"].as_str().unwrap().to_owned()
    }

    /// A server on this directory.
    pub(crate) fn serve(&self, options: &[&str]) -> Serving {
        Serving::start(&self.path(), "serve", options)
    }
}

/// The program, apart from the user's own settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offstage"));
    for name in ["OFFSTAGE_DATA", "OFFSTAGE_LOG", "OFFSTAGE_GUESTS", "OFFSTAGE_CLIENT_SECRET"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("COLUMNS", "110").stdin(Stdio::null());
    command
}

pub(crate) fn run(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    Done {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running server or host; dropping it kills it, as a power cut would.
pub(crate) struct Serving {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
    pub(crate) first: Json,
}

impl Serving {
    pub(crate) fn start(data: &Path, verb: &str, options: &[&str]) -> Self {
        Self::spawn(&mut command(), data, verb, options, Stdio::null())
    }

    /// The same with everything that there is to log in a file.
    pub(crate) fn logging(data: &Path, verb: &str, options: &[&str], log: std::fs::File) -> Self {
        Self::spawn(command().env("OFFSTAGE_LOG", "trace"), data, verb, options, log.into())
    }

    fn spawn(command: &mut Command, data: &Path, verb: &str, options: &[&str], log: Stdio) -> Self {
        let mut child = command
            .arg("--data")
            .arg(data)
            .args(["--json", verb])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let first: Json = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{verb}: {line}"));
        let url = first["listening"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, _stdout: stdout, url, first }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
