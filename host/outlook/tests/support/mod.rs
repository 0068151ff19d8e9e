//! A server, a mailbox and an engine in one process, with a clock that tests move.

#![allow(dead_code, reason = "each test binary uses its own part")]

use offstage_model::{
    Clock, Entity, Fault, Randomness, Request, Response, Timestamp, Uuid, Value, code,
};
use offstage_outlook::crm::wire::{
    DataAnswer, DataRequest, PostAnswer, PostRequest, PrepareRequest, RegisterAnswer,
    RegisterRequest, SpecificAnswer, SpecificRequest, TableCount, TrackRequest,
};
use offstage_outlook::crm::{CrmLink, LocalCrmLink, OutlookService};
use offstage_outlook::engine::{Report, Word};
use offstage_outlook::rules::ClientRole;
use offstage_outlook::stores::embedded::EmbeddedStore;
use offstage_outlook::{
    Engine, EntryId, FolderId, Item, ItemKind, ItemPatch, LinkProperties, LinkState, MailStore,
    MailStoreError, NewItem, Parts, Properties, Property, PropertyValue, Trigger,
};
use offstage_pipeline::{
    CallOptions, Caller, Limits, LogAudit, Organization, Pipeline, PipelineOptions, Side,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::{Sandbox, SandboxOptions};
use offstage_store::{Role, Store, StoreOptions, SyncCache, WriteStamp};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| {
    Arc::new(Sandbox::new(SandboxOptions::default()).expect("the sandbox starts"))
});

pub(crate) const NOW: i64 = 1_795_000_000_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const DAY: i64 = 86_400_000;
pub(crate) const ADA: Uuid = Uuid::from_u128(0xa1);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0);

/// A clock that moves with every look, so that no two stamps are equal.
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
        let hash = offstage_model::identity::digest(&[&number.to_be_bytes()]);
        for (byte, random) in buffer.iter_mut().zip(hash.iter().cycle()) {
            *byte = *random;
        }
    }
}

/// Numbers of a seed.
pub(crate) fn counting(seed: u64) -> Counting {
    Counting(AtomicU64::new(seed << 50))
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

/// A mailbox that several clients share.
#[derive(Clone)]
pub(crate) struct Shared(
    pub(crate) Arc<Mutex<EmbeddedStore>>,
    offstage_outlook::Capabilities,
    /// Items are not written for now; everything else is answered.
    pub(crate) Arc<AtomicBool>,
);

impl Shared {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut EmbeddedStore) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The item as a store with fewer capabilities shows it.
    fn as_it_can(&self, mut item: Item) -> Item {
        if !self.1.custom_properties {
            item.link = LinkProperties::default();
        }
        item
    }

    /// A store that rewrites keeps places in capital letters.
    fn rewrite(&self, place: Option<&mut PropertyValue>) {
        if let (true, Some(PropertyValue::Text(text))) = (self.1.rewrites, place) {
            *text = text.to_uppercase();
        }
    }

    /// The answer of a store that knows what was sent and not what became of it.
    fn as_sent(&self, mut item: Item, place: Option<PropertyValue>) -> Item {
        if let (true, Some(place)) = (self.1.answers_as_sent, place) {
            item.properties.insert(Property::Location, place);
        }
        item
    }

    pub(crate) fn change_capabilities(
        &mut self,
        change: impl FnOnce(&mut offstage_outlook::Capabilities),
    ) {
        change(&mut self.1);
    }
}

