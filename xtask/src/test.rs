//! `cargo xtask test`: builds the plug-ins, then runs every test there is.
//!
//! Uses nextest when it is installed and `cargo test` otherwise; both run the same tests. Never
//! skips one: what cannot run fails.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{debug_guests, guests, setup, tidy, workspace};

/// Workspaces of plug-ins with tests of their own.
const PLUGIN_WORKSPACES: [&str; 1] = ["sample-plugins"];

/// Runs the command; `arguments` go to the test runner of the main workspace.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    guests::build()?;
    debug_guests::build()?;
    setup::ensure_gdb()?;
    tidy::run()?;
    for folder in PLUGIN_WORKSPACES {
        println!("testing {folder}");
        let mut command = runner();
        command.current_dir(workspace::root().join(folder));
        succeed(command, folder)?;
    }
    println!("testing the main workspace");
    let mut command = runner();
    command.arg("--workspace").args(arguments).current_dir(workspace::root());
    succeed(command, "the main workspace")
}

/// The test runner: nextest if it is there.
fn runner() -> Command {
    let mut command = workspace::cargo();
    if has_nextest() {
        command.args(["nextest", "run"]);
    } else {
        command.arg("test");
    }
    command
}

fn has_nextest() -> bool {
    let output = workspace::cargo().args(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

fn succeed(mut command: Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start the tests of {what}"))?;
    ensure!(status.success(), "the tests of {what} failed ({status})");
    Ok(())
}
