//! The tools that builds run: installed where that is possible, with a plain word where it is not.
//!
//! Python's and JavaScript's are installed into a folder of their own, with fixed versions; clang
//! comes from the system. Never changes an environment that it did not make.

use crate::{BuildError, Language, sdk};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders that hold what was made, and no source.
const NOT_SOURCE: [&str; 4] = ["target", "node_modules", "__pycache__", "tests"];

/// Makes sure that a language can be built; quick when it can.
pub(crate) fn ensure(language: Language, folder: &Path) -> Result<(), BuildError> {
    if is_installed(language, folder) && language.works(folder) {
        return Ok(());
    }
    make_folder(folder)?;
    for (name, content) in sdk::tool_files(language) {
        write(&folder.join(name), content.as_bytes())?;
    }
    language.install(folder)?;
    for (name, content) in sdk::tool_files(language) {
        write(&folder.join(format!("{name}.installed")), content.as_bytes())?;
    }
    Ok(())
}

/// Whether the last installation was complete and of these versions.
fn is_installed(language: Language, folder: &Path) -> bool {
    sdk::tool_files(language).iter().all(|(name, content)| {
        fs::read_to_string(folder.join(format!("{name}.installed")))
            .is_ok_and(|installed| installed == *content)
    })
}

/// Runs a tool to its end; its output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), BuildError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| BuildError::ToolStart { tool: tool.clone(), source })?;
    if status.success() { Ok(()) } else { Err(BuildError::ToolFailed { tool, status }) }
}

/// Whether a command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

pub(crate) fn make_folder(path: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(path).map_err(|source| BuildError::Write { path: path.to_owned(), source })
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    fs::write(path, content).map_err(|source| BuildError::Write { path: path.to_owned(), source })
}

/// Adds all source files below `folder`.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    let failed = |source| BuildError::read(folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() {
            // A package beside its source is what the last build made.
            if !name.ends_with(".wasm") {
                files.push(path);
            }
        } else if !NOT_SOURCE.contains(&name.as_str()) && !name.starts_with('.') {
            collect(&path, files)?;
        }
    }
    Ok(())
}
