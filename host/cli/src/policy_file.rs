//! `policy.toml` in the data directory: what plug-ins may do here.
//!
//! Never rewrites what a person wrote; new grants are appended.

use crate::error::CliError;
use crate::exit::Exit;
use crate::owned_file;
use offstage_policy::PolicyFile;
use std::path::{Path, PathBuf};

/// The file in a data directory.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("policy.toml")
}

/// The policy file of a data directory. A missing one grants nothing.
pub(crate) fn load(data: &Path) -> Result<PolicyFile, CliError> {
    let path = path(data);
    let text = owned_file::text(&path)?;
    if text.is_empty() {
        return Ok(PolicyFile::missing(&path.display().to_string()));
    }
    parse(&path, &text)
}

/// Reads the text of a policy file.
pub(crate) fn parse(path: &Path, text: &str) -> Result<PolicyFile, CliError> {
    PolicyFile::parse(text, &path.display().to_string()).map_err(|error| {
        let hint = error.hint.clone();
        CliError::new(Exit::Denied, format!("{error}.")).hint(hint)
    })
}

/// Appends a grant and returns the file as it is now.
pub(crate) fn grant(
    data: &Path,
    package: &str,
    reason: &str,
    rules: &[String],
) -> Result<PolicyFile, CliError> {
    let path = path(data);
    let title = "What plug-ins may do in this data directory.";
    let lines = PolicyFile::grant_lines(package, reason, rules);
    owned_file::append(&path, title, &lines, |text| parse(&path, text))
}
