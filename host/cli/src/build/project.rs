//! Makes the files of a new project. Never writes over a file.

use super::{Language, languages};
use crate::error::CliError;
use std::path::{Path, PathBuf};

/// A project that is to be made.
pub(crate) struct Project {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The package id.
    pub(crate) package: String,
    /// The folder of the SDK of its language.
    pub(crate) sdk: PathBuf,
}

/// Writes the files of a project; returns their paths.
pub(crate) fn make(language: &Language, project: &Project) -> Result<Vec<PathBuf>, CliError> {
    let name = project.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || !name.chars().all(plain) {
        return Err(CliError::usage(format!("'{name}' is no name for a project."))
            .hint("Use a-z, 0-9 and '-', and start with a letter."));
    }
    if project.folder.exists() {
        let text = format!("'{}' exists already.", project.folder.display());
        return Err(CliError::usage(text).hint("A project is made in a folder of its own."));
    }
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{package}}", &project.package)
            .replace("{{sdk}}", &project.sdk.display().to_string())
    };
    let mut written = Vec::new();
    for (path, content) in language.files {
        let path = project.folder.join(fill(path));
        write(&path, &fill(content))?;
        written.push(path);
    }
    if let Some(tool) = language.sdk {
        languages::write_sdk(tool, &project.folder.join(&project.sdk))?;
    }
    Ok(written)
}

fn write(path: &Path, content: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| CliError::file("make", folder, &error))?;
    std::fs::write(path, content).map_err(|error| CliError::file("write", path, &error))
}
