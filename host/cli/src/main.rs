//! The `offstage` program: a server, a device's host, and the commands for both.
//!
//! Reads the arguments, runs one command, shows its answer and ends with its exit code. Never
//! touches a row itself.

mod arguments;
mod audit;
mod bootstrap;
mod build;
mod check;
mod commands;
mod connection;
mod control;
mod debugging;
mod demo;
mod error;
mod exit;
mod listen;
mod machine;
mod mailbox_door;
mod outlook_link;
mod output;
mod owned_file;
mod policy_file;
mod progress;
mod requests;
mod rows;
mod running;
mod sign_in;
mod trust;
mod values;
mod waiting;
mod workspace;

use arguments::{Arguments, Command};
use clap::Parser as _;
use clap::error::ErrorKind;
use commands::Local;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    logging(&arguments);
    let exit = match commands::run(&arguments) {
        Ok(output) => output::show(&output, arguments.json),
        Err(error) => output::show_error(&error, arguments.json),
    };
    ExitCode::from(exit.number())
}

/// Help and version on stdout; errors on stderr, or as the JSON object that programs expect.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let as_json = std::env::args_os().take_while(|a| a != "--").any(|a| a == "--json");
    if as_json && !is_help {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let error = error::CliError::usage(message)
            .hint("`offstage help` lists the commands, `offstage help COMMAND` their options.");
        return ExitCode::from(output::show_error(&error, true).number());
    }
    // Nobody is left to tell when even this cannot be written.
    drop(error.print());
    ExitCode::from(if is_help { 0 } else { exit::Exit::Usage.number() })
}

/// Logs go to stderr: warnings of servers, errors of others, and more with `-v`; `OFFSTAGE_LOG` has the last word,
/// but on what would show credentials.
fn logging(arguments: &Arguments) {
    // A command tells in its answer what a person has to know; a log is for those that serve.
    let serves = matches!(arguments.command, Command::Local(Local::Serve(_) | Local::Host(_)));
    let level = match (arguments.quiet, arguments.verbose) {
        (false, 0) if serves => "warn",
        (true, _) | (false, 0) => "error",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("OFFSTAGE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level))
        .add_directive(offstage_outbound::LOG_OFF.parse().expect("BUG: it is a directive"));
    let colour = output::may_colour(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .init();
}
