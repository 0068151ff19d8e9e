//! `offstage restore`: a data directory from a copy that `offstage backup` made.
//!
//! Never touches the copy, and never takes the place of a directory that holds something.

use super::backup::{copy_files, partial};
use crate::error::CliError;
use crate::machine::SystemRandom;
use crate::output::Output;
use crate::values::FileArgument;
use crate::workspace::{self, STORE_FILE, Workspace};
use clap::Args;
use offstage_model::Randomness as _;
use offstage_replication::INCARNATION;
use serde_json::json;
use std::path::Path;

/// Make this data directory from a copy that `offstage backup` made.
///
/// A server's devices notice it and offer again what the copy does not have. A device's journal goes
/// back in time: the server refuses it if the device had gone on, and nothing is merged.
#[derive(Clone, Debug, Args)]
pub(crate) struct Restore {
    /// The folder with the copy
    folder: FileArgument,
}

impl Restore {
    pub(crate) fn run(&self, data: &Path) -> Result<Output, CliError> {
        let folder = &self.folder.0;
        if workspace::role(folder)?.is_none() || !folder.join(STORE_FILE).exists() {
            let message = format!("'{}' holds no copy of a data directory.", folder.display());
            return Err(CliError::usage(message).hint("`offstage backup FOLDER` makes one."));
        }
        if data.exists() {
            let message = format!("'{}' exists already.", data.display());
            return Err(CliError::usage(message)
                .hint("Name a directory that does not exist yet with `--data DIR`."));
        }
        let partial = partial(data);
        drop(std::fs::remove_dir_all(&partial));
        workspace::make_folder(&partial)?;
        let (from, to) = (folder.join(STORE_FILE), partial.join(STORE_FILE));
        std::fs::copy(&from, &to).map_err(|error| CliError::file("copy", &from, &error))?;
        copy_files(folder, &partial)?;
        let is_server = check(&partial)?;
        std::fs::rename(&partial, data).map_err(|error| CliError::file("write", data, &error))?;
        let text = if is_server {
            "Restored. Devices offer again what this server does not have, at their next contact."
        } else {
            "Restored. If the device had gone on after the copy was made, its server refuses this journal; `offstage connect URL --renew` begins a new one."
        };
        Ok(Output::new(json!({ "data": data, "restoredFrom": folder })).text(text))
    }
}

/// Opens the restored directory, checks the whole store, and gives a server a new incarnation, by
/// which devices notice that it went back. Whether it is a server's.
fn check(data: &Path) -> Result<bool, CliError> {
    let workspace = Workspace::open(data)?;
    workspace.store().check()?;
    if workspace.is_server() {
        let mut tx = workspace.store().write()?;
        tx.put_setting(INCARNATION, &SystemRandom.guid())?;
        tx.commit()?;
    }
    Ok(workspace.is_server())
}
