//! Every hostile plug-in gets one clear error; the host lives and the next call works. Attacks of the
//! threat model have its numbers in their names.

mod support;

use offstage_model::code;
use offstage_sandbox::{CallClass, RunErrorKind as Kind, RunLimits};
use std::time::{Duration, Instant};
use support::{Answers, context, hostile, repository, run, sandbox};

/// What is expected of one hostile plug-in.
struct Case {
    name: &'static str,
    limits: RunLimits,
    is_expected: fn(&Kind) -> bool,
    code: u32,
    /// A part of the message for the caller.
    message: &'static str,
}

fn case(
    name: &'static str,
    is_expected: fn(&Kind) -> bool,
    code: u32,
    message: &'static str,
) -> Case {
    Case { name, limits: quick(), is_expected, code, message }
}

/// Little fuel, so that the tests are quick without optimisation.
fn quick() -> RunLimits {
    RunLimits { fuel: 200_000_000, ..RunLimits::default() }
}

fn with_wall_time(wall_time: Duration) -> RunLimits {
    RunLimits { fuel: u64::MAX, operation_calls: u32::MAX, wall_time, ..RunLimits::default() }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let timeout = code::PLUGIN_TIMEOUT;
    let crashed = code::PLUGIN_CRASHED;
    let trapped = "An unexpected error occurred in the plug-in 'tests.Hostile'.";
    let data = "passed more than 1048576 bytes to the host at once";
    let mut cases = vec![
        case(
            "endless_loop",
            |k| matches!(k, Kind::OutOfFuel { fuel: 200_000_000 }),
            timeout,
            "The plug-in 'tests.Hostile' was ended: it used up its 200000000 units of fuel.",
        ),
        case("endless_start", |k| matches!(k, Kind::OutOfFuel { .. }), timeout, "units of fuel"),
        case(
            "endless_loop_with_host_calls",
            |k| matches!(k, Kind::TooManyCalls { class: CallClass::Operation, calls_max: 20_000 }),
            crashed,
            "it made more than 20000 operation calls",
        ),
        case(
            "organization_call_flood",
            |k| matches!(k, Kind::TooManyCalls { class: CallClass::Organization, .. }),
            crashed,
            "it made more than 5000 organization service calls",
        ),
        case(
            "trace_flood",
            |k| matches!(k, Kind::TooManyCalls { class: CallClass::Trace, .. }),
            crashed,
            "it made more than 10000 trace calls",
        ),
        case(
            "capability_call_flood",
            |k| matches!(k, Kind::TooManyCalls { class: CallClass::Capability, calls_max: 1_000 }),
            crashed,
            "it made more than 1000 capability calls",
        ),
        case("header_flood", |k| matches!(k, Kind::TooMuchData { .. }), crashed, data),
        case(
            "memory_bomb",
            |k| matches!(k, Kind::OutOfMemory { memory_bytes: 67_108_864, .. }),
            crashed,
            "bytes of memory and may have 67108864",
        ),
        case("memory_grow_refused", |k| matches!(k, Kind::OutOfMemory { .. }), crashed, "memory"),
        case(
            "table_bomb",
            |k| matches!(k, Kind::TableTooLarge { wanted: 20_001 }),
            crashed,
            "it asked for a table of 20001 elements and may have 20000",
        ),
        case("deep_recursion", |k| *k == Kind::StackOverflow, crashed, "its stack of 524288 bytes"),
        case("huge_trace", |k| matches!(k, Kind::TooMuchData { .. }), crashed, data),
        case("huge_list", |k| matches!(k, Kind::TooMuchData { .. }), crashed, data),
        case("huge_result", |k| matches!(k, Kind::TooMuchData { .. }), crashed, data),
        Case {
            limits: RunLimits { transfer_bytes: 8 << 20, ..quick() },
            ..case(
                "too_many_changes",
                |k| matches!(k, Kind::BadResult(_)),
                code::ISV_UNEXPECTED,
                "it has 10001 changes; at most 10000 are allowed",
            )
        },
        case("huge_fault_message", |k| matches!(k, Kind::TooMuchData { .. }), crashed, data),
        case(
            "terminal_escape",
            |k| matches!(k, Kind::Refused(f) if f.http_status() == 422),
            0x12345,
            "no\u{FFFD}[2Jway",
        ),
    ];
    for name in [
        "list_length_lie",
        "pointer_outside",
        "not_utf8",
        "trap",
        "division_by_zero",
        "read_outside",
    ] {
        cases.push(case(
            name,
            |k| matches!(k, Kind::Trapped { .. }),
            code::ISV_UNEXPECTED,
            trapped,
        ));
    }
    for name in ["endless_loop", "endless_start", "endless_loop_with_host_calls"] {
        cases.push(Case {
            limits: with_wall_time(Duration::from_millis(100)),
            ..case(
                name,
                |k| matches!(k, Kind::Deadline { wall_time_ms: 100 }),
                timeout,
                "its wall time of 100 ms has passed",
            )
        });
    }
    cases
}

