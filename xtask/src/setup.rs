//! `cargo xtask setup`: makes sure that the toolchain can build plug-ins, in every language, and that
//! what tests drive is there.
//!
//! It never relies on rustup installing a target by itself, and changes nothing when done already.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};

use offstage_build::{BuildError, Language, install_tools};

use crate::{guests, packages, servers, workspace};

/// The target that plug-ins are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Runs the command.
pub(crate) fn run() -> Result<()> {
    ensure()?;
    println!("ready: target {TARGET} is installed");
    packages::ensure_all()?;
    println!("ready: the system's packages are installed");
    for language in Language::ALL {
        install_tools(language, &guests::language_folders()).map_err(with_hint)?;
        println!("ready: the tools of {language} are installed");
    }
    servers::ensure_installed()?;
    println!("ready: the servers for the mail stores are installed");
    Ok(())
}

/// The error of a build with what to do about it.
pub(crate) fn with_hint(error: BuildError) -> anyhow::Error {
    let hint = error.hint();
    let error = anyhow::Error::new(error);
    if hint.is_empty() { error } else { anyhow!("{error:#}\nhint: {hint}") }
}

/// Adds the target if it is missing; quiet when it is there.
pub(crate) fn ensure() -> Result<()> {
    if is_installed()? {
        return Ok(());
    }
    println!("adding target {TARGET} to the Rust toolchain");
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(workspace::root())
        .status();
    let problem = match added {
        Ok(status) if status.success() && is_installed()? => return Ok(()),
        Ok(status) if status.success() => {
            "rustup added it, but to another toolchain than the one that runs now".to_owned()
        }
        Ok(status) => format!("`rustup target add {TARGET}` ended with {status}"),
        Err(error) => format!("rustup could not be started: {error}"),
    };
    bail!(
        "plug-ins need the Rust target {TARGET}, and it is not installed: {problem}\n\
         hint: with rustup, run `rustup target add {TARGET}` (add `--toolchain <name>` if you use \
         several) and try again;\n\
         hint: with a Rust from a distribution, install its package of the WebAssembly standard \
         library (Debian: libstd-rust-dev-wasm32; Fedora: rust-std-static-{TARGET})"
    )
}

/// Looks for the target's standard library where rustc will look for it.
fn is_installed() -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(workspace::root())
        .output()
        .with_context(|| format!("cannot start {}", rustc.display()))?;
    if !output.status.success() {
        bail!(
            "{} does not know {TARGET}: {}",
            rustc.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Ok(false);
    };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}
