//! Makes projects for plug-ins, and package files of projects; one file per language.
//!
//! To add a language, add a file with a [`Language`] and name it in [`LANGUAGES`]. Never registers
//! or allows anything.

mod languages;
mod rust;

use crate::error::CliError;
use crate::values::FileArgument;
use offstage_build::{Files, MANIFEST, Project};
use std::path::{Path, PathBuf};

/// The languages in which a plug-in can be written here.
pub(crate) const LANGUAGES: [&Language; 4] =
    [&rust::LANGUAGE, &languages::PYTHON, &languages::JAVASCRIPT, &languages::C];

/// What is particular to a language.
pub(crate) struct Language {
    /// The word for it, in `plugin new --lang`.
    pub(crate) name: &'static str,
    /// The files of a new project.
    pub(crate) files: Files,
    /// The SDK that a project of this language has beside it, in `sdk/`. Without one it is a project
    /// in Rust, which may also refer to the SDK of the repository.
    pub(crate) sdk: Option<offstage_build::Language>,
    /// Whether a folder without `plugin.toml` is a project of this language.
    pub(crate) recognises: fn(&Path) -> bool,
    /// Makes the component, with its declarations, of the project in a folder.
    pub(crate) build: fn(&Path, Kind) -> Result<Built, CliError>,
}

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Running.
    Release,
    /// Running for a debugger: nothing is optimized away, and debug information is in it.
    Debugging,
}

/// What a build made.
pub(crate) struct Built {
    /// The file's name without `.wasm`.
    pub(crate) name: String,
    /// The component with its declarations.
    pub(crate) component: Vec<u8>,
}

/// The language of this name.
pub(crate) fn language(name: &str) -> Result<&'static Language, CliError> {
    let name = if name == "js" { "javascript" } else { name };
    LANGUAGES.into_iter().find(|language| language.name == name).ok_or_else(|| {
        let names: Vec<&str> = LANGUAGES.iter().map(|language| language.name).collect();
        CliError::usage(format!("There is no language '{name}' here."))
            .hint(format!("There is {}.", names.join(", ")))
    })
}

/// Makes a project in a folder; `sdk` is that of Rust, where it is not a copy. Returns its files.
pub(crate) fn make(
    language: &Language,
    folder: &Path,
    package: &str,
    sdk: Option<&Path>,
) -> Result<Vec<PathBuf>, CliError> {
    let (files, language) = (language.files, language.sdk);
    let project = Project { folder, package, language, files, sdk };
    offstage_build::new_project(&project).map_err(languages::error)
}

/// Builds the project in a folder: one with `plugin.toml` in the language that it names, another
/// in the language that its files are of.
pub(crate) fn build(folder: &FileArgument, kind: Kind) -> Result<Built, CliError> {
    let folder = &folder.0;
    if folder.join(MANIFEST).exists() {
        return languages::build(folder, kind);
    }
    let known = LANGUAGES.into_iter().find(|language| (language.recognises)(folder));
    let known = known.ok_or_else(|| {
        let text = format!("'{}' is no plug-in project.", folder.display());
        CliError::usage(text).hint("`offstage plugin new NAME` makes one.")
    })?;
    (known.build)(folder, kind)
}
