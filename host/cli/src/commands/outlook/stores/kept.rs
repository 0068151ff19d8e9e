//! `outlook-stores.json` and the folder of each store: how it is reached, apart from its secret.
//!
//! A password or token is in the file `secret` of the store's folder, readable by its owner only,
//! and nowhere else.

use super::arguments::Secret;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{owned_file, workspace};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the mailbox that is part of the directory.
pub(super) const EMBEDDED: &str = "embedded";
const FILE: &str = "outlook-stores.json";
/// Below it each store has a folder: its secret, its sync cache, its ties.
const FOLDER: &str = "outlook-stores";
const SECRET: &str = "secret";
/// The version that is written.
const VERSION: u32 = 1;

/// The stores that were added.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Stores {
    version: u32,
    /// The name of the one in use; none stands for the embedded mailbox.
    pub(super) in_use: Option<String>,
    pub(super) stores: Vec<Kept>,
}

/// A store that was added.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(super) access: Access,
}

/// How a store is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Access {
    /// CardDAV and CalDAV.
    Dav { address: String, user: Option<String> },
    /// Microsoft Graph.
    Graph { address: String },
    /// IMAP.
    Imap(Imap),
    /// A PST file.
    Pst { file: PathBuf },
}

/// An account on an IMAP server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Imap {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) folders: Vec<String>,
    pub(super) keywords: bool,
    /// No TLS; only to this machine.
    pub(super) plain: bool,
    pub(super) authorities: Option<PathBuf>,
}

impl Access {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Dav { .. } => "dav",
            Self::Graph { .. } => "graph",
            Self::Imap(_) => "imap",
            Self::Pst { .. } => "pst",
        }
    }

    pub(super) fn address(&self) -> String {
        match self {
            Self::Dav { address, .. } | Self::Graph { address } => address.clone(),
            Self::Imap(imap) => format!("{}:{}", imap.host, imap.port),
            Self::Pst { file } => file.display().to_string(),
        }
    }

    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::Dav { user, .. } => user.as_deref(),
            Self::Imap(imap) => Some(&imap.user),
            Self::Graph { .. } | Self::Pst { .. } => None,
        }
    }
}

impl Stores {
    pub(super) fn load(data: &Path) -> Result<Self, CliError> {
        let path = data.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(CliError::file("read", &path, &error)),
        };
        let known: Version = serde_json::from_slice(&bytes).unwrap_or_default();
        if known.version > VERSION {
            let text = format!("'{}' was written by a newer program.", path.display());
            return Err(CliError::new(Exit::Internal, text).hint("Use that one, or a newer one."));
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::new(Exit::Internal, format!("'{}' is damaged: {error}.", path.display()))
                .hint("Move it away and add the stores again.")
        })
    }

    pub(super) fn save(&mut self, data: &Path) -> Result<(), CliError> {
        self.version = VERSION;
        let json =
            serde_json::to_vec_pretty(self).expect("BUG: plain fields always have a JSON form");
        owned_file::write(&data.join(FILE), &json)
    }

    /// The store in use; none stands for the embedded mailbox.
    pub(super) fn in_use(&self) -> Option<&Kept> {
        let name = self.in_use.as_ref()?;
        self.stores.iter().find(|kept| kept.name == *name)
    }
}

/// Only the version, of a file that may be newer.
#[derive(Default, Deserialize)]
struct Version {
    version: u32,
}

/// The folder of a store.
pub(super) fn folder(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(name)
}

/// Makes the folder of a store with its secret.
pub(super) fn make(folder: &Path, secret: Option<&Secret>) -> Result<(), CliError> {
    workspace::make_folder(folder)?;
    match secret {
        Some(secret) => owned_file::write(&folder.join(SECRET), secret.0.as_bytes()),
        None => Ok(()),
    }
}

/// The secret of a store; none for one that was added without.
pub(super) fn secret(folder: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(folder.join(SECRET)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes everything that is kept of a store.
pub(super) fn forget(data: &Path, name: &str) -> Result<(), CliError> {
    let folder = folder(data, name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(CliError::file("remove", &folder, &error))
        }
        _ => Ok(()),
    }
}
