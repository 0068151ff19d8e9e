//! Playback of a journal of Creates: the server's part alone, without and with logic, and the whole
//! of GoOnline with its pull and its repair.
//!
//! The floor writes the same rows and receipts in commits of the same size; bare plug-in calls are
//! allowed on top, as the target says.

use crate::Setting;
use crate::floor::{self, Floor};
use crate::measure::{MemoryWatch, Rounds, Spread, sample};
use crate::offline_write::write;
use crate::plugin_call::bare_call_us;
use crate::report::Line;
use crate::world::{World, caller, fault};
use anyhow::{Context as _, Result, ensure};
use offstage_replication::Silent;
use offstage_replication::wire::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Frozen, PlaybackRequest};
use std::path::Path;

/// An outcome as the server keeps it has about this many bytes.
const OUTCOME_BYTES: usize = 700;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(50, 10_000, 100_000);
    let rounds = if count > 50_000 { setting.rounds.min(3) } else { setting.rounds };
    let mut lines = Vec::new();
    for logic in [false, true] {
        let template = setting.folder()?;
        prepare(template.path(), count, logic)?;
        lines.push(server_alone(setting, template.path(), rounds, count, logic)?);
        if logic {
            lines.push(whole(setting, template.path(), rounds, count)?);
        }
    }
    Ok(lines)
}

/// Makes a server and a device that is offline with `count` entries in its journal.
fn prepare(folder: &Path, count: usize, logic: bool) -> Result<()> {
    let world = World::new(folder)?;
    if logic {
        world.add_logic()?;
    }
    let device = world.device()?;
    device.go_offline(&Silent).map_err(fault)?;
    write(&device, 0..count)
}

fn server_alone(
    setting: &Setting,
    template: &Path,
    rounds: usize,
    count: usize,
    logic: bool,
) -> Result<Line> {
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    let mut memory = Vec::new();
    for _ in 0..rounds {
        let folder = setting.folder()?;
        let mut floor = Floor::open(&folder.path().join("floor.db"))?;
        let (time, ()) = sample(|| play_floor(&mut floor, count, logic))?;
        floor_rounds.push(time, count);
        let world = World::copy(template, folder.path())?;
        let batches = batches(&world)?;
        world.server.registry().map_err(fault)?;
        let watch = MemoryWatch::start();
        let (time, ()) = sample(|| play(&world, batches))?;
        memory.extend(watch.and_then(|watch| watch.peak_mib()));
        product_rounds.push(time, count);
    }
    let what = if logic { "with logic" } else { "without logic" };
    let case = format!("playback of {count} ops {what}, server");
    budget(Line::beside(case, &product_rounds, &floor_rounds), if logic { 2 } else { 0 }, &memory)
}

fn whole(setting: &Setting, template: &Path, rounds: usize, count: usize) -> Result<Line> {
    let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
    let mut memory = Vec::new();
    for _ in 0..rounds {
        let folder = setting.folder()?;
        let mut floor = Floor::open(&folder.path().join("floor.db"))?;
        let mut local = Floor::filled(&folder.path().join("floor-device.db"), count)?;
        let entries = local.connection.transaction()?;
        for number in 0..count {
            floor::journal(&entries, number, &[b'x'; 2_500])?;
        }
        entries.commit()?;
        let (time, ()) = sample(|| {
            play_floor(&mut floor, count, true)?;
            outcomes_floor(&mut local, count)
        })?;
        floor_rounds.push(time, count);
        let world = World::copy(template, folder.path())?;
        let device = world.device()?;
        let watch = MemoryWatch::start();
        let (time, report) = sample(|| device.go_online(&Silent).map_err(fault))?;
        memory.extend(watch.and_then(|watch| watch.peak_mib()));
        ensure!(report.counts.applied == count as u64, "not all was applied: {:?}", report.counts);
        product_rounds.push(time, count);
    }
    let case = format!("GoOnline with {count} ops with logic, both sides");
    budget(Line::beside(case, &product_rounds, &floor_rounds), 2, &memory)
}

/// The target: 1.5 x the floor's CPU plus the bare plug-in calls.
fn budget(line: Line, calls: usize, memory: &[f64]) -> Result<Line> {
    let bare = if calls > 0 { bare_call_us()? } else { 0.0 };
    let floor = line.floor_cpu_us.context("it has a floor")?.median;
    let allowed = 1.5 * floor + bare * calls as f64;
    let peak = Spread::of(memory.iter().copied());
    let text = format!("CPU <= {allowed:.0} us (1.5 x floor + {calls} calls of {bare:.1})");
    let note = format!("memory +{:.0} MiB at its peak", peak.max);
    Ok(line.target(text, |line| line.cpu_us.median <= allowed).note(note))
}

/// The device's journal in batches, as it would send them.
fn batches(world: &World) -> Result<Vec<PlaybackRequest>> {
    let device = world.device()?;
    let status = device.status().map_err(fault)?;
    let mut tx = device.pipeline().store().read()?;
    let mut batches = Vec::new();
    let mut after = 0;
    loop {
        let entries = tx.frozen_after(after, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX)?;
        let Some((last, _)) = entries.last() else { return Ok(batches) };
        let acknowledged_through = after;
        after = *last;
        batches.push(PlaybackRequest {
            device: status.device,
            epoch: status.epoch,
            entries: entries.into_iter().map(|(_, bytes)| Frozen(bytes)).collect(),
            acknowledged_through,
            offset_ms: Some(0),
        });
    }
}

fn play(world: &World, batches: Vec<PlaybackRequest>) -> Result<()> {
    for batch in batches {
        let answer = world.service.playback(&caller(), &batch).map_err(fault)?;
        ensure!(answer.outcomes.len() == batch.entries.len(), "a batch was not decided");
    }
    Ok(())
}

fn play_floor(floor: &mut Floor, count: usize, logic: bool) -> Result<()> {
    let outcome = [b'x'; OUTCOME_BYTES];
    let numbers: Vec<usize> = (0..count).collect();
    for group in numbers.chunks(BATCH_ENTRIES_MAX) {
        let tx = floor.connection.transaction()?;
        for &number in group {
            floor::account(&tx, number)?;
            if logic {
                floor::task(&tx, number)?;
            }
            floor::receipt(&tx, number, &outcome)?;
        }
        floor::position(&tx, group[0])?;
        tx.commit()?;
    }
    Ok(())
}

/// The device's part: reads entries, keeps outcomes, and takes the server's rows.
fn outcomes_floor(floor: &mut Floor, count: usize) -> Result<()> {
    let outcome = "x".repeat(OUTCOME_BYTES);
    let numbers: Vec<usize> = (0..count).collect();
    for group in numbers.chunks(BATCH_ENTRIES_MAX) {
        let tx = floor.connection.transaction()?;
        for &number in group {
            let sequence = number as i64 + 1;
            let _bytes: Vec<u8> = tx
                .prepare_cached("SELECT bytes FROM journal WHERE sequence = ?")?
                .query_row([sequence], |row| row.get(0))?;
            tx.prepare_cached("UPDATE journal SET state = 1, outcome = ?2 WHERE sequence = ?1")?
                .execute(rusqlite::params![sequence, outcome])?;
            tx.prepare_cached("UPDATE account SET version = version + 1 WHERE id = ?")?
                .execute([crate::rows::id(number).as_bytes()])?;
            floor::task(&tx, number)?;
        }
        tx.commit()?;
    }
    Ok(())
}
