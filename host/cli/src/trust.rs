//! `trust.toml` in the data directory: which packages may run here.
//!
//! Never rewrites what a person wrote; a new pin is appended.

use crate::error::CliError;
use crate::exit::Exit;
use offstage_policy::TrustFile;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file in a data directory.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("trust.toml")
}

/// The text of the trust file; empty when there is none.
pub(crate) fn text(data: &Path) -> Result<String, CliError> {
    let path = path(data);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(CliError::file("read", &path, &error)),
    }
}

/// The trust file of a data directory. A missing one allows nothing.
pub(crate) fn load(data: &Path) -> Result<TrustFile, CliError> {
    let text = text(data)?;
    if text.is_empty() {
        return Ok(TrustFile::missing(&path(data).display().to_string()));
    }
    parse(data, &text)
}

fn parse(data: &Path, text: &str) -> Result<TrustFile, CliError> {
    TrustFile::parse(text, &path(data).display().to_string()).map_err(|error| {
        let hint = error.hint.clone();
        CliError::new(Exit::Denied, format!("{error}.")).hint(hint)
    })
}

/// Appends a pin and returns the file as it is now.
pub(crate) fn pin(
    data: &Path,
    package: &str,
    sha256: &str,
    reason: &str,
) -> Result<TrustFile, CliError> {
    let mut text = text(data)?;
    if text.is_empty() {
        text.push_str("# Plug-in packages that may run in this data directory. No rule: denied.\n");
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&TrustFile::pin_lines(package, sha256, reason));
    // Read back before it counts, so that a pin never makes the file unreadable.
    let trust = parse(data, &text)?;
    write(&path(data), text.as_bytes())?;
    Ok(trust)
}

/// Writes a file as a whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        // Temporary files are made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|error| CliError::file("write", path, &error))
}
