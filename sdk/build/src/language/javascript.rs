//! JavaScript and TypeScript: rolldown bundles the plug-in with the SDK and the packages that it
//! imports, and ComponentizeJS puts the bundle into a component with its engine.
//!
//! Both come from npm, with the versions and hashes of `sdk/js/tools/package-lock.json`. Never
//! installs the packages that a plug-in itself imports; `npm install` in its folder does.

use crate::tools::{run, succeeds, write};
use crate::{BuildError, Language, Source, sdk};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Installs the build tools into `folder`.
pub(super) fn install(folder: &Path) -> Result<(), BuildError> {
    let missing = |what: &'static str, reason: String| BuildError::ToolMissing {
        language: Language::Javascript,
        what,
        reason,
        hint: "Install Node.js 20 or later with npm, and see that npm reaches its registry.",
    };
    for (tool, what) in [("node", "Node.js"), ("npm", "npm")] {
        if !succeeds(Command::new(tool).arg("--version")) {
            return Err(missing(what, format!("`{tool} --version` does not run")));
        }
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    run(&mut npm).map_err(|error| missing("ComponentizeJS", error.to_string()))
}

/// Bundles and componentizes.
pub(super) fn compile(source: &Source, tools: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let contract = work.join("plugin.wit");
    write(&contract, sdk::CONTRACT.as_bytes())?;
    let output = work.join("bare.wasm");
    let mut node = Command::new("node");
    node.arg(tools.join("build.mjs"))
        .arg(&source.entry)
        .arg(&source.sdk)
        .arg(&contract)
        .arg(&output);
    run(&mut node)?;
    fs::read(&output).map_err(|error| BuildError::read(&output, error))
}
