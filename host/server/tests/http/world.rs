//! A running server and a client of it.

use offstage_model::{Clock, Entity, Randomness, Timestamp, Uuid, Value};
use offstage_pipeline::{
    Caller, Limits as PipelineLimits, LogAudit, Organization, Pipeline, PipelineOptions, Side,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_replication::SyncService;
use offstage_sandbox::{Sandbox, SandboxOptions};
use offstage_server::{
    App, Authority, DevAuthority, Exposure, Issuer, Limits, Running, Server, router, secret_hash,
};
use offstage_store::{Principal, Role, Store, StoreOptions, WriteStamp};
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const ORGANIZATION: Uuid = Uuid::from_u128(0x0a);
pub(crate) const ADMINISTRATOR: Uuid = Uuid::from_u128(0x0b);
pub(crate) const BUSINESS_UNIT: Uuid = Uuid::from_u128(0x0c);
pub(crate) const SECRET: &str = "s3cret of the administrator";

/// A clock that a test moves.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Bytes that never repeat and never surprise.
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Randomness for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let next = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            chunk.copy_from_slice(&next.rotate_left(17).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A server with its store.
pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) api: Api,
}

impl World {
    /// A server that takes any token (`--dev`).
    pub(crate) fn dev() -> Self {
        Self::start(|_, _| {})
    }

    /// A server that wants tokens.
    pub(crate) fn guarded() -> Self {
        Self::start(|app, issuer| app.authority = issuer)
    }

    /// A server that wants tokens and serves devices.
    pub(crate) fn syncing() -> Self {
        Self::build(|app, issuer, pipeline| {
            app.authority = issuer;
            app.sync = Some(SyncService::new(pipeline));
        })
    }

    /// A server that wants tokens, and its pipeline.
    pub(crate) fn with_pipeline() -> (Self, Pipeline) {
        let mut kept = None;
        let world = Self::build(|app, issuer, pipeline| {
            app.authority = issuer;
            kept = Some(pipeline);
        });
        (world, kept.unwrap())
    }

    pub(crate) fn start(change: impl FnOnce(&mut App, Arc<dyn Authority>)) -> Self {
        Self::build(|app, issuer, _| change(app, issuer))
    }

    fn build(change: impl FnOnce(&mut App, Arc<dyn Authority>, Pipeline)) -> Self {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        seed(&store);
        let clock = Arc::new(TestClock(AtomicI64::new(1_795_000_000_000)));
        let random: Arc<dyn Randomness> = Arc::new(Counting::new());
        let pipeline = Pipeline::open(PipelineOptions {
            store: store.clone(),
            sandbox: Arc::new(Sandbox::new(SandboxOptions::default()).unwrap()),
            trust: TrustFile::default(),
            policy: PolicyFile::default(),
            audit: Arc::new(LogAudit),
            side: Side::Server,
            clock: clock.clone(),
            random: Arc::clone(&random),
            organization: Organization { id: ORGANIZATION, name: "Test".into() },
            limits: PipelineLimits::default(),
        })
        .unwrap();
        let issuer = Issuer::open(store.clone(), clock.clone(), random, ORGANIZATION);
        let issuer = Arc::new(issuer.unwrap());
        let mut app = App {
            engine: Arc::new(pipeline.clone()),
            authority: Arc::new(DevAuthority::new(administrator())),
            issuer: Some(Arc::clone(&issuer)),
            sync: None,
            outlook: None,
            mailbox: None,
            control: None,
            limits: Limits::default(),
        };
        change(&mut app, issuer, pipeline);
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(loopback, Exposure::Loopback).unwrap();
        let running = server.start(router(app)).unwrap();
        let api = Api::new(running.url());
        Self { running, store, clock, api }
    }

