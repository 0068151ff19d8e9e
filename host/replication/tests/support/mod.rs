//! A server and devices in one process, with a link that can lose answers.

#![allow(dead_code, reason = "each test binary uses its own part")]

use offstage_model::registration::StepDeclaration;
use offstage_model::{
    Clock, Entity, EntityReference, Fault, Randomness, Request, Response, Timestamp, Uuid, Value,
    code,
};
use offstage_pipeline::{
    CallOptions, Caller, Limits, LogAudit, Organization, Pipeline, PipelineOptions, Side,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_replication::wire::{
    ConnectAnswer, ConnectRequest, DataRequest, DigestRequest, DigestRowsRequest, ExecuteRequest,
    FiltersRequest, HandshakeAnswer, HandshakeRequest, PlaybackAnswer, PlaybackRequest, PostAnswer,
    PostRequest, PrepareAnswer, PrepareRequest, RowDigest, SpecificAnswer, SpecificRequest,
    SyncPage, TableDigest,
};
use offstage_replication::{
    Device, DeviceOptions, DeviceState, LocalLink, ServerLink, Silent, SyncService,
};
use offstage_sandbox::{Sandbox, SandboxOptions};
use offstage_store::{Role, Store, StoreOptions, WriteStamp};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| {
    Arc::new(Sandbox::new(SandboxOptions::default()).expect("the sandbox starts"))
});

pub(crate) static SCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = format!("{}/../../target/guests/script.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}; run `cargo xtask guests` first"))
});

pub(crate) const NOW: i64 = 1_795_000_000_000;
pub(crate) const ADA: Uuid = Uuid::from_u128(0xa1);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0);

/// A clock that moves with every look, so that no two stamps are equal.
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A clock that is ahead of another one.
struct SkewedClock {
    clock: Arc<TestClock>,
    ahead_ms: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.clock.now().plus_ms(self.ahead_ms)
    }
}

/// Counts instead of being random, so that a failure can be repeated.
pub(crate) struct Counting(AtomicU64);

impl Randomness for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let hash = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        for (byte, random) in buffer.iter_mut().zip(hash.iter().cycle()) {
            *byte = *random;
        }
    }
}

pub(crate) fn caller(user: Uuid, name: &str) -> Caller {
    Caller {
        user,
        name: name.into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: Uuid::from_u128(0xb1),
        agent: "tests".into(),
        application: false,
    }
}

pub(crate) fn pipeline(side: Side, clock: Arc<dyn Clock>, seed: u64) -> Pipeline {
    let role = match side {
        Side::Server => Role::Server,
        Side::Device => Role::Device,
    };
    let sha256 = hex::encode(Sha256::digest(&*SCRIPT));
    let trust =
        format!("[[pin]]\npackage = \"test/script\"\nsha256 = \"{sha256}\"\nreason = \"tests\"\n");
    Pipeline::open(PipelineOptions {
        store: Store::in_memory(&StoreOptions::new(role)).expect("a store opens"),
        sandbox: Arc::clone(&SANDBOX),
        trust: TrustFile::parse(&trust, "trust.toml").expect("the trust file is valid"),
        policy: PolicyFile::parse(include_str!("../../../../policies/tests.toml"), "tests.toml")
            .expect("the policy is valid"),
        audit: Arc::new(LogAudit),
        side,
        clock,
        random: Arc::new(Counting(AtomicU64::new(seed << 32))),
        organization: Organization { id: Uuid::from_u128(0x0f), name: "Contoso".into() },
        limits: Limits::default(),
    })
    .expect("a pipeline opens")
}

/// A link that loses requests, or the answers to them, on demand; and keeps playback messages.
pub(crate) struct TestLink {
    inner: LocalLink,
    pub(crate) down: AtomicBool,
    /// Loses the answer to the nth call from now; 0 loses none.
    pub(crate) lose_answer_in: AtomicI64,
    pub(crate) calls: AtomicU64,
    pub(crate) playbacks: Mutex<Vec<PlaybackRequest>>,
}

