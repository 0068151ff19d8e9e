//! Measures what a language costs: the same rule (trim one column and set it) in each, a fresh
//! instance per run.
//!
//! `cargo run --release -p offstage-sandbox --example language_cost -- NAME=FILE.wasm ...` with
//! packages that `offstage plugin new NAME --lang LANGUAGE` and `offstage plugin build` made; their
//! plug-in type is `NAME.TidyTitle`.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use offstage_model::{Entity, ExecutionContext, Parameter, Value};
use offstage_sandbox::{CodeCache, Plugin, RunLimits, Sandbox, SandboxOptions};
use std::path::Path;
use std::time::{Duration, Instant};
use support::Answers;

const CALLS: usize = 300;

fn main() {
    println!(
        "{:12} {:>10} {:>11} {:>11} {:>11} {:>11} {:>12} {:>11}",
        "", "bytes", "compile ms", "from cache", "first us", "fresh us", "fuel", "memory KiB"
    );
    for argument in std::env::args().skip(1) {
        let (name, file) = argument.split_once('=').expect("NAME=FILE");
        report(name, Path::new(file));
    }
}

fn report(name: &str, file: &Path) {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let folder = tempfile::tempdir().expect("a folder");
    let (_, compile) = load(folder.path(), &bytes);
    let ((sandbox, plugin), cached) = load(folder.path(), &bytes);
    let plugin_type = format!("{name}.TidyTitle");
    let first = one(&sandbox, &plugin, &plugin_type);
    let mut runs: Vec<_> = (0..CALLS).map(|_| one(&sandbox, &plugin, &plugin_type)).collect();
    runs.sort_unstable();
    let (middle, fuel, memory) = runs[CALLS / 2];
    println!(
        "{name:12} {:>10} {:>11.1} {:>8.1} ms {:>11.1} {:>11.1} {fuel:>12} {:>11}",
        bytes.len(),
        micros(compile) / 1e3,
        micros(cached) / 1e3,
        micros(first.0),
        micros(middle),
        memory / 1024
    );
}

fn load(folder: &Path, bytes: &[u8]) -> ((Sandbox, Plugin), Duration) {
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).expect("the folder opens");
    let cache = Some(CodeCache::new(dir, [7; 32]));
    let sandbox = Sandbox::new(SandboxOptions { cache, ..SandboxOptions::default() });
    let sandbox = sandbox.expect("it starts");
    let started = Instant::now();
    let plugin = sandbox.load(bytes).expect("it loads");
    ((sandbox, plugin), started.elapsed())
}

/// Time, fuel and peak memory of one run.
fn one(sandbox: &Sandbox, plugin: &Plugin, plugin_type: &str) -> (Duration, u64, u64) {
    let started = Instant::now();
    let limits = RunLimits::default();
    let (_, run) = sandbox.run(plugin, plugin_type, &context(), &limits, Answers::default());
    let time = started.elapsed();
    assert_eq!(run.result.expect("it runs").len(), 1);
    (time, run.usage.fuel, run.usage.memory_bytes_peak)
}

fn context() -> ExecutionContext {
    let mut context = support::context();
    let target = Entity::new("contact").with("jobtitle", Value::text("  Boss "));
    context.input_parameters.insert("Target".into(), Parameter::Entity(target));
    context
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
