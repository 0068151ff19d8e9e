//! Writes on an offline device, each a transaction of its own with its journal entry
//! (synchronous FULL), without and with plug-in steps; and eight writers at once.

use crate::floor::{self, Floor};
use crate::measure::{Rounds, Sample, sample};
use crate::report::Line;
use crate::world::{World, fault};
use crate::{Setting, rows};
use anyhow::{Context as _, Result};
use offstage_model::Request;
use offstage_pipeline::CallOptions;
use offstage_replication::{Device, Silent};
use rusqlite::TransactionBehavior;
use std::ops::Range;

const WRITERS: usize = 8;
/// Floor and product take turns so often in a round; divides the writes of a round.
const TURNS: usize = 10;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(20, 200, 1_000);
    let mut lines = vec![one_by_one(setting, count, false)?, one_by_one(setting, count, true)?];
    lines.push(at_once(setting, count)?);
    Ok(lines)
}

fn one_by_one(setting: &Setting, count: usize, logic: bool) -> Result<Line> {
    let folder = setting.folder()?;
    let device = offline_device(folder.path(), logic)?;
    write(&device, 0..20)?;
    let entry = last_entry(&device)?;
    let mut floor = Floor::open(&folder.path().join("floor.db"))?;
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    let mut next = 20;
    for _ in 0..setting.rounds {
        // In turns, because what a sync costs drifts within seconds.
        let (mut plain, mut ours) = (Sample::default(), Sample::default());
        for _ in 0..TURNS {
            let numbers = next..next + count / TURNS;
            next = numbers.end;
            plain += write_floor(&mut floor, numbers.clone(), logic, &entry)?;
            ours += sample(|| write(&device, numbers))?.0;
        }
        floor_rounds.push(plain, count);
        product_rounds.push(ours, count);
    }
    let (what, factor) =
        if logic { ("two plug-in steps", 1.0 / 0.5) } else { ("no plug-in", 1.0 / 0.7) };
    Ok(Line::beside(
        format!("offline write + journal, FULL, {what}"),
        &product_rounds,
        &floor_rounds,
    )
    .target(format!("wall <= {factor:.2} x"), |line| line.wall_ratio <= Some(factor))
    .note(format!("{count} writes a round; entry of {} bytes", entry.len())))
}

/// Eight writers share one store: what a commit costs is shared only if the store groups commits.
fn at_once(setting: &Setting, count: usize) -> Result<Line> {
    let folder = setting.folder()?;
    let device = offline_device(folder.path(), false)?;
    write(&device, 0..20)?;
    let entry = last_entry(&device)?;
    let mut floor = Floor::open(&folder.path().join("floor.db"))?;
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    let mut next = 20;
    for _ in 0..setting.rounds {
        let start = next;
        next += count;
        let (time, ()) = sample(|| grouped_floor(&mut floor, start..start + count, &entry))?;
        floor_rounds.push(time, count);
        let share = count / WRITERS;
        let (time, ()) = sample(|| {
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let from = start + writer * share;
                        let device = &device;
                        scope.spawn(move || write(device, from..from + share))
                    })
                    .collect();
                writers.into_iter().try_for_each(|writer| {
                    writer.join().unwrap_or_else(|_| anyhow::bail!("a writer panicked"))
                })
            })
        })?;
        product_rounds.push(time, share * WRITERS);
    }
    Ok(Line::beside("offline write, 8 writers at once", &product_rounds, &floor_rounds)
        .target("one fsync for several", |line| line.wall_ratio <= Some(1.0 / 0.7))
        .note("floor: groups of 8 in one commit"))
}

/// A device that is offline, with an empty copy.
pub(crate) fn offline_device(folder: &std::path::Path, logic: bool) -> Result<Device> {
    let world = World::new(folder)?;
    if logic {
        world.add_logic()?;
    }
    let device = world.device()?;
    device.go_offline(&Silent).map_err(fault)?;
    Ok(device)
}

/// Creates accounts on the device.
pub(crate) fn write(device: &Device, numbers: Range<usize>) -> Result<()> {
    for number in numbers {
        let mut row = rows::account(number);
        row.id = Some(rows::id(number));
        device.execute(Request::create(row), CallOptions::default()).map_err(fault)?;
    }
    Ok(())
}

/// The bytes of the device's last journal entry; the floor writes the same.
fn last_entry(device: &Device) -> Result<Vec<u8>> {
    let mut tx = device.pipeline().store().read()?;
    let (sequence, _) = tx.last_entry()?.context("the journal is empty")?;
    Ok(tx.entry(sequence)?.context("an entry is missing")?.frozen)
}

fn write_floor(
    floor: &mut Floor,
    numbers: Range<usize>,
    logic: bool,
    entry: &[u8],
) -> Result<Sample> {
    let (time, ()) = sample(|| {
        for number in numbers {
            let tx = floor.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            floor::account(&tx, number)?;
            if logic {
                floor::task(&tx, number)?;
            }
            floor::journal(&tx, number, entry)?;
            tx.commit()?;
        }
        Ok(())
    })?;
    Ok(time)
}

fn grouped_floor(floor: &mut Floor, numbers: Range<usize>, entry: &[u8]) -> Result<()> {
    let numbers: Vec<usize> = numbers.collect();
    for group in numbers.chunks(WRITERS) {
        let tx = floor.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for &number in group {
            floor::account(&tx, number)?;
            floor::journal(&tx, number, entry)?;
        }
        tx.commit()?;
    }
    Ok(())
}
