//! `offstage connect`: makes a data directory a device of a server.

use super::status;
use crate::connection::{self, Connection, key_path, read_key};
use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::SystemRandom;
use crate::output::Output;
use crate::sign_in::{self, Credentials};
use crate::values::FileArgument;
use crate::workspace::{self, Workspace};
use crate::{owned_file, progress};
use clap::Args;
use offstage_pipeline::Side;
use offstage_replication::{Device, DeviceKey, DeviceOptions};
use offstage_sandbox::DebugPlugins;
use offstage_store::Role;
use std::path::Path;

/// Make this data directory a device of a server.
///
/// The client id and secret are used once: from then on the device signs in with a key of its own,
/// which stays in the data directory. A server that was started with `--dev` needs neither.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connect {
    /// The server's address, such as http://127.0.0.1:5000
    url: String,
    /// The client id of the user whose device it is
    #[arg(long, value_name = "ID", requires = "client_secret")]
    client_id: Option<String>,
    /// Its secret
    #[arg(long, value_name = "SECRET", env = "OFFSTAGE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Use this Ed25519 key (PKCS#8 PEM) for the device, and not a new one
    #[arg(long, value_name = "FILE")]
    device_key: Option<FileArgument>,
    /// What people call the device
    #[arg(long, value_name = "NAME", default_value = "device")]
    name: String,
    /// Begin a new journal on this device's directory: the way out when the server says that its
    /// journal continues in two ways. Entries of the old one stay readable
    #[arg(long)]
    renew: bool,
    /// Bring the data down now, so that the device can go offline without the server later
    #[arg(long)]
    offline_capable: bool,
}

impl Connect {
    pub(crate) fn run(&self, data: &Path, quiet: bool) -> Result<Output, CliError> {
        if let Some(role) = workspace::role(data)? {
            if self.renew && role == Role::Device {
                return renew(data);
            }
            let whose = if role == Role::Server { "server" } else { "device" };
            return Err(CliError::usage(format!(
                "'{}' is a {whose}'s data directory already.",
                data.display()
            ))
            .hint(
                "Name another directory with `--data DIR`; `--renew` begins a new journal here.",
            ));
        }
        let url = self.url.trim_end_matches('/');
        let about = sign_in::about(url)?;
        tracing::info!(version = about.version, organization = about.organization.name, "server");
        let first = self.credentials(about.any_token)?;
        workspace::make_folder(data)?;
        let key = self.key(data)?;
        owned_file::write(&key_path(data), key.to_pem().as_bytes())?;
        let pipeline = workspace::pipeline(data, Side::Device, DebugPlugins::None)?;
        let options = DeviceOptions { pipeline, link: connection::link(url, first) };
        let device = Device::open(options)?;
        let status = device.connect(&self.name, Some(key.public_key()))?;
        let connection = Connection {
            url: url.to_owned(),
            organization: about.organization.id,
            device: status.device,
            any_token: about.any_token,
        };
        connection.save(data)?;
        workspace::claim(data, Role::Device)?;
        // The store closes before it opens again, signed in by the device's own key.
        drop(device);
        let workspace = Workspace::open(data)?;
        if self.offline_capable {
            let progress = progress::display("connect", quiet);
            workspace.device()?.sync(&*progress)?;
        } else {
            // The handshake brings the metadata, by which values on the command line are typed.
            workspace.device()?.filters()?;
        }
        let mut output = status::of_device(workspace.device()?)?;
        output.blocks.insert(0, crate::output::Block::Text("Connected.".into()));
        Ok(output)
    }

    fn credentials(&self, any_token: bool) -> Result<Credentials, CliError> {
        match (&self.client_id, &self.client_secret) {
            (Some(client), Some(secret)) => {
                Ok(Credentials::Secret { client: client.clone(), secret: secret.clone() })
            }
            _ if any_token => Ok(Credentials::Anything),
            _ => Err(CliError::new(Exit::Denied, "The server wants to know who you are.")
                .hint("Give --client-id and --client-secret; `offstage user add NAME` on the server makes them.")),
        }
    }

    fn key(&self, data: &Path) -> Result<DeviceKey, CliError> {
        let known = key_path(data);
        match &self.device_key {
            Some(file) => read_key(&file.0),
            // An attempt that was interrupted may have told the server this one already.
            None if known.exists() => read_key(&known),
            None => Ok(DeviceKey::generate(&SystemRandom)),
        }
    }
}

fn renew(data: &Path) -> Result<Output, CliError> {
    let workspace = Workspace::open(data)?;
    let device = workspace.device()?;
    device.renew()?;
    let mut output = status::of_device(device)?;
    output.blocks.insert(0, crate::output::Block::Text("A new journal begins here.".into()));
    Ok(output)
}
