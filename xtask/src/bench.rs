//! `cargo xtask bench`: runs the benchmarks of `tests/bench`, each beside its floor in one run.
//!
//! Never judges a time by itself: what counts is the ratio.

use anyhow::{Context as _, Result, ensure};

use crate::{guests, servers, workspace};

/// Runs the command; `arguments` go to the benchmark program.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    guests::build()?;
    let mut names = arguments.iter().filter(|text| !text.starts_with('-')).peekable();
    if names.peek().is_none() || names.any(|name| name == "outlook-dav") {
        servers::ensure_for_benchmarks()?;
    }
    let status = workspace::cargo()
        .args(["run", "--release", "--package", "offstage-bench", "--"])
        .args(arguments)
        .current_dir(workspace::root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the benchmarks failed ({status})");
    Ok(())
}
