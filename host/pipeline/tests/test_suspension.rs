//! A plug-in whose runs the sandbox ends again and again is suspended, in every role, until somebody
//! resumes it.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::{Entity, Fault, Request, Uuid, Value, code};
use offstage_pipeline::{AuditRecord, Caller, Limits, Pipeline};
use offstage_store::TraceFilter;
use sha2::{Digest, Sha256};
use support::hostile::{HOSTILE, STEP, attack, harmless, package};
use support::{AUDIT, World};

const MAX: u32 = 3;

fn world() -> World {
    World::with_limits(&Limits { violations_max: MAX, ..Limits::default() })
}

fn account(name: &str) -> Request {
    Request::create(Entity::new("account").with("name", Value::text(name)))
}

fn fail(world: &World, times: u32) {
    for _ in 0..times {
        let fault = world.on_server(account("a")).expect_err("it traps");
        assert_eq!(fault.code, code::ISV_UNEXPECTED, "{fault}");
    }
}

fn refused(result: Result<impl std::fmt::Debug, Fault>) {
    let fault = result.expect_err("it is suspended");
    assert_eq!(fault.code, code::PLUGIN_SUSPENDED, "{fault}");
    assert!(fault.message.contains(HOSTILE) && fault.message.contains(STEP), "{fault}");
    assert!(fault.is_transient(), "it never becomes the outcome of an entry");
    let hint = fault.hint.expect("it says what to do");
    assert!(hint.contains(&format!("offstage plugin resume {HOSTILE}")), "{hint}");
}

fn suspended(pipeline: &Pipeline) -> Vec<String> {
    pipeline.suspended().expect("rows").into_iter().map(|row| row.package).collect()
}

#[test]
fn a_plug_in_that_keeps_failing_is_suspended_and_can_be_resumed() {
    let world = world();
    world.register(&attack("trap"));
    fail(&world, MAX - 1);
    assert!(suspended(&world.server).is_empty());
    fail(&world, 1);
    assert_eq!(suspended(&world.server), [HOSTILE]);
    refused(world.on_server(account("a")));
    // What does not need the plug-in goes on.
    let contact = Entity::new("contact").with("lastname", Value::text("Smith"));
    world.on_server(Request::create(contact)).expect("it works");

    assert!(world.server.resume_package(&world.caller, HOSTILE).expect("it resumes"));
    assert!(suspended(&world.server).is_empty());
    fail(&world, MAX);
    refused(world.on_server(account("a")));
}

/// A plug-in that traps, and a person who resumes it, that no other test of the process knows.
struct Audited {
    component: Vec<u8>,
    sha256: String,
    caller: Caller,
}

impl Audited {
    fn new() -> Self {
        let component = package("(func $audited) (func $run unreachable)");
        let sha256 = hex::encode(Sha256::digest(&component));
        let user = Uuid::from_u128(0xa0d17);
        Self { component, sha256, caller: Caller { user, ..support::caller() } }
    }

    /// What the audit, which is the process's, has about them since the last look.
    fn records(&self) -> Vec<AuditRecord> {
        let user = self.caller.user.to_string();
        let is_own = |record: &AuditRecord| match record {
            AuditRecord::Denial(_) | AuditRecord::Skip(_) | AuditRecord::Refusal(_) => false,
            AuditRecord::Violation(violation) => violation.sha256 == self.sha256,
            AuditRecord::Suspension(suspension) => suspension.sha256 == self.sha256,
            AuditRecord::Resumption(resumption) => resumption.user == user,
        };
        AUDIT.take().into_iter().filter(is_own).collect()
    }
}

/// The audit has a line when it begins and one when it ends, in each role.
#[test]
fn it_is_seen_in_the_audit() {
    let (mut world, audited) = (world(), Audited::new());
    world.register(&audited.component);
    fail(&world, MAX);
    refused(world.on_server(account("a")));
    let records = audited.records();
    let [violations @ .., AuditRecord::Suspension(record)] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_each_run_is_there(violations, &support::caller().user.to_string());
    assert_eq!((record.package.as_str(), record.step.as_str(), record.runs), (HOSTILE, STEP, MAX));
    assert!(record.remedy.contains(&format!("offstage plugin resume {HOSTILE}")), "{record:?}");
    let line = records[MAX as usize].to_line();
    assert!(line.starts_with("{\"event\":\"suspension\"") && !line.contains('\n'), "{line}");

    world.server.resume_package(&audited.caller, HOSTILE).expect("it resumes");
    let records = audited.records();
    let [AuditRecord::Resumption(record)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.package, HOSTILE);

    // In playback it is told when the transaction has committed.
    world.register(&harmless());
    world.sync();
    for _ in 0..MAX {
        world.on_device(account("a")).expect("offline it behaves");
    }
    world.register(&audited.component);
    world.play();
    let records = audited.records();
    let [violations @ .., AuditRecord::Suspension(_)] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_each_run_is_there(violations, &support::caller().user.to_string());
}

