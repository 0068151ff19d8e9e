//! `trust.toml` in the data directory: which packages may run here.
//!
//! Never rewrites what a person wrote; a new pin is appended.

use crate::error::CliError;
use crate::exit::Exit;
use crate::owned_file;
use offstage_policy::TrustFile;
use std::path::{Path, PathBuf};

/// The file in a data directory.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("trust.toml")
}

/// The trust file of a data directory. A missing one allows nothing.
pub(crate) fn load(data: &Path) -> Result<TrustFile, CliError> {
    let text = owned_file::text(&path(data))?;
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
    let title = "Plug-in packages that may run in this data directory.";
    let lines = TrustFile::pin_lines(package, sha256, reason);
    owned_file::append(&path(data), title, &lines, |text| parse(data, text))
}
