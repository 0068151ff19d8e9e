//! `offstage serve`: runs a server.

use crate::bootstrap::{self, Secret};
use crate::control::Commands;
use crate::debugging::DebugOption;
use crate::error::CliError;
use crate::exit::Exit;
use crate::listen::{self, Listen};
use crate::output::{Output, complain, say};
use crate::workspace::{self, Workspace};
use clap::Args;
use offstage_outbound::{Outbox, OutboxLimits, Sender, SenderLimits, SystemNetwork, Worker};
use offstage_outlook::crm::OutlookService;
use offstage_pipeline::{Pipeline, Side};
use offstage_replication::SyncService;
use offstage_sandbox::DebugPlugins;
use offstage_server::{App, Authority, DevAuthority, Exposure, Issuer};
use offstage_store::Role;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// What `--dev` says at each start.
const DEV_NOTICE: &str = "warning: --dev: everybody on this machine is the administrator, with any token or none; for trying and tests only";

/// Run a server on this data directory.
///
/// The first start makes the organization with its administrator, and shows the administrator's
/// client id and secret once.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Take any token as the administrator's; loopback only
    #[arg(long)]
    dev: bool,
    /// The name of the organization that the first start makes
    #[arg(long, value_name = "NAME", default_value = "Offstage")]
    organization: String,
    #[command(flatten)]
    debug: DebugOption,
}

impl Serve {
    pub(crate) fn run(&self, data: &Path, as_json: bool) -> Result<Output, CliError> {
        if self.dev && !self.listen.ip().is_loopback() {
            let message = format!("--dev listens on loopback only, and {} is not.", self.listen);
            return Err(CliError::usage(message).hint("Leave out --dev, or listen on 127.0.0.1."));
        }
        let workspace = self.open(data)?;
        self.debug.announce(&workspace)?;
        let secret = if self.dev {
            complain(DEV_NOTICE);
            None
        } else {
            bootstrap::first_secret(workspace.server()?.0)?
        };
        if let (Some(secret), false) = (&secret, as_json) {
            show(secret);
        }
        let extra = secret.map(|s| {
            ("administrator", json!({ "clientId": s.client_id, "clientSecret": s.client_secret }))
        });
        let exposure = if self.dev { Exposure::Loopback } else { Exposure::Network };
        let debug_plugins = self.debug.names();
        let listen = Listen { address: self.listen, exposure, data, as_json, debug_plugins, extra };
        let limits = self.debug.limits();
        let (pipeline, administrator) = workspace.server()?;
        let issuer = Arc::new(Issuer::open(
            pipeline.store().clone(),
            Arc::clone(pipeline.clock()),
            Arc::clone(pipeline.random()),
            pipeline.organization().id,
        )?);
        let authority: Arc<dyn Authority> = if self.dev {
            Arc::new(DevAuthority::new(administrator.clone()))
        } else {
            issuer.clone()
        };
        let pipeline = pipeline.clone();
        let _outbox = start_outbox(&pipeline, data)?;
        let app = |door| App {
            engine: Arc::new(pipeline.clone()),
            authority,
            issuer: Some(issuer),
            sync: Some(SyncService::new(pipeline.clone())),
            outlook: Some(OutlookService::new(pipeline.clone())),
            mailbox: None,
            control: Some(door),
            limits,
        };
        listen::serve(&listen, app, Arc::new(Commands(Arc::new(workspace))))?;
        Ok(Output::default())
    }

    fn open(&self, data: &Path) -> Result<Workspace, CliError> {
        match workspace::role(data)? {
            Some(Role::Server) => {}
            Some(Role::Device) => {
                return Err(CliError::new(
                    Exit::Usage,
                    format!("'{}' is a device's data directory.", data.display()),
                )
                .hint("Name another directory with `--data DIR`, or run `offstage host`."));
            }
            None => {
                workspace::make_folder(data)?;
                let pipeline = workspace::pipeline(data, Side::Server, DebugPlugins::None)?;
                bootstrap::set_up(&pipeline, &self.organization)?;
                workspace::claim(data, Role::Server)?;
            }
        }
        Workspace::open_debugging(data, self.debug.plugins())
    }
}

/// The thread that sends what plug-ins put into the outbox; it ends with what is returned.
fn start_outbox(pipeline: &Pipeline, data: &Path) -> Result<Worker, CliError> {
    let secrets = Arc::new(super::secret::folder(data));
    let sender = Sender::new(Arc::new(SystemNetwork), secrets, SenderLimits::default());
    let outbox = Outbox::of(pipeline, sender, OutboxLimits::default());
    Worker::start(outbox).map_err(|error| {
        CliError::new(Exit::Internal, format!("No thread for the outbox: {error}."))
    })
}

fn show(secret: &Secret) {
    say("administrator, shown this once:");
    say(&format!("  client id      {}", secret.client_id));
    say(&format!("  client secret  {}", secret.client_secret));
}
