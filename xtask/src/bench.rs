//! `cargo xtask bench`: runs the benchmarks of `tests/bench`, each beside its floor in one run.
//!
//! Never judges a time by itself: what counts is the ratio.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{guests, servers, setup, workspace};

/// Runs the command; `arguments` go to the benchmark program.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    guests::build()?;
    let is_wanted = |name: &str| {
        let mut names = arguments.iter().filter(|text| !text.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|wanted| wanted == name)
    };
    if is_wanted("outlook-dav") {
        servers::ensure_for_benchmarks()?;
    }
    if is_wanted("extism") {
        build_extism()?;
    }
    cargo(
        workspace::cargo()
            .args(["run", "--release", "--package", "offstage-bench", "--"])
            .args(arguments)
            .current_dir(workspace::root()),
    )
}

/// Builds Extism and its plug-in, which are a workspace apart: it has a wasmtime of its own.
fn build_extism() -> Result<()> {
    let folder = workspace::root().join("tests/bench-extism");
    let guest: &[&str] = &["--package", "bench-extism-guest", "--target", setup::TARGET];
    for arguments in [&["--package", "bench-extism"], guest] {
        cargo(
            workspace::cargo()
                .args(["build", "--release", "--locked"])
                .args(arguments)
                .arg("--target-dir")
                .arg(workspace::target().join("bench-extism"))
                .current_dir(&folder),
        )?;
    }
    Ok(())
}

fn cargo(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