/// A test for each hostile plug-in, by its own name: it gets one clear error, the host lives, and the
/// next call works.
macro_rules! attacks {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check($name);
            }
        )*
        /// The plug-ins that have a test.
        const ATTACKS: &[&str] = &[$($name),*];
    };
}

attacks! {
    atk_a01_an_endless_loop_ends: "endless_loop",
    atk_a02_host_calls_give_no_fuel_back: "endless_loop_with_host_calls",
    atk_a04_memory_is_bounded: "memory_bomb",
    atk_a04_a_memory_that_does_not_grow_ends_the_run: "memory_grow_refused",
    atk_a04_tables_are_bounded: "table_bomb",
    atk_a07_a_start_function_has_the_same_limits: "endless_start",
    atk_a10_a_list_that_lies_about_its_length_traps: "list_length_lie",
    atk_a10_a_pointer_outside_of_memory_traps: "pointer_outside",
    atk_a10_text_that_is_none_traps: "not_utf8",
    atk_a10_a_read_outside_of_memory_traps: "read_outside",
    atk_a11_a_huge_list_is_not_lifted: "huge_list",
    atk_a11_a_million_empty_strings_are_not_lifted: "header_flood",
    atk_a11_a_huge_text_is_not_lifted: "huge_trace",
    atk_a11_a_huge_result_is_not_lifted: "huge_result",
    atk_a11_a_huge_fault_is_not_lifted: "huge_fault_message",
    atk_a11_too_many_changes_are_no_result: "too_many_changes",
    a_flood_of_requests_ends: "organization_call_flood",
    a_flood_of_traces_ends: "trace_flood",
    a_flood_of_capability_calls_ends: "capability_call_flood",
    a_recursion_ends_at_the_stack: "deep_recursion",
    a_fault_writes_no_escape_sequences: "terminal_escape",
    a_trap_is_one_error: "trap",
    a_division_by_zero_is_one_error: "division_by_zero",
}

fn check(name: &str) {
    let sandbox = sandbox();
    let good = sandbox.load(&hostile("good")).expect("it loads");
    let plugin = sandbox.load(&hostile(name)).expect(name);
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.name == name).collect();
    assert!(!cases.is_empty(), "nothing is expected of {name}");
    for case in cases {
        let started = Instant::now();
        let (services, ended) = run(&sandbox, &plugin, &case.limits);
        assert!(started.elapsed() < Duration::from_secs(20), "{name} ran {:?}", started.elapsed());
        let error = ended.result.expect_err(name);
        assert!((case.is_expected)(&error.kind), "{name}: {error}");
        let fault = error.fault();
        assert_eq!(fault.code, case.code, "{name}: {fault}");
        assert!(fault.message.contains(case.message), "{name}: {fault}");
        let own = matches!(error.kind, Kind::Refused(_));
        assert_eq!(fault.hint.is_none(), own, "{name}: only a refusal has no hint");
        assert!(
            ended.trace.contains("[host] plug-in 'tests.Hostile': "),
            "{name}: {}",
            ended.trace
        );
        assert!(services.requests <= 5_000, "{name}");

        let (services, next) = run(&sandbox, &good, &quick());
        assert_eq!(next.result.expect(name), vec![], "after {name}");
        assert_eq!((services.requests, next.trace.as_str()), (1, "Create"), "after {name}");
    }
}

#[test]
fn no_hostile_plug_in_is_forgotten() {
    let folder = repository("tests/hostile-plugins/wat");
    let elsewhere =
        ["good", "spy", "deep_then_call", "huge_message_name", "not_a_number", "relaxed_simd"];
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
            assert!(
                ATTACKS.contains(&name) || elsewhere.contains(&name),
                "no test runs {name}.wat"
            );
        }
    }
}

/// Attack A16: what machines do differently has one result, so that two runs agree.
#[test]
fn atk_a16_numbers_have_one_form_on_every_machine() {
    let sandbox = sandbox();
    for name in ["not_a_number", "relaxed_simd"] {
        let plugin = sandbox.load(&hostile(name)).expect(name);
        let (_, run) = run(&sandbox, &plugin, &quick());
        assert_eq!(run.result.expect(name), vec![], "{name}");
    }
}

