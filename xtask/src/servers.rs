//! The real servers that tests of the mail stores talk to: installed once, never started here.
//!
//! Radicale goes into a Python environment below the target folder; Dovecot comes with the system's
//! packages (see `packages`).

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::workspace;

/// The version that the tests were written against.
const RADICALE: &str = "radicale==3.9.0";

/// Installs what is missing; quiet when all is there.
pub(crate) fn ensure_installed() -> Result<()> {
    radicale()
}

fn radicale() -> Result<()> {
    let folder = workspace::target().join("mail-servers/radicale");
    let python = folder.join("bin/python");
    if runs(Command::new(&python).args(["-c", "import radicale"])) {
        return Ok(());
    }
    println!("installing {RADICALE} for the tests of the mail stores");
    let hint = "Python 3 with venv and pip is needed (Debian: python3-venv)";
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), hint)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", RADICALE];
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
