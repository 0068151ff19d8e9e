//! Extism doing what one plug-in call of the product does: `bench-extism GUEST.wasm CONTEXT.json`.
//!
//! Each line of the standard input asks for one round, `fresh COUNT` (a new instance for each call)
//! or `reused COUNT` (one instance for all), and is answered with its wall and CPU time in
//! microseconds, so that another program can take turns with it. Never judges.
#![allow(clippy::print_stdout, reason = "its answers")]

use anyhow::{Context as _, Result, bail, ensure};
use extism::{
    CompiledPlugin, CurrentPlugin, Error, Manifest, PTR, Plugin, PluginBuilder, UserData, Val, Wasm,
};
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

/// The product's limits: 64 MiB of memory and a deadline.
const MEMORY_PAGES: u32 = 1_024;
const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let mut files = std::env::args_os().skip(1);
    let mut next = || files.next().context("usage: bench-extism GUEST.wasm CONTEXT.json");
    let wasm = std::fs::read(next()?)?;
    let context = std::fs::read(next()?)?;
    let manifest =
        Manifest::new([Wasm::data(wasm)]).with_memory_max(MEMORY_PAGES).with_timeout(TIMEOUT);
    let compiled = PluginBuilder::new(manifest)
        .with_function("now", [PTR], [PTR], UserData::new(()), now)
        .compile()?;
    let mut reused = Plugin::new_from_compiled(&compiled)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (kind, count) = line.split_once(' ').context("KIND COUNT")?;
        let count = count.parse()?;
        let (cpu, wall) = (cpu_time(), Instant::now());
        match kind {
            "fresh" => fresh(&compiled, &context, count)?,
            "reused" => (0..count).try_for_each(|_| call(&mut reused, &context))?,
            other => bail!("'{other}' is neither fresh nor reused"),
        }
        let (wall, cpu) = (wall.elapsed(), cpu_time().saturating_sub(cpu));
        println!("{} {}", wall.as_secs_f64() * 1e6, cpu.as_secs_f64() * 1e6);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn fresh(compiled: &CompiledPlugin, context: &[u8], count: u64) -> Result<()> {
    (0..count).try_for_each(|_| call(&mut Plugin::new_from_compiled(compiled)?, context))
}

fn call(plugin: &mut Plugin, context: &[u8]) -> Result<()> {
    let changes: &[u8] = plugin.call("execute", context)?;
    ensure!(changes.starts_with(br#"[{"#), "the plug-in did nothing");
    Ok(())
}

/// The host call: a constant, as with the product.
fn now(
    plugin: &mut CurrentPlugin,
    _inputs: &[Val],
    outputs: &mut [Val],
    _data: UserData<()>,
) -> Result<(), Error> {
    let handle = plugin.memory_new("1")?;
    outputs[0] = plugin.memory_to_val(handle);
    Ok(())
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
