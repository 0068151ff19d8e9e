//! `--wait`: for commands that need the server, what is done while it does not answer.
//!
//! Never waits for anything else: a refusal, a wrong key or a conflict ends the command at once.

use crate::error::CliError;
use crate::output::Output;
use clap::Args;
use offstage_model::code;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Between two tries, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Whether and how long to wait for the server.
#[derive(Clone, Copy, Debug, Default, Args, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Wait for a server that does not answer: so many seconds, or an hour
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "3600"
    )]
    wait: Option<u32>,
}

impl Waiting {
    /// Whether to wait.
    pub(crate) fn is_set(self) -> bool {
        self.wait.is_some()
    }

    /// Runs `work` again while the server does not answer, until the time is over.
    ///
    /// # Errors
    /// What `work` says at last.
    pub(crate) fn run(
        self,
        progress: &dyn Progress,
        mut work: impl FnMut() -> Result<Output, CliError>,
    ) -> Result<Output, CliError> {
        let begun = Instant::now();
        let limit = Duration::from_secs(self.wait.unwrap_or(0).into());
        let mut pause = PAUSES.0;
        loop {
            let error = match work() {
                Err(error) if error.code == Some(code::UNREACHABLE) => error,
                done => return done,
            };
            let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
            else {
                return Err(error);
            };
            let now = pause.min(left);
            progress.note(&format!(
                "The server does not answer; trying again in {} s.",
                now.as_secs_f32().ceil()
            ));
            std::thread::sleep(now);
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}
