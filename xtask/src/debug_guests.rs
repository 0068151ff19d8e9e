//! The plug-ins that are also built for a debugger: unoptimized, with all debug information, into
//! `target/guests/debug`.
//!
//! Never a part of the demo: it takes a build of its own.

use crate::guests::{self, Guest};
use crate::{setup, workspace};
use anyhow::{Context as _, Result, ensure};
use std::fs;

/// The workspace of the plug-ins.
const WORKSPACE: &str = "sample-plugins";
/// The profile in its manifest.
const PROFILE: &str = "debugging";
/// The plug-ins; one is enough for the tests of debugging.
const PLUGINS: [&str; 1] = ["account-rollup"];

/// Builds them.
///
/// # Errors
/// One does not build, or is no component.
pub(crate) fn build() -> Result<Vec<Guest>> {
    setup::ensure()?;
    let folder = workspace::root().join(WORKSPACE);
    let target = folder.join("target");
    println!("building {} for a debugger", PLUGINS.join(", "));
    let mut command = workspace::cargo();
    command.args(["build", "--profile", PROFILE, "--target", setup::TARGET, "--target-dir"]);
    command.arg(&target).args(PLUGINS.iter().flat_map(|name| ["--package", name]));
    let status = command.current_dir(&folder).status().context("cannot start cargo")?;
    ensure!(status.success(), "building {WORKSPACE} for a debugger failed ({status})");
    let output = workspace::target().join("guests/debug");
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
    let module = |name: &&str| {
        let file = format!("{}.wasm", name.replace('-', "_"));
        guests::make_component(&target.join(setup::TARGET).join(PROFILE).join(file), &output)
    };
    PLUGINS.iter().map(module).collect()
}