/// Every run that the sandbox ended has a line of its own.
fn assert_each_run_is_there(records: &[AuditRecord], user: &str) {
    assert_eq!(records.len(), MAX as usize, "{records:?}");
    let mut operations = std::collections::BTreeSet::new();
    for record in records {
        let AuditRecord::Violation(violation) = record else { panic!("{record:?}") };
        assert_eq!((violation.package.as_str(), violation.step.as_str()), (HOSTILE, STEP));
        assert_eq!(violation.user, user);
        assert!(violation.reason.contains("unreachable"), "{violation:?}");
        let line = record.to_line();
        assert!(line.starts_with("{\"event\":\"violation\"") && !line.contains('\n'), "{line}");
        operations.insert(violation.operation.clone());
    }
    assert_eq!(operations.len(), records.len(), "each names its operation");
}

#[test]
fn it_is_seen_in_the_trace_with_each_refusal() {
    let world = world();
    world.register(&attack("trap"));
    fail(&world, MAX);
    refused(world.on_server(account("a")));
    let mut tx = world.server.store().read().expect("a snapshot");
    let filter = TraceFilter { step: Some(STEP.into()), failed: true, ..Default::default() };
    let rows = tx.traces(&filter, 100).expect("traces");
    let said = |row: &&offstage_store::TraceRow| row.trace.contains("is suspended now: 3 runs");
    assert_eq!(rows.iter().filter(said).count(), 1, "{rows:#?}");
    let refusals = rows.iter().filter(|row| {
        row.exception.as_ref().is_some_and(|text| text.contains("is suspended and its step"))
    });
    assert_eq!(refusals.count(), 1, "{rows:#?}");
}

#[test]
fn a_run_that_works_or_refuses_does_not_count() {
    let world = world();

    world.register(&attack("terminal_escape"));
    for _ in 0..MAX * 2 {
        let fault = world.on_server(account("a")).expect_err("it refuses");
        assert_eq!(fault.code, 0x12345, "{fault}");
    }
    assert!(suspended(&world.server).is_empty());
}

#[test]
fn only_violations_in_a_row_count() {
    let world = world();
    // Traps in about half of its runs, by the random number of the operation.
    world.register(&package(
        "(func $run (if (i32.eqz (i32.rem_u (i32.wrap_i64 (call $random)) (i32.const 2)))
           (then unreachable)))",
    ));
    let (mut in_a_row, mut worked) = (0, 0);
    for _ in 0..40 {
        match world.on_server(account("a")) {
            Ok(_) => (in_a_row, worked) = (0, worked + 1),
            Err(fault) if fault.code == code::PLUGIN_SUSPENDED => break,
            Err(_) => in_a_row += 1,
        }
    }
    assert!(worked > 0, "the random numbers of the test make it work sometimes");
    assert_eq!(suspended(&world.server).len(), usize::from(in_a_row >= MAX));
}

#[test]
fn another_build_starts_anew_and_the_same_build_stays_suspended() {
    let world = world();
    world.register(&attack("trap"));
    fail(&world, MAX);
    world.register(&attack("trap"));
    refused(world.on_server(account("a")));
    world.register(&harmless());
    assert!(suspended(&world.server).is_empty());
    world.on_server(account("a")).expect("the better build runs");
}

#[test]
fn a_device_suspends_for_itself() {
    let mut world = world();
    world.register(&attack("trap"));
    world.sync();
    for _ in 0..MAX {
        world.on_device(account("a")).expect_err("it traps");
    }
    refused(world.on_device(account("a")));
    assert_eq!(suspended(&world.device), [HOSTILE]);
    assert!(suspended(&world.server).is_empty());
    assert!(world.device.resume_package(&world.caller, HOSTILE).expect("it resumes"));
}

#[test]
fn playback_pauses_for_a_suspended_plug_in_and_never_consumes_the_entry() {
    let mut world = world();
    world.register(&harmless());
    world.sync();
    world.on_device(account("kept")).expect("offline it works");
    world.register(&attack("trap"));
    fail(&world, MAX);
    let played = world.played;
    let (_, result) = world.play().pop().expect("an entry");
    refused(result);
    world.server.resume_package(&world.caller, HOSTILE).expect("it resumes");
    world.register(&harmless());
    world.played = played;
    assert_eq!(world.play()[0].0, EntryState::Applied);
}

#[test]
fn violations_in_playback_count_too() {
    let mut world = world();
    world.register(&harmless());
    world.sync();
    for number in 0..MAX {
        world.on_device(account(&format!("a{number}"))).expect("offline it works");
    }
    world.register(&attack("trap"));
    assert!(world.play().iter().all(|(state, _)| *state == EntryState::Rejected));
    assert_eq!(suspended(&world.server), [HOSTILE]);
}

#[test]
fn only_an_administrator_resumes_on_a_server() {
    let world = world();
    world.register(&attack("trap"));
    fail(&world, MAX);
    let nobody = offstage_pipeline::Caller { administrator: false, ..support::caller() };
    let fault = world.server.resume_package(&nobody, HOSTILE).expect_err("it is denied");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED);
    assert_eq!(suspended(&world.server), [HOSTILE]);
    let fault = world.server.resume_package(&world.caller, "no/such").expect_err("unknown");
    assert_eq!(fault.code, code::NOT_FOUND);
}