impl TestLink {
    fn over<T>(&self, call: impl FnOnce(&LocalLink) -> Result<T, Fault>) -> Result<T, Fault> {
        let lost = || Fault::new(code::UNREACHABLE, "the test link is down");
        if self.down.load(Ordering::SeqCst) {
            return Err(lost());
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = call(&self.inner);
        match self.lose_answer_in.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(lost()),
            _ => answer,
        }
    }
}

impl ServerLink for TestLink {
    fn connect(&self, request: &ConnectRequest) -> Result<ConnectAnswer, Fault> {
        self.over(|link| link.connect(request))
    }
    fn handshake(&self, request: &HandshakeRequest) -> Result<HandshakeAnswer, Fault> {
        self.over(|link| link.handshake(request))
    }
    fn set_filters(&self, request: &FiltersRequest) -> Result<(), Fault> {
        self.over(|link| link.set_filters(request))
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, Fault> {
        self.over(|link| link.prepare(request))
    }
    fn data(&self, request: &DataRequest) -> Result<SyncPage, Fault> {
        let small = DataRequest { limit: 3, ..request.clone() };
        self.over(|link| link.data(&small))
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.over(|link| link.post(request))
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.over(|link| link.specific(request))
    }
    fn playback(&self, request: &PlaybackRequest) -> Result<PlaybackAnswer, Fault> {
        self.playbacks.lock().expect("no panic").push(request.clone());
        self.over(|link| link.playback(request))
    }
    fn digest(&self, request: &DigestRequest) -> Result<Vec<TableDigest>, Fault> {
        self.over(|link| link.digest(request))
    }
    fn digest_rows(&self, request: &DigestRowsRequest) -> Result<Vec<RowDigest>, Fault> {
        self.over(|link| link.digest_rows(request))
    }
    fn package(&self, sha256: &str) -> Result<Vec<u8>, Fault> {
        self.over(|link| link.package(sha256))
    }
    fn execute(&self, request: &ExecuteRequest) -> Result<Response, Fault> {
        self.over(|link| link.execute(request))
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server: Pipeline,
    pub(crate) service: SyncService,
    pub(crate) ada: Caller,
    pub(crate) bob: Caller,
}

/// A device with its link.
pub(crate) struct Unit {
    pub(crate) device: Device,
    pub(crate) link: Arc<TestLink>,
    pub(crate) pipeline: Pipeline,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let server = pipeline(Side::Server, Arc::clone(&clock) as Arc<dyn Clock>, 1);
        let (ada, bob) = (caller(ADA, "Ada"), caller(BOB, "Bob"));
        server.register_package(&ada, &SCRIPT).expect("the script plug-in registers");
        let mut tx = server.store().write().expect("a transaction");
        for user in [&ada, &bob] {
            let row = Entity::with_id("systemuser", user.user)
                .with("fullname", Value::text(user.name.clone()));
            tx.insert(&row, &WriteStamp::server(Timestamp(NOW))).expect("the user is there");
        }
        tx.commit().expect("the users are kept");
        Self { clock, service: SyncService::new(server.clone()), server, ada, bob }
    }

    /// A connected device of Ada.
    pub(crate) fn device(&self) -> Unit {
        self.device_with(&self.service, 2)
    }

    pub(crate) fn device_with(&self, service: &SyncService, seed: u64) -> Unit {
        let pipeline = pipeline(Side::Device, Arc::clone(&self.clock) as Arc<dyn Clock>, seed);
        let unit = self.open(pipeline, service);
        unit.device.connect("laptop", None).expect("the device connects");
        unit
    }

    /// A connected device of Ada whose clock is ahead of the server's.
    pub(crate) fn skewed_device(&self, ahead_ms: i64) -> Unit {
        let clock = SkewedClock { clock: Arc::clone(&self.clock), ahead_ms };
        let unit = self.open(pipeline(Side::Device, Arc::new(clock), 2), &self.service);
        unit.device.connect("laptop", None).expect("the device connects");
        unit
    }

    /// Opens the device of a store again, as after a crash.
    pub(crate) fn open(&self, pipeline: Pipeline, service: &SyncService) -> Unit {
        let link = Arc::new(TestLink {
            inner: LocalLink::new(service.clone(), self.ada.clone()),
            down: AtomicBool::new(false),
            lose_answer_in: AtomicI64::new(0),
            calls: AtomicU64::new(0),
            playbacks: Mutex::new(Vec::new()),
        });
        let options = DeviceOptions {
            pipeline: pipeline.clone(),
            link: Arc::clone(&link) as Arc<dyn ServerLink>,
        };
        Unit { device: Device::open(options).expect("the device opens"), link, pipeline }
    }

    pub(crate) fn run(&self, request: Request) -> Result<Response, Fault> {
        self.server.execute(&self.ada, request, CallOptions::default())
    }

    pub(crate) fn run_as(&self, caller: &Caller, request: Request) -> Result<Response, Fault> {
        self.server.execute(caller, request, CallOptions::default())
    }

    pub(crate) fn account(&self, name: &str) -> Uuid {
        self.run(Request::create(account(name))).expect("created").id().expect("an id")
    }

    pub(crate) fn server_row(&self, table: &str, id: Uuid) -> Option<Entity> {
        self.server.store().read().expect("a snapshot").get(table, id).expect("a row")
    }

    /// Registers a server step that refuses a message.
    pub(crate) fn refuse(&self, key: &str, message: &str, table: &str, filtering: &[&str]) {
        self.server_step((key, 20), (message, table), filtering, "throw the rule says no");
    }

    /// Registers a step of the script plug-in that runs on the server only.
    pub(crate) fn server_step(
        &self,
        (key, stage): (&str, u32),
        (message, table): (&str, &str),
        filtering: &[&str],
        script: &str,
    ) {
        let declaration: StepDeclaration = StepDeclaration {
            key: key.into(),
            message: message.into(),
            table: table.into(),
            stage: stage.try_into().expect("a stage"),
            mode: 0.try_into().expect("a mode"),
            rank: 1,
            deployment: 0.try_into().expect("a deployment"),
            filtering: filtering.iter().map(|&c| c.to_owned()).collect(),
            playback: offstage_model::registration::PlaybackMode::default(),
            on_nested_error: offstage_model::registration::OnNestedError::default(),
            impersonate: None,
            configuration: script.into(),
            secure_configuration: String::new(),
            images: Vec::new(),
        };
        self.server
            .add_step(&self.ada, "test/script", "test.Script", declaration)
            .expect("the step registers");
    }

    pub(crate) fn allow(&self, key: &str) {
        self.server.remove_step(&self.ada, key).expect("the step goes");
    }
}

impl Unit {
    pub(crate) fn run(&self, request: Request) -> Result<Response, Fault> {
        self.device.execute(request, CallOptions::default())
    }

