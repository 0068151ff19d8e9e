//! JavaScript and TypeScript: rolldown bundles the plug-in with the SDK and the packages that it
//! imports, and ComponentizeJS puts the bundle into a component with its engine.
//!
//! Both come from npm, with the versions and hashes of `sdk/js/tools/package-lock.json`. Node.js is
//! the machine's; where that is missing or too old (as Debian 12's is), one is put beside them from
//! PyPI. Never installs the packages that a plug-in itself imports; `npm install` in its folder does.

use super::python;
use crate::tools::{run, succeeds, write};
use crate::{BuildError, Language, Source, sdk};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ends with 0 on a Node.js that rolldown runs on.
const RECENT: &str = "const [major, minor] = process.versions.node.split('.').map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 12) ? 0 : 1)";

/// The Node.js that builds run on: the one in the tools' folder if there is one.
pub(crate) fn node(folder: &Path) -> PathBuf {
    let own = python::program(folder, "node");
    if own.exists() { own } else { "node".into() }
}

/// Whether Node.js is there and recent enough.
pub(super) fn works(folder: &Path) -> bool {
    succeeds(Command::new(node(folder)).args(["-e", RECENT]))
}

/// Installs the build tools into `folder`.
pub(super) fn install(folder: &Path) -> Result<(), BuildError> {
    let missing = |what: &'static str, reason: String| BuildError::ToolMissing {
        language: Language::Javascript,
        what,
        reason,
        hint: "Install Node.js 20.12 or later with npm, or Python 3.10 or later with venv and pip, \
               and see that npm and pip reach their registries.",
    };
    if !(works(folder) && succeeds(&mut npm(folder, &["--version"]))) {
        python::make_environment(folder).map_err(|reason| missing("Node.js with npm", reason))?;
    }
    let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    run(npm(folder, &arguments).current_dir(folder))
        .map_err(|error| missing("ComponentizeJS", error.to_string()))
}

/// npm, with the Node.js of [`node`] first in its path.
fn npm(folder: &Path, arguments: &[&str]) -> Command {
    let own = python::program(folder, "npm");
    let mut command = Command::new(if own.exists() { own.as_path() } else { Path::new("npm") });
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = own.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&path));
    if let Ok(path) = env::join_paths(folders) {
        command.env("PATH", path);
    }
    command.args(arguments);
    command
}

/// Bundles and componentizes.
pub(super) fn compile(source: &Source, tools: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let contract = work.join("plugin.wit");
    write(&contract, sdk::CONTRACT.as_bytes())?;
    let output = work.join("bare.wasm");
    let mut node = Command::new(node(tools));
    // ComponentizeJS cuts the current folder off the front of paths, even in the middle of a name.
    node.current_dir(work)
        .arg(tools.join("build.mjs"))
        .arg(&source.entry)
        .arg(&source.sdk)
        .arg(&contract)
        .arg(&output);
    run(&mut node)?;
    fs::read(&output).map_err(|error| BuildError::read(&output, error))
}
