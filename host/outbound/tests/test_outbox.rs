//! The outbox: what is due is sent once it may, tried again while it makes sense, and then left to a
//! person.

use offstage_model::{Clock, Fault, HttpRequest, Randomness, Timestamp, Uuid, code};
use offstage_outbound::{
    Gate, Network, Outbox, OutboxLimits, OutboxParts, Round, SecretError, SecretValue, Secrets,
    Sender, SenderLimits, discard, retry,
};
use offstage_pipeline::Caller;
use offstage_store::outbox::{OutboxRow, OutboxState};
use offstage_store::{Role, Store, StoreOptions};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOW: i64 = 1_795_000_000_000;

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct Zeros;

impl Randomness for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// Refuses with a code, unless that is 0.
struct Switch(AtomicU32);

impl Gate for Switch {
    fn may_send(&self, _package: &str, _request: &HttpRequest) -> Result<(), Fault> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(Fault::new(code, "The policy does not allow it any more.")),
        }
    }
}

/// Leads every name to a server that answers with the statuses of a list, one after the other.
struct Statuses {
    leads_to: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Statuses {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let leads_to = listener.local_addr().expect("its address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for mut stream in listener.incoming().flatten() {
                let mut text = String::new();
                let mut byte = [0];
                while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    text.push(char::from(byte[0]));
                }
                kept.lock().expect("no panic").push(text);
                let status = statuses.next().unwrap_or(&200);
                // Impatient, which shortens no wait.
                let head =
                    format!("HTTP/1.1 {status} X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).expect("the answer is taken");
            }
        });
        Self { leads_to, received }
    }
}

struct Leads(SocketAddr);

impl Network for Leads {
    fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34)), port)])
    }

    fn route(&self, _address: SocketAddr) -> SocketAddr {
        self.0
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn value(&self, name: &str) -> Result<SecretValue, SecretError> {
        Err(SecretError::Unset(name.to_owned()))
    }
}

struct World {
    store: Store,
    clock: Arc<TestClock>,
    gate: Arc<Switch>,
    server: Statuses,
    outbox: Outbox,
}

impl World {
    fn new(statuses: &'static [u16]) -> Self {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).expect("a store");
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let gate = Arc::new(Switch(AtomicU32::new(0)));
        let server = Statuses::start(statuses);
        Self::with(clock, store, gate, server)
    }

    /// A world whose receivers do not answer.
    fn silent() -> Self {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).expect("a store");
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let gate = Arc::new(Switch(AtomicU32::new(0)));
        let leads_to = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
        let leads_to = leads_to.expect("its address");
        let server = Statuses { leads_to, received: Arc::default() };
        Self::with(clock, store, gate, server)
    }

    fn with(clock: Arc<TestClock>, store: Store, gate: Arc<Switch>, server: Statuses) -> Self {
        let network = Arc::new(Leads(server.leads_to));
        let parts = OutboxParts {
            store: store.clone(),
            clock: Arc::clone(&clock) as _,
            random: Arc::new(Zeros),
            gate: Arc::clone(&gate) as _,
            sender: Sender::new(network, Arc::new(NoSecrets), SenderLimits::default()),
        };
        let limits = OutboxLimits { attempts_max: 4, ..OutboxLimits::default() };
        Self { store, clock, gate, server, outbox: Outbox::new(parts, limits) }
    }

    fn put(&self, id: u128) {
        let mut tx = self.store.write().expect("a transaction");
        let row = OutboxRow {
            id: Uuid::from_u128(id),
            package: "acme/orders".into(),
            step: "orders".into(),
            operation: Uuid::from_u128(1),
            user: Uuid::from_u128(2),
            created_on: self.clock.now(),
            request: HttpRequest {
                method: "POST".into(),
                url: format!("http://hooks.example.com/{id}"),
                headers: Vec::new(),
                body: b"x".to_vec(),
            },
            state: OutboxState::Queued,
            attempts: 0,
            due: self.clock.now(),
            status: None,
            note: String::new(),
        };
        tx.put_outbox(&row).expect("it is put");
        tx.commit().expect("it is kept");
    }

    fn row(&self, id: u128) -> OutboxRow {
        let mut tx = self.store.read().expect("a snapshot");
        tx.outbox_row(Uuid::from_u128(id)).expect("a row").expect("it is there")
    }

    fn round(&self) -> Round {
        self.outbox.round().expect("the store works")
    }

    fn later(&self, time: Duration) {
        let ms = i64::try_from(time.as_millis()).expect("it fits");
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    fn received(&self) -> usize {
        self.server.received.lock().expect("no panic").len()
    }
}

fn caller(administrator: bool) -> Caller {
    Caller {
        user: Uuid::from_u128(3),
        name: "Ada".into(),
        administrator,
        go_offline: false,
        sync_to_outlook: false,
        business_unit: Uuid::from_u128(4),
        agent: String::new(),
        application: false,
    }
}

#[test]
fn a_request_is_sent_once_and_put_once() {
    let world = World::new(&[]);
    world.put(1);
    world.put(1);
    assert_eq!(world.round(), Round { sent: 1, ..Round::default() });
    assert_eq!(world.round(), Round::default());
    let row = world.row(1);
    assert_eq!((row.state, row.status, row.attempts), (OutboxState::Sent, Some(200), 1));
    assert_eq!(world.received(), 1);
}

