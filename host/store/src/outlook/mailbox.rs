//! The embedded mailbox: folders, messages, properties by MAPI tag, recipients and the map of named
//! properties, in one file.
//!
//! Times are ticks of 100 ns since 1601, ids the last four bytes of an EntryID. Never knows what a
//! property means.

use crate::StoreError;
use crate::cells::Cells;
use crate::side::{SideFile, SideKind, SideTx};
use offstage_model::Uuid;
use offstage_query::SqlValue;
use std::path::Path;

/// Ids of named properties begin here (MS-OXPROPS).
const NAMED_FIRST: u16 = 0x8000;
/// Notifications that are kept for a listener that does not come.
const NOTES_MAX: i64 = 10_000;

const KIND: SideKind = SideKind {
    application_id: 0x4F46_4D42, // "OFMB"
    format: 1,
    tables: "
CREATE TABLE IF NOT EXISTS Identity (
    One INTEGER PRIMARY KEY CHECK (One = 1),
    StoreKey BLOB NOT NULL,
    Clock INTEGER NOT NULL,
    Version INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Folder (
    Nid INTEGER PRIMARY KEY,
    Name TEXT NOT NULL,
    Class TEXT NOT NULL,
    IsDefault INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Message (
    Nid INTEGER PRIMARY KEY AUTOINCREMENT,
    Folder INTEGER NOT NULL,
    Class TEXT NOT NULL,
    LastModificationTime INTEGER NOT NULL,
    Version INTEGER NOT NULL,
    MadeBy BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS Message_Contents ON Message (Folder, LastModificationTime DESC, Nid DESC);
CREATE UNIQUE INDEX IF NOT EXISTS Message_MadeBy ON Message (MadeBy) WHERE MadeBy IS NOT NULL;
CREATE TABLE IF NOT EXISTS Property (
    Nid INTEGER NOT NULL,
    Tag INTEGER NOT NULL,
    Value ANY NOT NULL,
    PRIMARY KEY (Nid, Tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS Recipient (
    Nid INTEGER NOT NULL,
    Ordinal INTEGER NOT NULL,
    Type INTEGER NOT NULL,
    Name TEXT NOT NULL,
    Address TEXT NOT NULL,
    PRIMARY KEY (Nid, Ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS NamedProperty (
    Id INTEGER PRIMARY KEY,
    SetGuid BLOB NOT NULL,
    Lid INTEGER,
    Name TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS NamedProperty_Lid ON NamedProperty (SetGuid, Lid) WHERE Lid IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS NamedProperty_Name ON NamedProperty (SetGuid, Name) WHERE Name IS NOT NULL;
CREATE TABLE IF NOT EXISTS Moved (
    Nid INTEGER PRIMARY KEY,
    NewNid INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Notification (
    Number INTEGER PRIMARY KEY AUTOINCREMENT,
    Kind INTEGER NOT NULL,
    Nid INTEGER NOT NULL,
    Folder INTEGER NOT NULL
) STRICT;",
};

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxFolder {
    /// Its id.
    pub nid: u32,
    /// What people call it.
    pub name: String,
    /// The message class of what it holds.
    pub class: String,
    /// New items of the class go here.
    pub default: bool,
}

/// A row of a contents table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRow {
    /// The message.
    pub nid: u32,
    /// When it was last changed.
    pub modified: i64,
    /// Its version.
    pub version: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct MailboxItem {
    /// Its id; 0 for a new one.
    pub nid: u32,
    /// Its folder.
    pub folder: u32,
    /// Its message class.
    pub class: String,
    /// When it was last changed.
    pub modified: i64,
    /// Its version: grows with every change of the mailbox.
    pub version: u64,
    /// Its properties by tag (id and type), by tag.
    pub properties: Vec<(u32, SqlValue)>,
    /// Its recipients: type, name, address.
    pub recipients: Vec<(u8, String, String)>,
}

/// A notification: what happened (0 made, 1 changed, 2 deleted, 3 moved), to what, where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxNote {
    /// What happened.
    pub kind: u8,
    /// The message.
    pub nid: u32,
    /// The folder.
    pub folder: u32,
}

/// An open mailbox.
#[derive(Debug)]
pub struct MailboxFile {
    file: SideFile,
    store_key: [u8; 16],
}

impl MailboxFile {
    /// Opens the file, and makes it if it is missing; a new one gets `fresh` as its record key.
    ///
    /// # Errors
    /// It is in use, damaged, something else, or from a newer program.
    pub fn open(path: &Path, fresh: Uuid) -> Result<Self, StoreError> {
        let mut file = SideFile::open(path, &KIND)?;
        let store_key = file.transaction(|tx| {
            let sql = "INSERT INTO Identity (One, StoreKey, Clock, Version) VALUES (1, ?1, 0, 0)
                       ON CONFLICT (One) DO NOTHING";
            tx.execute(sql, &[SqlValue::Guid(fresh)])?;
            tx.row("identity", "SELECT StoreKey FROM Identity", &[], |cells| cells.guid())
        })?;
        Ok(Self { file, store_key: store_key.unwrap_or(fresh).into_bytes() })
    }

    /// The record key of the mailbox, which is in every EntryID.
    #[must_use]
    pub fn store_key(&self) -> [u8; 16] {
        self.store_key
    }

    /// Adds a folder, or returns the one with this name.
    ///
    /// # Errors
    /// The database fails.
    pub fn add_folder(
        &mut self,
        name: &str,
        class: &str,
        default: bool,
    ) -> Result<u32, StoreError> {
        self.file.transaction(|tx| {
            let sql = "SELECT Nid FROM Folder WHERE Name = ?1 AND Class = ?2";
            let params = [SqlValue::text(name), SqlValue::text(class), SqlValue::Boolean(default)];
            if let Some(known) = tx.row("folder", sql, &params[..2], |cells| cells.small())? {
                return Ok(known);
            }
            tx.execute("INSERT INTO Folder (Name, Class, IsDefault) VALUES (?1, ?2, ?3)", &params)?;
            Ok(u32::try_from(tx.last_id()?).unwrap_or_default())
        })
    }

    /// All folders.
    ///
    /// # Errors
    /// The database fails.
    pub fn folders(&mut self) -> Result<Vec<MailboxFolder>, StoreError> {
        let sql = "SELECT Nid, Name, Class, IsDefault FROM Folder ORDER BY Nid";
        self.file.transaction(|tx| {
            tx.rows("folder", sql, &[], |cells| {
                Ok(MailboxFolder {
                    nid: cells.small()?,
                    name: cells.text()?,
                    class: cells.text()?,
                    default: cells.boolean()?,
                })
            })
        })
    }

    /// The contents table of a folder, newest first, down to the ticks `since`, those included.
    ///
    /// # Errors
    /// The database fails.
    pub fn contents(&mut self, folder: u32, since: i64) -> Result<Vec<MailboxRow>, StoreError> {
        let sql = "SELECT Nid, LastModificationTime, Version FROM Message
                   WHERE Folder = ?1 AND LastModificationTime >= ?2
                   ORDER BY LastModificationTime DESC, Nid DESC";
        let params = [SqlValue::Integer(i64::from(folder)), SqlValue::Integer(since)];
        self.file.transaction(|tx| {
            tx.rows("message", sql, &params, |cells| {
                Ok(MailboxRow {
                    nid: cells.small()?,
                    modified: cells.integer()?,
                    version: cells.unsigned()?,
                })
            })
        })
    }

    /// The text values of some properties of a message, by tag: what a contents table shows.
    ///
    /// # Errors
    /// The database fails.
    pub fn columns(&mut self, nid: u32, tags: &[u32]) -> Result<Vec<Option<SqlValue>>, StoreError> {
        self.file.transaction(|tx| {
            tags.iter()
                .map(|tag| {
                    let params =
                        [SqlValue::Integer(i64::from(nid)), SqlValue::Integer(i64::from(*tag))];
                    let sql = "SELECT Value FROM Property WHERE Nid = ?1 AND Tag = ?2";
                    tx.row("property", sql, &params, |cells| Ok(cells.any()))
                })
                .collect()
        })
    }

    /// A message with everything.
    ///
    /// # Errors
    /// The database fails.
    pub fn item(&mut self, nid: u32) -> Result<Option<MailboxItem>, StoreError> {
        self.file.transaction(|tx| read_item(tx, nid))
    }

    /// The message that was made under this id, if it is still there.
    ///
    /// # Errors
    /// The database fails.
    pub fn made_by(&mut self, transaction: Uuid) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT Nid FROM Message WHERE MadeBy = ?1";
        self.file.transaction(|tx| {
            tx.row("message", sql, &[SqlValue::Guid(transaction)], |cells| cells.small())
        })
    }

    /// Writes a message whole; a new one gets an id. With `expected`, only if it has that version
    /// still: `None` says that it has not, or that it is gone. `now` is the time of the change; the
    /// mailbox's clock never goes back.
    ///
    /// # Errors
    /// The database fails.
    pub fn put(
        &mut self,
        item: &MailboxItem,
        (expected, made_by): (Option<u64>, Option<Uuid>),
        now: i64,
    ) -> Result<Option<MailboxItem>, StoreError> {
        self.put_with_own_id(item, (expected, made_by), now, |_| None)
    }

    /// As [`MailboxFile::put`]; `own_id` makes a property of the id that the message gets.
    ///
    /// # Errors
    /// See [`MailboxFile::put`].
    pub fn put_with_own_id(
        &mut self,
        item: &MailboxItem,
        (expected, made_by): (Option<u64>, Option<Uuid>),
        now: i64,
        own_id: impl FnOnce(u32) -> Option<(u32, SqlValue)>,
    ) -> Result<Option<MailboxItem>, StoreError> {
        self.file.transaction(|tx| {
            let found = if item.nid == 0 { None } else { read_item(tx, item.nid)? };
            let stale = item.nid != 0
                && found.as_ref().is_none_or(|f| expected.is_some_and(|v| v != f.version));
            if stale {
                return Ok(None);
            }
            let (modified, version) = tick(tx, now)?;
            let folder = SqlValue::Integer(i64::from(item.folder));
            let nid = if item.nid == 0 {
                let sql =
                    "INSERT INTO Message (Folder, Class, LastModificationTime, Version, MadeBy)
                           VALUES (?1, ?2, ?3, ?4, ?5)";
                let made_by = made_by.map_or(SqlValue::Null, SqlValue::Guid);
                let params = [
                    folder,
                    SqlValue::text(&*item.class),
                    SqlValue::Integer(modified),
                    SqlValue::unsigned(version),
                    made_by,
                ];
                tx.execute(sql, &params)?;
                u32::try_from(tx.last_id()?).unwrap_or_default()
            } else {
                let sql = "UPDATE Message SET Folder = ?2, LastModificationTime = ?3, Version = ?4
                           WHERE Nid = ?1";
                let params = [
                    SqlValue::Integer(i64::from(item.nid)),
                    folder,
                    SqlValue::Integer(modified),
                    SqlValue::unsigned(version),
                ];
                tx.execute(sql, &params)?;
                item.nid
            };
            write_parts(tx, nid, item)?;
            if let Some((tag, value)) = own_id(nid) {
                let sql = "INSERT OR REPLACE INTO Property (Nid, Tag, Value) VALUES (?1, ?2, ?3)";
                let (nid, tag) = (i64::from(nid), i64::from(tag));
                tx.execute(sql, &[SqlValue::Integer(nid), SqlValue::Integer(tag), value])?;
            }
            let kind = match &found {
                None => 0,
                Some(before) if before.folder != item.folder => 3,
                Some(_) => 1,
            };
            note(tx, kind, nid, item.folder)?;
            read_item(tx, nid)
        })
    }

    /// Removes a message; returns `None` when it has another version than `expected`.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove(
        &mut self,
        nid: u32,
        expected: Option<u64>,
        now: i64,
    ) -> Result<Option<()>, StoreError> {
        self.file.transaction(|tx| {
            let Some(found) = read_item(tx, nid)? else { return Ok(Some(())) };
            if expected.is_some_and(|version| version != found.version) {
                return Ok(None);
            }
            tick(tx, now)?;
            let params = [SqlValue::Integer(i64::from(nid))];
            for table in ["Property", "Recipient", "Message"] {
                tx.execute(&format!("DELETE FROM {table} WHERE Nid = ?1"), &params)?;
            }
            note(tx, 2, nid, found.folder)?;
            Ok(Some(()))
        })
    }

    /// Moves a message to another folder under a new id, as a mailbox on a server does; returns the
    /// new id, or `None` when it is gone.
    ///
    /// # Errors
    /// The database fails.
    pub fn renumber(&mut self, nid: u32, folder: u32, now: i64) -> Result<Option<u32>, StoreError> {
        self.file.transaction(|tx| {
            let Some(found) = read_item(tx, nid)? else { return Ok(None) };
            let (modified, version) = tick(tx, now)?;
            let sql = "INSERT INTO Message (Folder, Class, LastModificationTime, Version)
                       VALUES (?1, ?2, ?3, ?4)";
            let params = [
                SqlValue::Integer(i64::from(folder)),
                SqlValue::text(&*found.class),
                SqlValue::Integer(modified),
                SqlValue::unsigned(version),
            ];
            tx.execute(sql, &params)?;
            let new = u32::try_from(tx.last_id()?).unwrap_or_default();
            write_parts(tx, new, &found)?;
            let old = SqlValue::Integer(i64::from(nid));
            for table in ["Property", "Recipient", "Message"] {
                let sql = format!("DELETE FROM {table} WHERE Nid = ?1");
                tx.execute(&sql, std::slice::from_ref(&old))?;
            }
            let ids = [old, SqlValue::Integer(i64::from(new))];
            tx.execute("INSERT INTO Moved (Nid, NewNid) VALUES (?1, ?2)", &ids)?;
            note(tx, 3, new, folder)?;
            Ok(Some(new))
        })
    }

    /// Where a message went that is not there under its id any more.
    ///
    /// # Errors
    /// The database fails.
    pub fn moved_to(&mut self, nid: u32) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT NewNid FROM Moved WHERE Nid = ?1";
        let params = [SqlValue::Integer(i64::from(nid))];
        self.file.transaction(|tx| tx.row("moved message", sql, &params, |cells| cells.small()))
    }

    /// The property id of a named property; a new name gets the next id.
    ///
    /// # Errors
    /// The ids are used up; the database fails.
    pub fn named(
        &mut self,
        set: Uuid,
        lid: Option<u32>,
        name: Option<&str>,
    ) -> Result<u16, StoreError> {
        self.file.transaction(|tx| {
            let params = [
                SqlValue::Guid(set),
                lid.map_or(SqlValue::Null, |lid| SqlValue::Integer(i64::from(lid))),
                name.map_or(SqlValue::Null, SqlValue::text),
            ];
            let sql = "SELECT Id FROM NamedProperty
                       WHERE SetGuid = ?1 AND Lid IS ?2 AND Name IS ?3";
            let read = |cells: &mut Cells<'_>| cells.small();
            if let Some(known) = tx.row("named property", sql, &params, read)? {
                return Ok(u16::try_from(known).unwrap_or(u16::MAX));
            }
            let sql = "SELECT coalesce(max(Id) + 1, ?1) FROM NamedProperty";
            let first = [SqlValue::Integer(i64::from(NAMED_FIRST))];
            let next = tx.row("named property", sql, &first, read)?.unwrap_or_default();
            let id = u16::try_from(next).map_err(|_| StoreError::TooLarge)?;
            let mut all = vec![SqlValue::Integer(i64::from(id))];
            all.extend(params);
            let sql = "INSERT INTO NamedProperty (Id, SetGuid, Lid, Name) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, &all)?;
            Ok(id)
        })
    }

    /// Takes the notifications that nobody took yet, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn take_notes(&mut self) -> Result<Vec<MailboxNote>, StoreError> {
        self.file.transaction(|tx| {
            let sql = "SELECT Kind, Nid, Folder FROM Notification ORDER BY Number";
            let notes = tx.rows("notification", sql, &[], |cells| {
                Ok(MailboxNote {
                    kind: u8::try_from(cells.small()?).unwrap_or(1),
                    nid: cells.small()?,
                    folder: cells.small()?,
                })
            })?;
            tx.execute("DELETE FROM Notification", &[])?;
            Ok(notes)
        })
    }
}

/// The time of a change, later than every one before it, and its version.
fn tick(tx: &mut SideTx<'_>, now: i64) -> Result<(i64, u64), StoreError> {
    let sql = "UPDATE Identity SET Clock = max(Clock + 1, ?1), Version = Version + 1";
    tx.execute(sql, &[SqlValue::Integer(now)])?;
    let read = |cells: &mut Cells<'_>| Ok((cells.integer()?, cells.unsigned()?));
    let time = tx.row("identity", "SELECT Clock, Version FROM Identity", &[], read)?;
    time.ok_or(StoreError::UnreadableSystemRow { what: "identity" })
}

fn note(tx: &mut SideTx<'_>, kind: i64, nid: u32, folder: u32) -> Result<(), StoreError> {
    let sql = "INSERT INTO Notification (Kind, Nid, Folder) VALUES (?1, ?2, ?3)";
    let params = [
        SqlValue::Integer(kind),
        SqlValue::Integer(i64::from(nid)),
        SqlValue::Integer(i64::from(folder)),
    ];
    tx.execute(sql, &params)?;
    let prune = "DELETE FROM Notification
                 WHERE Number <= (SELECT max(Number) FROM Notification) - ?1";
    tx.execute(prune, &[SqlValue::Integer(NOTES_MAX)])?;
    Ok(())
}

fn read_item(tx: &mut SideTx<'_>, nid: u32) -> Result<Option<MailboxItem>, StoreError> {
    let params = [SqlValue::Integer(i64::from(nid))];
    let sql = "SELECT Folder, Class, LastModificationTime, Version FROM Message WHERE Nid = ?1";
    let head = tx.row("message", sql, &params, |cells| {
        Ok((cells.small()?, cells.text()?, cells.integer()?, cells.unsigned()?))
    })?;
    let Some((folder, class, modified, version)) = head else { return Ok(None) };
    let sql = "SELECT Tag, Value FROM Property WHERE Nid = ?1 ORDER BY Tag";
    let properties =
        tx.rows("property", sql, &params, |cells| Ok((cells.small()?, cells.any())))?;
    let sql = "SELECT Type, Name, Address FROM Recipient WHERE Nid = ?1 ORDER BY Ordinal";
    let recipients = tx.rows("recipient", sql, &params, |cells| {
        let kind = u8::try_from(cells.small()?).unwrap_or(1);
        Ok((kind, cells.text()?, cells.text()?))
    })?;
    Ok(Some(MailboxItem { nid, folder, class, modified, version, properties, recipients }))
}

fn write_parts(tx: &mut SideTx<'_>, nid: u32, item: &MailboxItem) -> Result<(), StoreError> {
    let id = SqlValue::Integer(i64::from(nid));
    for table in ["Property", "Recipient"] {
        let sql = format!("DELETE FROM {table} WHERE Nid = ?1");
        tx.execute(&sql, std::slice::from_ref(&id))?;
    }
    for (tag, value) in &item.properties {
        let params = [id.clone(), SqlValue::Integer(i64::from(*tag)), value.clone()];
        tx.execute("INSERT INTO Property (Nid, Tag, Value) VALUES (?1, ?2, ?3)", &params)?;
    }
    for (ordinal, (kind, name, address)) in (0..).zip(&item.recipients) {
        let sql = "INSERT INTO Recipient (Nid, Ordinal, Type, Name, Address)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let params = [
            id.clone(),
            SqlValue::Integer(ordinal),
            SqlValue::Integer(i64::from(*kind)),
            SqlValue::text(&**name),
            SqlValue::text(&**address),
        ];
        tx.execute(sql, &params)?;
    }
    Ok(())
}
