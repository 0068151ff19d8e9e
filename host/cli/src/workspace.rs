//! The data directory: what it is, and its opened parts.
//!
//! Never runs a command; commands get a workspace. One process has a directory at a time, by the
//! store's lock.

use crate::audit::FileAudit;
use crate::connection::Connection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::{SystemClock, SystemRandom};
use crate::{bootstrap, owned_file, policy_file, trust};
use cap_std::ambient_authority;
use offstage_model::{Catalog, Clock, Fault, Randomness, Request, Response, Uuid};
use offstage_pipeline::{
    CallOptions, Caller, Limits, Organization, Pipeline, PipelineOptions, Side,
};
use offstage_replication::{Device, DeviceOptions, DeviceState, Progress, ServerLink};
use offstage_sandbox::{CodeCache, DebugPlugins, Sandbox, SandboxOptions};
use offstage_store::{Role, Store, StoreOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file that says whose directory it is: `server` or `device`.
const ROLE_FILE: &str = "role";
/// The store in a data directory.
pub(crate) const STORE_FILE: &str = "store.db";
const CACHE_FOLDER: &str = "compiled";
const CACHE_KEY_FILE: &str = "compiled.key";

/// An open data directory.
pub(crate) struct Workspace {
    /// The directory.
    pub(crate) data: PathBuf,
    kind: Kind,
    /// One thread at a time works with the mailbox and the sync cache.
    outlook: Mutex<()>,
}

enum Kind {
    Server { pipeline: Pipeline, administrator: Caller },
    Device { device: Device, pipeline: Pipeline, link: Arc<dyn ServerLink> },
}

/// Whose directory it is; `None` for a directory that is nothing yet.
pub(crate) fn role(data: &Path) -> Result<Option<Role>, CliError> {
    let path = data.join(ROLE_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => match text.trim() {
            "server" => Ok(Some(Role::Server)),
            "device" => Ok(Some(Role::Device)),
            other => {
                Err(CliError::new(Exit::Internal, format!("'{}' says '{other}'.", path.display()))
                    .hint("It must say 'server' or 'device'."))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::file("read", &path, &error)),
    }
}

/// Makes the directory what `role` says; readable by its owner only.
pub(crate) fn claim(data: &Path, role: Role) -> Result<(), CliError> {
    let text = match role {
        Role::Server => "server\n",
        Role::Device => "device\n",
    };
    owned_file::write(&data.join(ROLE_FILE), text.as_bytes())
}

/// Makes the directory, readable by its owner only.
pub(crate) fn make_folder(folder: &Path) -> Result<(), CliError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| CliError::file("make", folder, &error))
}

impl Workspace {
    fn new(data: &Path, kind: Kind) -> Self {
        Self { data: data.to_owned(), kind, outlook: Mutex::new(()) }
    }

    /// Waits until nobody else in this process works with the mailbox.
    pub(crate) fn outlook_turn(&self) -> MutexGuard<'_, ()> {
        self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link of the device to its server.
    pub(crate) fn link(&self) -> Result<Arc<dyn ServerLink>, CliError> {
        self.device()?;
        match &self.kind {
            Kind::Device { link, .. } => Ok(Arc::clone(link)),
            Kind::Server { .. } => unreachable!("BUG: a server is no device"),
        }
    }

    /// Opens the directory as what it is.
    pub(crate) fn open(data: &Path) -> Result<Self, CliError> {
        Self::open_debugging(data, DebugPlugins::None)
    }

    /// Opens the directory as what it is, with plug-ins that run for a native debugger.
    pub(crate) fn open_debugging(data: &Path, debug: DebugPlugins) -> Result<Self, CliError> {
        match role(data)? {
            Some(Role::Server) => Self::open_server(data, debug),
            Some(Role::Device) => Self::open_device(data, debug),
            None => Err(CliError::new(
                Exit::NotFound,
                format!("'{}' is no data directory yet.", data.display()),
            )
            .hint("`offstage serve` makes a server of it, `offstage connect URL` a device; `--data DIR` names another one.")),
        }
    }

    fn open_server(data: &Path, debug: DebugPlugins) -> Result<Self, CliError> {
        let pipeline = pipeline(data, Side::Server, debug)?;
        let administrator = bootstrap::administrator(&pipeline)?;
        Ok(Self::new(data, Kind::Server { pipeline, administrator }))
    }

    fn open_device(data: &Path, debug: DebugPlugins) -> Result<Self, CliError> {
        let pipeline = pipeline(data, Side::Device, debug)?;
        let connection = Connection::load(data)?;
        let link = connection.link(data)?;
        let options = DeviceOptions { pipeline: pipeline.clone(), link: Arc::clone(&link) };
        let device = Device::open(options)?;
        Ok(Self::new(data, Kind::Device { device, pipeline, link }))
    }

