//! Instances that serve several runs: only where the limits say so, only for the same users, only
//! after success.

mod support;

use offstage_model::{ExecutionContext, Uuid};
use offstage_sandbox::{Plugin, Run, RunLimits, Sandbox};
use support::{Answers, component, context, sandbox};

/// Traces how many runs its instance has begun; traps in the run that `trap` names. Each run makes
/// one request.
fn counter(trap: u32) -> Vec<u8> {
    component(&format!(
        "(global $runs (mut i32) (i32.const 0))
        (func $run
          (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
          (i32.store8 (i32.const 40) (i32.add (i32.const 48) (global.get $runs)))
          (call $trace (i32.const 40) (i32.const 1))
          (call $create)
          (if (i32.eq (global.get $runs) (i32.const {trap})) (then unreachable)))"
    ))
}

fn limits(instance_runs: u32) -> RunLimits {
    RunLimits { instance_runs, organization_calls: 1, trace_calls: 1, ..RunLimits::default() }
}

fn run(sandbox: &Sandbox, plugin: &Plugin, context: &ExecutionContext, limits: &RunLimits) -> Run {
    let (services, run) = sandbox.run(plugin, "tests.Hostile", context, limits, Answers::default());
    assert_eq!(services.requests, 1, "each run talks to its own services");
    run
}

fn of_user(user: u128) -> ExecutionContext {
    ExecutionContext { user_id: Uuid::from_u128(user), ..context() }
}

#[test]
fn an_instance_serves_as_many_runs_as_the_limits_say() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&counter(0)).expect("it loads");
    for (instance_runs, expected) in
        [(1, "1 1 1 1"), (0, "1 1 1 1"), (3, "1 2 3 1"), (2, "2 1 2 1")]
    {
        let traces = (0..4).map(|_| {
            let run = run(&sandbox, &plugin, &context(), &limits(instance_runs));
            run.result.expect("it runs");
            run.trace
        });
        let traces: Vec<String> = traces.collect();
        // The instance that the row before left behind serves the first run of the last row.
        assert_eq!(traces.join(" "), expected, "{instance_runs} runs");
    }
}

#[test]
fn nobody_gets_the_instance_of_another_user_or_organization() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&counter(0)).expect("it loads");
    let trace = |context: &ExecutionContext| run(&sandbox, &plugin, context, &limits(9)).trace;
    let (ada, ben) = (of_user(1), of_user(2));
    let elsewhere = ExecutionContext { organization_id: Uuid::from_u128(9), ..of_user(1) };
    let on_behalf = ExecutionContext { initiating_user_id: Uuid::from_u128(2), ..of_user(1) };
    let cases = [(&ada, "1"), (&ben, "1"), (&ada, "2"), (&ben, "2"), (&elsewhere, "1")];
    for (context, expected) in cases {
        assert_eq!(trace(context), expected);
    }
    assert_eq!(trace(&on_behalf), "1", "acting for another is another owner");
}

#[test]
fn two_packages_never_share_an_instance() {
    let sandbox = sandbox();
    for bytes in [counter(0), counter(7)] {
        let plugin = sandbox.load(&bytes).expect("it loads");
        assert_eq!(run(&sandbox, &plugin, &context(), &limits(9)).trace, "1");
    }
}

#[test]
fn after_an_error_the_next_run_begins_anew() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&counter(2)).expect("it loads");
    let one = || run(&sandbox, &plugin, &context(), &limits(9));
    assert!(one().result.is_ok());
    let trapped = one();
    assert!(trapped.result.is_err() && trapped.trace.starts_with('2'), "{}", trapped.trace);
    let after = one();
    assert!(after.result.is_ok() && after.trace == "1", "{}", after.trace);
}
