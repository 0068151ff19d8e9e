//! A server and its device in one process, on disk, with the real clock and random source.

use anyhow::{Context as _, Result};
use offstage_model::registration::StepDeclaration;
use offstage_model::{Clock, Entity, Fault, Randomness, Timestamp, Uuid, Value};
use offstage_pipeline::{Caller, Limits, LogAudit, Organization, Pipeline, PipelineOptions, Side};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_replication::{Device, DeviceOptions, LocalLink, SyncService};
use offstage_sandbox::{Sandbox, SandboxOptions};
use offstage_store::{Role, Store, StoreOptions, WriteStamp};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// The user of everything.
pub(crate) const USER: Uuid = Uuid::from_u128(0xa1);

const SERVER_FILE: &str = "server.db";
const DEVICE_FILE: &str = "device.db";

/// The clock of this machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The random source of this machine.
pub(crate) struct SystemRandom;

impl Randomness for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("BUG: the operating system has a random source");
    }
}

/// The server, and the way to it.
pub(crate) struct World {
    /// The server's pipeline.
    pub(crate) server: Pipeline,
    /// The server's side of sync.
    pub(crate) service: SyncService,
    folder: PathBuf,
}

/// The user with all rights.
pub(crate) fn caller() -> Caller {
    Caller {
        user: USER,
        name: "Ada".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: Uuid::from_u128(0xb1),
        agent: "bench".into(),
        application: false,
    }
}

/// The bytes of the plug-in that does what its step's configuration says.
pub(crate) fn script() -> Result<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/script.wasm");
    std::fs::read(path).with_context(|| format!("{path}; run `cargo xtask guests` first"))
}

/// One sandbox for the process: compiling is no part of any measurement but `start`.
fn sandbox() -> Result<Arc<Sandbox>> {
    static SANDBOX: OnceLock<Arc<Sandbox>> = OnceLock::new();
    if let Some(known) = SANDBOX.get() {
        return Ok(Arc::clone(known));
    }
    let fresh = Arc::new(Sandbox::new(SandboxOptions::default())?);
    Ok(Arc::clone(SANDBOX.get_or_init(|| fresh)))
}

fn pipeline(path: &Path, side: Side) -> Result<Pipeline> {
    let role = match side {
        Side::Server => Role::Server,
        Side::Device => Role::Device,
    };
    let sha256 = hex::encode(Sha256::digest(script()?));
    let trust =
        format!("[[pin]]\npackage = \"test/script\"\nsha256 = \"{sha256}\"\nreason = \"bench\"\n");
    let pipeline = Pipeline::open(PipelineOptions {
        store: Store::open(path, &StoreOptions::new(role))?,
        sandbox: sandbox()?,
        trust: TrustFile::parse(&trust, "trust.toml")?,
        policy: PolicyFile::parse(include_str!("../../../policies/tests.toml"), "tests.toml")?,
        audit: Arc::new(LogAudit),
        side,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        organization: Organization { id: Uuid::from_u128(0x0f), name: "Contoso".into() },
        limits: Limits::default(),
    });
    pipeline.map_err(fault)
}

/// A fault as an error.
pub(crate) fn fault(fault: Fault) -> anyhow::Error {
    anyhow::Error::new(fault)
}

impl World {
    /// A new server in `folder`, with the user.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let world = Self::open(folder)?;
        let mut tx = world.server.store().write()?;
        let user = Entity::with_id("systemuser", USER).with("fullname", Value::text("Ada"));
        tx.insert(&user, &WriteStamp::server(Timestamp(1)))?;
        tx.commit()?;
        Ok(world)
    }

    /// The server that is in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let server = pipeline(&folder.join(SERVER_FILE), Side::Server)?;
        let service = SyncService::new(server.clone());
        Ok(Self { server, service, folder: folder.to_owned() })
    }

    /// A copy of `template`, which no process has open, in `folder`.
    pub(crate) fn copy(template: &Path, folder: &Path) -> Result<Self> {
        for file in [SERVER_FILE, DEVICE_FILE] {
            if template.join(file).exists() {
                std::fs::copy(template.join(file), folder.join(file))?;
            }
        }
        Self::open(folder)
    }

    /// Registers the logic: one step sets a column before, one makes a row after, on both sides.
    pub(crate) fn add_logic(&self) -> Result<()> {
        self.server.register_package(&caller(), &script()?).map_err(fault)?;
        let steps = [
            (20, "bench-derive", "set description s:derived"),
            (40, "bench-audit", "create task subject=s:audit regardingobjectid=r:account:{id}"),
        ];
        for (stage, key, configuration) in steps {
            let declaration: StepDeclaration = serde_json::from_value(serde_json::json!({
                "key": key, "message": "Create", "table": "account", "stage": stage,
                "deployment": 2, "configuration": configuration,
            }))?;
            self.server
                .add_step(&caller(), "test/script", "test.Script", declaration)
                .map_err(fault)?;
        }
        Ok(())
    }

    /// The device of this folder.
    pub(crate) fn device(&self) -> Result<Device> {
        let link = LocalLink::new(self.service.clone(), caller());
        let device = Device::open(DeviceOptions {
            pipeline: pipeline(&self.folder.join(DEVICE_FILE), Side::Device)?,
            link: Arc::new(link),
        });
        let device = device.map_err(fault)?;
        device.connect("bench", None).map_err(fault)?;
        Ok(device)
    }

    /// Puts `count` accounts into the server's store without plug-ins.
    pub(crate) fn fill(&self, count: usize, owner: impl Fn(usize) -> Uuid) -> Result<()> {
        let mut tx = self.server.store().write()?;
        let stamp = WriteStamp::server(Timestamp(1_795_000_000_000));
        let user = || Value::reference("systemuser", USER);
        let time = || Value::DateTime(Timestamp(1_795_000_000_000));
        for number in 0..count {
            let mut row = crate::rows::account(number)
                .with("createdby", user())
                .with("modifiedby", user())
                .with("createdon", time())
                .with("modifiedon", time())
                .with("ownerid", Value::reference("systemuser", owner(number)))
                .with("statecode", Value::Option(0))
                .with("statuscode", Value::Option(1));
            row.id = Some(crate::rows::id(number));
            tx.insert(&row, &stamp)?;
        }
        Ok(tx.commit()?)
    }
}
