//! Plug-ins in C, JavaScript and Python: `offstage-build` has their projects and builds.
//!
//! Their steps and requests are declared in `plugin.toml`. Never installs anything but build tools,
//! below the user's cache folder.

use super::{Built, Kind, Language};
use crate::error::CliError;
use crate::exit::Exit;
use offstage_build::{BuildError, BuildFolders, Language as Tool};
use std::path::{Path, PathBuf};

/// Names another folder for build tools.
const TOOLS: &str = "OFFSTAGE_PLUGIN_TOOLS";

pub(super) const C: Language = of(Tool::C);
pub(super) const JAVASCRIPT: Language = of(Tool::Javascript);
pub(super) const PYTHON: Language = of(Tool::Python);

const fn of(tool: Tool) -> Language {
    Language {
        name: tool.name(),
        files: offstage_build::template(tool),
        sdk: Some(tool),
        // Only `plugin.toml` says that a folder is a project of theirs.
        recognises: |_| false,
        build,
    }
}

/// Builds a project in the language that its `plugin.toml` names.
pub(super) fn build(folder: &Path, kind: Kind) -> Result<Built, CliError> {
    if kind == Kind::Debugging {
        let text = "Only plug-ins in Rust can be built for a debugger.";
        return Err(CliError::usage(text)
            .hint("`offstage capture` and `offstage replay` work for every language."));
    }
    let folders = BuildFolders { tools: tools()?, work: folder.join("target/build") };
    let built = offstage_build::build(folder, &folders).map_err(error)?;
    let folder =
        std::fs::canonicalize(folder).map_err(|error| CliError::file("read", folder, &error))?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("plugin");
    Ok(Built { name: name.replace('-', "_"), component: built.component })
}

/// Where build tools are kept, for all projects of this user.
fn tools() -> Result<PathBuf, CliError> {
    if let Some(folder) = std::env::var_os(TOOLS) {
        return Ok(folder.into());
    }
    directories::ProjectDirs::from("", "", "offstage")
        .map(|folders| folders.cache_dir().join("plugin-tools"))
        .ok_or_else(|| {
            CliError::usage("There is no home folder to keep build tools in.")
                .hint(format!("Name a folder for them with {TOOLS}."))
        })
}

/// The command's error.
pub(super) fn error(error: BuildError) -> CliError {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    let exit = match &error {
        BuildError::Read { .. } => Exit::NotFound,
        BuildError::Write { .. } => Exit::Internal,
        _ => Exit::Usage,
    };
    let text = format!("{error}{}.", source.unwrap_or_default());
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let message: String = first.into_iter().chain(letters).collect();
    match error.hint() {
        "" => CliError::new(exit, message),
        hint => CliError::new(exit, message).hint(hint),
    }
}
