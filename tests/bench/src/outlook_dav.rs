//! The Outlook engine over a real Radicale, beside vdirsyncer on the same server in the same run.
//!
//! Reading: a collection of contacts and one of events, each seeded by one PUT; then fifty changes on
//! each side of as many, all of them tied to records. Writing: an upload into an empty address book
//! of one's own, and then fifty changes on each side. vdirsyncer copies
//! whole files and keeps no records; the engine compares columns, and commits to its cache and to a
//! server's store. CPU is that of this process and of vdirsyncer, without Radicale's.

mod servers;
mod tied;

use crate::Setting;
use crate::measure::{Rounds, sample, sample_child};
use crate::outlook::{contact, row_id};
use crate::report::Line;
use crate::world::{SystemClock, SystemRandom, World, caller, fault};
use anyhow::{Context as _, Result, ensure};
use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::dav::{DavOptions, DavStore};
use offstage_mailstores::http::Credentials;
use offstage_model::{Entity, Request, Value};
use offstage_outlook::crm::{LocalCrmLink, OutlookService};
use offstage_outlook::engine::{Report, RunState, Word};
use offstage_outlook::rules::ClientRole;
use offstage_outlook::{Engine, Parts, Trigger};
use offstage_pipeline::CallOptions;
use offstage_store::{SyncCache, WriteStamp};
use servers::{Radicale, Vdirsyncer, network};
use std::path::Path;
use std::sync::Arc;

/// Changes on each side.
const CHANGES: usize = 50;

/// What a comparison measured: the engine, and vdirsyncer where it is installed.
#[derive(Default)]
struct Both {
    engine: Rounds,
    other: Option<Rounds>,
}

impl Both {
    fn line(&self, case: String) -> Line {
        match &self.other {
            Some(other) => Line::beside(case, &self.engine, other).note("floor: vdirsyncer"),
            None => Line::alone(case, &self.engine).note("vdirsyncer is not installed"),
        }
    }
}

/// Runs the benchmark: one round, because each takes minutes.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    // Half of the smallest change on one side or the other.
    let count = setting.size(CHANGES * 2, 1_000, 5_000);
    let uploads = (count / 5).max(CHANGES * 2);
    let folder = setting.folder()?;
    let Some(radicale) = Radicale::start(&folder.path().join("radicale"))? else {
        crate::report::progress("  Radicale is not installed; run `cargo xtask setup`");
        return Ok(Vec::new());
    };
    crate::report::progress("  seeding");
    radicale.seed("reader", count)?;
    radicale.make("engine")?;
    radicale.make("other")?;
    let mut lines = reading(&radicale, folder.path(), count)?;
    lines.push(each_way(&radicale, folder.path(), count)?);
    lines.extend(writing(&radicale, folder.path(), uploads)?);
    Ok(lines)
}

fn reading(radicale: &Radicale, folder: &Path, count: usize) -> Result<Vec<Line>> {
    let mine = Desk::new(radicale, "reader", &folder.join("read"))?;
    let mut world = mine;
    let other = Vdirsyncer::new(radicale, "reader", &folder.join("vdir-read"))?;
    let (mut first, mut nothing, mut remote) = (Both::default(), Both::default(), Both::default());
    // Radicale parses every object once and keeps that: neither side pays for it.
    crate::report::progress("  warming the server");
    radicale.warm("reader")?;
    let total = count * 2;
    for (both, what) in [(&mut first, "first"), (&mut nothing, "nothing"), (&mut remote, "remote")]
    {
        crate::report::progress(&format!("  reading: {what}"));
        let operations = match what {
            "first" => total,
            "nothing" => 1,
            _ => {
                radicale.change("reader", CHANGES)?;
                CHANGES
            }
        };
        let (time, report) = sample(|| world.sync())?;
        let seen = if what == "nothing" { 0 } else { operations as u64 };
        ensure!(report.counts.items_seen == seen, "{what}: {:?}", report.counts);
        both.engine.push(time, operations);
        if let Some(other) = &other {
            let (time, ()) = sample_child(|| other.sync())?;
            both.other.get_or_insert_default().push(time, operations);
        }
    }
    Ok(vec![
        first.line(format!("Radicale: first look at {total} items, per item")),
        nothing.line(format!("Radicale: nothing changed among {total}, the whole run")),
        remote.line(format!("Radicale: {CHANGES} remote changes among {total}, per change")),
    ])
}

