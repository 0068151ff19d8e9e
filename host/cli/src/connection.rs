//! `connection.json`: the server that a device belongs to, and how it signs in there.
//!
//! The file holds no secret; the device's key is in `device.key`, readable by its owner only.

use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::SystemRandom;
use crate::owned_file;
use crate::sign_in::{Credentials, SignIn};
use offstage_model::Uuid;
use offstage_replication::device_key::DeviceKey;
use offstage_replication::{HttpLink, HttpOptions, ServerLink};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The server of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    /// The server's address.
    pub(crate) url: String,
    /// Its organization.
    pub(crate) organization: Uuid,
    /// This device.
    pub(crate) device: Uuid,
    /// The server takes any token (`serve --dev`).
    pub(crate) any_token: bool,
}

fn path(data: &Path) -> PathBuf {
    data.join("connection.json")
}

/// Where the device's key is.
pub(crate) fn key_path(data: &Path) -> PathBuf {
    data.join("device.key")
}

impl Connection {
    /// Reads the file of a device's directory.
    pub(crate) fn load(data: &Path) -> Result<Self, CliError> {
        let path = path(data);
        let bytes = std::fs::read(&path).map_err(|error| CliError::file("read", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::new(Exit::Internal, format!("'{}' is damaged: {error}.", path.display()))
                .hint("Run `offstage connect URL` again in a new data directory.")
        })
    }

    /// Writes the file.
    pub(crate) fn save(&self, data: &Path) -> Result<(), CliError> {
        let json = serde_json::to_vec_pretty(self)
            .expect("BUG: four plain fields always have a JSON form");
        owned_file::write(&path(data), &json)
    }

    /// The link to the server, signed in by the device's key.
    pub(crate) fn link(&self, data: &Path) -> Result<Arc<dyn ServerLink>, CliError> {
        let credentials = if self.any_token {
            Credentials::Anything
        } else {
            let key = Box::new(read_key(&key_path(data))?);
            Credentials::Key { key, device: self.device, organization: self.organization }
        };
        Ok(link(&self.url, credentials))
    }
}

/// A link to the server at `url`.
pub(crate) fn link(url: &str, credentials: Credentials) -> Arc<dyn ServerLink> {
    let token = Arc::new(SignIn::new(url, credentials));
    Arc::new(HttpLink::new(HttpOptions::new(url), token, Arc::new(SystemRandom)))
}

/// Reads a device key.
pub(crate) fn read_key(path: &Path) -> Result<DeviceKey, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::file("read", path, &error))?;
    DeviceKey::from_pem(&text).map_err(|error| {
        CliError::usage(format!("'{}' is no device key: {error}.", path.display()))
    })
}
