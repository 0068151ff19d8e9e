//! `offstage backup`: a copy of the whole data directory, taken while requests go on.
//!
//! Never leaves half a copy under the name that was asked for.

use crate::error::CliError;
use crate::output::{Output, grouped};
use crate::values::FileArgument;
use crate::workspace::{self, STORE_FILE, Workspace};
use clap::Args;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// Names that a copy leaves out: they are made anew, or belong to the running process.
const LEFT_OUT: &[&str] = &["compiled", "compiled.key", "running.json"];

/// Copy this data directory into a new folder, with its rows, journal, plug-ins and keys.
///
/// Requests go on meanwhile. The copy holds secrets: keep it as you keep the original.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// The new folder
    folder: FileArgument,
}

impl Backup {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let folder = &self.folder.0;
        if folder.exists() {
            let message = format!("'{}' exists already.", folder.display());
            return Err(CliError::usage(message).hint("Name a folder that does not exist yet."));
        }
        let partial = partial(folder);
        // What an interrupted copy left.
        drop(std::fs::remove_dir_all(&partial));
        workspace::make_folder(&partial)?;
        progress.start("Copying the store", None);
        workspace.store().back_up(&partial.join(STORE_FILE))?;
        progress.finish();
        copy_files(&workspace.data, &partial)?;
        std::fs::rename(&partial, folder)
            .map_err(|error| CliError::file("write", folder, &error))?;
        let bytes = std::fs::metadata(folder.join(STORE_FILE)).map(|m| m.len()).unwrap_or_default();
        let text = format!("Copied to {}: {} KiB.", folder.display(), grouped(bytes / 1024));
        Ok(Output::new(json!({ "folder": folder, "storeBytes": bytes })).text(text))
    }
}

/// Where a copy grows until it is whole.
pub(crate) fn partial(folder: &Path) -> std::path::PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Copies the plain files of a data directory that are no part of its store.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<(), CliError> {
    let entries = std::fs::read_dir(from).map_err(|e| CliError::file("read", from, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| CliError::file("read", from, &e))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if LEFT_OUT.contains(&&*text) || text.starts_with(STORE_FILE) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| CliError::file("read", &path, &e))?;
        if kind.is_dir() {
            workspace::make_folder(&to.join(&name))?;
            copy_files(&path, &to.join(&name))?;
        } else if kind.is_file() {
            // Keeps the mode, so that keys stay private.
            std::fs::copy(&path, to.join(&name)).map_err(|e| CliError::file("copy", &path, &e))?;
        }
    }
    Ok(())
}
