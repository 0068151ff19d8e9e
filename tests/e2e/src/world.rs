//! A real server behind HTTP and real devices, in one process, so that a campaign can have many.
//!
//! Stores are files with full durability, the link is the one of the program. Never shortens the way
//! between a device and its server.

use crate::oracle::{Held, Row};
use crate::proxy::Proxy;
use crate::seeds::{Seeded, SeededBytes};
use crate::work::{self, LEDGER, LEDGER_COLUMN, LEDGER_START, PLUGINS, TABLES};
use offstage_model::registration::StepDeclaration;
use offstage_model::{Clock, Entity, Fault, Query, Request, Timestamp, Uuid, Value};
use offstage_pipeline::{
    CallOptions, Caller, Limits as PipelineLimits, LogAudit, Organization, Pipeline,
    PipelineOptions, Side,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_replication::{
    BearerToken, Device, DeviceOptions, HttpLink, HttpOptions, ReceiptPlacement, SyncService,
    set_crash_hook,
};
use offstage_sandbox::{CodeCache, Sandbox, SandboxOptions};
use offstage_server::{App, Authority, Exposure, Limits, Running, Server, router};
use offstage_store::{Role, Store, StoreOptions, WriteStamp};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const ORGANIZATION: Uuid = Uuid::from_u128(0x0a);
const USER: Uuid = Uuid::from_u128(0x0b);
const BUSINESS_UNIT: Uuid = Uuid::from_u128(0x0c);
/// Accounts that everybody works with.
pub const ACCOUNTS: u64 = 3;

/// What all worlds of a test share: the sandbox with its compiled code.
pub struct Lab {
    sandbox: Arc<Sandbox>,
    plugins: Vec<Vec<u8>>,
    trust: String,
    _folder: TempDir,
}

impl Lab {
    /// Reads the plug-ins.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority());
        let cache = CodeCache::new(dir.expect("the folder opens"), [7; 32]);
        let options = SandboxOptions { cache: Some(cache), ..SandboxOptions::default() };
        let plugins: Vec<Vec<u8>> = PLUGINS
            .iter()
            .map(|name| {
                let path = crate::program::guest(name);
                std::fs::read(&path).unwrap_or_else(|e| {
                    panic!("{}: {e}; run `cargo xtask guests` first", path.display())
                })
            })
            .collect();
        let trust = plugins.iter().map(|bytes| {
            let declared = Sandbox::inspect(bytes).expect("a plug-in");
            TrustFile::pin_lines(&declared.package, &hex::encode(Sha256::digest(bytes)), "tests")
        });
        Self {
            trust: trust.collect(),
            sandbox: Arc::new(Sandbox::new(options).expect("the sandbox starts")),
            plugins,
            _folder: folder,
        }
    }

    fn pipeline(&self, folder: &TempDir, name: &str, side: Side, bytes: SeededBytes) -> Pipeline {
        let role = match side {
            Side::Server => Role::Server,
            Side::Device => Role::Device,
        };
        let path = folder.path().join(format!("{name}.db"));
        Pipeline::open(PipelineOptions {
            store: Store::open(&path, &StoreOptions::new(role)).expect("a store opens"),
            sandbox: Arc::clone(&self.sandbox),
            trust: TrustFile::parse(&self.trust, "trust.toml").expect("the pins are valid"),
            policy: PolicyFile::parse(include_str!("../../../policies/tests.toml"), "tests.toml")
                .expect("the policy is valid"),
            audit: Arc::new(LogAudit),
            side,
            clock: Arc::new(SystemClock),
            random: Arc::new(bytes),
            organization: Organization { id: ORGANIZATION, name: "Northgate".into() },
            limits: PipelineLimits::default(),
        })
        .expect("a pipeline opens")
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
        Timestamp(i64::try_from(since.as_millis()).expect("the time fits"))
    }
}

/// Takes any token, and decides where the thread that runs the request may crash: the hook belongs
/// to a thread, and this is the one that goes on to the sync service.
struct Door {
    /// Of a thousand requests, so many may crash between two commits.
    crashes_per_mille: u64,
    numbers: Arc<Mutex<Seeded>>,
}

impl Authority for Door {
    fn authenticate(&self, _bearer: Option<&str>) -> Result<Caller, Fault> {
        let crashes = self.crashes_per_mille > 0
            && self
                .numbers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .chance(self.crashes_per_mille);
        let hook: Box<dyn FnMut(&'static str) -> bool> =
            Box::new(move |place| crashes && place == "server.between-commits");
        set_crash_hook(Some(hook));
        Ok(caller())
    }

    fn loopback_only(&self) -> bool {
        true
    }
}

struct AnyToken;

impl BearerToken for AnyToken {
    fn token(&self) -> Result<String, Fault> {
        Ok("any".into())
    }
    fn refused(&self) {}
}

fn caller() -> Caller {
    Caller {
        user: USER,
        name: "Rosa".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: BUSINESS_UNIT,
        agent: "tests".into(),
        application: false,
    }
}

/// A running server.
pub struct World<'a> {
    lab: &'a Lab,
    seed: u64,
    /// The server's pipeline, to look inside.
    pub server: Pipeline,
    running: Running,
    folder: TempDir,
}

