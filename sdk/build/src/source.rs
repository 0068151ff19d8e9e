//! `plugin.toml`: what a plug-in is, beside its source.
//!
//! Never guesses a language from file names: the file says it.

use crate::{BuildError, Language, declarations};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The file's name.
pub const MANIFEST: &str = "plugin.toml";

/// A plug-in's folder, read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The folder.
    pub folder: PathBuf,
    /// The package id, such as `samples/postal-codes`.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The language.
    pub language: Language,
    /// The file that the build starts from: the Python or JavaScript module, or the C file.
    pub entry: PathBuf,
    /// The language's SDK.
    pub sdk: PathBuf,
    /// The lines of the declarations.
    pub declarations: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    package: String,
    version: String,
    language: Language,
    entry: PathBuf,
    #[serde(default = "sdk_in_folder")]
    sdk: PathBuf,
    #[serde(default, rename = "type")]
    types: Vec<toml::Table>,
    #[serde(default, rename = "request")]
    requests: Vec<toml::Table>,
}

fn sdk_in_folder() -> PathBuf {
    "sdk".into()
}

impl Source {
    /// Reads the `plugin.toml` in `folder`.
    ///
    /// # Errors
    /// It is missing or not as it should be, or it names a file that is not there.
    pub fn read(folder: &Path) -> Result<Self, BuildError> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|source| BuildError::read(&path, source))?;
        let wrong = |reason: String| BuildError::Manifest { path: path.clone(), reason };
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let folder = fs::canonicalize(folder).map_err(|source| BuildError::read(folder, source))?;
        let entry = folder.join(&file.entry);
        if !entry.is_file() {
            return Err(wrong(format!("its entry {} is not there", file.entry.display())));
        }
        let sdk = folder.join(&file.sdk);
        let sdk = fs::canonicalize(&sdk).map_err(|_| {
            wrong(format!(
                "its sdk {} is not there; `offstage plugin new` puts one beside a plug-in",
                file.sdk.display()
            ))
        })?;
        let declarations =
            declarations::lines(&file.package, &file.version, &file.requests, &file.types)
                .map_err(wrong)?;
        let File { package, version, language, .. } = file;
        Ok(Self { folder, package, version, language, entry, sdk, declarations })
    }
}
