//! Developer commands, run as `cargo xtask <command>`.
//!
//! One file per command; this file only wires them. None of them ships to a user.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to a terminal")]

mod attacks;
mod bench;
mod debug_guests;
mod demo;
mod guests;
mod packages;
mod servers;
mod setup;
mod supply;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Offstage.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepares this machine: the WebAssembly target, and the tools of the other languages.
    Setup,
    /// Builds the sample and test plug-ins as components into target/guests.
    Guests {
        /// Also those in Python, JavaScript and C, whose tools it installs.
        #[arg(long)]
        all: bool,
    },
    /// Tells the whole story of the program on temporary directories.
    Demo {
        /// Passed on to `offstage demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Builds the plug-ins and runs every test.
    Test {
        /// Passed on to the test runner of the main workspace.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks headers, sizes and the direction of dependencies.
    Tidy,
    /// Runs the benchmarks, each beside its floor.
    Bench {
        /// Passed on to the benchmark program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Setup => setup::run(),
        Command::Guests { all } => guests::run(all),
        Command::Demo { arguments } => demo::run(&arguments),
        Command::Test { arguments } => test::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Bench { arguments } => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