impl MailStore for Shared {
    fn name(&self) -> &'static str {
        "embedded"
    }
    fn capabilities(&self) -> &offstage_outlook::Capabilities {
        &self.1
    }
    fn folders(&mut self) -> Result<Vec<offstage_outlook::Folder>, MailStoreError> {
        self.with(EmbeddedStore::folders)
    }
    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&offstage_outlook::ScanMark>,
    ) -> Result<offstage_outlook::Scan, MailStoreError> {
        let mut scan = self.with(|store| store.scan(folder, since))?;
        if !self.1.custom_properties {
            scan.rows.iter_mut().for_each(|row| row.link = None);
        }
        Ok(scan)
    }
    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        let items = self.with(|store| store.read(ids))?;
        Ok(items.into_iter().map(|item| item.map(|item| self.as_it_can(item))).collect())
    }
    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError> {
        let mut new = new.clone();
        if !self.1.custom_properties {
            new.link = LinkProperties::default();
        }
        let sent = new.properties.get(&Property::Location).cloned();
        self.rewrite(new.properties.get_mut(&Property::Location));
        let made = self.with(|store| store.create(&new))?;
        Ok(self.as_sent(self.as_it_can(made), sent))
    }
    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&offstage_outlook::ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        assert!(self.1.conditional_write || expected.is_none(), "it cannot write conditionally");
        if self.2.load(Ordering::SeqCst) {
            let detail = "the test store takes no writes".to_owned();
            return Err(MailStoreError::Transient { store: "embedded", detail });
        }
        let mut patch = patch.clone();
        if !self.1.custom_properties {
            patch.link = None;
        }
        let sent = patch.properties.get(&Property::Location).cloned().flatten();
        self.rewrite(patch.properties.get_mut(&Property::Location).and_then(Option::as_mut));
        let written = self.with(|store| store.update(id, expected, &patch))?;
        Ok(self.as_sent(self.as_it_can(written), sent))
    }
    fn delete(
        &mut self,
        id: &EntryId,
        expected: Option<&offstage_outlook::ChangeKey>,
    ) -> Result<(), MailStoreError> {
        assert!(self.1.conditional_write || expected.is_none(), "it cannot write conditionally");
        self.with(|store| store.delete(id, expected))
    }
    fn presence(
        &mut self,
        ids: &[EntryId],
    ) -> Result<Vec<offstage_outlook::Presence>, MailStoreError> {
        self.with(|store| store.presence(ids))
    }
    fn notifications(&mut self) -> Result<Vec<offstage_outlook::Notification>, MailStoreError> {
        self.with(EmbeddedStore::notifications)
    }
    fn left_alone(&mut self) -> Vec<offstage_outlook::LeftAlone> {
        self.with(EmbeddedStore::left_alone)
    }
}

/// A link that can be down, and that can lose the answer to a call.
#[derive(Clone)]
pub(crate) struct TestLink {
    inner: Arc<LocalCrmLink>,
    pub(crate) down: Arc<AtomicBool>,
    /// Loses the answer to the nth call from now; 0 loses none.
    pub(crate) lose_answer_in: Arc<AtomicI64>,
    /// Records are not written; everything else is answered.
    pub(crate) refuse_writes: Arc<AtomicBool>,
}

impl TestLink {
    fn over<T>(&self, call: impl FnOnce(&LocalCrmLink) -> Result<T, Fault>) -> Result<T, Fault> {
        let lost = || Fault::new(code::UNREACHABLE, "the test link is down");
        if self.down.load(Ordering::SeqCst) {
            return Err(lost());
        }
        let answer = call(&self.inner);
        match self.lose_answer_in.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(lost()),
            _ => answer,
        }
    }
}

impl CrmLink for TestLink {
    fn register(&self, request: &RegisterRequest) -> Result<RegisterAnswer, Fault> {
        self.over(|link| link.register(request))
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<Vec<TableCount>, Fault> {
        self.over(|link| link.prepare(request))
    }
    fn data(&self, request: &DataRequest) -> Result<DataAnswer, Fault> {
        let small = DataRequest { limit: 2, ..request.clone() };
        self.over(|link| link.data(&small))
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.over(|link| link.post(request))
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.over(|link| link.specific(request))
    }
    fn track(&self, request: &TrackRequest) -> Result<(), Fault> {
        self.over(|link| link.track(request))
    }
    fn execute(&self, operation: Uuid, request: &Request) -> Result<Response, Fault> {
        if self.refuse_writes.load(Ordering::SeqCst) && !request.is_read() {
            return Err(Fault::new(code::UNREACHABLE, "the test link takes no writes"));
        }
        self.over(|link| link.execute(operation, request))
    }
}

/// A server with two users.
pub(crate) struct Server {
    pub(crate) pipeline: Pipeline,
    pub(crate) clock: Arc<TestClock>,
    seeds: AtomicU64,
}

impl Server {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let pipeline = Pipeline::open(PipelineOptions {
            store: Store::in_memory(&StoreOptions::new(Role::Server)).expect("a store opens"),
            sandbox: Arc::clone(&SANDBOX),
            trust: TrustFile::default(),
            policy: PolicyFile::default(),
            audit: Arc::new(LogAudit),
            side: Side::Server,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(Counting(AtomicU64::new(1 << 40))),
            organization: Organization { id: Uuid::from_u128(0x0f), name: "Contoso".into() },
            limits: Limits::default(),
        })
        .expect("a pipeline opens");
        let mut tx = pipeline.store().write().expect("a transaction");
        for (user, name) in [(ADA, "ada"), (BOB, "bob")] {
            let row = Entity::with_id("systemuser", user)
                .with("fullname", Value::text(name))
                .with("domainname", Value::text(name))
                .with("internalemailaddress", Value::text(format!("{name}@contoso.example")))
                .with("statecode", Value::Option(0))
                .with("statuscode", Value::Option(1));
            tx.insert(&row, &WriteStamp::server(Timestamp(NOW))).expect("a user");
        }
        tx.commit().expect("users are kept");
        Self { pipeline, clock, seeds: AtomicU64::new(1) }
    }

