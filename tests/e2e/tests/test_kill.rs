//! `kill -9` of the real device and the real server in the middle of going offline and going online.
//! Both come back on the same directories and the same port, the command is given again, and every
//! operation is applied exactly once.
#![expect(clippy::print_stderr, reason = "a campaign says what it reached")]

use offstage_e2e::oracle::violations;
use offstage_e2e::program::{Done, Place, Serving, free_address, guest};
use offstage_e2e::seeds::{Seeded, first_seed, repeat, runs};
use offstage_e2e::work::{self, LEDGER, LEDGER_COLUMN, LEDGER_START, PLUGINS, TABLES, Worker};
use offstage_model::request::{message, parameter};
use offstage_model::{Entity, Parameter, Request, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TEST: &str = "killed_at_any_time_nothing_is_lost_or_done_twice";
const ACCOUNTS: u64 = 3;
/// Commands that are given again before the device counts as stuck.
const ATTEMPTS_MAX: u32 = 20;
/// Cycles that may miss, because the work was done before the kill came, per kill that is wanted.
const MISSES_MAX: u64 = 6;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// The command that does the work by itself.
    Command,
    /// The host process that does the work for a command.
    Host,
    Server,
}

/// A server and a device as processes.
struct Pair {
    server: Place,
    device: Place,
    address: SocketAddr,
    serving: Option<Serving>,
}

impl Pair {
    fn new() -> Self {
        let (server, device) = (Place::new(), Place::new());
        let mut pair = Self { server, device, address: free_address(), serving: None };
        pair.serve();
        let tables = pair.server.file("tables.json", TABLES);
        pair.server.good(&["table", "add", &tables]);
        let files = PLUGINS.map(guest);
        for file in &files {
            let file = file.to_str().expect("a plain path");
            pair.server.good(&[
                "policy",
                "trust",
                "pin",
                file,
                "--reason",
                "tests",
                "--grant",
                "requested",
            ]);
            pair.server.good(&["plugin", "add", file]);
        }
        for step in work::ledger_steps() {
            let step = pair.server.file("step.json", &step.to_string());
            pair.server.good(&["step", "add", "test/script", "test.Script", &step]);
        }
        for number in 0..ACCOUNTS {
            let row = Entity::with_id("account", work::account(number))
                .with("name", Value::text(format!("account {number}")));
            pair.server.request(&Request::create(row));
        }
        let ledger = Entity::with_id("account", LEDGER).with("name", Value::text("ledger"));
        pair.server.request(&Request::create(ledger));
        pair.device.good(&["connect", &format!("http://{}", pair.address)]);
        for file in &files {
            let file = file.to_str().expect("a plain path");
            pair.device.good(&[
                "policy",
                "trust",
                "pin",
                file,
                "--reason",
                "tests",
                "--grant",
                "requested",
            ]);
        }
        pair
    }

    /// Starts the server on its directory and port.
    fn serve(&mut self) {
        let address = self.address.to_string();
        self.serving =
            Some(Serving::start(&self.server, &["serve", "--dev", "--listen", &address]));
    }

    /// Something for the device to bring down, and an empty ledger.
    fn work_on_the_server(&self, cycle: u64) {
        let row = Entity::with_id("account", LEDGER)
            .with("name", Value::text(format!("ledger {cycle}")))
            .with(LEDGER_COLUMN, Value::text(LEDGER_START));
        self.server.request(&Request::update(row));
        let letters = (0..20).map(|number| {
            let subject = Value::text(format!("letter {cycle}/{number}"));
            Request::create(Entity::new("letter").with("subject", subject))
        });
        let letters = Parameter::Requests(letters.collect());
        let all = Request::new(message::EXECUTE_TRANSACTION).with(parameter::REQUESTS, letters);
        self.server.request(&all);
    }

    /// Gives a command until the device is in `state`; returns the state that it was in first.
    fn until(&self, command: &str, state: &str) -> String {
        let mut first = None;
        for _ in 0..ATTEMPTS_MAX {
            let status = self.device.good(&["status"]);
            let now = status["state"].as_str().expect("a device has a state").to_owned();
            let reached = now == state;
            let first = &*first.get_or_insert(now);
            if reached {
                return first.clone();
            }
            let done = self.device.run(&[command]);
            assert!(matches!(done.exit, Some(0 | 6)), "{command}: {done:?}");
        }
        panic!("not {state} after {ATTEMPTS_MAX} commands");
    }

    /// Gives a command and kills the victim after `delay`; whether that was in the middle of it.
    fn kill_during(&mut self, command: &str, victim: Victim, delay: Duration) -> bool {
        let host = (victim == Victim::Host)
            .then(|| Serving::start(&self.device, &["host", "--listen", "127.0.0.1:0"]));
        let mut child = self.device.start(&[command]);
        std::thread::sleep(delay);
        let hit = child.try_wait().expect("it is our child").is_none();
        match victim {
            Victim::Command => drop(child.kill()),
            Victim::Host => drop(host),
            Victim::Server => {
                drop(self.serving.take());
                self.serve();
            }
        }
        drop(child.wait());
        hit
    }

