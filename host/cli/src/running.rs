//! `running.json`: how a command finds the process that has the data directory, and asks it.
//!
//! The file is readable by its owner only; its token opens the control endpoint. A file that a
//! crashed process left behind is recognised by nobody answering, and by the store's lock. Nothing
//! but a challenge is sent before the process has proved that it knows the token.

use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::random_hex;
use crate::output::Output;
use crate::owned_file;
use crate::progress::{Event, replay};
use offstage_replication::Progress;
use offstage_server::{CHALLENGE_HEADER, control_proof};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest line of an answer.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A process that lives proves itself at once, also when it is busy.
const PROOF_TIME_MAX: Duration = Duration::from_secs(10);
/// The longest answer to a challenge that is read.
const PROOF_BYTES_MAX: u64 = 1_024;

/// The process that has a data directory.
#[derive(Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its address.
    pub(crate) url: String,
    /// Its process id, for people.
    pub(crate) pid: u32,
    /// The token of its control endpoint.
    pub(crate) token: String,
    /// Names of the plug-ins that it runs for a debugger; `*` stands for all.
    #[serde(default)]
    pub(crate) debug_plugins: Vec<String>,
}

/// A line of the control endpoint's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Progress(Event),
    Result(Answer),
}

/// What a command came to, on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// It worked.
    Output(Output),
    /// It did not.
    Error(CliError),
}

fn path(data: &Path) -> PathBuf {
    data.join("running.json")
}

/// Says who has the data directory, until the value is dropped.
pub(crate) struct Notice(PathBuf);

impl Notice {
    /// Writes the file.
    pub(crate) fn put(data: &Path, running: &Running) -> Result<Self, CliError> {
        let json =
            serde_json::to_vec_pretty(running).expect("BUG: plain fields always have a JSON form");
        owned_file::write(&path(data), &json)?;
        Ok(Self(path(data)))
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// The process that says it has the data directory.
pub(crate) fn find(data: &Path) -> Option<Running> {
    let bytes = std::fs::read(path(data)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Runs a command in the process that has the data directory. `None`: there is none.
pub(crate) fn ask(
    running: &Running,
    command: &Json,
    progress: &dyn Progress,
) -> Option<Result<Output, CliError>> {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build();
    let agent: ureq::Agent = config.into();
    if !is_the_process(&agent, running) {
        return None;
    }
    let sent = agent
        .post(format!("{}/offstage/v1/control", running.url))
        .header("authorization", format!("Bearer {}", running.token))
        .header("content-type", "application/json")
        .send(command.to_string());
    match sent {
        Err(error) => {
            tracing::debug!(%error, url = running.url, "nobody answers; the file is stale");
            None
        }
        // The process has ended since it proved itself.
        Ok(answer) if matches!(answer.status().as_u16(), 401 | 404) => None,
        Ok(answer) if !answer.status().is_success() => Some(Err(broken(running))),
        Ok(mut answer) => {
            let reader = answer.body_mut().with_config().limit(LINE_BYTES_MAX).reader();
            Some(follow(running, BufReader::new(reader), progress))
        }
    }
}

/// Whether who answers is the process that wrote `running.json`: another program may have got the
/// port of one that is gone, and must see neither the token nor a command, which may hold a password.
fn is_the_process(agent: &ureq::Agent, running: &Running) -> bool {
    let challenge = random_hex::<32>();
    let answer = agent
        .get(format!("{}/offstage/v1/control", running.url))
        .header(CHALLENGE_HEADER, &challenge)
        .config()
        .timeout_global(Some(PROOF_TIME_MAX))
        .build()
        .call();
    let proof = answer.map_err(|error| error.to_string()).and_then(|mut answer| {
        let body = answer.body_mut().with_config().limit(PROOF_BYTES_MAX).read_to_string();
        body.map_err(|error| error.to_string())
    });
    match proof {
        Ok(proof) => proof == control_proof(&running.token, &challenge),
        Err(error) => {
            tracing::debug!(%error, url = running.url, "nobody answers; the file is stale");
            false
        }
    }
}

fn follow(
    running: &Running,
    reader: impl std::io::BufRead,
    progress: &dyn Progress,
) -> Result<Output, CliError> {
    for line in reader.lines() {
        let line = line.map_err(|_| broken(running))?;
        match serde_json::from_str(&line) {
            Ok(Line::Progress(event)) => replay(&event, progress),
            Ok(Line::Result(Answer::Output(output))) => return Ok(output),
            Ok(Line::Result(Answer::Error(error))) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a line of the answer cannot be read");
                return Err(broken(running));
            }
        }
    }
    Err(broken(running))
}

fn broken(running: &Running) -> CliError {
    CliError::new(
        Exit::Unreachable,
        format!("The process {} that has this data directory broke off.", running.pid),
    )
    .hint("Run the command again; `offstage status` shows what was done.")
}