/// Attack A20: a run that is cut off at any moment is one error, and leaves nothing behind.
#[test]
fn atk_a20_a_run_that_is_cut_off_at_any_moment_leaves_nothing() {
    let sandbox = sandbox();
    let good = sandbox.load(&hostile("good")).expect("it loads");
    let busy = sandbox.load(&hostile("endless_loop_with_host_calls")).expect("it loads");
    let first = u64::from(std::process::id());
    let mut seed = first;
    for round in 0..300 {
        seed = next_random(seed);
        let wall_time = Duration::from_micros(1 + seed % 4_000);
        let (_, ended) = run(&sandbox, &busy, &with_wall_time(wall_time));
        let error = ended.result.expect_err("it never ends by itself");
        let is_deadline = matches!(error.kind, Kind::Deadline { .. });
        assert!(is_deadline, "seed {first}, round {round}: {error}");
        let (_, next) = run(&sandbox, &good, &quick());
        assert_eq!(
            next.result.expect("the next call works"),
            vec![],
            "seed {first}, round {round}"
        );
    }
}

/// SplitMix64: enough to choose moments with.
fn next_random(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[test]
fn details_of_a_trap_are_in_the_trace_only() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile("trap")).expect("it loads");
    let (_, run) = run(&sandbox, &plugin, &quick());
    let error = run.result.expect_err("it traps");
    assert!(run.trace.contains("secret_function"), "{}", run.trace);
    assert!(!error.fault().to_string().contains("secret_function"));
}

#[test]
fn atk_a01_a02_fuel_ends_two_runs_at_the_same_point() {
    let sandbox = sandbox();
    let runs = [
        ("endless_loop", 1_000_000),
        ("endless_loop_with_host_calls", 1_000_000),
        ("good", 1_000_000),
        ("spy", 50_000_000),
    ];
    for (name, fuel) in runs {
        let plugin = sandbox.load(&hostile(name)).expect("it loads");
        let limits = RunLimits { fuel, operation_calls: u32::MAX, ..RunLimits::default() };
        let [first, second] = [(); 2].map(|()| run(&sandbox, &plugin, &limits).1);
        assert_eq!(first.usage.fuel, second.usage.fuel, "{name}");
        assert_eq!(first.result, second.result, "{name}");
        assert!(first.usage.fuel > 0, "{name}");
    }
}

#[test]
fn trace_text_is_cut_off_and_the_run_goes_on() {
    let sandbox = sandbox();
    let body = "(func $run (local i32)
        (loop $again
          (call $trace (i32.const 16) (i32.const 6))
          (local.set 0 (i32.add (local.get 0) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get 0) (i32.const 100)))))";
    let plugin = sandbox.load(&support::component(body)).expect("it loads");
    let limits = RunLimits { trace_bytes: 20, ..quick() };
    let (_, run) = run(&sandbox, &plugin, &limits);
    assert_eq!(run.result.expect("it returns"), vec![]);
    assert!(
        run.trace.starts_with("Create\nCreate\nCreate\n[host] the trace is cut off"),
        "{}",
        run.trace
    );
    assert_eq!(run.usage.host_calls, 100);
}

#[test]
fn a_request_that_cannot_be_converted_is_a_fault_for_the_plug_in() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile("huge_message_name")).expect("it loads");
    let (services, run) = run(&sandbox, &plugin, &quick());
    assert_eq!(run.result.expect("the plug-in saw a fault"), vec![]);
    assert_eq!(services.requests, 0, "the request never reached the services");
}

#[test]
fn atk_a14_memory_of_an_earlier_run_is_never_seen() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile("spy")).expect("it loads");
    for round in 0..500 {
        let (_, run) = run(&sandbox, &plugin, &quick());
        assert_eq!(run.result.expect("memory is clean"), vec![], "round {round}");
        assert!(run.usage.memory_bytes_peak >= 8 << 20);
    }
}

#[test]
fn a_deadline_reaches_a_plug_in_after_the_ticker_slept() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile("endless_loop")).expect("it loads");
    // Longer than the ticker stays awake without a run.
    std::thread::sleep(Duration::from_millis(1_500));
    let started = Instant::now();
    let (_, run) = run(&sandbox, &plugin, &with_wall_time(Duration::from_millis(50)));
    assert!(matches!(run.result.expect_err("it loops").kind, Kind::Deadline { .. }));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn no_wall_time_left_means_no_run() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile("good")).expect("it loads");
    let limits = with_wall_time(Duration::ZERO);
    let (services, run) =
        sandbox.run(&plugin, "tests.Hostile", &context(), &limits, Answers::default());
    assert!(matches!(run.result.expect_err("too late").kind, Kind::Deadline { wall_time_ms: 0 }));
    assert_eq!(services.requests, 0);
}
