//! Devices work offline and come back through a network that loses, repeats, delays and cuts
//! messages, and they crash at named places. Every operation is applied exactly once.
//!
//! The same campaign with the receipt in a transaction of its own must fail: it is run as well.
#![expect(clippy::print_stderr, reason = "a campaign says what it reached")]

use offstage_e2e::oracle::violations;
use offstage_e2e::proxy::Counts;
use offstage_e2e::seeds::{Seeded, repeat, seeds};
use offstage_e2e::work::Worker;
use offstage_e2e::world::{ACCOUNTS, Lab, Unit, World};
use offstage_model::{Fault, code};
use offstage_pipeline::CallOptions;
use offstage_replication::{DeviceState, ReceiptPlacement, Silent, set_crash_hook};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// Of a thousand messages, so many meet a fault.
const FAULTS: u64 = 300;
/// Of a thousand named places that a device comes by, it crashes at so many.
const DEVICE_CRASHES: u64 = 20;
/// Calls of one command before it counts as stuck. A call gives up after two attempts.
const ATTEMPTS_MAX: u32 = 400;
const DEVICES: u64 = 2;
const ROUNDS: u64 = 5;

/// What a run did.
#[derive(Default)]
struct Report {
    violations: Vec<String>,
    operations: u64,
    crashes: u64,
    attempts: u64,
    network: Counts,
}

/// A device with its user.
struct Person {
    unit: Unit,
    worker: Worker,
    numbers: Seeded,
    crashes: u64,
    attempts: u64,
}

impl Person {
    /// Repeats a command until the device is in `state`.
    fn until(
        &mut self,
        state: DeviceState,
        command: impl Fn(&Unit) -> Result<(), Fault>,
    ) -> Result<(), String> {
        for _ in 0..ATTEMPTS_MAX {
            if self.unit.device.state() == Some(state) {
                return Ok(());
            }
            self.attempts += 1;
            let crashed = Rc::new(Cell::new(false));
            let (seen, mut numbers) = (Rc::clone(&crashed), self.numbers.clone());
            self.numbers.next();
            set_crash_hook(Some(Box::new(move |_| {
                seen.set(seen.get() || numbers.chance(DEVICE_CRASHES));
                seen.get()
            })));
            let result = command(&self.unit);
            set_crash_hook(None);
            if crashed.get() {
                self.crashes += 1;
                self.unit.restart();
            } else if let Err(fault) = result
                && fault.code != code::UNREACHABLE
                && !is_server_crash(&fault)
            {
                return Err(format!("{}: {fault:?}", self.worker.letter));
            }
        }
        Err(format!("{}: not {} after {ATTEMPTS_MAX} attempts", self.worker.letter, state.text()))
    }

    /// Goes offline, works, comes back.
    fn round(&mut self) -> Result<(), String> {
        self.until(DeviceState::Offline, |unit| unit.device.go_offline(&Silent).map(drop))?;
        for _ in 0..2 + self.numbers.below(8) {
            let operation = self.worker.work();
            let done = self.unit.device.execute(operation.request, CallOptions::default());
            done.map_err(|fault| format!("{} offline: {fault:?}", operation.token))?;
        }
        self.until(DeviceState::Online, |unit| unit.device.go_online(&Silent).map(drop))
    }

    /// After the network healed: nothing is open, and both sides hold the same.
    fn settled(&mut self, world: &World<'_>) -> Result<(), Fault> {
        let device = &self.unit.device;
        device.sync(&Silent)?;
        let wrong = |text: String| Err(Fault::new(code::INTERNAL, text));
        let status = device.status()?;
        let count = self.worker.count();
        if (status.journal.applied, status.journal.open(), status.attention) != (count, 0, 0) {
            return wrong(format!("{count} entries became {:?}", status.journal));
        }
        if world.last_sequence(status.device) != count {
            return wrong(format!("{} receipts", world.last_sequence(status.device)));
        }
        let differences = device.verify(&Silent)?;
        if !differences.is_empty() {
            return wrong(format!("{differences:?}"));
        }
        Ok(())
    }
}

