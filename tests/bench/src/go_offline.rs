//! The first GoOffline of a device: everything comes down. The floor reads the rows of one database
//! and writes them to another, in commits of the same size.

use crate::Setting;
use crate::floor::Floor;
use crate::measure::{MemoryWatch, Rounds, Spread, sample};
use crate::report::Line;
use crate::world::{USER, World, fault};
use anyhow::{Result, ensure};
use offstage_replication::Silent;
use offstage_replication::wire::PAGE_ROWS_MAX;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

const TARGET: f64 = 1.5;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let sizes: &[usize] = match setting.size(0, 1, 2) {
        0 => &[50],
        1 => &[10_000, 100_000],
        _ => &[10_000, 100_000, 1_000_000],
    };
    sizes.iter().map(|&count| first(setting, count)).collect()
}

fn first(setting: &Setting, count: usize) -> Result<Line> {
    let template = setting.folder()?;
    World::new(template.path())?.fill(count, |_| USER)?;
    let source = Floor::filled(&template.path().join("floor.db"), count)?;
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    let mut memory = Vec::new();
    for _ in 0..setting.rounds {
        let folder = setting.folder()?;
        let mut target = Floor::open(&folder.path().join("floor.db"))?;
        let (time, ()) = sample(|| copy(&source, &mut target))?;
        floor_rounds.push(time, count);
        let world = World::copy(template.path(), folder.path())?;
        let device = world.device()?;
        let watch = MemoryWatch::start();
        let (time, report) = sample(|| device.go_offline(&Silent).map_err(fault))?;
        memory.extend(watch.and_then(|watch| watch.peak_mib()));
        ensure!(report.rows >= count as u64, "only {} rows came", report.rows);
        product_rounds.push(time, count);
    }
    let peak = Spread::of(memory.into_iter());
    Ok(Line::beside(format!("first GoOffline of {count} rows"), &product_rounds, &floor_rounds)
        .target(format!("CPU <= {TARGET} x"), |line| line.cpu_ratio <= Some(TARGET))
        .note(format!("memory +{:.0} MiB at its peak", peak.max)))
}

fn copy(source: &Floor, target: &mut Floor) -> Result<()> {
    let mut select = source.connection.prepare("SELECT * FROM account")?;
    let columns = select.column_count();
    let insert =
        format!("INSERT OR REPLACE INTO account VALUES ({})", vec!["?"; columns].join(","));
    let mut rows = select.query([])?;
    loop {
        let tx = target.connection.transaction()?;
        let mut page = 0;
        while page < PAGE_ROWS_MAX {
            let Some(row) = rows.next()? else {
                return Ok(tx.commit()?);
            };
            let cells =
                (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>();
            tx.prepare_cached(&insert)?.execute(params_from_iter(cells?))?;
            page += 1;
        }
        tx.commit()?;
    }
}
