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

/// The text of a policy or trust file; empty when there is none. A file that others can write is
/// refused: it would not be the operator who decides (attack E05).
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    refuse_written_by_others(path)?;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(CliError::file("read", path, &error)),
    }
}

#[cfg(unix)]
fn refuse_written_by_others(path: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(path) else {
        return Ok(());
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let text =
        format!("Others can write '{}' (mode {mode:o}), so it does not count.", path.display());
    Err(CliError::new(Exit::Denied, text).hint(format!("`chmod go-w {}`", path.display())))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it has the form of the other one")]
fn refuse_written_by_others(_: &Path) -> Result<(), CliError> {
    Ok(())
}

/// The trust file of a data directory. A missing one allows nothing.
pub(crate) fn load(data: &Path) -> Result<TrustFile, CliError> {
    let text = text(&path(data))?;
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
    let mut text = text(&path(data))?;
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
