//! `cargo xtask demo`: from a fresh checkout to the running demo, in one command.
//!
//! It builds the `dev` profile: its dependencies are optimized, so the demo is quick enough, and it
//! compiles in a third of the time that `release` takes.

use anyhow::{Context as _, Result, ensure};

use crate::{guests, workspace};

/// Builds the sample plug-ins and the program, and runs its demo with `arguments`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    guests::build()?;
    println!("building the program; the first time takes some minutes");
    // All programs and not only this one: so wasmtime gets the same features as in the tests, and
    // is compiled once.
    let status = workspace::cargo()
        .args(["build", "--workspace", "--bins"])
        .current_dir(workspace::root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "building the program failed ({status})");
    let name = format!("offstage{}", std::env::consts::EXE_SUFFIX);
    let program = workspace::target().join("debug").join(name);
    let status = std::process::Command::new(&program)
        .arg("demo")
        .arg("--guests")
        .arg(workspace::target().join("guests"))
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "the demo failed ({status})");
    Ok(())
}
