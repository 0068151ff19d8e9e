//! The real program: commands, servers and hosts as processes, and ways to kill them.
//!
//! Never links the program's code; it is what `cargo build -p offstage-cli` made.

use crate::oracle::{Held, Row};
use offstage_model::{Request, Uuid};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// The `target` folder: the one of this test's own file.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
    let found = own.ancestors().find(is_target).map(Path::to_owned);
    found.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

/// A plug-in that `cargo xtask guests` built.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    target().join("guests").join(format!("{name}.wasm"))
}

/// The program: `OFFSTAGE_PROGRAM`, or the one beside the tests.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("OFFSTAGE_PROGRAM") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test has a file");
    let name = format!("offstage{}", std::env::consts::EXE_SUFFIX);
    let found = own.ancestors().skip(1).take(2).map(|f| f.join(&name)).find(|f| f.exists());
    found.expect("the program is not built; run `cargo build -p offstage-cli` first")
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// What it said on stdout.
    pub stdout: String,
    /// What it said on stderr.
    pub stderr: String,
}

impl Done {
    /// The JSON document on stdout.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The message of an error.
    #[must_use]
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// A data directory with room beside it.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// The folder around the data directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file beside the data directory.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.to_str().expect("a plain path").to_owned()
    }

    /// A command on it that is not started yet; it answers in JSON.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for name in ["OFFSTAGE_DATA", "OFFSTAGE_LOG", "OFFSTAGE_GUESTS", "OFFSTAGE_CLIENT_SECRET"] {
            command.env_remove(name);
        }
        command.arg("--data").arg(self.data()).arg("--json").args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments))
    }

    /// The answer of a command that works.
    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> Json {
        let done = self.run(arguments);
        assert_eq!(done.exit, Some(0), "{arguments:?}: {done:?}");
        done.json()
    }

    /// Starts a command and does not wait.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    /// Runs one request of the model.
    #[track_caller]
    pub fn request(&self, request: &Request) -> Json {
        let file = self.file("request.json", &json!(request.parameters).to_string());
        self.good(&["request", &request.message, "--parameters", &file])
    }

    /// What is here, for the oracle.
    #[must_use]
    pub fn held(&self) -> Held {
        Held::read(|table, columns| {
            let select = columns.join(",");
            let found = self.good(&["query", table, "--select", &select, "--top", "5000"]);
            assert_eq!(found["more"], false, "a campaign fits in one page");
            found["rows"].as_array().expect("rows").iter().map(row).collect()
        })
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a command to its end.
#[must_use]
pub fn finish(mut command: Command) -> Done {
    let output = command.output().expect("the program starts");
    Done {
        exit: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A running server or host. Dropping it kills it at once, without a chance to clean up.
pub struct Serving {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    /// Its address.
    pub url: String,
    /// The first thing that it said.
    pub first: Json,
}

impl Serving {
    /// Starts `serve` or `host` on a data directory and waits until it listens.
    #[must_use]
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout was piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let first: Json =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{arguments:?}: '{line}'"));
        let url = first["listening"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, _stdout: stdout, url, first }
    }

    /// Whether it is still there.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // On Unix this is SIGKILL.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address of this machine that nobody uses now.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn row(json: &Json) -> Row {
    let text = |value: &Json| match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        Json::Object(reference) => reference.get("id")?.as_str().map(str::to_owned),
        other => Some(other.to_string()),
    };
    let columns: BTreeMap<String, String> = json["attributes"]
        .as_object()
        .expect("a row has attributes")
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect();
    let id = json["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
    Row { id: id.expect("a row has an id"), columns }
}
