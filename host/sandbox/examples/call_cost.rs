//! Measures what one call of a plug-in costs: a fresh instance, a context with 12 attributes and
//! one host call. Also how much fuel a second of computing takes.
//!
//! `cargo run --release -p offstage-sandbox --example call_cost`. The reference machine (2 cores,
//! quiet) needs about 12 us for an engine without fuel; see `sandbox.md`.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use offstage_sandbox::{Plugin, RunLimits, Sandbox};
use std::time::{Duration, Instant};
use support::{Answers, context, hostile, sandbox};

const CALLS: usize = 20_000;

fn main() {
    let sandbox = sandbox();
    let started = Instant::now();
    let good = sandbox.load(&hostile("good")).expect("it loads");
    println!("compile the smallest plug-in   {:>9.1} us", micros(started.elapsed()));
    report("call, smallest plug-in", &sandbox, &good);
    let guest = support::repository("target/guests/hostile.wasm");
    match std::fs::read(&guest) {
        Ok(bytes) => {
            let started = Instant::now();
            let plugin = sandbox.load(&bytes).expect("it loads");
            println!("compile a Rust plug-in         {:>9.1} us", micros(started.elapsed()));
            report("call, Rust plug-in", &sandbox, &plugin);
        }
        Err(error) => println!("no Rust plug-in ({error}); run `cargo xtask guests`"),
    }
    fuel(&sandbox);
}

fn report(what: &str, sandbox: &Sandbox, plugin: &Plugin) {
    let context = context();
    let limits = RunLimits::default();
    let mut times = Vec::with_capacity(CALLS);
    let mut fuel = 0;
    for _ in 0..CALLS {
        let started = Instant::now();
        let (_, run) =
            sandbox.run(plugin, "tests.hostile.Attack", &context, &limits, Answers::default());
        times.push(started.elapsed());
        fuel = run.usage.fuel;
        run.result.expect("it runs");
    }
    times.sort_unstable();
    let at = |percent: usize| micros(times[CALLS * percent / 100]);
    println!("{what:30} {:>9.1} us p50, {:.1} us p99, {fuel} fuel", at(50), at(99));
}

fn fuel(sandbox: &Sandbox) {
    let plugin = sandbox.load(&hostile("endless_loop")).expect("it loads");
    let limits = RunLimits::default();
    let (_, run) = sandbox.run(&plugin, "tests.Hostile", &context(), &limits, Answers::default());
    println!(
        "{} M fuel in an empty loop  {:>9} us",
        limits.fuel / 1_000_000,
        run.usage.duration_us
    );
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
