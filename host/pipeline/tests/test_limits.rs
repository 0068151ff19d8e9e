//! Every limit is hit by a hostile plug-in, in each role that a plug-in has: offline on a device,
//! online on the server, and in playback. Each time nothing is kept, the host is at its baseline and
//! the next call works.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::{Entity, Fault, Query, Request, Value, code};
use offstage_pipeline::{Limits, Pipeline};
use offstage_store::{JournalFilter, Scope, TraceFilter};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use support::World;
use support::hostile::{attack, harmless, package, repository};

/// Where a plug-in runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Offline,
    Online,
    Playback,
}

const ROLES: [Role; 3] = [Role::Offline, Role::Online, Role::Playback];

/// A hostile plug-in with the code of its fault and a part of its message.
struct Case {
    name: &'static str,
    code: u32,
    message: &'static str,
}

const fn case(name: &'static str, code: u32, message: &'static str) -> Case {
    Case { name, code, message }
}

const TRAPPED: &str = "An unexpected error occurred in the plug-in 'tests.Hostile'.";

/// One for every limit of a run, and one for every kind of trap.
const CASES: &[Case] = &[
    case("endless_loop", code::PLUGIN_TIMEOUT, "units of fuel"),
    case("endless_start", code::PLUGIN_TIMEOUT, "units of fuel"),
    case("endless_loop_with_host_calls", code::PLUGIN_CRASHED, "operation calls"),
    case("organization_call_flood", code::PLUGIN_CRASHED, "organization service calls"),
    case("trace_flood", code::PLUGIN_CRASHED, "trace calls"),
    case("capability_call_flood", code::PLUGIN_CRASHED, "capability calls"),
    case("header_flood", code::PLUGIN_CRASHED, "bytes to the host at once"),
    case("memory_bomb", code::PLUGIN_CRASHED, "bytes of memory"),
    case("memory_grow_refused", code::PLUGIN_CRASHED, "bytes of memory"),
    case("table_bomb", code::PLUGIN_CRASHED, "a table of 20001 elements"),
    case("deep_recursion", code::PLUGIN_CRASHED, "its stack of 524288 bytes"),
    case("huge_trace", code::PLUGIN_CRASHED, "bytes to the host at once"),
    case("huge_list", code::PLUGIN_CRASHED, "bytes to the host at once"),
    case("huge_fault_message", code::PLUGIN_CRASHED, "bytes to the host at once"),
    case("huge_result", code::PLUGIN_CRASHED, "bytes to the host at once"),
    case("list_length_lie", code::ISV_UNEXPECTED, TRAPPED),
    case("pointer_outside", code::ISV_UNEXPECTED, TRAPPED),
    case("not_utf8", code::ISV_UNEXPECTED, TRAPPED),
    case("trap", code::ISV_UNEXPECTED, TRAPPED),
    case("division_by_zero", code::ISV_UNEXPECTED, TRAPPED),
    case("read_outside", code::ISV_UNEXPECTED, TRAPPED),
];

/// These end by time alone: fuel would let them run longer.
const SLOW: &[Case] = &[
    case("endless_loop", code::PLUGIN_TIMEOUT, "its wall time of"),
    case("endless_start", code::PLUGIN_TIMEOUT, "its wall time of"),
];

fn account(name: &str) -> Request {
    Request::create(Entity::new("account").with("name", Value::text(name)))
}

fn names(pipeline: &Pipeline, table: &str, column: &str) -> Vec<String> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let scope = Scope { user: support::caller().user };
    let rows = tx.query(&Query::all(table), &scope).expect("rows").entities;
    rows.iter().filter_map(|row| row.text(column).map(str::to_owned)).collect()
}

fn entries(world: &World) -> usize {
    let mut tx = world.device.store().read().expect("a snapshot");
    let filter = JournalFilter { rows_max: 10_000, ..Default::default() };
    tx.entries(&filter).expect("entries").len()
}

/// Lets the plug-in `bytes` loose in a role; returns the fault that its request got.
fn attack_in(world: &mut World, role: Role, bytes: &[u8], name: &str) -> Fault {
    if role == Role::Playback {
        world.register(&harmless());
        world.sync();
        world.on_device(account(name)).expect("offline it behaves");
    }
    world.register(bytes);
    match role {
        Role::Offline => {
            world.sync();
            world.on_device(account(name)).expect_err(name)
        }
        Role::Online => world.on_server(account(name)).expect_err(name),
        Role::Playback => {
            let (state, result) = world.play().pop().expect("an entry is played");
            let fault = result.expect_err(name);
            assert_eq!(fault.is_transient(), fault.timed_out, "{name}: {fault}");
            assert_eq!(state, EntryState::Rejected, "{name}: {fault}");
            fault
        }
    }
}

