//! `offstage completions`: prints shell completions.

use crate::arguments::Arguments;
use crate::output::Output;
use clap::{Args, CommandFactory as _};

/// Print the shell completions.
#[derive(Clone, Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Output {
        let mut script = Vec::new();
        let mut command = Arguments::command();
        clap_complete::generate(self.shell, &mut command, "offstage", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        Output::new(serde_json::json!({ "script": script })).text(script.trim_end())
    }
}