    /// How long a command takes when nobody is killed.
    fn span(&self, command: &str) -> Duration {
        let started = Instant::now();
        self.device.good(&[command]);
        started.elapsed()
    }

    fn work_offline(&self, worker: &mut Worker, count: u64) {
        for _ in 0..count {
            self.device.request(&worker.work().request);
        }
    }

    /// What is wrong after a cycle.
    fn wrong(&self, worker: &Worker) -> Vec<String> {
        let mut wrong = violations(&self.server.held(), &[worker]);
        let status = self.device.good(&["status"]);
        let journal = &status["journal"];
        if journal["applied"] != worker.count() || status["attention"] != 0 {
            wrong.push(format!("{} entries became {journal}", worker.count()));
        }
        for state in ["pending", "sent"] {
            if journal[state] != 0 {
                wrong.push(format!("{} entries are {state}", journal[state]));
            }
        }
        let verified: Done = self.device.run(&["verify"]);
        if verified.exit != Some(0) {
            wrong.push(format!("the two sides differ: {}", verified.stdout));
        }
        let devices = self.server.good(&["device", "list"]);
        if devices["devices"][0]["lastSequence"] != worker.count() {
            wrong.push(format!("receipts: {devices}"));
        }
        wrong
    }
}

/// Kills `victim` so many times, alternately while it goes offline and online.
fn campaign(victim: Victim, kills: u64) {
    let started = Instant::now();
    let mut pair = Pair::new();
    let mut worker = Worker::new('k', Seeded::new(first_seed(), 60), ACCOUNTS);
    let (mut hit, mut cycle, mut attempts) = ([0_u64; 2], 0, 0);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    // The first cycles measure; the delays are spread over what a command takes.
    let mut spans = [Duration::ZERO; 2];
    while hit[0] + hit[1] < kills {
        let seed = first_seed() + cycle;
        let mut numbers = Seeded::new(seed, 61);
        let operations = 3 + numbers.below(4);
        worker.ledger.clear();
        pair.work_on_the_server(cycle);
        let going_offline = cycle % 2 == 0;
        let delay = |span: Duration, numbers: &mut Seeded| {
            let span = u64::try_from(span.as_micros()).expect("it is short");
            Duration::from_micros(numbers.below(span.max(1)))
        };
        if cycle < 2 {
            spans[0] = pair.span("go-offline");
        } else if going_offline {
            attempts += 1;
            let delay = delay(spans[0], &mut numbers);
            hit[0] += u64::from(pair.kill_during("go-offline", victim, delay));
        }
        let first = pair.until("go-offline", "offline");
        *found.entry(format!("off: {first}")).or_default() += u64::from(going_offline);
        pair.work_offline(&mut worker, operations);
        if cycle < 2 {
            spans[1] = pair.span("go-online");
        } else if !going_offline {
            attempts += 1;
            let delay = delay(spans[1], &mut numbers);
            hit[1] += u64::from(pair.kill_during("go-online", victim, delay));
        }
        let first = pair.until("go-online", "online");
        *found.entry(format!("on: {first}")).or_default() += u64::from(!going_offline);
        let wrong = pair.wrong(&worker);
        assert!(
            wrong.is_empty(),
            "{victim:?}, cycle {cycle}, seed {seed}: {wrong:#?}\nrepeat: {}",
            repeat(first_seed(), TEST)
        );
        cycle += 1;
        assert!(attempts <= kills * MISSES_MAX, "{hit:?} of {attempts} kills came in time");
    }
    if victim == Victim::Command && kills >= 20 {
        // Kills that always miss the work itself would prove nothing.
        let caught = |state| found.get(state).is_some_and(|count| *count > 0);
        assert!(caught("off: going-offline") && caught("on: going-online"), "{found:?}");
    }
    eprintln!(
        "{victim:?}: seeds {} to {}, {} kills while going offline and {} while going online ({attempts} tried), found in {found:?}, {} operations, spans {spans:?}, {:.1} s",
        first_seed(),
        first_seed() + cycle - 1,
        hit[0],
        hit[1],
        worker.count(),
        started.elapsed().as_secs_f64(),
    );
}

#[test]
fn killed_at_any_time_nothing_is_lost_or_done_twice_by_the_command() {
    campaign(Victim::Command, runs(20));
}

#[test]
fn killed_at_any_time_nothing_is_lost_or_done_twice_by_the_host() {
    campaign(Victim::Host, runs(10));
}

#[test]
fn killed_at_any_time_nothing_is_lost_or_done_twice_by_the_server() {
    campaign(Victim::Server, runs(25));
}
