//! Runs inside runs, and runs beside each other.

mod support;

use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
    code,
};
use offstage_sandbox::{
    Plugin, Run, RunErrorKind as Kind, RunLimits, Sandbox, SandboxOptions, Services,
};
use std::sync::Arc;
use std::time::Duration;
use support::{Answers, context, hostile, run};

/// Services that answer each request by running a plug-in, until a depth is reached.
struct Nested {
    sandbox: Arc<Sandbox>,
    plugin: Plugin,
    limits: RunLimits,
    depth: u32,
    depth_max: u32,
    deepest: u32,
    pause: Duration,
}

impl Nested {
    fn run(self) -> (Self, Run) {
        let (sandbox, plugin, limits) =
            (Arc::clone(&self.sandbox), self.plugin.clone(), self.limits.clone());
        sandbox.run(&plugin, "tests.Nested", &context(), &limits, self)
    }
}

impl Services for Nested {
    fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
        self.deepest = self.deepest.max(self.depth);
        std::thread::sleep(self.pause);
        if self.depth == self.depth_max {
            return Ok(Response::default());
        }
        let inner = Self {
            sandbox: Arc::clone(&self.sandbox),
            plugin: self.plugin.clone(),
            limits: self.limits.clone(),
            depth: self.depth + 1,
            ..*self
        };
        let (inner, run) = inner.run();
        self.deepest = self.deepest.max(inner.deepest);
        run.result.map(|_| Response::default()).map_err(|error| error.fault())
    }

    fn parent_context(&mut self, _level: u32) -> Option<ExecutionContext> {
        None
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(0)
    }

    fn server_now(&mut self) -> Timestamp {
        Timestamp(0)
    }

    fn new_guid(&mut self) -> Uuid {
        Uuid::nil()
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn capability(&mut self, _call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        unreachable!("no plug-in of this test asks for it")
    }

    fn keyed_guid(&mut self, _key: &str) -> Uuid {
        Uuid::nil()
    }
}

fn nested(sandbox: Sandbox, name: &str, depth_max: u32) -> Nested {
    let plugin = sandbox.load(&hostile(name)).expect("it loads");
    Nested {
        sandbox: Arc::new(sandbox),
        plugin,
        limits: RunLimits::default(),
        depth: 1,
        depth_max,
        deepest: 0,
        pause: Duration::ZERO,
    }
}

#[test]
fn deep_nesting_of_deep_recursion_does_not_end_the_process() {
    // The smallest stack that Rust gives a thread; each of the runs uses most of its 512 KiB.
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        let (services, run) = nested(support::sandbox(), "deep_then_call", 20).run();
        assert_eq!(run.result.expect("all of them return"), vec![]);
        assert_eq!(services.deepest, 20);
    });
    thread.expect("a thread").join().expect("the test passes");
}

#[test]
fn no_free_instance_is_a_fault_that_says_try_again() {
    let options = SandboxOptions { instances_max: 3, ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).expect("it starts");
    let mut services = nested(sandbox, "good", 9);
    services.depth_max = 4;
    let fault = Nested { depth: 1, ..services }.run().0;
    assert_eq!(fault.deepest, 3, "three runs were open, the fourth did not start");
    let (_, again) = Nested { depth: 4, ..fault }.run();
    assert_eq!(again.result.expect("instances are free again"), vec![]);
}

#[test]
fn long_nested_work_ends_nobody_before_the_deadline() {
    let mut services = nested(support::sandbox(), "good", 3);
    services.pause = Duration::from_millis(60);
    let (services, run) = services.run();
    assert_eq!(run.result.expect("180 ms of 120 s"), vec![]);
    assert!(run.usage.duration_us >= 180_000);

    let limits = RunLimits { wall_time: Duration::from_millis(30), ..RunLimits::default() };
    let (_, run) = Nested { limits, ..services }.run();
    let error = run.result.expect_err("the host call took longer than the request may");
    assert!(matches!(error.kind, Kind::Deadline { wall_time_ms: 30 }), "{error}");
    assert_eq!(error.fault().code, code::PLUGIN_TIMEOUT);
}

#[test]
fn attacks_and_good_calls_run_beside_each_other() {
    let sandbox = Arc::new(support::sandbox());
    let good = sandbox.load(&hostile("good")).expect("it loads");
    let names =
        ["endless_loop", "memory_bomb", "deep_recursion", "trap", "organization_call_flood"];
    let threads: Vec<_> = names
        .iter()
        .map(|name| {
            let (sandbox, good) = (Arc::clone(&sandbox), good.clone());
            let plugin = sandbox.load(&hostile(name)).expect("it loads");
            std::thread::spawn(move || {
                let limits = RunLimits { fuel: 5_000_000, ..RunLimits::default() };
                for _ in 0..20 {
                    run(&sandbox, &plugin, &limits).1.result.expect_err("an attack");
                    run(&sandbox, &good, &limits).1.result.expect("a good call");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

#[test]
fn a_panic_of_the_host_leaves_a_sandbox_that_works() {
    struct Panics(Answers);
    impl Services for Panics {
        fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
            panic!("a bug in the host")
        }
        fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
            self.0.parent_context(level)
        }
        fn is_offline_playback(&mut self) -> bool {
            self.0.is_offline_playback()
        }
        fn now(&mut self) -> Timestamp {
            self.0.now()
        }
        fn server_now(&mut self) -> Timestamp {
            self.0.server_now()
        }
        fn new_guid(&mut self) -> Uuid {
            self.0.new_guid()
        }
        fn random(&mut self) -> u64 {
            self.0.random()
        }
        fn capability(&mut self, _call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
            unreachable!("no plug-in of this test asks for it")
        }

        fn keyed_guid(&mut self, key: &str) -> Uuid {
            self.0.keyed_guid(key)
        }
    }
    let sandbox = support::sandbox();
    let plugin = sandbox.load(&hostile("good")).expect("it loads");
    let limits = RunLimits::default();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sandbox.run(&plugin, "tests.Hostile", &context(), &limits, Panics(Answers::default()))
    }));
    assert!(panicked.is_err());
    let (_, next) = run(&sandbox, &plugin, &limits);
    assert_eq!(next.result.expect("it works"), vec![]);
}

#[test]
fn a_transient_fault_of_a_nested_request_stays_transient_and_an_invented_one_does_not() {
    let sandbox = support::sandbox();
    // Returns the fault of its own request, or, without one, a fault with the code INTERNAL.
    let body = "(func $run
        (call $create)
        (i32.store8 (i32.const 1024) (i32.const 1))
        (i32.store (i32.const 1028) (i32.const 0x8F000007)))";
    let plugin = sandbox.load(&support::component(body)).expect("it loads");
    let busy = Fault::new(code::INTERNAL, "the disk is gone");
    for (fault, expected) in [(Some(busy), code::INTERNAL), (None, code::ISV_ABORTED)] {
        let services = Answers { fault, ..Answers::default() };
        let limits = RunLimits::default();
        let (_, run) = sandbox.run(&plugin, "tests.Hostile", &context(), &limits, services);
        let fault = run.result.expect_err("it refuses").fault();
        assert_eq!(fault.code, expected);
        assert_eq!(fault.message, "The plug-in 'tests.Hostile' refused without a message.");
    }
}
