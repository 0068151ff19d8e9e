//! The demo's processes: a server, and commands of a person on a data directory.
//!
//! Every command is this program again, as a person would type it. Never guesses what a command
//! did: what is told comes from its answer.

use crate::error::CliError;
use crate::exit::Exit;
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Somebody who types commands.
pub(super) struct Person {
    /// Who, for the prompt.
    pub(super) name: &'static str,
    /// The data directory.
    pub(super) data: PathBuf,
}

/// What a command came to.
pub(super) struct Done {
    /// Its exit code.
    pub(super) exit: i32,
    /// What it said on stdout.
    pub(super) text: String,
    /// What it said on stderr.
    pub(super) complaint: String,
}

/// Whether progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// On this process's stderr.
    Yes,
    /// Not at all.
    No,
}

impl Person {
    /// Runs a command and takes its JSON answer.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Json, CliError> {
        self.ask_watching(arguments, Watch::No)
    }

    /// Runs a command, shows its progress, and takes its JSON answer.
    pub(super) fn ask_watching(&self, arguments: &[&str], watch: Watch) -> Result<Json, CliError> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let done = self.run(&all, watch)?;
        let json: Json = serde_json::from_str(&done.text).unwrap_or(Json::Null);
        let attention = i32::from(Exit::Attention.number());
        if (done.exit == 0 || done.exit == attention) && json.get("error").is_none() {
            return Ok(json);
        }
        let reason = json["error"]["message"].as_str().unwrap_or(done.complaint.trim());
        let command = arguments.first().copied().unwrap_or_default();
        let error = CliError::new(Exit::Internal, format!("'{command}' failed: {reason}"));
        Err(match json["error"]["hint"].as_str() {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// Runs a command for its text.
    pub(super) fn run(&self, arguments: &[&str], watch: Watch) -> Result<Done, CliError> {
        let mut command = command(&self.data)?;
        command.args(arguments).stdin(Stdio::null());
        if watch == Watch::Yes {
            command.stderr(Stdio::inherit());
        } else {
            command.env("COLUMNS", "110");
        }
        let output = command.output().map_err(cannot_start)?;
        Ok(Done {
            exit: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// A running server; dropping it stops it.
pub(super) struct ServerProcess {
    child: Child,
    /// Kept open: a server whose reader went away could not say anything more.
    _stdout: BufReader<ChildStdout>,
    /// Its address.
    pub(super) url: String,
}

impl ServerProcess {
    /// Starts a server and waits until it listens.
    pub(super) fn start(data: &Path, organization: &str) -> Result<Self, CliError> {
        let mut child = command(data)?
            .args(["--json", "serve", "--listen", "127.0.0.1:0", "--organization", organization])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(cannot_start)?;
        let stdout = child.stdout.take().expect("BUG: stdout was piped");
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        let json: Json = serde_json::from_str(&line).unwrap_or(Json::Null);
        match (read, json["listening"].as_str()) {
            (Ok(_), Some(url)) => Ok(Self { url: url.to_owned(), child, _stdout: stdout }),
            _ => {
                drop(child.kill());
                drop(child.wait());
                let reason = json["error"]["message"].as_str().unwrap_or("it said nothing");
                Err(CliError::new(Exit::Internal, format!("The server did not start: {reason}")))
            }
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            // A server that is gone already needs no signal.
            kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        }
        #[cfg(not(unix))]
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(data: &Path) -> Result<Command, CliError> {
    let program = std::env::current_exe().map_err(cannot_start)?;
    let mut command = Command::new(program);
    command.arg("--data").arg(data).env_remove("OFFSTAGE_DATA");
    Ok(command)
}

fn cannot_start(error: std::io::Error) -> CliError {
    CliError::new(Exit::Internal, format!("This program cannot start itself: {error}."))
}
