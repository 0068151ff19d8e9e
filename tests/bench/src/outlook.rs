//! The Outlook engine over its embedded mailbox: a first synchronisation, one in which nothing
//! changed, fifty changes each way, and an upload. The floor of the first one commits, per item, one
//! small transaction to each of two databases: the item, and the note that it is in step.

use crate::Setting;
use crate::measure::{Rounds, sample};
use crate::report::Line;
use crate::world::{SystemClock, SystemRandom, USER, World, caller, fault};
use anyhow::{Result, ensure};
use offstage_model::{Entity, Request, Timestamp, Uuid, Value};
use offstage_outlook::crm::{LocalCrmLink, OutlookService};
use offstage_outlook::engine::Word;
use offstage_outlook::rules::ClientRole;
use offstage_outlook::stores::embedded::EmbeddedStore;
use offstage_outlook::{
    Engine, EntryId, ItemKind, ItemPatch, LinkProperties, LinkState, NewItem, Parts, Property,
    PropertyValue, Trigger,
};
use offstage_pipeline::CallOptions;
use offstage_store::{SyncCache, WriteStamp};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;

/// Changes on each side.
const CHANGES: usize = 50;
/// How much more CPU the engine may take than the floor, which converts and compares nothing.
const TARGET: f64 = 12.0;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    // As many contacts as events.
    let count = setting.size(60, 1_000, 5_000);
    let mut first = (Rounds::new(), Rounds::new());
    let (mut nothing, mut both, mut upload) = (Rounds::new(), Rounds::new(), Rounds::new());
    for _ in 0..setting.rounds.min(3) {
        let folder = setting.folder()?;
        let (time, ()) = sample(|| floor(folder.path(), count * 2))?;
        first.1.push(time, count * 2);
        let world = World::new(folder.path())?;
        fill(&world, count)?;
        let mut engine = engine(&world, folder.path())?;
        let (time, report) = sample(|| Ok(engine.synchronise(Trigger::Manual)?))?;
        ensure!(report.count(Word::CreatedItem) == count * 2, "{:?}", report.state);
        first.0.push(time, count * 2);
        let (time, report) = sample(|| Ok(engine.synchronise(Trigger::Manual)?))?;
        ensure!(report.pairs.is_empty(), "{} pairs", report.pairs.len());
        nothing.push(time, 1);
        change(&world, &mut engine)?;
        let (time, report) = sample(|| Ok(engine.synchronise(Trigger::Manual)?))?;
        ensure!(report.count(Word::Merged) == CHANGES * 2, "{}", report.pairs.len());
        both.push(time, CHANGES * 2);
        let new = count / 5;
        track(&mut engine, new)?;
        let (time, report) = sample(|| Ok(engine.synchronise(Trigger::Manual)?))?;
        ensure!(report.count(Word::CreatedRecord) == new, "{}", report.pairs.len());
        upload.push(time, new);
    }
    let total = count * 2;
    Ok(vec![
        Line::beside(
            format!("Outlook: first synchronisation, per item of {total}"),
            &first.0,
            &first.1,
        )
        .target(format!("CPU <= {TARGET} x"), |line| line.cpu_ratio <= Some(TARGET)),
        Line::alone(format!("Outlook: nothing changed among {total}, the whole run"), &nothing),
        Line::alone(
            format!("Outlook: {CHANGES} changes each way among {total}, per change"),
            &both,
        ),
        Line::alone(format!("Outlook: upload of {}, per item", count / 5), &upload),
    ])
}

fn engine(world: &World, folder: &Path) -> Result<Engine> {
    let service = OutlookService::new(world.server.clone());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let store = EmbeddedStore::open(&folder.join("mailbox.db"), clock.clone(), &SystemRandom)?;
    let mut engine = Engine::new(Parts {
        cache: SyncCache::open(&folder.join("outlook.db"))?,
        store: Box::new(store),
        link: Box::new(LocalCrmLink::new(service, caller())),
        clock,
        random,
    });
    engine.register("bench", ClientRole::Primary, false)?;
    Ok(engine)
}

/// The id of a row that [`fill`] makes.
pub(crate) fn row_id(table: &str, number: usize) -> Uuid {
    let kind: u128 = if table == "contact" { 1 } else { 2 };
    Uuid::from_u128(kind << 64 | number as u128)
}