/// The server ended in the middle, as far as the device can know.
fn is_server_crash(fault: &Fault) -> bool {
    fault.code == code::INTERNAL && fault.message.contains("crash point 'server.")
}

fn run(lab: &Lab, seed: u64, placement: ReceiptPlacement, server_crashes: u64) -> Report {
    let world = World::start(lab, seed, placement, server_crashes);
    let mut people: Vec<Person> = (0..DEVICES)
        .map(|number| Person {
            unit: world.device(number, FAULTS),
            worker: Worker::new(
                if number == 0 { 'a' } else { 'b' },
                Seeded::new(seed, 40 + number),
                ACCOUNTS,
            ),
            numbers: Seeded::new(seed, 50 + number),
            crashes: 0,
            attempts: 0,
        })
        .collect();
    let mut report = Report::default();
    for person in &mut people {
        let connected =
            (0..ATTEMPTS_MAX).any(|_| person.unit.device.connect("device", None).is_ok());
        assert!(connected, "seed {seed}: not connected after {ATTEMPTS_MAX} attempts");
    }
    // At the same time, each with its own network.
    let rounds: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let running: Vec<_> = people
            .iter_mut()
            .map(|person| scope.spawn(|| (0..ROUNDS).try_for_each(|_| person.round())))
            .collect();
        running.into_iter().map(|one| one.join().expect("a device does not panic")).collect()
    });
    report.violations.extend(rounds.into_iter().filter_map(Result::err));
    for person in &people {
        person.unit.proxy.calm();
    }
    for person in &mut people {
        if let Err(fault) = person.settled(&world) {
            report.violations.push(format!("{}: {}", person.worker.letter, fault.message));
        }
        report.operations += person.worker.count();
        report.crashes += person.crashes;
        report.attempts += person.attempts;
        report.network.add(&person.unit.proxy.counts());
    }
    let workers: Vec<&Worker> = people.iter().map(|person| &person.worker).collect();
    report.violations.extend(violations(&world.held(), &workers));
    report
}

#[test]
fn exactly_once_through_a_bad_network() {
    let (lab, started) = (Lab::new(), Instant::now());
    let (mut network, mut operations, mut crashes, mut attempts) = (Counts::default(), 0, 0, 0);
    let seeds = seeds(15);
    for &seed in &seeds {
        let report = run(&lab, seed, ReceiptPlacement::InTransaction, 0);
        assert!(
            report.violations.is_empty(),
            "seed {seed}: {:#?}\nrepeat: {}",
            report.violations,
            repeat(seed, "exactly_once_through_a_bad_network"),
        );
        eprintln!(
            "seed {seed}: {} operations, {} faults",
            report.operations,
            report.network.total()
        );
        network.add(&report.network);
        operations += report.operations;
        crashes += report.crashes;
        attempts += report.attempts;
    }
    eprintln!(
        "{} seeds, {operations} operations, {attempts} commands, {crashes} device crashes, {network:?}, {:.1} s",
        seeds.len(),
        started.elapsed().as_secs_f64(),
    );
    // A network without faults would prove nothing.
    assert!(network.total() > 10 * seeds.len() as u64, "{network:?}");
}

#[test]
fn the_campaign_catches_a_receipt_outside_the_transaction() {
    let lab = Lab::new();
    let seeds = seeds(4);
    let mut caught = 0;
    for &seed in &seeds {
        let report = run(&lab, seed, ReceiptPlacement::AfterCommit, 300);
        eprintln!("seed {seed}: {:#?}", report.violations);
        // Other signs would do, but the ledger must show the second run itself.
        caught += u64::from(report.violations.iter().any(|text| text.starts_with("ledger")));
    }
    assert!(caught > 0, "none of the seeds {seeds:?} showed that entries were played twice");
}
