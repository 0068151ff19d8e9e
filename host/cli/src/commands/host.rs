//! `offstage host`: the device's host process.

use crate::commands::outlook;
use crate::control::Commands;
use crate::debugging::DebugOption;
use crate::error::CliError;
use crate::exit::Exit;
use crate::listen::{self, Listen};
use crate::machine::random_hex;
use crate::mailbox_door::MailboxDoor;
use crate::output::{Output, complain};
use crate::owned_file;
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{Catalog, Fault, Request, Response};
use offstage_pipeline::{CallOptions, Caller, Organization, PluginState};
use offstage_replication::{Device, DeviceState, Silent};
use offstage_server::{App, Authority, DevAuthority, Engine, Exposure, LocalAuthority};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the copy is refreshed while the device is online (`playback.md`, "States of a device").
const REFRESH_EVERY: Duration = Duration::from_secs(15 * 60);
/// The file with the token of the local API.
const API_TOKEN_FILE: &str = "api-token";

/// Run the host process of this device.
///
/// Programs of this machine use the same Web API as on the server, with the token in the file
/// `api-token` of the data directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct Host {
    /// The address to listen on, of this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Take any token; for trying and tests
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    debug: DebugOption,
}

impl Host {
    pub(crate) fn run(&self, data: &Path, as_json: bool) -> Result<Output, CliError> {
        let workspace = Workspace::open_debugging(data, self.debug.plugins())?;
        let device = workspace.device()?.clone();
        self.debug.announce(&workspace)?;
        let authority: Arc<dyn Authority> = if self.dev {
            complain(
                "warning: --dev: every program of this machine acts as the device's user, with any token or none",
            );
            Arc::new(DevAuthority::new(device.user()?))
        } else {
            let user = device.clone();
            Arc::new(LocalAuthority::new(&api_token(data)?, move || user.user()))
        };
        let listen = Listen {
            address: self.listen,
            exposure: Exposure::Loopback,
            data,
            as_json,
            debug_plugins: self.debug.names(),
            extra: None,
        };
        let limits = self.debug.limits();
        let _refresh = Refresh::start(device.clone())?;
        let workspace = Arc::new(workspace);
        let _outlook = OutlookSchedule::start(Arc::clone(&workspace))?;
        let mailbox = Arc::new(MailboxDoor(Arc::clone(&workspace)));
        let app = |door| App {
            engine: Arc::new(LocalEngine(device)),
            authority,
            issuer: None,
            sync: None,
            outlook: None,
            mailbox: Some(mailbox),
            control: Some(door),
            limits,
        };
        listen::serve(&listen, app, Arc::new(Commands(workspace)))?;
        Ok(Output::default())
    }
}

/// How often the schedule of Outlook is looked at; the interval itself is a setting.
const OUTLOOK_LOOK_EVERY: Duration = Duration::from_secs(5);

/// Synchronises Outlook by its schedule, on a thread of its own; dropping it stops that after the
/// run that goes on.
struct OutlookSchedule {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OutlookSchedule {
    fn start(workspace: Arc<Workspace>) -> Result<Self, CliError> {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            while stopped.recv_timeout(OUTLOOK_LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = outlook::run_if_due(&workspace) {
                    tracing::warn!(%error, "the scheduled Outlook run did not work");
                }
            }
        };
        let thread = std::thread::Builder::new().name("outlook".into()).spawn(work);
        let thread = thread.map_err(|error| {
            CliError::new(Exit::Internal, format!("No thread for Outlook: {error}."))
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for OutlookSchedule {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the Outlook schedule panicked");
        }
    }
}

/// Refreshes the copy in the background; dropping it stops that after the refresh that runs.
struct Refresh {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresh {
    fn start(device: Device) -> Result<Self, CliError> {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            while stopped.recv_timeout(REFRESH_EVERY) == Err(RecvTimeoutError::Timeout) {
                // A device that never went offline has no copy; one that is offline waits.
                let due = device.state() == Some(DeviceState::Online)
                    && device.status().is_ok_and(|status| status.offline_capable);
                if due && let Err(fault) = device.sync(&Silent) {
                    tracing::warn!(%fault, "the background refresh did not work");
                }
            }
        };
        let thread = std::thread::Builder::new().name("refresh".into()).spawn(work);
        let thread = thread.map_err(|error| {
            CliError::new(Exit::Internal, format!("No thread for the refresh: {error}."))
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the background refresh panicked");
        }
    }
}

/// The token of the local API; made the first time, readable by the owner only.
fn api_token(data: &Path) -> Result<String, CliError> {
    let path = data.join(API_TOKEN_FILE);
    if let Ok(text) = std::fs::read_to_string(&path)
        && text.trim().len() >= 32
    {
        return Ok(text.trim().to_owned());
    }
    let token = random_hex::<32>();
    owned_file::write(&path, format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// A device as the Web API sees it.
struct LocalEngine(Device);

impl Engine for LocalEngine {
    /// A device has one user; whoever holds the local token is that user.
    fn execute(
        &self,
        _caller: &Caller,
        request: Request,
        options: CallOptions,
    ) -> Result<Response, Fault> {
        self.0.execute(request, options)
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.0.pipeline().catalog()
    }

    fn state(&self) -> Option<&'static str> {
        let local = self.0.state().is_some_and(DeviceState::is_local);
        Some(if local { "offline" } else { "online" })
    }

    fn organization(&self) -> Organization {
        self.0.pipeline().organization()
    }

    /// Those of this machine, which is the user's own.
    fn plugins(&self, _caller: &Caller) -> Result<Vec<PluginState>, Fault> {
        self.0.pipeline().plugin_states()
    }
}
