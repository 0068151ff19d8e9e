//! A server and a device without a network between them, for tests of the pipeline.
//!
//! Playback here is the pipeline's part only: no receipts, no transport. `offstage-replication`
//! tests those.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

pub(crate) mod hostile;
pub(crate) mod scenario;
pub(crate) mod signing;
pub(crate) mod value;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use offstage_model::journal::{EntryState, JournalEntry};
use offstage_model::registration::{Step, StepDeclaration};
use offstage_model::{
    Catalog, Clock, Entity, Fault, Randomness, Request, Response, Timestamp, Uuid, Value,
};
use offstage_pipeline::{
    Audit, AuditRecord, CallOptions, Caller, DeviceClock, DeviceIdentity, Limits, Organization,
    Pipeline, PipelineOptions, PlayContext, Played, Side, TraceLevel, refused_state, settings,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::{CodeCache, Sandbox, SandboxOptions};
use offstage_store::{JournalFilter, Role, Store, StoreOptions, WriteStamp};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Compiling the plug-in once is enough for all tests of a process.
static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| {
    // Tests run in processes of their own; what one has compiled the others take from the cache.
    let folder = format!("{}/../../target/test-code-cache", env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir_all(&folder).expect("the cache folder is made");
    let dir = Dir::open_ambient_dir(&folder, ambient_authority()).expect("the folder opens");
    let cache = Some(CodeCache::new(dir, [7; 32]));
    let options = SandboxOptions { cache, ..SandboxOptions::default() };
    Arc::new(Sandbox::new(options).expect("the sandbox starts"))
});

/// The audit of all pipelines of a process.
pub(crate) static AUDIT: LazyLock<Arc<TestAudit>> = LazyLock::new(Arc::default);

/// Keeps records, until somebody takes them.
#[derive(Default)]
pub(crate) struct TestAudit(Mutex<Vec<AuditRecord>>);

impl TestAudit {
    pub(crate) fn take(&self) -> Vec<AuditRecord> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Audit for TestAudit {
    fn record(&self, record: &AuditRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
    }
}

pub(crate) static SCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| guest("script"));

/// The sample plug-ins, by the names of their packages and crates.
pub(crate) const SAMPLES: [&str; 5] =
    ["account-rollup", "credit-rule", "duplicate-guard", "follow-up-task", "phone-numbers"];

/// The sample plug-ins in other languages than Rust; `cargo xtask guests --all` builds them.
pub(crate) const LANGUAGE_SAMPLES: [&str; 3] = ["customer-number", "deal-score", "postal-codes"];

/// Reads a component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!("{}/../../target/guests/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{path}: {e}; run `cargo xtask guests --all` first"))
}

fn is_built(sample: &str) -> bool {
    let name = sample.replace('-', "_");
    let path = format!("{}/../../target/guests/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::path::Path::new(&path).exists()
}

#[derive(Default)]
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Counts instead of being random, so that a failure can be repeated.
pub(crate) struct Counting(AtomicU64);

impl Randomness for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let hash = Sha256::digest(number.to_be_bytes());
        for (byte, random) in buffer.iter_mut().zip(hash.iter().cycle()) {
            *byte = *random;
        }
    }
}

pub(crate) const NOW: i64 = 1_795_000_000_000;
pub(crate) const DEVICE: Uuid = Uuid::from_u128(0xd0);

pub(crate) struct World {
    pub(crate) server: Pipeline,
    pub(crate) device: Pipeline,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) caller: Caller,
    pub(crate) played: u64,
    pub(crate) last_sync: Timestamp,
    /// The directories that the policies grant, `server/NAME` and `device/NAME`.
    pub(crate) files: tempfile::TempDir,
}

/// Directories of the policies: what the script plug-in asks for, and one that it does not.
const DIRECTORIES: [&str; 3] = ["shared", "notes", "other"];

