//! The command line: global options and the list of commands.
//!
//! Never runs anything.

use crate::commands::{Local, Work};
use crate::error::CliError;
use crate::exit::{self, Exit};
use clap::{ArgAction, Parser, Subcommand};
use std::path::PathBuf;

/// Runs a server's business rules offstage: on a device, offline, and a second time on the server.
#[derive(Debug, Parser)]
#[command(name = "offstage", version, after_help = exit::HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The data directory of a server or a device [default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "OFFSTAGE_DATA")]
    data: Option<PathBuf>,
    /// Answer with one JSON document on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more to stderr; twice for debugging
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Log errors only, and show no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Those that run in this process.
    #[command(flatten)]
    Local(Local),
    /// Those that may run in the process that has the data directory.
    #[command(flatten)]
    Work(Box<Work>),
}

impl Arguments {
    /// The data directory, absolute.
    pub(crate) fn data(&self) -> Result<PathBuf, CliError> {
        let data = match &self.data {
            Some(data) => data.clone(),
            None => directories::ProjectDirs::from("", "", "offstage")
                .map(|dirs| dirs.data_local_dir().to_owned())
                .ok_or_else(|| {
                    CliError::new(Exit::Usage, "This user has no home directory.")
                        .hint("Name the data directory with `--data DIR`.")
                })?,
        };
        std::path::absolute(&data).map_err(|error| CliError::file("find", &data, &error))
    }
}
