//! `offstage demo`: the whole story in one go. What it tells is in `crate::demo`.

use crate::arguments::Arguments;
use crate::demo;
use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use clap::Args;

/// Show the whole story in one go, on temporary directories.
///
/// Starts a server, fills it, takes a device offline, works there under the server's rules while
/// others work on the server, and goes online again. Takes under a minute and leaves nothing behind.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// The folder with the built sample plug-ins [default: ./target/guests]
    #[arg(long, value_name = "DIR", env = "OFFSTAGE_GUESTS")]
    pub(crate) guests: Option<FileArgument>,
    /// How many accounts to begin with
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::value_parser!(u32).range(20..=5_000))]
    pub(crate) accounts: u32,
    /// Keep the data directories, and say where they are
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Demo {
    pub(crate) fn run(&self, arguments: &Arguments) -> Result<Output, CliError> {
        demo::run(self, arguments)
    }
}