/// The policy of the tests, with the directories of one side.
pub(crate) fn policy(files: &Path, side: &str) -> PolicyFile {
    let mut text = include_str!("../../../../policies/tests.toml").to_owned();
    if side == "device" {
        // What a device may do says nothing about what its server may.
        text.push_str(
            "\n[[grant]]\npackage = \"test/*\"\nreason = \"The device is trusted with more.\"\n\
             allow = [{ http = \"https://other.example.com\" }]\n",
        );
    }
    text.push_str(&directories(files, side));
    PolicyFile::parse(&text, "tests.toml").expect("the policy is valid")
}

/// The entries of a policy for the directories of one side, which are made.
pub(crate) fn directories(files: &Path, side: &str) -> String {
    let entry = |name: &&str| {
        let path = files.join(side).join(name);
        std::fs::create_dir_all(&path).expect("the folder is made");
        format!("\n[[directory]]\nname = \"{name}\"\npath = {path:?}\n")
    };
    DIRECTORIES.iter().map(entry).collect()
}

pub(crate) fn caller() -> Caller {
    Caller {
        user: Uuid::from_u128(0xa1),
        name: "Ada".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: Uuid::from_u128(0xb1),
        agent: "tests".into(),
        application: false,
    }
}

/// A trust file that pins the packages of the tests.
pub(crate) fn trust_text() -> String {
    let pin = |package: &str, file: &str| {
        let sha256 = hex::encode(Sha256::digest(guest(file)));
        TrustFile::pin_lines(package, &sha256, "tests")
    };
    let mut trust = pin("test/script", "script");
    // Only the tests of the languages need them, and those fail without them.
    let others = LANGUAGE_SAMPLES.into_iter().filter(|sample| is_built(sample));
    for sample in SAMPLES.into_iter().chain(others) {
        trust.push_str(&pin(&format!("samples/{sample}"), &sample.replace('-', "_")));
    }
    trust
}