#[test]
fn a_busy_receiver_is_tried_again_later_and_then_left_to_a_person() {
    let world = World::new(&[503, 429, 500, 503]);
    world.put(1);
    for attempt in 1..4 {
        assert_eq!(world.round(), Round { waiting: 1, ..Round::default() }, "{attempt}");
        // Not before its time.
        assert_eq!(world.round(), Round::default(), "{attempt}");
        let row = world.row(1);
        let half = 10_000 << (attempt - 1);
        assert_eq!(row.due.0 - world.clock.now().0, half, "half of a wait that doubles");
        world.later(Duration::from_secs(3_600));
    }
    assert_eq!(world.round(), Round { failed: 1, ..Round::default() });
    let row = world.row(1);
    assert_eq!((row.state, row.attempts, row.status), (OutboxState::Failed, 4, Some(503)));

    let id = Uuid::from_u128(1);
    let fault = retry(&world.store, &*world.clock, &caller(false), id).expect_err("it is denied");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED);
    retry(&world.store, &*world.clock, &caller(true), id).expect("it is queued again");
    assert_eq!(world.round(), Round { sent: 1, ..Round::default() });
    let fault = retry(&world.store, &*world.clock, &caller(true), id).expect_err("it is sent");
    assert_eq!(fault.code, code::WRONG_STATE);
}

#[test]
fn what_the_receiver_refuses_is_not_tried_again() {
    let world = World::new(&[400, 302, 404]);
    for id in 1..=3 {
        world.put(id);
    }
    assert_eq!(world.round(), Round { failed: 3, ..Round::default() });
    assert!(world.row(2).note.contains("redirects are not followed"), "{}", world.row(2).note);
    world.later(Duration::from_secs(86_400));
    assert_eq!(world.round(), Round::default());
    assert_eq!(world.received(), 3);
}

#[test]
fn atk_d14_what_is_not_granted_any_more_never_leaves() {
    let world = World::new(&[]);
    world.put(1);
    world.gate.0.store(code::PRIVILEGE_DENIED, Ordering::Relaxed);
    assert_eq!(world.round(), Round { failed: 1, ..Round::default() });
    assert_eq!(world.received(), 0);
    assert!(world.row(1).note.contains("policy"), "{}", world.row(1).note);
}

#[test]
fn a_discarded_request_never_leaves() {
    let world = World::new(&[]);
    world.put(1);
    let id = Uuid::from_u128(1);
    discard(&world.store, &caller(true), id).expect("it is discarded");
    assert_eq!(world.round(), Round::default());
    assert_eq!(world.received(), 0);
    assert_eq!(world.row(1).state, OutboxState::Discarded);
    let fault = discard(&world.store, &caller(true), Uuid::from_u128(9)).expect_err("unknown");
    assert_eq!(fault.code, code::NOT_FOUND);
}

/// Disabled for a while, or a store that cannot be read: nobody has decided anything.
#[test]
fn what_is_nobodys_decision_waits() {
    let world = World::new(&[]);
    world.put(1);
    world.gate.0.store(code::NOT_AVAILABLE, Ordering::Relaxed);
    for _ in 0..6 {
        assert_eq!(world.round(), Round { waiting: 1, ..Round::default() });
        assert_eq!((world.row(1).state, world.row(1).attempts), (OutboxState::Queued, 0));
        world.later(Duration::from_secs(20));
    }
    world.gate.0.store(0, Ordering::Relaxed);
    assert_eq!(world.round(), Round { sent: 1, ..Round::default() });
    assert!(world.row(1).request.body.is_empty(), "nobody needs it any more");
}

#[test]
fn a_request_that_is_discarded_during_a_round_does_not_leave() {
    let world = World::new(&[]);
    world.put(1);
    world.put(2);
    let asked = AtomicU32::new(0);
    let discards_the_second = || {
        if asked.fetch_add(1, Ordering::Relaxed) == 1 {
            discard(&world.store, &caller(true), Uuid::from_u128(2)).expect("it is discarded");
        }
        true
    };
    let round = world.outbox.round_while(discards_the_second).expect("the store works");
    assert_eq!(round, Round { sent: 1, ..Round::default() });
    assert_eq!(world.received(), 1);
    assert_eq!(world.row(2).state, OutboxState::Discarded);
}

/// A crash while a request is sent: what was claimed is counted, and not due again at once.
#[test]
fn an_attempt_is_counted_before_it_is_made() {
    let world = World::new(&[]);
    world.put(1);
    let (store, received) = (world.store.clone(), Arc::clone(&world.server.received));
    let seen = std::thread::scope(|scope| {
        // The receiver looks into the store when the request has come to it.
        let watch = scope.spawn(move || {
            while received.lock().expect("no panic").is_empty() {
                std::thread::yield_now();
            }
            let mut tx = store.read().expect("a snapshot");
            tx.outbox_row(Uuid::from_u128(1)).expect("a row").expect("it is there")
        });
        world.round();
        watch.join().expect("no panic")
    });
    assert_eq!(seen.attempts, 1);
    assert!(seen.state == OutboxState::Sent || seen.due > world.clock.now(), "{seen:?}");
}

#[test]
fn one_receiver_that_does_not_answer_holds_up_nobody_twice() {
    let world = World::silent();
    for id in 1..=3 {
        world.put(id);
    }
    assert_eq!(world.round(), Round { waiting: 3, ..Round::default() });
    assert_eq!((world.row(1).attempts, world.row(2).attempts, world.row(3).attempts), (1, 0, 0));
    assert!(world.row(3).note.contains("does not answer"), "{}", world.row(3).note);
    assert_eq!(world.round(), Round::default(), "none is due");
}
