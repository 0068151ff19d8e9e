//! Every limit is hit by a hostile plug-in, in each role that a plug-in has: offline on a device,
//! online on the server, and in playback. Each time nothing is kept, the host is at its baseline and
//! the next call works.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::registration::{Package, Step};
use offstage_model::{Entity, Fault, Query, Request, Value, code};
use offstage_pipeline::{Limits, Pipeline, StepChange};
use offstage_store::{JournalFilter, Scope, TraceFilter};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use support::World;
use support::hostile::{HOSTILE, attack, harmless, package, repository, with_instances};

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

/// What the platform refuses the plug-in itself: the name is the script of one that asks for it.
const SCRIPTS: &[Case] = &[
    case("top contact fullname 5001", code::TOO_LARGE_A_REQUEST, "this plug-in gets 5000"),
    case("create account name=s:again", code::DEPTH_TOO_HIGH, "the depth of 9 exceeds 8"),
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

/// What is let loose.
enum Attack {
    /// A package of its own.
    Package(Vec<u8>),
    /// A script for the plug-in of the tests.
    Script(&'static str),
}

impl Attack {
    /// Puts it into the place of the one before, on the server.
    fn arm(&self, world: &World) {
        match self {
            Self::Package(bytes) => drop(world.register(bytes)),
            Self::Script(script) => set_script(world, script),
        }
    }

    /// The same plug-in while it behaves.
    fn tame(&self) -> Self {
        match self {
            Self::Package(_) => Self::Package(harmless()),
            Self::Script(_) => Self::Script("trace quiet"),
        }
    }
}

const SCRIPTED: &str = "scripted";

fn set_script(world: &World, script: &str) {
    let change = StepChange::Configuration(script.to_owned());
    if world.server.change_step(&world.caller, SCRIPTED, change).is_err() {
        let step = serde_json::json!({
            "key": SCRIPTED, "message": "Create", "table": "account", "stage": 20,
            "deployment": 2, "configuration": script,
        });
        let step = serde_json::from_value(step).expect("a step");
        world.add_step(step).expect("the step is added");
    }
}

/// Lets a plug-in loose in a role; returns the fault that its request got.
fn attack_in(world: &mut World, role: Role, attack: &Attack, name: &str) -> Fault {
    if role == Role::Playback {
        attack.tame().arm(world);
        world.sync();
        world.on_device(account(name)).expect("offline it behaves");
    }
    attack.arm(world);
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

fn hostile(name: &str) -> Attack {
    Attack::Package(attack(name))
}

fn check(world: &mut World, role: Role, case: &Case, attack: &Attack) {
    let name = case.name;
    let before = (entries(world), open_files());
    let fault = attack_in(world, role, attack, name);
    assert_eq!(fault.code, case.code, "{name} {role:?}: {fault}");
    assert!(fault.message.contains(case.message), "{name} {role:?}: {fault}");
    assert!(fault.hint.is_some(), "{name} {role:?}: {fault}");
    assert_nothing_is_left(world, role, name, &before);
}

fn assert_nothing_is_left(
    world: &World,
    role: Role,
    name: &str,
    (entries_before, files): &(usize, Vec<String>),
) {
    let side = if role == Role::Offline { &world.device } else { &world.server };
    assert!(!names(side, "account", "name").contains(&name.to_owned()), "{name} {role:?}");
    let made = usize::from(role == Role::Playback);
    assert_eq!(entries(world), entries_before + made, "{name} {role:?}");
    probe(world, role, name);
    assert_eq!(open_files(), *files, "{name} {role:?}");
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
        attack_in(&mut world, role, &hostile("memory_bomb"), "warm");
        attack_in(&mut world, role, &hostile("endless_start"), "warm");
        probe(&world, role, "warm");
        entries(&world);
        let resident = resident_kib();
        for case in cases {
            check(&mut world, role, case, &hostile(case.name));
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

/// Depth, and rows of a query.
#[test]
fn what_the_platform_limits_holds_in_every_role() {
    let _alone = alone();
    for role in ROLES {
        let mut world = World::new();
        attack_in(&mut world, role, &Attack::Script("throw warm"), "warm");
        probe(&world, role, "warm");
        entries(&world);
        for case in SCRIPTS {
            check(&mut world, role, case, &Attack::Script(case.name));
        }
    }
}

/// Text beyond the limit is dropped; the run goes on, and its request with it.
#[test]
fn trace_text_is_bounded_in_every_role() {
    let _alone = alone();
    // 100 KiB, of which 64 are kept.
    let chatty = package(
        "(func $run (local i32)
           (loop $again
             (call $trace (i32.const 2048) (i32.const 1024))
             (local.set 0 (i32.add (local.get 0) (i32.const 1)))
             (br_if $again (i32.lt_u (local.get 0) (i32.const 100)))))",
    );
    for role in ROLES {
        let mut world = World::new();
        let chatty = Attack::Package(chatty.clone());
        if role == Role::Playback {
            chatty.tame().arm(&world);
            world.sync();
            world.on_device(account("kept")).expect("offline it is quiet");
        }
        chatty.arm(&world);
        match role {
            Role::Offline => {
                world.sync();
                drop(world.on_device(account("kept")).expect("it goes on"));
            }
            Role::Online => drop(world.on_server(account("kept")).expect("it goes on")),
            Role::Playback => assert_eq!(world.play()[0].0, EntryState::Applied),
        }
        let side = if role == Role::Offline { &world.device } else { &world.server };
        let mut tx = side.store().read().expect("a snapshot");
        let rows = tx.traces(&TraceFilter::default(), 100).expect("traces");
        let row = rows.iter().find(|row| row.trace.contains("[host] the trace is cut off"));
        let row = row.unwrap_or_else(|| panic!("{role:?}: {} rows", rows.len()));
        assert!((60 << 10..66 << 10).contains(&row.trace.len()), "{role:?}: {}", row.trace.len());
    }
}

/// Packages with more tables, memories or instances than a run may have.
fn too_many() -> [(&'static str, Vec<u8>); 3] {
    let more = |what: &str| package(&format!("(func $run) {what}"));
    let instances = with_instances(with_instances(harmless(), 40), 40);
    [
        ("tables", more(&"(table 1 funcref)".repeat(2))),
        ("memories", more("(memory 1)")),
        ("instances", instances),
    ]
}

/// They are not registered. A device that is handed one all the same goes on without it and says so;
/// a server that finds one in its store refuses its steps, and playback waits.
#[test]
fn tables_memories_and_instances_are_bounded_in_every_role() {
    let _alone = alone();
    for (name, bytes) in too_many() {
        let mut world = World::new();
        world.register(&harmless());
        world.sync();
        world.on_device(account("played")).expect("offline it behaves");
        let files = open_files();
        world.pin(&bytes);
        let fault = world.server.register_package(&world.caller, &bytes).expect_err(name);
        assert_eq!(fault.code, code::INVALID_PACKAGE_CONTENT, "{name}: {fault}");
        let registry = world.server.registry().expect("a registry");
        let of_it = |package: &&Package| package.id == HOSTILE;
        let package = registry.packages.iter().find(of_it).expect("the harmless one");
        assert_eq!(package.sha256, hex::encode(Sha256::digest(harmless())), "{name}");

        let sha256 = hex::encode(Sha256::digest(&bytes));
        let package = (Package { sha256, ..package.clone() }, bytes);
        let steps: Vec<Step> = registry.steps.iter().map(|step| (**step).clone()).collect();
        let steps: Vec<Step> = steps.into_iter().filter(|s| s.package == HOSTILE).collect();
        for side in [&world.device, &world.server] {
            let skipped = side.replace_registration(std::slice::from_ref(&package), &steps);
            let skipped = skipped.expect("it is taken");
            assert!(matches!(skipped.as_slice(), [s] if s.damaged), "{name}: {skipped:?}");
        }
        let response = world.on_device(account("offline")).expect("it goes on without it");
        assert_eq!(response.skipped, [HOSTILE], "{name}");
        let fault = world.on_server(account(name)).expect_err(name);
        assert_eq!(fault.code, code::STORE_UNUSABLE, "{name}: {fault}");
        for (_, result) in world.play() {
            let fault = result.expect_err(name);
            assert!(fault.code == code::STORE_UNUSABLE && fault.is_transient(), "{name}: {fault}");
        }
        assert_nothing_is_left(&world, Role::Online, name, &(2, files));
        assert_eq!(names(&world.server, "account", "name"), Vec::<String>::new(), "{name}");
    }
}

/// Whatever limit there is, something here runs into it in every role.
#[test]
fn every_limit_has_a_plug_in_that_hits_it() {
    let world = World::new();
    let limits = world.server.limits_of("test/script").expect("limits").expect("it runs here");
    let has = |cases: &[Case], name: &str| cases.iter().any(|case| case.name == name);
    for limit in limits {
        let is_hit = match limit.name {
            "fuel" => has(CASES, "endless_loop"),
            "memory_bytes" => has(CASES, "memory_bomb"),
            "wall_time_ms" => has(SLOW, "endless_loop"),
            "organization_calls" => has(CASES, "organization_call_flood"),
            "operation_calls" => has(CASES, "endless_loop_with_host_calls"),
            "capability_calls" => has(CASES, "capability_call_flood"),
            "trace_calls" => has(CASES, "trace_flood"),
            "transfer_bytes" => has(CASES, "huge_list") && has(CASES, "huge_result"),
            "stack_bytes" => has(CASES, "deep_recursion"),
            "table_elements" => has(CASES, "table_bomb"),
            "rows_per_query" => has(SCRIPTS, "top contact fullname 5001"),
            "depth" => has(SCRIPTS, "create account name=s:again"),
            "trace_bytes" => true,
            "tables" | "memories" | "instances" => {
                too_many().iter().any(|(name, _)| *name == limit.name)
            }
            // An opt-in, and no bound on harm: `sandbox/tests/test_reuse.rs`.
            "instance_reuse" => true,
            other => panic!("nothing here runs into {other}"),
        };
        assert!(is_hit, "{}", limit.name);
    }
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
        let fault = attack_in(&mut world, role, &hostile("trap"), "trap");
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