    pub(crate) fn execute(&self, request: Request) -> Result<Response, Fault> {
        self.execute_as(ADA, request)
    }

    pub(crate) fn execute_as(&self, user: Uuid, request: Request) -> Result<Response, Fault> {
        let caller = caller(user, if user == ADA { "ada" } else { "bob" });
        self.pipeline.execute(&caller, request, CallOptions::default())
    }

    pub(crate) fn create(&self, row: Entity) -> Uuid {
        self.execute(Request::create(row)).expect("a row is made").id().expect("it has an id")
    }

    pub(crate) fn update(&self, row: Entity) {
        self.execute(Request::update(row)).expect("a row is changed");
    }

    pub(crate) fn delete(&self, table: &str, id: Uuid) {
        self.execute(Request::delete(table, id)).expect("a row is deleted");
    }

    pub(crate) fn get(&self, table: &str, id: Uuid) -> Option<Entity> {
        self.pipeline.store().read().expect("a transaction").get(table, id).expect("a row")
    }

    /// All rows of a table.
    pub(crate) fn all(&self, table: &str) -> Vec<Entity> {
        let query = offstage_model::Query::all(table);
        let response = self.execute(Request::retrieve_multiple(query)).expect("a query");
        response.collection().expect("rows").entities.clone()
    }

    pub(crate) fn later(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A client with its mailbox.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) mail: Shared,
    pub(crate) link: TestLink,
    folder: tempfile::TempDir,
    parts: (Arc<TestClock>, Arc<Counting>),
}

pub(crate) fn mailbox(server: &Server) -> Shared {
    mailbox_with(server, &server.clock)
}

fn mailbox_with(server: &Server, clock: &Arc<TestClock>) -> Shared {
    let folder = tempfile::TempDir::new().expect("a folder").keep();
    let seed = server.seeds.fetch_add(1, Ordering::SeqCst) << 50;
    let random = Counting(AtomicU64::new(seed));
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let store = EmbeddedStore::open(&folder.join("mailbox.db"), clock, &random).expect("a mailbox");
    let capabilities = store.capabilities().clone();
    Shared(Arc::new(Mutex::new(store)), capabilities, Arc::default())
}

impl Client {
    /// Ada's synchronising client with a mailbox of its own.
    pub(crate) fn primary(server: &Server) -> Self {
        let mut client = Self::over(server, mailbox(server), ADA);
        client.engine.register("desk", ClientRole::Primary, false).expect("it registers");
        client
    }