    /// The server's pipeline with its administrator.
    pub(crate) fn server(&self) -> Result<(&Pipeline, &Caller), CliError> {
        match &self.kind {
            Kind::Server { pipeline, administrator } => Ok((pipeline, administrator)),
            Kind::Device { .. } => Err(CliError::usage(
                "This is a device's data directory; the command is for the server's.",
            )
            .hint("Run it with `--data DIR` of the server.")),
        }
    }

    /// The device.
    pub(crate) fn device(&self) -> Result<&Device, CliError> {
        match &self.kind {
            Kind::Device { device, .. } => Ok(device),
            Kind::Server { .. } => Err(CliError::usage(
                "This is a server's data directory; the command is for a device's.",
            )
            .hint("`offstage --data DIR connect URL` makes a device of another directory.")),
        }
    }

    /// The local pipeline, of a server or a device.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        match &self.kind {
            Kind::Server { pipeline, .. } | Kind::Device { pipeline, .. } => pipeline,
        }
    }

    /// Whose directory it is.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.kind, Kind::Server { .. })
    }

    /// The metadata.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.pipeline().catalog()
    }

    /// What `look` finds in the metadata. A device that is online asks its server for newer metadata
    /// before it says that something does not exist.
    pub(crate) fn look_up<T>(
        &self,
        look: impl Fn(&Catalog) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        match look(&self.catalog()) {
            Err(error) if error.exit == Exit::NotFound && self.has_newer_metadata() => {
                look(&self.catalog())
            }
            result => result,
        }
    }

    fn has_newer_metadata(&self) -> bool {
        let Kind::Device { device, pipeline, .. } = &self.kind else { return false };
        let before = pipeline.catalog().version;
        // The filters come with a handshake, which brings the metadata too.
        device.state() == Some(DeviceState::Online)
            && device.filters().is_ok()
            && pipeline.catalog().version != before
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        self.pipeline().store()
    }

    /// Runs a request: on a server as its administrator, on a device as its user. Tells which
    /// plug-ins it went on without.
    pub(crate) fn execute(
        &self,
        request: Request,
        progress: &dyn Progress,
    ) -> Result<Response, Fault> {
        let response = match &self.kind {
            Kind::Server { pipeline, administrator } => {
                pipeline.execute(administrator, request, CallOptions::default())
            }
            Kind::Device { device, .. } => device.execute(request, CallOptions::default()),
        }?;
        for package in &response.skipped {
            progress.note(&format!(
                "The plug-in '{package}' does not run where this ran, which went on without it; `offstage status` there says why."
            ));
        }
        Ok(response)
    }
}

/// Opens store, sandbox and trust, and puts them together.
pub(crate) fn pipeline(data: &Path, side: Side, debug: DebugPlugins) -> Result<Pipeline, CliError> {
    let role = match side {
        Side::Server => Role::Server,
        Side::Device => Role::Device,
    };
    let store = Store::open(&data.join(STORE_FILE), &StoreOptions::new(role))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Randomness> = Arc::new(SystemRandom);
    let pipeline = Pipeline::open(PipelineOptions {
        store,
        sandbox: Arc::new(sandbox(data, debug)?),
        trust: trust::load(data)?,
        policy: policy_file::load(data)?,
        audit: Arc::new(FileAudit::new(data)),
        side,
        clock,
        random,
        // Until it was set up; bootstrap and connect store the real one.
        organization: Organization { id: Uuid::nil(), name: String::new() },
        limits: Limits::default(),
    })?;
    Ok(pipeline)
}

fn sandbox(data: &Path, debug: DebugPlugins) -> Result<Sandbox, CliError> {
    let folder = data.join(CACHE_FOLDER);
    make_folder(&folder)?;
    let dir = cap_std::fs::Dir::open_ambient_dir(&folder, ambient_authority())
        .map_err(|error| CliError::file("open", &folder, &error))?;
    let options = SandboxOptions {
        cache: Some(CodeCache::new(dir, cache_key(data)?)),
        debug,
        ..SandboxOptions::default()
    };
    Sandbox::new(options).map_err(|error| {
        CliError::new(Exit::Internal, format!("The plug-in sandbox does not start: {error}."))
    })
}

/// The key that authenticates compiled code; made the first time, and anew when it is damaged,
/// which only costs compiling again.
fn cache_key(data: &Path) -> Result<[u8; 32], CliError> {
    let path = data.join(CACHE_KEY_FILE);
    let known = std::fs::read_to_string(&path).ok();
    if let Some(key) = known.and_then(|t| hex::decode(t.trim()).ok()?.try_into().ok()) {
        return Ok(key);
    }
    let mut key = [0; 32];
    SystemRandom.fill(&mut key);
    owned_file::write(&path, hex::encode(key).as_bytes())?;
    Ok(key)
}
