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
    pub(crate) sdk: Sdk,
}

/// Where a project's SDK is.
pub(crate) enum Sdk {
    /// In the project, as a copy that is made with it.
    Own,
    /// In this folder.
    At(PathBuf),
}

/// The folder of a project's own SDK.
const OWN_SDK: &str = "sdk";

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
    let sdk = match &project.sdk {
        Sdk::At(folder) => folder.display().to_string(),
        // Beside the contract, as in the repository.
        Sdk::Own if language.sdk.is_none() => format!("{OWN_SDK}/rust"),
        Sdk::Own => OWN_SDK.to_owned(),
    };
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{package}}", &project.package)
            .replace("{{sdk}}", &sdk)
    };
    let mut written = Vec::new();
    for (path, content) in language.files {
        let path = project.folder.join(fill(path));
        write(&path, &fill(content))?;
        written.push(path);
    }
    if let Sdk::Own = project.sdk {
        languages::write_sdk(language.sdk, &project.folder.join(OWN_SDK))?;
    }
    Ok(written)
}

fn write(path: &Path, content: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| CliError::file("make", folder, &error))?;
    std::fs::write(path, content).map_err(|error| CliError::file("write", path, &error))
}
