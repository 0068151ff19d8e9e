//! The languages, one file each: how its tools are installed, and how a component comes of it.
//!
//! Rust is not among them: its macros and cargo do the same work.

mod c;
pub(crate) mod javascript;
mod python;

use crate::{BuildError, Source};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// A language of plug-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C, with clang.
    C,
    /// JavaScript and TypeScript, with ComponentizeJS.
    #[serde(alias = "js", alias = "typescript", alias = "ts")]
    Javascript,
    /// Python, with componentize-py.
    Python,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::C, Self::Javascript, Self::Python];

    /// Its name, as `plugin.toml` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Javascript => "javascript",
            Self::Python => "python",
        }
    }

    /// Whether its tools, which were installed once, still run: nothing says when the system's
    /// packages change or a folder is moved.
    pub(crate) fn works(self, folder: &Path) -> bool {
        match self {
            Self::C => c::works(folder),
            Self::Javascript => javascript::works(folder),
            Self::Python => python::works(folder),
        }
    }

    /// Installs its tools into `folder`.
    pub(crate) fn install(self, folder: &Path) -> Result<(), BuildError> {
        match self {
            Self::C => c::install(folder),
            Self::Javascript => javascript::install(folder),
            Self::Python => python::install(folder),
        }
    }

    /// Makes a component without declarations.
    pub(crate) fn compile(
        self,
        source: &Source,
        tools: &Path,
        work: &Path,
    ) -> Result<Vec<u8>, BuildError> {
        match self {
            Self::C => c::compile(source, work),
            Self::Javascript => javascript::compile(source, tools, work),
            Self::Python => python::compile(source, tools, work),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C => "C",
            Self::Javascript => "JavaScript",
            Self::Python => "Python",
        })
    }
}