    pub(crate) fn row(&self, table: &str, id: Uuid) -> Option<Entity> {
        self.pipeline.store().read().expect("a snapshot").get(table, id).expect("a row")
    }

    pub(crate) fn go_offline(&self) {
        self.device.go_offline(&Silent).expect("the device goes offline");
        assert_eq!(self.device.state(), Some(DeviceState::Offline));
    }

    pub(crate) fn go_online(&self) -> offstage_replication::PlaybackCounts {
        let report = self.device.go_online(&Silent).expect("the device goes online");
        assert_eq!(self.device.state(), Some(DeviceState::Online));
        report.counts
    }

    /// Both sides hold the same.
    pub(crate) fn assert_same(&self) {
        assert_eq!(self.device.verify(&Silent).expect("both are compared"), Vec::new());
    }

    /// Offline: makes an account.
    pub(crate) fn account(&self, name: &str) -> Uuid {
        self.run(Request::create(account(name))).expect("created").id().expect("an id")
    }
}

pub(crate) fn account(name: &str) -> Entity {
    Entity::new("account").with("name", Value::text(name))
}

pub(crate) fn rename(id: Uuid, name: &str) -> Request {
    Request::update(Entity::with_id("account", id).with("name", Value::text(name)))
}

pub(crate) fn set(id: Uuid, column: &str, value: &str) -> Request {
    Request::update(Entity::with_id("account", id).with(column, Value::text(value)))
}

pub(crate) fn reference(table: &str, id: Uuid) -> EntityReference {
    EntityReference::new(table, id)
}
