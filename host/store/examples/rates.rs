//! Prints rows per second for the main operations beside plain SQLite; run with `--release`.
//!
//! Not a test: times on a shared machine only mean something beside each other.

use offstage_model::value::EntityReference;
use offstage_model::{Decimal, Entity, Query, Timestamp, Uuid, Value};
use offstage_store::{Role, Scope, Store, StoreError, StoreOptions, WriteStamp};
use std::time::Instant;

const ROWS: u128 = 100_000;

#[expect(clippy::print_stdout, reason = "an example that prints its result")]
fn report(name: &str, rows: u128, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!("{name:<40} {:>9.0} rows/s", rows as f64 / seconds);
}

/// About 190 bytes, as in `quality.md`.
fn row(number: u128) -> Entity {
    Entity::with_id("account", Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C)))
        .with("name", Value::text(format!("Contoso {number} Handels GmbH")))
        .with("telephone1", Value::text("+49 30 901820"))
        .with("emailaddress1", Value::text(format!("office{number}@contoso.example")))
        .with("address1_city", Value::text("Berlin"))
        .with("revenue", Value::Money(Decimal::new(1_234_567, 2)))
        .with("createdon", Value::DateTime(Timestamp(1_700_000_000_000)))
        .with("modifiedon", Value::DateTime(Timestamp(1_700_000_000_000)))
        .with("ownerid", Value::Reference(EntityReference::new("systemuser", Uuid::from_u128(1))))
        .with("statecode", Value::Option(0))
}

fn main() -> Result<(), StoreError> {
    for role in [Role::Server, Role::Device] {
        let store = Store::in_memory(&StoreOptions::new(role))?;
        let stamp = WriteStamp::server(Timestamp(1_700_000_000_000));
        let started = Instant::now();
        let mut tx = store.write()?;
        for number in 1..=ROWS {
            tx.insert(&row(number), &stamp)?;
        }
        tx.commit()?;
        report(&format!("{role:?}: insert, one transaction"), ROWS, started);
        let ids: Vec<Uuid> = (1..=ROWS).filter_map(|n| row(n).id).collect();
        let started = Instant::now();
        let mut tx = store.write()?;
        for id in &ids {
            let changes = [("telephone1".to_owned(), Value::text("+49 30 901821"))].into();
            tx.update("account", *id, &changes, &stamp)?;
        }
        tx.commit()?;
        report(&format!("{role:?}: update, one transaction"), ROWS, started);
        let started = Instant::now();
        let mut tx = store.read()?;
        for id in &ids {
            tx.get("account", *id)?;
        }
        report(&format!("{role:?}: get"), ROWS, started);
        let started = Instant::now();
        let mut query = Query { page_size: Some(5_000), ..Query::all("account") };
        loop {
            let page = tx.query(&query, &Scope { user: Uuid::nil() })?;
            query.paging_cookie = page.paging_cookie;
            if query.paging_cookie.is_none() {
                break;
            }
        }
        report(&format!("{role:?}: query, pages of 5000"), ROWS, started);
        drop(tx);
        let started = Instant::now();
        for number in 1..=200 {
            let mut tx = store.write()?;
            tx.insert(&row(ROWS + number), &stamp)?;
            tx.commit()?;
        }
        report(&format!("{role:?}: insert, one commit each"), 200, started);
    }
    floor()
}

/// The same rows by plain SQLite without any of the store: what is physically possible.
fn floor() -> Result<(), StoreError> {
    let folder = std::env::temp_dir().join(format!("offstage-floor-{}", std::process::id()));
    let outcome = plain_sqlite(&folder);
    let _removed = std::fs::remove_dir_all(&folder);
    if let Err(error) = outcome {
        let message = error.to_string();
        return Err(StoreError::Database { path: folder, code: -1, message });
    }
    Ok(())
}

fn plain_sqlite(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let mut connection = rusqlite::Connection::open(folder.join("floor.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE a (id BLOB PRIMARY KEY, v INTEGER, name TEXT, phone TEXT, mail TEXT, city TEXT,
           revenue INTEGER, c INTEGER, m INTEGER, owner BLOB, ownert TEXT, s INTEGER) STRICT;
         CREATE INDEX av ON a (v); CREATE INDEX ao ON a (owner);",
    )?;
    let started = Instant::now();
    let tx = connection.transaction()?;
    {
        let mut insert =
            tx.prepare("INSERT INTO a VALUES (?,?,?,?,?,'Berlin',1234567,?,?,?,'systemuser',0)")?;
        for number in 1..=ROWS {
            let r = row(number);
            let id = r.id.unwrap_or_default();
            insert.execute(rusqlite::params![
                id.as_bytes(),
                number as i64,
                r.text("name"),
                r.text("telephone1"),
                r.text("emailaddress1"),
                1_700_000_000_000i64,
                1_700_000_000_000i64,
                Uuid::from_u128(1).as_bytes(),
            ])?;
        }
    }
    tx.commit()?;
    report("floor: insert by plain SQLite", ROWS, started);
    Ok(())
}