fn writing(radicale: &Radicale, folder: &Path, uploads: usize) -> Result<Vec<Line>> {
    let mut desk = Desk::new(radicale, "engine", &folder.join("write"))?;
    let other = Vdirsyncer::new(radicale, "other", &folder.join("vdir-write"))?;
    let (mut upload, mut nothing, mut each) = (Both::default(), Both::default(), Both::default());
    crate::report::progress("  upload");
    desk.fill(uploads)?;
    let (time, report) = sample(|| desk.sync())?;
    ensure!(report.count(Word::CreatedItem) == uploads, "{:?}", report.state);
    upload.engine.push(time, uploads);
    // What the engine wrote itself is seen once more, and is no change.
    desk.sync()?;
    let (time, report) = sample(|| desk.sync())?;
    ensure!(report.pairs.is_empty(), "{} pairs", report.pairs.len());
    nothing.engine.push(time, 1);
    crate::report::progress("  changes on each side");
    radicale.change("engine", CHANGES)?;
    desk.change(uploads)?;
    let (time, report) = sample(|| desk.sync())?;
    ensure!(report.count(Word::Merged) == CHANGES * 2, "{} pairs", report.pairs.len());
    each.engine.push(time, CHANGES * 2);
    if let Some(other) = &other {
        crate::report::progress("  vdirsyncer: the same");
        other.fill(uploads)?;
        let (time, ()) = sample_child(|| other.sync())?;
        upload.other.get_or_insert_default().push(time, uploads);
        other.sync()?;
        let (time, ()) = sample_child(|| other.sync())?;
        nothing.other.get_or_insert_default().push(time, 1);
        radicale.change("other", CHANGES)?;
        other.change(CHANGES)?;
        let (time, ()) = sample_child(|| other.sync())?;
        each.other.get_or_insert_default().push(time, CHANGES * 2);
    }
    Ok(vec![
        upload.line(format!("Radicale: upload of {uploads} contacts, per item")),
        nothing.line(format!("Radicale: nothing changed among {uploads}, the whole run")),
        each.line(format!("Radicale: {CHANGES} changes each way among {uploads}, per change")),
    ])
}

/// Fifty changes on each side of everything. vdirsyncer goes on with what it read.
fn each_way(radicale: &Radicale, folder: &Path, count: usize) -> Result<Line> {
    let total = count * 2;
    crate::report::progress("  tying everything");
    radicale.make("tied")?;
    let mut desk = Desk::new(radicale, "tied", &folder.join("tied"))?;
    crate::outlook::fill(&desk.world, count)?;
    tied::seed(radicale, "tied", &mut desk, count)?;
    radicale.warm("tied")?;
    let report = desk.sync()?;
    let other = report.pairs.iter().find(|pair| pair.done != Word::Unchanged);
    ensure!(other.is_none() && report.pairs.len() == total, "{other:?}");
    desk.sync()?;
    crate::report::progress("  changes on each side of everything");
    let mut each = Both::default();
    radicale.change("tied", CHANGES)?;
    desk.change(count)?;
    let (time, report) = sample(|| desk.sync())?;
    ensure!(report.count(Word::Merged) == CHANGES * 2, "{} pairs", report.pairs.len());
    each.engine.push(time, CHANGES * 2);
    if let Some(other) = Vdirsyncer::new(radicale, "reader", &folder.join("vdir-read"))? {
        radicale.change("reader", CHANGES)?;
        other.change(CHANGES)?;
        let (time, ()) = sample_child(|| other.sync())?;
        each.other.get_or_insert_default().push(time, CHANGES * 2);
    }
    Ok(each.line(format!("Radicale: {CHANGES} changes each way among {total}, per change")))
}

/// A server with records, and an engine over Radicale.
struct Desk {
    world: World,
    engine: Engine,
}

impl Desk {
    fn new(radicale: &Radicale, user: &str, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let world = World::new(folder)?;
        let options = DavOptions {
            url: format!("{}/{user}/", radicale.url()),
            credentials: Credentials::Basic { user: user.to_owned(), password: user.to_owned() },
            home: Zone::named("Europe/Berlin").context("the zone")?,
            mail_attendees: false,
        };
        let store = DavStore::connect(Box::new(network()), Box::new(SystemClock), options)?;
        let service = OutlookService::new(world.server.clone());
        let mut engine = Engine::new(Parts {
            cache: SyncCache::open(&folder.join("outlook.db"))?,
            store: Box::new(store),
            link: Box::new(LocalCrmLink::new(service, caller())),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        });
        engine.register("bench", ClientRole::Primary, false)?;
        Ok(Self { world, engine })
    }

    fn sync(&mut self) -> Result<Report> {
        let report = self.engine.synchronise(Trigger::Manual)?;
        ensure!(report.state == RunState::Done, "{:?}", report.state);
        Ok(report)
    }

    fn fill(&self, count: usize) -> Result<()> {
        let now = offstage_model::Clock::now(&SystemClock);
        let mut tx = self.world.server.store().write()?;
        for number in 0..count {
            tx.insert(&contact(number, now), &WriteStamp::server(now))?;
        }
        Ok(tx.commit()?)
    }

    /// The last contacts change in the CRM; the first ones change on the server.
    fn change(&self, count: usize) -> Result<()> {
        for number in count - CHANGES..count {
            let id = row_id("contact", number);
            let row = Entity::with_id("contact", id).with("jobtitle", Value::text("CEO"));
            let server = &self.world.server;
            let done = server.execute(&caller(), Request::update(row), CallOptions::default());
            done.map_err(fault)?;
        }
        Ok(())
    }
}
