//! A secret leaves for its origins only, whatever was put into the outbox before the policy said so:
//! the pipeline is the gate, and the resolver shows who is talked to.

use offstage_model::{Clock, HttpHeader, HttpRequest, Randomness, Timestamp, Uuid};
use offstage_outbound::{
    Network, Outbox, OutboxLimits, OutboxParts, SecretError, SecretValue, Secrets, Sender,
    SenderLimits,
};
use offstage_pipeline::{Caller, Limits, LogAudit, Organization, Pipeline, PipelineOptions, Side};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::{PackageFile, Sandbox, SandboxOptions};
use offstage_store::outbox::{OutboxRow, OutboxState};
use offstage_store::{Role, Store, StoreOptions};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const PACKAGE: &str = "test/script";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl Randomness for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, _name: &str) -> Result<SecretValue, SecretError> {
        SecretValue::parse("s3cr3t-value")
    }
}

/// Leads every name to a server that keeps what it is sent, and hangs up.
struct Hostile {
    address: SocketAddr,
    asked_for: Mutex<Vec<String>>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Hostile {
    fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut buffer = [0; 4_096];
                if let Ok(count) = stream.read(&mut buffer) {
                    kept.lock().expect("no panic").extend(&buffer[..count]);
                }
            }
        });
        Arc::new(Self { address, asked_for: Mutex::default(), received })
    }

    /// The names that were resolved since the last look.
    fn asked_for(&self) -> Vec<String> {
        let mut names = std::mem::take(&mut *self.asked_for.lock().expect("no panic"));
        names.sort();
        names
    }
}

impl Network for Hostile {
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        self.asked_for.lock().expect("no panic").push(host.to_owned());
        Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34)), port)])
    }

    fn route(&self, _address: SocketAddr) -> SocketAddr {
        self.address
    }
}

fn caller() -> Caller {
    Caller {
        user: Uuid::from_u128(3),
        name: "Ada".into(),
        administrator: true,
        go_offline: false,
        sync_to_outlook: false,
        business_unit: Uuid::from_u128(4),
        agent: String::new(),
        application: false,
    }
}

/// A server on which the script plug-in is registered.
fn pipeline(store: &Store) -> Pipeline {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/script.wasm");
    let bytes = std::fs::read(path).expect("`cargo xtask guests` makes it");
    let sha256 = PackageFile::read(&bytes).expect("a package").sha256;
    let trust = TrustFile::pin_lines(PACKAGE, &sha256, "tests");
    let pipeline = Pipeline::open(PipelineOptions {
        store: store.clone(),
        sandbox: Arc::new(Sandbox::new(SandboxOptions::default()).expect("it starts")),
        trust: TrustFile::parse(&trust, "trust.toml").expect("it is valid"),
        policy: PolicyFile::default(),
        audit: Arc::new(LogAudit),
        side: Side::Server,
        clock: Arc::new(Fixed),
        random: Arc::new(Fixed),
        organization: Organization { id: Uuid::from_u128(1), name: "Test".into() },
        limits: Limits::default(),
    })
    .expect("it opens");
    pipeline.register_package(&caller(), &bytes).expect("it registers");
    pipeline
}

fn put(store: &Store, id: u128, host: &str, secret: Option<&str>) {
    let headers = secret.map(|name| HttpHeader {
        name: "Authorization".into(),
        value: "Bearer ".into(),
        secret: Some(name.into()),
    });
    let request = HttpRequest {
        method: "POST".into(),
        url: format!("https://{host}/orders"),
        headers: headers.into_iter().collect(),
        body: b"x".to_vec(),
    };
    let row = OutboxRow {
        id: Uuid::from_u128(id),
        package: PACKAGE.into(),
        step: "script-idle".into(),
        operation: Uuid::from_u128(1),
        user: caller().user,
        created_on: NOW,
        request,
        state: OutboxState::Queued,
        attempts: 0,
        due: NOW,
        status: None,
        note: String::new(),
    };
    let mut tx = store.write().expect("a transaction");
    tx.put_outbox(&row).expect("it is put");
    tx.commit().expect("it is kept");
}

/// Attack C14: both origins are granted, and the secret is for one of them.
#[test]
fn atk_c14_a_second_origin_never_gets_a_secret() {
    let store = Store::in_memory(&StoreOptions::new(Role::Server)).expect("a store");
    let pipeline = pipeline(&store);
    let hostile = Hostile::start();
    let parts = OutboxParts {
        store: store.clone(),
        clock: Arc::new(Fixed),
        random: Arc::new(Fixed),
        gate: Arc::new(pipeline.clone()),
        sender: Sender::new(
            Arc::clone(&hostile) as _,
            Arc::new(OneSecret),
            SenderLimits::default(),
        ),
    };
    let outbox = Outbox::new(parts, OutboxLimits::default());
    let (hooks, other) = ("hooks.example.com", "other.example.com");
    let set = |secret_to: &[&str]| {
        let http = [hooks, other].map(|host| format!("{{ http = \"https://{host}\" }}"));
        let to: Vec<String> = secret_to.iter().map(|host| format!("\"https://{host}\"")).collect();
        let to = to.join(", ");
        let secret = format!("{{ secret = \"hooks-token\", origins = [{to}] }}");
        let rules: Vec<String> = http.into_iter().chain([secret]).collect();
        let text = PolicyFile::grant_lines(PACKAGE, "tests", &rules);
        pipeline.set_policy(PolicyFile::parse(&text, "policy.toml").expect("it is valid"));
    };
    let state = |id: u128| {
        let mut tx = store.read().expect("a snapshot");
        let row = tx.outbox_row(Uuid::from_u128(id)).expect("a row").expect("it is there");
        (row.state, row.note)
    };

    set(&[hooks]);
    put(&store, 1, hooks, Some("hooks-token"));
    put(&store, 2, other, Some("hooks-token"));
    put(&store, 3, other, None);
    outbox.round().expect("the store works");
    // The third one shows that the other origin is reached by what has no secret.
    assert_eq!(hostile.asked_for(), [hooks, other]);
    let (failed, note) = state(2);
    assert_eq!(failed, OutboxState::Failed, "{note}");
    assert!(note.contains("does not allow"), "{note}");
    assert_eq!(state(1).0, OutboxState::Queued, "its receiver hung up");

    // The control: where the policy says so, it would have gone there.
    set(&[hooks, other]);
    put(&store, 4, other, Some("hooks-token"));
    outbox.round().expect("the store works");
    assert_eq!(hostile.asked_for(), [other]);
    let received = hostile.received.lock().expect("no panic").clone();
    let shows = received.windows(12).any(|part| part == b"s3cr3t-value");
    assert!(!received.is_empty() && !shows, "nothing is sent before TLS stands");
}