    /// Changes the administrator's principal.
    pub(crate) fn change_principal(&self, change: impl FnOnce(&mut Principal)) {
        let mut tx = self.store.write().unwrap();
        let mut principal = tx.principal(ADMINISTRATOR).unwrap().unwrap();
        change(&mut principal);
        tx.put_principal(&principal).unwrap();
        tx.commit().unwrap();
    }
}

pub(crate) fn administrator() -> Caller {
    Caller {
        user: ADMINISTRATOR,
        name: "Administrator".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: BUSINESS_UNIT,
        agent: String::new(),
        application: false,
    }
}

fn seed(store: &Store) {
    let stamp = WriteStamp { time: Timestamp(0), device: Uuid::nil(), sequence: 0 };
    let unit = Entity::with_id("businessunit", BUSINESS_UNIT).with("name", Value::text("Root"));
    let user = Entity::with_id("systemuser", ADMINISTRATOR)
        .with("fullname", Value::text("Administrator"))
        .with("businessunitid", Value::reference("businessunit", BUSINESS_UNIT));
    let mut tx = store.write().unwrap();
    tx.insert(&unit, &stamp).unwrap();
    tx.insert(&user, &stamp).unwrap();
    tx.put_principal(&Principal {
        user: ADMINISTRATOR,
        name: "Administrator".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        disabled: false,
        client_id: Some("admin".into()),
        secret_hash: Some(secret_hash(SECRET)),
    })
    .unwrap();
    tx.commit().unwrap();
}

/// A client: builds requests, and remembers a token.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
    pub(crate) url: String,
    headers: Vec<(String, String)>,
}

impl Api {
    pub(crate) fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)));
        Self { agent: config.build().into(), url, headers: Vec::new() }
    }

    /// The same client with one more header.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut api = self.clone();
        api.headers.push((name.to_owned(), value.to_owned()));
        api
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Sends a request; a path that does not start with `/` or `http` is below the Web API.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let url = match path {
            full if full.starts_with("http") => full.to_owned(),
            rooted if rooted.starts_with('/') => format!("{}{rooted}", self.url),
            below => format!("{}/api/data/v9.2/{below}", self.url),
        };
        let mut builder = ureq::http::Request::builder().method(method).uri(&url);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let typed = self.headers.iter().any(|(name, _)| name == "content-type");
        let response = if body.is_empty() {
            self.agent.run(builder.body(()).unwrap())
        } else {
            if !typed {
                builder = builder.header("content-type", "application/json");
            }
            self.agent.run(builder.body(body.as_bytes().to_vec()).unwrap())
        };
        let mut response = response.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.body_mut().read_to_string().unwrap();
        Reply { request: format!("{method} {url}"), status, headers, text }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "")
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: Json) -> Reply {
        self.send("POST", path, &body.to_string())
    }

    pub(crate) fn patch(&self, path: &str, body: Json) -> Reply {
        self.send("PATCH", path, &body.to_string())
    }

    /// Makes a row; answers its id.
    pub(crate) fn create(&self, set: &str, body: Json) -> Uuid {
        let reply = self.post(set, body).expect(204);
        let url = reply.header("odata-entityid").to_owned();
        let id = url.rsplit('(').next().unwrap().trim_end_matches(')');
        Uuid::parse_str(id).unwrap()
    }

    pub(crate) fn token(&self, form: &str) -> Reply {
        self.with("content-type", "application/x-www-form-urlencoded").send(
            "POST",
            "/offstage/v1/token",
            form,
        )
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    request: String,
    pub(crate) status: u16,
    headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.request, self.text);
        self
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|v| v.to_str().unwrap());
        value.unwrap_or_else(|| panic!("{}: no header {name}", self.request))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text))
    }

    /// The values of a set.
    #[track_caller]
    pub(crate) fn values(&self, property: &str) -> Vec<String> {
        let json = self.json();
        let rows = json["value"].as_array().unwrap_or_else(|| panic!("no rows: {json}"));
        rows.iter().map(|row| row[property].as_str().unwrap_or("null").to_owned()).collect()
    }
}
