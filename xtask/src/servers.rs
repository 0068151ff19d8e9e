//! The real servers that tests of the mail stores talk to, and the client that their benchmarks stand
//! beside: installed once, never started here.
//!
//! What is in Python goes into environments below the target folder; Dovecot comes with the system's
//! packages (see `packages`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::workspace;

/// The version that the tests were written against.
const RADICALE: &str = "radicale==3.9.0";
/// What the benchmarks stand beside.
const VDIRSYNCER: &str = "vdirsyncer==0.21.0";

/// Installs what is missing; quiet when all is there.
pub(crate) fn ensure_installed() -> Result<()> {
    python_package("radicale", RADICALE)
}

/// Installs what the benchmarks need.
pub(crate) fn ensure_for_benchmarks() -> Result<()> {
    python_package("radicale", RADICALE)?;
    python_package("vdirsyncer", VDIRSYNCER)
}

fn python_package(name: &str, version: &str) -> Result<()> {
    let folder = workspace::target().join("mail-servers").join(name);
    let python = folder.join("bin/python");
    if runs(Command::new(&python).args(["-c", &format!("import {name}")])) {
        return Ok(());
    }
    println!("installing {version} for the tests and benchmarks of the mail stores");
    let hint = "Python 3 with venv and pip is needed (Debian: python3-venv)";
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), hint)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", version];
    succeed(Command::new(&python).args(pip), hint)
}

fn runs(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn succeed(command: &mut Command, hint: &str) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {shown}; hint: {hint}"))?;
    ensure!(status.success(), "{shown} ended with {status}; hint: {hint}");
    Ok(())
}
