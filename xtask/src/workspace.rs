//! Where the repository is, and the cargo and target directory that the commands use.
//!
//! It never looks at the current directory: commands work from anywhere in the tree.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("BUG: xtask is a folder in the repository's root")
}

/// Returns the folder of built files of the root workspace.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Starts a cargo command with the cargo that runs this one.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
