//! Why a plug-in cannot be built, and what to do about it.
//!
//! Never holds the output of a tool: tools write to the terminal themselves.

use crate::Language;
use std::path::{Path, PathBuf};

/// Why a plug-in cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `plugin.toml` is not as it should be.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
    /// A name that is none for a project.
    #[error("'{name}' is no name for a project")]
    ProjectName {
        /// The name.
        name: String,
    },
    /// A name that the language has taken: a project of that name would not build.
    #[error("'{name}' is no name for a project in this language: it is {what}")]
    ProjectNameTaken {
        /// The name.
        name: String,
        /// What has the name already.
        what: &'static str,
    },
    /// A project is made in a folder of its own.
    #[error("'{}' exists already", folder.display())]
    ProjectExists {
        /// The folder.
        folder: PathBuf,
    },
    /// A tool is missing and cannot be installed here.
    #[error("{language} plug-ins need {what}, which is not there: {reason}")]
    ToolMissing {
        /// The language.
        language: Language,
        /// What is missing.
        what: &'static str,
        /// Why it was not installed.
        reason: String,
        /// How to install it by hand.
        hint: &'static str,
    },
    /// A tool cannot be started.
    #[error("cannot start {tool}")]
    ToolStart {
        /// The program.
        tool: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A tool did not do its work.
    #[error("{tool} ended with {status}")]
    ToolFailed {
        /// The program.
        tool: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What was built is no component of the contract.
    #[error("what was built is no plug-in component: {reason}")]
    NoPlugin {
        /// What is wrong with it.
        reason: String,
    },
    /// What was built imports something that no plug-in gets.
    #[error("the plug-in imports `{import}`, which no plug-in gets")]
    ForeignImport {
        /// The import.
        import: String,
    },
}

impl BuildError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// What to do about it; empty where the error says it all.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Write { .. } | Self::NoPlugin { .. } => "",
            Self::Manifest { .. } => {
                "docs/guide/languages.md shows a plugin.toml of each language."
            }
            Self::ProjectName { .. } => "Use a-z, 0-9 and '-', and start with a letter.",
            Self::ProjectNameTaken { .. } => "Choose another, such as two words with '-' between.",
            Self::ProjectExists { .. } => "A project is made in a folder of its own.",
            Self::ToolMissing { hint, .. } => hint,
            Self::ToolStart { .. } => "Run `cargo xtask setup`, or install it by hand.",
            Self::ToolFailed { .. } => "What it wrote above says what is wrong.",
            Self::ForeignImport { .. } => {
                "A plug-in has no files, no network, no clock and no randomness of the machine; what \
                 it needs comes from the SDK. Find the call that wants it and take it out."
            }
        }
    }
}