fn own(table: &str, number: usize, now: Timestamp) -> Entity {
    Entity::with_id(table, row_id(table, number))
        .with("ownerid", Value::reference("systemuser", USER))
        .with("modifiedon", Value::DateTime(now))
        .with("statecode", Value::Option(0))
        .with("statuscode", Value::Option(1))
}

/// A contact of the user.
pub(crate) fn contact(number: usize, now: Timestamp) -> Entity {
    own("contact", number, now)
        .with("firstname", Value::text(format!("First{number}")))
        .with("lastname", Value::text(format!("Last{number}")))
        .with("emailaddress1", Value::text(format!("p{number}@contoso.example")))
        .with("telephone1", Value::text("+1 425 555 0100"))
        .with("address1_city", Value::text("Redmond"))
        .with("description", Value::text("Met at the fair. ".repeat(10)))
}

/// As many contacts as appointments, all of them the user's.
pub(crate) fn fill(world: &World, count: usize) -> Result<()> {
    let now = offstage_model::Clock::now(&SystemClock);
    let stamp = WriteStamp::server(now);
    let mut tx = world.server.store().write()?;
    for number in 0..count {
        let contact = contact(number, now);
        // Calendars know no fractions of a second.
        let start = now.0 / 1_000 * 1_000 + number as i64 * 3_600_000;
        let event = own("appointment", number, now)
            .with("subject", Value::text(format!("Event {number}")))
            .with("location", Value::text("Room 7"))
            .with("scheduledstart", Value::DateTime(Timestamp(start)))
            .with("scheduledend", Value::DateTime(Timestamp(start + 1_800_000)))
            .with("description", Value::text("Agenda to follow. ".repeat(10)));
        tx.insert(&contact, &stamp)?;
        tx.insert(&event, &stamp)?;
    }
    Ok(tx.commit()?)
}

/// Fifty contacts change in the CRM, fifty others in Outlook.
fn change(world: &World, engine: &mut Engine) -> Result<()> {
    for number in 0..CHANGES {
        let id = row_id("contact", number);
        let row = Entity::with_id("contact", id).with("jobtitle", Value::text("CEO"));
        world
            .server
            .execute(&caller(), Request::update(row), CallOptions::default())
            .map_err(fault)?;
    }
    let mappings = engine.cache().write(|tx| tx.mappings())?;
    let events = mappings.iter().filter(|mapping| mapping.object_type == 4201).take(CHANGES);
    for mapping in events {
        let id = EntryId::new(mapping.entry_id.clone().unwrap_or_default());
        let mut patch = ItemPatch::default();
        patch.properties.insert(Property::Location, Some(PropertyValue::text("Room 8")));
        engine.store().update(&id, None, &patch)?;
    }
    Ok(())
}

fn track(engine: &mut Engine, count: usize) -> Result<()> {
    for number in 0..count {
        let properties = [
            (Property::FirstName, PropertyValue::text(format!("New{number}"))),
            (Property::LastName, PropertyValue::text(format!("Person{number}"))),
            (Property::Email1, PropertyValue::text(format!("new{number}@contoso.example"))),
        ];
        engine.store().create(&NewItem {
            kind: ItemKind::Contact,
            folder: None,
            properties: properties.into_iter().collect(),
            link: LinkProperties { state: Some(LinkState::Pending), ..LinkProperties::default() },
            transaction: Uuid::nil(),
        })?;
    }
    Ok(())
}

fn floor(folder: &Path, count: usize) -> Result<()> {
    let open = |name: &str| {
        let connection = Connection::open(folder.join(name))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE cell (id INTEGER, tag INTEGER, value TEXT, PRIMARY KEY (id, tag))
               STRICT, WITHOUT ROWID;",
        )?;
        Ok::<Connection, rusqlite::Error>(connection)
    };
    let mut files = [(open("floor-mailbox.db")?, 14), (open("floor-cache.db")?, 4)];
    let text = "Met at the fair. ".repeat(4);
    for id in 0..count {
        for (connection, cells) in &mut files {
            let tx = connection.transaction()?;
            let mut insert = tx.prepare_cached("INSERT INTO cell VALUES (?1, ?2, ?3)")?;
            for tag in 0..*cells {
                insert.execute(params![id as i64, tag, text])?;
            }
            drop(insert);
            tx.commit()?;
        }
    }
    Ok(())
}