impl<'a> World<'a> {
    /// A server with tables, plug-ins, accounts and an empty ledger.
    #[must_use]
    pub fn start(lab: &'a Lab, seed: u64, placement: ReceiptPlacement, crashes: u64) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let server = lab.pipeline(&folder, "server", Side::Server, SeededBytes::new(seed, 1));
        set_up(lab, &server);
        let door = Door {
            crashes_per_mille: crashes,
            numbers: Arc::new(Mutex::new(Seeded::new(seed, 2))),
        };
        let app = App {
            engine: Arc::new(server.clone()),
            authority: Arc::new(door),
            issuer: None,
            sync: Some(SyncService::new(server.clone()).with_receipts(placement)),
            outlook: None,
            mailbox: None,
            control: None,
            limits: Limits::default(),
        };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Server::bind(loopback, Exposure::Loopback).expect("a free port");
        let running = listener.start(router(app)).expect("the server starts");
        Self { lab, seed, server, running, folder }
    }

    /// A device behind a proxy of its own. It is not connected yet.
    #[must_use]
    pub fn device(&self, number: u64, faults_per_mille: u64) -> Unit {
        let bytes = SeededBytes::new(self.seed, 10 + number);
        let name = format!("device{number}");
        let pipeline = self.lab.pipeline(&self.folder, &name, Side::Device, bytes);
        let numbers = Seeded::new(self.seed, 20 + number);
        let proxy = Proxy::start(self.running.local_addr(), numbers, faults_per_mille);
        let device = open(&pipeline, &proxy, SeededBytes::new(self.seed, 30 + number));
        Unit { device, pipeline, proxy, seed: self.seed, number, opened: 0 }
    }

    /// Runs a request on the server, as somebody else would.
    pub fn run(&self, request: Request) {
        run(&self.server, request);
    }

    /// What the server holds.
    #[must_use]
    pub fn held(&self) -> Held {
        Held::read(|table, columns| {
            let mut query = Query::all(table);
            query.columns = Some(columns.iter().map(|&c| c.to_owned()).collect());
            let answer = run(&self.server, Request::retrieve_multiple(query));
            let found = answer.collection().expect("rows");
            assert!(!found.more_records, "a campaign fits in one page");
            found.entities.iter().map(row).collect()
        })
    }

    /// The last entry of a device that has a receipt.
    #[must_use]
    pub fn last_sequence(&self, device: Uuid) -> u64 {
        let mut tx = self.server.store().read().expect("a snapshot");
        tx.device(device).expect("it is read").expect("it is known").last_sequence
    }
}

/// A device with its way to the server.
pub struct Unit {
    /// The device.
    pub device: Device,
    pipeline: Pipeline,
    /// Its network.
    pub proxy: Proxy,
    seed: u64,
    number: u64,
    opened: u64,
}

impl Unit {
    /// Forgets everything in memory and opens the same store again, as after a crash.
    pub fn restart(&mut self) {
        self.opened += 1;
        let bytes = SeededBytes::new(self.seed, 30 + self.number + 1_000 * self.opened);
        self.device = open(&self.pipeline, &self.proxy, bytes);
    }
}

fn open(pipeline: &Pipeline, proxy: &Proxy, bytes: SeededBytes) -> Device {
    let options = HttpOptions {
        attempts: 2,
        call_timeout: Duration::from_secs(60),
        backoff_first: Duration::from_millis(2),
        backoff_max: Duration::from_millis(10),
        ..HttpOptions::new(proxy.url())
    };
    let link = Arc::new(HttpLink::new(options, Arc::new(AnyToken), Arc::new(bytes)));
    Device::open(DeviceOptions { pipeline: pipeline.clone(), link }).expect("the device opens")
}

fn run(server: &Pipeline, request: Request) -> offstage_model::Response {
    server.execute(&caller(), request, CallOptions::default()).expect("the server does it")
}

fn set_up(lab: &Lab, server: &Pipeline) {
    let rosa = caller();
    let mut tx = server.store().write().expect("a transaction");
    let stamp = WriteStamp::server(Timestamp(0));
    let unit = Entity::with_id("businessunit", BUSINESS_UNIT).with("name", Value::text("Root"));
    let user = Entity::with_id("systemuser", USER)
        .with("fullname", Value::text("Rosa"))
        .with("businessunitid", Value::reference("businessunit", BUSINESS_UNIT));
    for row in [unit, user] {
        tx.insert(&row, &stamp).expect("the row is made");
    }
    tx.commit().expect("the rows are kept");
    let tables = serde_json::from_str(TABLES).expect("a definition file");
    server.define(&rosa, tables).expect("the tables are added");
    for plugin in &lab.plugins {
        server.register_package(&rosa, plugin).expect("the plug-in registers");
    }
    for step in work::ledger_steps() {
        let step: StepDeclaration = serde_json::from_value(step).expect("a declaration");
        server.add_step(&rosa, "test/script", "test.Script", step).expect("the step registers");
    }
    let ledger = Entity::with_id("account", LEDGER)
        .with("name", Value::text("ledger"))
        .with(LEDGER_COLUMN, Value::text(LEDGER_START));
    run(server, Request::create(ledger));
    for number in 0..ACCOUNTS {
        let account = Entity::with_id("account", work::account(number))
            .with("name", Value::text(format!("account {number}")));
        run(server, Request::create(account));
    }
}

fn row(entity: &Entity) -> Row {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Money(amount) => Some(amount.to_string()),
        Value::Reference(reference) => Some(reference.id.to_string()),
        other => Some(format!("{other:?}")),
    };
    let columns =
        entity.attributes.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?)));
    Row { id: entity.id.expect("a row has an id"), columns: columns.collect() }
}
