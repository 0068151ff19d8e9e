//! Plug-ins that run for a debugger: the same results, deadlines that wait, and no cached code.
//!
//! Needs `cargo xtask guests`.
#![cfg(unix)]

mod support;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
};
use offstage_sandbox::{
    CodeCache, DebugPlugins, Run, RunErrorKind, RunLimits, Sandbox, SandboxOptions, Services,
    has_debug_info,
};
use std::process::Command;
use std::time::Duration;
use support::{component, component_with_declarations, context, repository, run, sandbox};

/// Calls the host once and returns.
const CALL_ONCE: &str = "(func $run (call $create))";
/// The wall time of a run that is held for longer.
const WALL_TIME: Duration = Duration::from_secs(2);

fn debugging(plugins: DebugPlugins) -> Sandbox {
    Sandbox::new(SandboxOptions { debug: plugins, ..SandboxOptions::default() })
        .expect("the engine starts")
}

fn guest(name: &str) -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    let target = target.unwrap_or_else(|| repository("target"));
    let path = target.join("guests").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("cannot read {}: {error}; run `cargo xtask guests` first", path.display())
    })
}

/// Services in whose call this process is stopped, as a debugger stops it.
struct Stopping;

impl Services for Stopping {
    fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
        let script = "kill -STOP $0; sleep 3; kill -CONT $0";
        let mut stopper = Command::new("sh");
        stopper.args(["-c", script]).arg(std::process::id().to_string());
        assert!(stopper.status().expect("there is a shell").success());
        Ok(Response::default())
    }

    fn capability(&mut self, _call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        unreachable!("no plug-in of this test asks for it")
    }

    fn parent_context(&mut self, _level: u32) -> Option<ExecutionContext> {
        None
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(1)
    }

    fn server_now(&mut self) -> Timestamp {
        Timestamp(1)
    }

    fn new_guid(&mut self) -> Uuid {
        Uuid::nil()
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn keyed_guid(&mut self, _key: &str) -> Uuid {
        Uuid::nil()
    }
}

fn stopped_run(sandbox: &Sandbox) -> Run {
    let plugin = sandbox.load(&component(CALL_ONCE)).expect("it loads");
    let limits = RunLimits { wall_time: WALL_TIME, ..RunLimits::default() };
    sandbox.run(&plugin, "tests.Hostile", &context(), &limits, Stopping).1
}

/// With its negative control: who debugs nothing has a clock that goes on.
#[test]
fn deadlines_wait_while_a_debugger_holds_the_process() {
    let sandbox = debugging(DebugPlugins::All);
    let held = stopped_run(&sandbox);
    assert_eq!(held.result.expect("the deadline waited"), []);
    assert!(sandbox.held() >= WALL_TIME, "{:?}", sandbox.held());
    let error = stopped_run(&self::sandbox()).result.expect_err("the clock went on");
    assert!(matches!(error.kind, RunErrorKind::Deadline { .. }), "{error}");
}

/// Nested runs of plug-ins that are not debugged wait for those that are.
#[test]
fn deadlines_of_other_plug_ins_wait_too() {
    let sandbox = debugging(DebugPlugins::Named(vec!["some/other".into()]));
    assert!(stopped_run(&sandbox).result.is_ok());
}

#[test]
fn a_debugged_plug_in_computes_the_same_with_the_same_fuel() {
    let bytes = component(CALL_ONCE);
    let limits = RunLimits::default();
    let (normal, debugged) = (sandbox(), debugging(DebugPlugins::All));
    let run_in = |sandbox: &Sandbox| {
        let plugin = sandbox.load(&bytes).expect("it loads");
        let (services, run) = run(sandbox, &plugin, &limits);
        (services.requests, run.result, run.usage.fuel, run.usage.host_calls)
    };
    assert_eq!(run_in(&normal), run_in(&debugged));
}

#[test]
fn limits_hold_for_a_debugged_plug_in() {
    let sandbox = debugging(DebugPlugins::All);
    let endless = component("(func $run (loop $again (br $again)))");
    let plugin = sandbox.load(&endless).expect("it loads");
    let few = RunLimits { fuel: 1_000_000, ..RunLimits::default() };
    let error = run(&sandbox, &plugin, &few).1.result.expect_err("it never ends by itself");
    assert!(matches!(error.kind, RunErrorKind::OutOfFuel { .. }), "{error}");
    let deep = component("(func $run (call $run))");
    let plugin = sandbox.load(&deep).expect("it loads");
    let error = run(&sandbox, &plugin, &RunLimits::default()).1.result.expect_err("too deep");
    assert!(matches!(error.kind, RunErrorKind::StackOverflow), "{error}");
}

#[test]
fn code_for_a_debugger_is_never_cached() {
    let declared = r#"{"package":"tests/debugged","version":"1.0.0"}"#;
    let debugged = component_with_declarations(CALL_ONCE, declared);
    let other = component(CALL_ONCE);
    let folder = tempfile::tempdir().expect("a folder");
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).expect("it opens");
    let sandbox = Sandbox::new(SandboxOptions {
        cache: Some(CodeCache::new(dir, [7; 32])),
        debug: DebugPlugins::Named(vec!["debugged".into()]),
        ..SandboxOptions::default()
    });
    let sandbox = sandbox.expect("the engine starts");
    let files = || std::fs::read_dir(folder.path()).expect("it can be listed").count();
    sandbox.load(&debugged).expect("it loads");
    assert_eq!(files(), 0);
    // The others are cached as ever.
    sandbox.load(&other).expect("it loads");
    assert_eq!(files(), 1);
}

#[test]
fn builds_for_a_debugger_are_told_from_others() {
    assert!(has_debug_info(&guest("debug/account_rollup.wasm")));
    assert!(!has_debug_info(&guest("account_rollup.wasm")));
    assert!(!has_debug_info(b"no component"));
    debugging(DebugPlugins::All)
        .load(&guest("debug/account_rollup.wasm"))
        .expect("its debug information can be rewritten");
}
