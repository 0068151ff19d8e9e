//! `cargo xtask test`: builds the plug-ins, then runs every test there is.
//!
//! Uses nextest when it is installed and `cargo test` otherwise; both run the same tests. Never
//! skips one: what cannot run fails. One exception: lldb, which not every system has new enough; that
//! its test does nothing there is said before.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{debug_guests, guests, packages, servers, tidy, workspace};

/// Workspaces of plug-ins with tests of their own.
const PLUGIN_WORKSPACES: [&str; 1] = ["sample-plugins"];

/// Folders with tests in Python, each with the folder of what they test.
const PYTHON_TESTS: [(&str, &str); 2] = [
    ("sdk/python/tests", "sdk/python"),
    ("sample-plugins/postal-codes/tests", "sample-plugins/postal-codes"),
];
/// Files with tests in JavaScript.
const JAVASCRIPT_TESTS: [&str; 2] =
    ["sdk/js/tests/sdk.test.js", "sample-plugins/deal-score/tests/deal-score.test.js"];

/// Runs the command; `arguments` go to the test runner of the main workspace.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    packages::ensure_all()?;
    guests::build_all()?;
    debug_guests::build()?;
    servers::ensure_installed()?;
    tidy::run()?;
    test_languages()?;
    for folder in PLUGIN_WORKSPACES {
        println!("testing {folder}");
        let mut command = runner();
        command.current_dir(workspace::root().join(folder));
        succeed(command, folder)?;
    }
    println!("testing the main workspace");
    let mut command = runner();
    command.arg("--workspace").args(arguments).current_dir(workspace::root());
    // A test without its server fails instead of being skipped.
    command.env("OFFSTAGE_SERVERS", "required");
    succeed(command, "the main workspace")
}

/// Runs the native tests of the SDKs and samples in Python and JavaScript.
fn test_languages() -> Result<()> {
    for (sdk_tests, plugin) in PYTHON_TESTS {
        println!("testing {sdk_tests}");
        let mut command = Command::new("python3");
        command.args(["-m", "unittest", "discover", "--start-directory", sdk_tests]);
        command.env("PYTHONPATH", std::env::join_paths(["sdk/python", plugin])?);
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(workspace::root());
        succeed(command, sdk_tests)?;
    }
    println!("testing sdk/js and the samples in JavaScript");
    let mut command = Command::new(offstage_build::node(&guests::language_folders()));
    command.args(["--import", "./sdk/js/register.mjs", "--test"]).args(JAVASCRIPT_TESTS);
    command.current_dir(workspace::root());
    succeed(command, "JavaScript")
}

/// The test runner: nextest if it is there.
fn runner() -> Command {
    let mut command = workspace::cargo();
    if has_nextest() {
        command.args(["nextest", "run"]);
    } else {
        // As nextest is told by its configuration: one run shows everything that fails.
        command.args(["test", "--no-fail-fast"]);
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