    /// Ada's synchronising client on a machine whose clock is off.
    pub(crate) fn with_clock_off(server: &Server, offset: i64) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW + offset)));
        let mail = mailbox_with(server, &clock);
        let mut client = Self::with(server, mail, ADA, clock);
        client.engine.register("desk", ClientRole::Primary, false).expect("it registers");
        client
    }

    /// The file of its sync cache.
    pub(crate) fn cache_path(&self) -> PathBuf {
        self.folder.path().join("outlook.db")
    }

    /// The clock of its machine.
    pub(crate) fn clock(&self) -> &Arc<TestClock> {
        &self.parts.0
    }

    /// A client over a mailbox; it has no role yet.
    pub(crate) fn over(server: &Server, mail: Shared, user: Uuid) -> Self {
        Self::with(server, mail, user, Arc::clone(&server.clock))
    }

    fn with(server: &Server, mail: Shared, user: Uuid, clock: Arc<TestClock>) -> Self {
        let service = OutlookService::new(server.pipeline.clone());
        let name = if user == ADA { "ada" } else { "bob" };
        let link = TestLink {
            inner: Arc::new(LocalCrmLink::new(service, caller(user, name))),
            down: Arc::default(),
            lose_answer_in: Arc::default(),
            refuse_writes: Arc::default(),
        };
        let folder = tempfile::TempDir::new().expect("a folder");
        let seed = server.seeds.fetch_add(1, Ordering::SeqCst) << 50;
        let random = Arc::new(Counting(AtomicU64::new(seed)));
        let parts = (clock, random);
        let path = folder.path().join("outlook.db");
        let engine = engine(&path, &mail, &link, &parts);
        Self { engine, mail, link, folder, parts }
    }

    /// The process ends and starts again.
    pub(crate) fn restart(self) -> Self {
        let Self { engine, mail, link, folder, parts } = self;
        drop(engine);
        let path = folder.path().join("outlook.db");
        let engine = engine_of(&path, &mail, &link, &parts);
        Self { engine, mail, link, folder, parts }
    }

    #[track_caller]
    pub(crate) fn sync(&mut self) -> Report {
        let report = self.engine.synchronise(Trigger::Manual).expect("a run");
        assert_eq!(report.state, offstage_outlook::engine::RunState::Done, "{report:#?}");
        report
    }

    /// Makes an item in Outlook.
    pub(crate) fn make(
        &mut self,
        kind: ItemKind,
        properties: &[(Property, PropertyValue)],
    ) -> EntryId {
        let properties: Properties = properties.iter().cloned().collect();
        let new = NewItem {
            kind,
            folder: None,
            properties,
            link: LinkProperties::default(),
            transaction: Uuid::nil(),
        };
        self.mail.create(&new).expect("an item").entry_id
    }

    /// Makes an item that the user wants tracked.
    pub(crate) fn make_tracked(
        &mut self,
        kind: ItemKind,
        properties: &[(Property, PropertyValue)],
    ) -> EntryId {
        let id = self.make(kind, properties);
        let link = LinkProperties { state: Some(LinkState::Pending), ..Default::default() };
        let patch = ItemPatch { link: Some(link), ..Default::default() };
        self.mail.update(&id, None, &patch).expect("it is marked");
        id
    }

    pub(crate) fn item(&mut self, id: &EntryId) -> Option<Item> {
        self.mail.read(std::slice::from_ref(id)).expect("a read").pop().flatten()
    }

    pub(crate) fn edit(&mut self, id: &EntryId, property: Property, value: PropertyValue) {
        let mut patch = ItemPatch::default();
        patch.properties.insert(property, Some(value));
        self.mail.update(id, None, &patch).expect("an edit");
    }

    /// All items of a kind.
    pub(crate) fn items(&mut self, kind: ItemKind) -> Vec<Item> {
        let folders = self.mail.folders().expect("folders");
        let mut items = Vec::new();
        for folder in folders.into_iter().filter(|folder| folder.kind == kind) {
            let rows = self.mail.scan(&folder.id, None).expect("a scan").rows;
            let ids: Vec<EntryId> = rows.into_iter().map(|row| row.entry_id).collect();
            items.extend(self.mail.read(&ids).expect("a read").into_iter().flatten());
        }
        items.sort_by(|a, b| a.entry_id.cmp(&b.entry_id));
        items
    }

    /// The record of an item.
    pub(crate) fn record_of(&mut self, id: &EntryId) -> Option<Uuid> {
        self.item(id)?.link.crm_id
    }
}

fn engine(
    path: &std::path::Path,
    mail: &Shared,
    link: &TestLink,
    parts: &(Arc<TestClock>, Arc<Counting>),
) -> Engine {
    engine_of(&PathBuf::from(path), mail, link, parts)
}

fn engine_of(
    path: &std::path::Path,
    mail: &Shared,
    link: &TestLink,
    (clock, random): &(Arc<TestClock>, Arc<Counting>),
) -> Engine {
    Engine::new(Parts {
        cache: SyncCache::open(path).expect("a cache"),
        store: Box::new(mail.clone()),
        link: Box::new(link.clone()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::clone(random) as Arc<dyn Randomness>,
    })
}

/// Ada's synchronising engine over any mail store; the folder is that of its sync cache.
pub(crate) fn engine_over(
    server: &Server,
    store: Box<dyn MailStore>,
) -> (Engine, tempfile::TempDir) {
    engine_as(server, store, caller(ADA, "ada"))
}

/// The same of any user; it takes the place of the client that was.
pub(crate) fn engine_as(
    server: &Server,
    store: Box<dyn MailStore>,
    user: Caller,
) -> (Engine, tempfile::TempDir) {
    let service = OutlookService::new(server.pipeline.clone());
    let folder = tempfile::TempDir::new().expect("a folder");
    let seed = server.seeds.fetch_add(1, Ordering::SeqCst) << 50;
    let mut engine = Engine::new(Parts {
        cache: SyncCache::open(&folder.path().join("outlook.db")).expect("a cache"),
        store,
        link: Box::new(LocalCrmLink::new(service, user)),
        clock: Arc::clone(&server.clock) as Arc<dyn Clock>,
        random: Arc::new(Counting(AtomicU64::new(seed))),
    });
    engine.register("desk", ClientRole::Primary, true).expect("it registers");
    (engine, folder)
}

pub(crate) fn text(text: &str) -> PropertyValue {
    PropertyValue::text(text)
}

/// What was done, pair by pair.
pub(crate) fn words(report: &Report) -> Vec<Word> {
    report.pairs.iter().map(|pair| pair.done).collect()
}
