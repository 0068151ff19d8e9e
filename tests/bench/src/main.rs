//! Benchmarks of Offstage, each beside its floor in the same run: `cargo xtask bench [NAMES…]`.
//!
//! A floor does the same work with plain SQLite or plain wasmtime and no product at all. What counts
//! is the ratio; absolute times of a shared machine drift. Never part of the tests.

mod debugging;
mod extism;
mod floor;
mod go_offline;
mod incremental;
mod measure;
mod offline_write;
mod outlook;
mod outlook_dav;
mod playback;
mod plugin_call;
mod policy;
mod report;
mod rows;
mod start;
mod web_api;
mod world;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use report::Line;
use std::path::PathBuf;

/// Runs the benchmarks, each beside its floor.
#[derive(Parser)]
struct Arguments {
    /// Which benchmarks; all when none is named.
    names: Vec<String>,
    /// How much work one round has.
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// Rounds of each measurement; medians are shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Prints JSON and no table.
    #[arg(long)]
    json: bool,
    /// Where databases are put; must be a disk, since what is measured waits for it.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"))]
    directory: PathBuf,
}

/// How much work one round has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// Almost nothing: shows that the benchmarks work.
    Tiny,
    /// A few minutes for all.
    Small,
    /// The sizes of the targets.
    Full,
}

/// What every benchmark is given.
struct Setting {
    scale: Scale,
    rounds: usize,
    directory: PathBuf,
}

impl Setting {
    /// The size for the scale.
    fn size(&self, tiny: usize, small: usize, full: usize) -> usize {
        match self.scale {
            Scale::Tiny => tiny,
            Scale::Small => small,
            Scale::Full => full,
        }
    }

    /// A fresh folder on the disk that goes away by itself.
    fn folder(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(&self.directory)?)
    }
}

type Benchmark = fn(&Setting) -> Result<Vec<Line>>;

const BENCHMARKS: [(&str, Benchmark); 12] = [
    ("offline-write", offline_write::run),
    ("playback", playback::run),
    ("go-offline", go_offline::run),
    ("incremental", incremental::run),
    ("plugin-call", plugin_call::run),
    ("extism", extism::run),
    ("policy", policy::run),
    ("debugging", debugging::run),
    ("start", start::run),
    ("web-api", web_api::run),
    ("outlook", outlook::run),
    ("outlook-dav", outlook_dav::run),
];

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == web_api::floor::COMMAND) {
        return web_api::floor::serve(words.next().unwrap_or_default().into());
    }
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.directory)?;
    let setting = Setting {
        scale: arguments.scale,
        rounds: arguments.rounds.max(1),
        directory: arguments.directory.canonicalize()?,
    };
    for name in &arguments.names {
        if BENCHMARKS.iter().all(|(known, _)| known != name) {
            bail!(
                "there is no benchmark `{name}`; there are {}",
                BENCHMARKS.map(|b| b.0).join(", ")
            );
        }
    }
    let mut lines = Vec::new();
    for (name, benchmark) in BENCHMARKS {
        if arguments.names.is_empty() || arguments.names.iter().any(|wanted| wanted == name) {
            report::progress(name);
            lines.extend(benchmark(&setting)?);
        }
    }
    report::print(&lines, arguments.json)
}
