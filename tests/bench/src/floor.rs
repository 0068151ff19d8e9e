//! The floor: the same rows and journal with plain SQLite, by hand, at the same durability.
//!
//! Never uses a crate of the product; the tables have the columns that the product fills and the
//! indexes that the work needs.

use crate::rows;
use anyhow::Result;
use rusqlite::{Connection, Transaction, params};
use std::path::Path;

const USER: [u8; 16] = [0xa1; 16];
const NOW: i64 = 1_795_000_000_000;

/// A database with accounts, tasks, a journal and receipts.
pub(crate) struct Floor {
    /// Its connection.
    pub(crate) connection: Connection,
}

impl Floor {
    /// Opens or makes the database.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             CREATE TABLE IF NOT EXISTS account (id BLOB PRIMARY KEY, version INTEGER, name TEXT,
               accountnumber TEXT, telephone1 TEXT, emailaddress1 TEXT, city TEXT, revenue INTEGER,
               employees INTEGER, industry INTEGER, description TEXT, createdon INTEGER,
               modifiedon INTEGER, createdby BLOB, modifiedby BLOB, owner BLOB, state INTEGER,
               status INTEGER, hold INTEGER) STRICT, WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS account_version ON account (version);
             CREATE INDEX IF NOT EXISTS account_owner ON account (owner);
             CREATE UNIQUE INDEX IF NOT EXISTS account_number ON account (accountnumber);
             CREATE TABLE IF NOT EXISTS task (id BLOB PRIMARY KEY, version INTEGER, subject TEXT,
               regarding BLOB, createdon INTEGER, modifiedon INTEGER, createdby BLOB,
               modifiedby BLOB, owner BLOB, state INTEGER, status INTEGER, priority INTEGER)
               STRICT, WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS task_version ON task (version);
             CREATE INDEX IF NOT EXISTS task_owner ON task (owner);
             CREATE INDEX IF NOT EXISTS task_regarding ON task (regarding);
             CREATE TABLE IF NOT EXISTS journal (sequence INTEGER PRIMARY KEY, state INTEGER,
               bytes BLOB, outcome TEXT) STRICT;
             CREATE TABLE IF NOT EXISTS receipt (device BLOB, sequence INTEGER, hash TEXT,
               outcome BLOB, PRIMARY KEY (device, sequence)) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY, value INTEGER) STRICT;",
        )?;
        Ok(Self { connection })
    }

    /// A database with `count` accounts.
    pub(crate) fn filled(path: &Path, count: usize) -> Result<Self> {
        let mut floor = Self::open(path)?;
        let tx = floor.connection.transaction()?;
        for number in 0..count {
            account(&tx, number)?;
        }
        tx.commit()?;
        Ok(floor)
    }
}

/// Inserts account `number`.
pub(crate) fn account(tx: &Transaction<'_>, number: usize) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO account VALUES (?,?,?,?,?,?,?,1234567,120,3,'derived',?,?,?,?,?,0,1,0)",
    )?;
    insert.execute(params![
        rows::id(number).as_bytes(),
        number as i64 + 1,
        format!("Contoso {number} Handels GmbH"),
        format!("AC-{number:07}"),
        "+49 30 901820",
        format!("office{number}@contoso.example"),
        rows::city(number),
        NOW,
        NOW,
        USER,
        USER,
        USER,
    ])?;
    Ok(())
}

/// Inserts the task that logic makes for account `number`.
pub(crate) fn task(tx: &Transaction<'_>, number: usize) -> Result<()> {
    let mut insert = tx.prepare_cached("INSERT INTO task VALUES (?,?,?,?,?,?,?,?,?,0,2,1)")?;
    insert.execute(params![
        rows::id(number + 100_000_000).as_bytes(),
        number as i64 + 1,
        "audit",
        rows::id(number).as_bytes(),
        NOW,
        NOW,
        USER,
        USER,
        USER,
    ])?;
    Ok(())
}

/// Appends a journal entry.
pub(crate) fn journal(tx: &Transaction<'_>, number: usize, bytes: &[u8]) -> Result<()> {
    tx.prepare_cached("INSERT INTO journal VALUES (?, 0, ?, NULL)")?
        .execute(params![number as i64 + 1, bytes])?;
    Ok(())
}

/// Writes the receipt of an entry.
pub(crate) fn receipt(tx: &Transaction<'_>, number: usize, outcome: &[u8]) -> Result<()> {
    let hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    tx.prepare_cached("INSERT INTO receipt VALUES (?, ?, ?, ?)")?.execute(params![
        USER,
        number as i64 + 1,
        hash,
        outcome
    ])?;
    Ok(())
}

/// Keeps a position of a queue, as both ends of a synchronisation must.
pub(crate) fn position(tx: &Transaction<'_>, value: usize) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO position VALUES (1, ?)")?.execute([value as i64])?;
    Ok(())
}