fn pipeline(side: Side, clock: &Arc<TestClock>, limits: Limits, more: &str) -> Pipeline {
    let role = match side {
        Side::Server => Role::Server,
        Side::Device => Role::Device,
    };
    let store = Store::in_memory(&StoreOptions::new(role)).expect("a store opens");
    let trust = trust_text() + more;
    let pipeline = Pipeline::open(PipelineOptions {
        store,
        sandbox: Arc::clone(&SANDBOX),
        trust: TrustFile::parse(&trust, "trust.toml").expect("the trust file is valid"),
        policy: PolicyFile::parse(include_str!("../../../../policies/tests.toml"), "tests.toml")
            .expect("the policy is valid"),
        audit: Arc::clone(&AUDIT) as Arc<dyn Audit>,
        side,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        // The sides must not draw the same ids.
        random: Arc::new(Counting(AtomicU64::new((side as u64) << 32))),
        organization: Organization { id: Uuid::from_u128(0x0f), name: "Contoso".into() },
        limits,
    })
    .expect("a pipeline opens");
    pipeline.set_trace_level(TraceLevel::All).expect("the level is kept");
    pipeline
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_limits(&Limits::default())
    }

    pub(crate) fn with_limits(limits: &Limits) -> Self {
        Self::open(limits, "")
    }

    /// A world with a package that is in no file.
    pub(crate) fn with_package(package: &str, component: &[u8]) -> Self {
        let sha256 = hex::encode(Sha256::digest(component));
        let pin = TrustFile::pin_lines(package, &sha256, "tests");
        let mut world = Self::open(&Limits::default(), &pin);
        world.server.register_package(&world.caller, component).expect("the package registers");
        world.sync();
        world
    }

    fn open(limits: &Limits, trust: &str) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let files = tempfile::tempdir().expect("a folder");
        let server = pipeline(Side::Server, &clock, limits.clone(), trust);
        let device = pipeline(Side::Device, &clock, limits.clone(), trust);
        server.set_policy(policy(files.path(), "server"));
        device.set_policy(policy(files.path(), "device"));
        let caller = caller();
        server.register_package(&caller, &SCRIPT).expect("the script plug-in registers");
        let mut tx = server.store().write().expect("a transaction");
        let user = Entity::with_id("systemuser", caller.user).with("fullname", Value::text("Ada"));
        let stamp = WriteStamp::server(clock.now());
        tx.insert(&user, &stamp).expect("the user is there");
        tx.commit().expect("the user is kept");
        let mut tx = device.store().write().expect("a transaction");
        let identity = DeviceIdentity { device: DEVICE, epoch: 1, user: caller.user };
        tx.put_setting(settings::DEVICE, &identity).expect("the identity is kept");
        tx.commit().expect("the identity is kept");
        let mut world =
            Self { server, device, clock, caller, played: 0, last_sync: Timestamp(0), files };
        world.sync();
        world
    }

    /// A file of a directory that the policy of a side grants.
    pub(crate) fn file(&self, side: &str, directory: &str, path: &str) -> std::path::PathBuf {
        self.files.path().join(side).join(directory).join(path)
    }

    /// Copies metadata, registration and all rows from the server, as GoOffline does.
    pub(crate) fn sync(&mut self) {
        let catalog: Catalog = (*self.server.catalog()).clone();
        self.device.adopt(catalog.clone()).expect("the catalog is adopted");
        let registry = self.server.registry().expect("a registry");
        let mut tx = self.server.store().read().expect("a snapshot");
        let mut bytes = |id: &str| tx.package_bytes(id).expect("a package").expect("its bytes");
        let packages: Vec<_> =
            registry.packages.iter().map(|p| (p.clone(), bytes(&p.id))).collect();
        drop(tx);
        let offline: Vec<Step> = registry
            .steps
            .iter()
            .filter(|s| s.declaration.deployment.runs_offline())
            .map(|s| (**s).clone())
            .collect();
        self.device.replace_registration(&packages, &offline).expect("the registration is taken");
        let mut from = self.server.store().read().expect("a snapshot");
        let mut to = self.device.store().write().expect("a transaction");
        for table in catalog.tables.keys() {
            let query = offstage_model::Query::all(table.clone());
            let scope = offstage_store::Scope { user: self.caller.user };
            let rows = from.query(&query, &scope).expect("rows").entities;
            let known = to.query(&query, &scope).expect("rows").entities;
            for gone in known.iter().filter(|k| rows.iter().all(|r| r.id != k.id)) {
                to.remove_replica(table, gone.id.expect("an id")).expect("the row goes");
            }
            for row in rows {
                to.put_replica(&row).expect("the row comes");
            }
        }
        to.commit().expect("the copy is kept");
        self.last_sync = self.clock.now();
    }

    pub(crate) fn on_server(&self, request: Request) -> Result<Response, Fault> {
        self.server.execute(&self.caller, request, CallOptions::default())
    }

    pub(crate) fn on_device(&self, request: Request) -> Result<Response, Fault> {
        self.device.execute(&self.caller, request, CallOptions::default())
    }

    pub(crate) fn add_step(&self, declaration: StepDeclaration) -> Result<Vec<String>, Fault> {
        let added = self.server.add_step(&self.caller, "test/script", "test.Script", declaration);
        added.map(|(_, notices)| notices)
    }

    /// Plays the journal's new entries; each gets its state.
    pub(crate) fn play(&mut self) -> Vec<(EntryState, Result<Played, Fault>)> {
        let mut tx = self.device.store().read().expect("a snapshot");
        let filter = JournalFilter { after: self.played, rows_max: 1_000, ..Default::default() };
        let rows = tx.entries(&filter).expect("entries");
        let mut outcomes = Vec::new();
        for row in rows {
            let stored = tx.entry(row.sequence).expect("an entry").expect("an entry");
            let entry = JournalEntry::thaw(&stored.frozen).expect("entries thaw");
            self.played = row.sequence;
            let context = PlayContext {
                caller: self.caller.clone(),
                time: entry.time.max(self.last_sync),
                clock: DeviceClock::Measured,
            };
            let server = self.server.store().write().expect("a transaction");
            let (server, result) = self.server.play(server, &entry, &context);
            server.commit().expect("the playback is kept");
            self.server.after_commit();
            let state = match &result {
                Ok(_) => EntryState::Applied,
                Err(fault) => refused_state(fault),
            };
            outcomes.push((state, result));
        }
        outcomes
    }
}
