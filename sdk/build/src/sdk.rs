//! The SDKs' files, as this version of the build has them.
//!
//! A plug-in's folder has its SDK beside it, so that an editor and unit tests find it; `plugin new`
//! writes it there from here. Never reads the disk.

use crate::{BuildError, Language, tools};
use std::path::Path;

/// The contract.
pub(crate) const CONTRACT: &str = include_str!("../../wit/plugin.wit");

type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../", $folder, "/", $name)))),+]
    };
}

const C: Files = files!("c": "bindings/plugin.c", "bindings/plugin.h", "context.c", "internal.h",
    "offstage.h", "service.c", "system.c", "value.c");
const JAVASCRIPT: Files = files!("js": "package.json", "register.mjs", "src/context.js",
    "src/convert.js", "src/definition.js", "src/determinism.js", "src/entity.js", "src/errors.js",
    "src/guest.js", "src/host.js", "src/index.js", "src/operation.js", "src/query.js",
    "src/service.js", "src/testkit.js", "src/values.js");
const PYTHON: Files = files!("python": "offstage/__init__.py", "offstage/context.py",
    "offstage/convert.py", "offstage/definition.py", "offstage/determinism.py",
    "offstage/entity.py", "offstage/errors.py", "offstage/guest.py", "offstage/host.py",
    "offstage/operation.py", "offstage/query.py", "offstage/service.py", "offstage/testkit.py",
    "offstage/values.py");
const JAVASCRIPT_TOOLS: Files =
    files!("js/tools": "build.mjs", "package.json", "package-lock.json", "requirements.txt");
const PYTHON_TOOLS: Files = files!("python/tools": "requirements.txt");

/// The files of a language's SDK, by their paths in it.
pub(crate) const fn sdk_files(language: Language) -> Files {
    match language {
        Language::C => C,
        Language::Javascript => JAVASCRIPT,
        Language::Python => PYTHON,
    }
}

/// The files that say which tools a language is built with.
pub(crate) const fn tool_files(language: Language) -> Files {
    match language {
        Language::C => &[],
        Language::Javascript => JAVASCRIPT_TOOLS,
        Language::Python => PYTHON_TOOLS,
    }
}

/// Writes a language's SDK into `folder`, over what is there.
///
/// # Errors
/// A file cannot be written.
pub fn write_sdk(language: Language, folder: &Path) -> Result<(), BuildError> {
    for (name, content) in sdk_files(language) {
        let path = folder.join(name);
        tools::make_folder(path.parent().unwrap_or(folder))?;
        tools::write(&path, content.as_bytes())?;
    }
    Ok(())
}