fn check(world: &mut World, role: Role, case: &Case) {
    let name = case.name;
    let before = (entries(world), open_files());
    let fault = attack_in(world, role, &attack(name), name);
    assert_eq!(fault.code, case.code, "{name} {role:?}: {fault}");
    assert!(fault.message.contains(case.message), "{name} {role:?}: {fault}");
    assert!(fault.hint.is_some(), "{name} {role:?}: {fault}");

    let side = if role == Role::Offline { &world.device } else { &world.server };
    assert!(!names(side, "account", "name").contains(&name.to_owned()), "{name} {role:?}");
    let made = usize::from(role == Role::Playback);
    assert_eq!(entries(world), before.0 + made, "{name} {role:?}");
    probe(world, role, name);
    assert_eq!(open_files(), before.1, "{name} {role:?}");
}

/// The next call works, with the hostile plug-in still registered.
fn probe(world: &World, role: Role, name: &str) {
    let side = if role == Role::Offline { &world.device } else { &world.server };
    let contact = Entity::new("contact").with("lastname", Value::text(name));
    side.execute(&world.caller, Request::create(contact), Default::default()).expect(name);
    assert!(names(side, "contact", "lastname").contains(&name.to_owned()), "{name} {role:?}");
}

fn run_all(cases: &[Case], limits: &Limits) {
    for role in ROLES {
        let mut world = World::with_limits(limits);
        // What the first of each kind allocates for good is no leak.
        attack_in(&mut world, role, &attack("memory_bomb"), "warm");
        attack_in(&mut world, role, &attack("endless_start"), "warm");
        probe(&world, role, "warm");
        entries(&world);
        let resident = resident_kib();
        for case in cases {
            check(&mut world, role, case);
        }
        let grown = resident_kib().saturating_sub(resident);
        assert!(grown < 48 << 10, "{grown} KiB more are resident after {role:?}");
    }
}

/// Open files and memory are those of the process: one test at a time may look at them.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_limit_holds_in_every_role() {
    let _alone = alone();
    run_all(CASES, &Limits { violations_max: 0, ..Limits::default() });
}

#[test]
fn wall_time_holds_in_every_role() {
    let _alone = alone();
    // The clock of the tests advances by a millisecond each time that it is looked at.
    let message_time_max = Duration::from_millis(150);
    run_all(SLOW, &Limits { violations_max: 0, message_time_max, ..Limits::default() });
}

#[test]
fn every_hostile_plug_in_of_a_run_is_in_the_table() {
    // These are no attacks on a run, or need other limits than the defaults.
    let elsewhere = [
        "good",
        "spy",
        "deep_then_call",
        "huge_message_name",
        "not_a_number",
        "relaxed_simd",
        "terminal_escape",
        "too_many_changes",
    ];
    for entry in std::fs::read_dir(repository("tests/hostile-plugins/wat")).expect("a folder") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
            let used = CASES.iter().any(|case| case.name == name) || elsewhere.contains(&name);
            assert!(used, "no test runs {name}.wat in every role");
        }
    }
}

#[test]
fn the_table_can_fail() {
    let _alone = alone();
    // Negative control: what does no harm is seen as harmless.
    let mut world = World::new();
    world.register(&package("(func $run)"));
    world.sync();
    world.on_device(account("kept")).expect("nothing ends it");
    assert_eq!(names(&world.device, "account", "name"), ["kept"]);
    assert_eq!(entries(&world), 1);
    assert_eq!(world.play()[0].0, EntryState::Applied);
}

#[test]
fn details_stay_in_the_trace_in_every_role() {
    let _alone = alone();
    for role in ROLES {
        let mut world = World::new();
        let fault = attack_in(&mut world, role, &attack("trap"), "trap");
        assert!(!fault.to_string().contains("secret_function"), "{fault}");
        let side = if role == Role::Offline { &world.device } else { &world.server };
        let mut tx = side.store().read().expect("a snapshot");
        let rows = tx.traces(&TraceFilter::default(), 100).expect("traces");
        let told = rows.iter().any(|row| row.trace.contains("secret_function"));
        assert!(told, "{role:?}: {rows:#?}");
    }
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has the line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// What every open descriptor leads to, but for the images of loaded plug-ins: those belong to code,
/// of which the sandbox keeps a bounded number, and not to runs.
fn open_files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("Linux");
    let leads_to = |entry: std::io::Result<std::fs::DirEntry>| {
        let link = std::fs::read_link(entry.ok()?.path()).ok()?;
        Some(link.to_string_lossy().into_owned())
    };
    let of_a_run = |file: &String| !file.starts_with("/memfd:wasm-memory-image");
    let mut files: Vec<String> = entries.filter_map(leads_to).filter(of_a_run).collect();
    files.sort();
    files
}
