//! The same plug-in call with wasmtime alone, with the product and with Extism, taking turns in one
//! run. Extism is a program of its own (`tests/bench-extism`), because it brings another wasmtime;
//! `cargo xtask bench` builds it. Never part of the product.

use crate::measure::{Rounds, Sample, sample};
use crate::plugin_call::{self, Bare, SCRIPT};
use crate::report::Line;
use crate::{Setting, world};
use anyhow::{Context as _, Result, ensure};
use offstage_sandbox::{RunLimits, Sandbox, SandboxOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Where `cargo xtask bench` puts what it built.
const FOLDER: &str = "bench-extism";
/// How many runs an instance serves where it is used again.
const REUSED: u32 = 1_000_000;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(50, 3_000, 10_000);
    let bytes = world::script()?;
    let bare = Bare::new(&bytes)?;
    let sandbox = Sandbox::new(SandboxOptions::default())?;
    let plugin = sandbox.load(&bytes)?;
    let product = |instance_runs| -> Result<Sample> {
        let limits = RunLimits { instance_runs, ..plugin_call::limits() };
        Ok(sample(|| plugin_call::run_many(&sandbox, &plugin, &limits, count))?.0)
    };
    let folder = setting.folder()?;
    let mut extism = Extism::start(folder.path())?;
    let [mut floor, mut fresh, mut reused, mut peer_fresh, mut peer_reused] =
        [const { Rounds::new() }; 5];
    for round in 0..=setting.rounds {
        let times = [
            (&mut floor, sample(|| (0..count).try_for_each(|_| bare.call(SCRIPT)))?.0),
            (&mut fresh, product(1)?),
            (&mut reused, product(REUSED)?),
            (&mut peer_fresh, extism.round("fresh", count)?),
            (&mut peer_reused, extism.round("reused", count)?),
        ];
        // The first round warms up.
        for (rounds, time) in times.into_iter().filter(|_| round > 0) {
            rounds.push(time, count);
        }
    }
    let ahead = |line: Line| line.target("CPU < 1 x", |line| line.cpu_ratio < Some(1.0));
    Ok(vec![
        Line::beside("plug-in call, fresh instance, beside wasmtime", &fresh, &floor)
            .target("CPU <= 1.5 x", |line| line.cpu_ratio <= Some(1.5)),
        ahead(Line::beside("plug-in call, fresh instance, beside Extism", &fresh, &peer_fresh))
            .note("Extism 1.30: compiled once, a plug-in for each call, JSON"),
        ahead(Line::beside("plug-in call, instance reused, beside Extism", &reused, &peer_reused))
            .note("Extism 1.30: one plug-in for all calls, JSON"),
    ])
}

/// The program, waiting for rounds.
struct Extism {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Extism {
    fn start(folder: &Path) -> Result<Self> {
        let built = target().join(FOLDER);
        let program = built.join("release/bench-extism");
        let guest = built.join("wasm32-unknown-unknown/release/bench_extism_guest.wasm");
        ensure!(
            program.exists() && guest.exists(),
            "Extism is not built; `cargo xtask bench -- extism` builds it"
        );
        let context = folder.join("context.json");
        std::fs::write(&context, serde_json::to_vec(&plugin_call::context())?)?;
        let mut child = Command::new(program)
            .args([guest, context])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start bench-extism")?;
        let ask = child.stdin.take().context("BUG: its input is a pipe")?;
        let answers = child.stdout.take().context("BUG: its output is a pipe")?;
        Ok(Self { child, ask, answers: BufReader::new(answers) })
    }

    fn round(&mut self, kind: &str, count: usize) -> Result<Sample> {
        writeln!(self.ask, "{kind} {count}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (wall, cpu) = line.trim().split_once(' ').context("bench-extism has stopped")?;
        Ok(Sample { wall_us: wall.parse()?, cpu_us: cpu.parse()? })
    }
}

impl Drop for Extism {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from)
}
