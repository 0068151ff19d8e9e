//! The sync cache: IDMappingTable and OutlookSyncTable with the names and columns of the paper, and
//! beside them what the paper's types cannot hold exactly.
//!
//! A pair has at most one change; noting one again replaces what is known of that side. Never talks
//! to a mailbox or a server.

use crate::StoreError;
use crate::cells::{Cells, limit, optional};
use crate::side::{SideFile, SideKind, SideTx};
use offstage_model::identity::digest;
use offstage_model::{Timestamp, Uuid};
use offstage_query::SqlValue;
use std::path::Path;

/// Longer ids do not fit the paper's column; a digest stands there for them.
const ENTRY_ID_CHARS_MAX: usize = 400;

const KIND: SideKind = SideKind {
    application_id: 0x4F46_4F43, // "OFOC"
    format: 1,
    tables: "
CREATE TABLE IF NOT EXISTS IDMappingTable (
    MapId INTEGER PRIMARY KEY,
    CrmId uniqueidentifier,
    EntryId nvarchar(400),
    ObjectType int NOT NULL,
    DeletedLocally bit NOT NULL,
    Linked bit NOT NULL,
    Visited bit NOT NULL,
    VerifiedTime datetime
);
CREATE UNIQUE INDEX IF NOT EXISTS IDMappingTable_CrmId ON IDMappingTable (CrmId, ObjectType);
CREATE UNIQUE INDEX IF NOT EXISTS IDMappingTable_EntryId
    ON IDMappingTable (EntryId) WHERE EntryId IS NOT NULL;
CREATE INDEX IF NOT EXISTS IDMappingTable_VerifiedTime
    ON IDMappingTable (VerifiedTime, MapId) WHERE Linked = 1 AND EntryId IS NOT NULL;
CREATE TABLE IF NOT EXISTS OutlookSyncTable (
    ChangeId INTEGER PRIMARY KEY,
    MapId int NOT NULL REFERENCES IDMappingTable (MapId),
    OutlookTimestamp datetime,
    OutlookChange int NOT NULL,
    CrmTimestamp datetime,
    CrmChange int NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS OutlookSyncTable_MapId ON OutlookSyncTable (MapId);
CREATE TABLE IF NOT EXISTS MappingDetail (
    MapId INTEGER PRIMARY KEY,
    FullEntryId TEXT,
    Folder TEXT,
    ChangeKey TEXT,
    OutlookTicks INTEGER,
    CrmVersion INTEGER NOT NULL,
    OriginalXml TEXT,
    Owner BLOB,
    Organizer INTEGER NOT NULL,
    Manual INTEGER NOT NULL,
    Regarding TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS ChangeDetail (
    ChangeId INTEGER PRIMARY KEY,
    OutlookTicks INTEGER,
    CrmVersion INTEGER NOT NULL,
    Operation BLOB,
    Attempts INTEGER NOT NULL,
    NextAttempt INTEGER NOT NULL,
    Held TEXT,
    Reason TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS FolderMark (
    Folder TEXT PRIMARY KEY,
    Mark TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Setting (
    Name TEXT PRIMARY KEY,
    Json TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Run (
    RunId INTEGER PRIMARY KEY,
    Started INTEGER NOT NULL,
    Trigger TEXT NOT NULL,
    Report TEXT,
    Undone INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS Undo (
    UndoId INTEGER PRIMARY KEY,
    RunId INTEGER NOT NULL,
    MapId INTEGER NOT NULL,
    Json TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS Undo_Run ON Undo (RunId, UndoId);
CREATE TABLE IF NOT EXISTS Note (
    NoteId INTEGER PRIMARY KEY,
    Time INTEGER NOT NULL,
    MapId INTEGER,
    Json TEXT NOT NULL
) STRICT;",
};

/// What happened to one side of a pair: the values of OutlookChange and CrmChange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeCode {
    /// Nothing.
    #[default]
    None,
    /// It is new: tracked, or made in the CRM.
    Create,
    /// It changed.
    Update,
    /// It is gone.
    Delete,
    /// It was un-tracked, and the record is to be deleted.
    UntrackAndDelete,
    /// It was un-tracked, and the record stays.
    Untrack,
}

impl ChangeCode {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::UntrackAndDelete,
        Self::Untrack,
    ];

    /// The stored number.
    #[must_use]
    pub fn number(self) -> i64 {
        Self::ALL
            .iter()
            .position(|code| *code == self)
            .and_then(|n| i64::try_from(n).ok())
            .unwrap_or(0)
    }

    fn of(number: i64) -> Self {
        let index = usize::try_from(number).unwrap_or(0);
        Self::ALL.get(index).copied().unwrap_or_default()
    }
}

/// A row of IDMappingTable with its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// MapId; 0 for a new one.
    pub map_id: i64,
    /// CrmId: the record.
    pub crm_id: Uuid,
    /// EntryId: the item, once there is one.
    pub entry_id: Option<String>,
    /// ObjectType: the object type code of the record's table.
    pub object_type: i32,
    /// DeletedLocally: the engine deleted the item itself.
    pub deleted_locally: bool,
    /// Linked: changes go from one to the other.
    pub linked: bool,
    /// Visited: a scan has seen the item of the pair. Never reset, and no rule reads it: a scan stops
    /// at what it knows, so that an item is missing is asked of the store, by VerifiedTime.
    pub visited: bool,
    /// VerifiedTime: when the item was last seen to exist.
    pub verified: Option<Timestamp>,
    /// The item's folder.
    pub folder: Option<String>,
    /// The item's change key when the pair was last in step.
    pub change_key: Option<String>,
    /// The item's modification time then, in ticks of 100 ns since 1601.
    pub outlook_ticks: Option<i64>,
    /// The record's version then.
    pub crm_version: u64,
    /// OriginalXML.
    pub original_xml: Option<String>,
    /// The record's owner then.
    pub owner: Option<Uuid>,
    /// The user was the organizer then.
    pub organizer: bool,
    /// The user tracked it in Outlook.
    pub manual: bool,
    /// What it is about, as `table:id`, for items that cannot say so themselves.
    pub regarding: Option<String>,
}

impl Mapping {
    /// A new pair that is tracked.
    #[must_use]
    pub fn new(crm_id: Uuid, object_type: i32) -> Self {
        Self {
            map_id: 0,
            crm_id,
            entry_id: None,
            object_type,
            deleted_locally: false,
            linked: true,
            visited: false,
            verified: None,
            folder: None,
            change_key: None,
            outlook_ticks: None,
            crm_version: 0,
            original_xml: None,
            owner: None,
            organizer: false,
            manual: false,
            regarding: None,
        }
    }
}

/// What a mapping is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingKey<'a> {
    /// MapId.
    Map(i64),
    /// CrmId and ObjectType.
    Record(Uuid, i32),
    /// EntryId; case counts.
    Item(&'a str),
}

/// A row of OutlookSyncTable with its details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachedChange {
    /// ChangeId; 0 for a new one.
    pub change_id: i64,
    /// MapId.
    pub map_id: i64,
    /// OutlookTimestamp, exact in ticks of 100 ns since 1601.
    pub outlook_ticks: Option<i64>,
    /// OutlookChange.
    pub outlook: ChangeCode,
    /// CrmTimestamp.
    pub crm_time: Option<Timestamp>,
    /// CrmChange.
    pub crm: ChangeCode,
    /// The record's version of the change.
    pub crm_version: u64,
    /// The durable id under which the record is written: the same for every attempt.
    pub operation: Option<Uuid>,
    /// Attempts that failed.
    pub attempts: u32,
    /// Not before.
    pub next_attempt: Timestamp,
    /// It waits for a person, under this word.
    pub held: Option<String>,
    /// Why it failed or waits.
    pub reason: Option<String>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub run_id: i64,
    /// When it began.
    pub started: Timestamp,
    /// What started it.
    pub trigger: String,
    /// Its report, as JSON; `None` when it did not come to its end.
    pub report: Option<String>,
    /// It was undone.
    pub undone: bool,
}

/// One write of a run, for undoing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoRow {
    /// The pair.
    pub map_id: i64,
    /// What was written, as JSON.
    pub json: String,
}

/// Something that a person should know: a conflict, a duplicate, a cut text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// Its number.
    pub note_id: i64,
    /// When.
    pub time: Timestamp,
    /// The pair.
    pub map_id: Option<i64>,
    /// What, as JSON.
    pub json: String,
}

const MAPPING: &str = "m.MapId, m.CrmId, coalesce(d.FullEntryId, m.EntryId), m.ObjectType,
    m.DeletedLocally, m.Linked, m.Visited, m.VerifiedTime, d.Folder, d.ChangeKey, d.OutlookTicks,
    d.CrmVersion, d.OriginalXml, d.Owner, d.Organizer, d.Manual,
    d.Regarding";
const FROM_MAPPING: &str = "FROM IDMappingTable AS m JOIN MappingDetail AS d USING (MapId)";
const CHANGE: &str = "c.ChangeId, c.MapId, e.OutlookTicks, c.OutlookChange, c.CrmTimestamp,
    c.CrmChange, e.CrmVersion, e.Operation, e.Attempts, e.NextAttempt, e.Held, e.Reason";
const FROM_CHANGE: &str = "FROM OutlookSyncTable AS c JOIN ChangeDetail AS e USING (ChangeId)";
/// Milliseconds from 1601 to 1970.
const EPOCH_MS: i64 = 11_644_473_600_000;

/// The open cache.
#[derive(Debug)]
pub struct SyncCache {
    file: SideFile,
}

/// A transaction of the cache.
pub struct CacheTx<'a, 'b>(&'a mut SideTx<'b>);

impl SyncCache {
    /// Opens the cache file, and makes it if it is missing.
    ///
    /// # Errors
    /// It is in use, damaged, something else, or from a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { file: SideFile::open(path, &KIND)? })
    }

    /// Runs `work` in one transaction: all of it is kept, or with an error nothing.
    ///
    /// # Errors
    /// What `work` says; the database fails.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&mut CacheTx<'_, '_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.file.transaction(|tx| work(&mut CacheTx(tx)))
    }

    /// As [`SyncCache::write`], for what would be found out again: it survives the end of the
    /// process at once, and a loss of power when a later [`SyncCache::write`] has returned.
    ///
    /// # Errors
    /// See [`SyncCache::write`].
    pub fn write_unflushed<T>(
        &mut self,
        work: impl FnOnce(&mut CacheTx<'_, '_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.file.unflushed_transaction(|tx| work(&mut CacheTx(tx)))
    }
}

/// The key under which an id is kept in EntryId.
fn entry_key(entry_id: &str) -> (String, Option<&str>) {
    if entry_id.chars().count() <= ENTRY_ID_CHARS_MAX {
        return (entry_id.to_owned(), None);
    }
    let hex: String =
        digest(&[entry_id.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("sha256:{hex}"), Some(entry_id))
}

impl CacheTx<'_, '_> {
    /// Adds or replaces a pair; returns its MapId.
    ///
    /// # Errors
    /// Another pair has the record or the item; the database fails.
    pub fn put_mapping(&mut self, mapping: &Mapping) -> Result<i64, StoreError> {
        let key = mapping.entry_id.as_deref().map(entry_key);
        let map_id =
            if mapping.map_id == 0 { SqlValue::Null } else { SqlValue::Integer(mapping.map_id) };
        let params = [
            map_id,
            SqlValue::Guid(mapping.crm_id),
            optional(key.as_ref(), |(key, _)| SqlValue::text(key)),
            SqlValue::Integer(i64::from(mapping.object_type)),
            SqlValue::Boolean(mapping.deleted_locally),
            SqlValue::Boolean(mapping.linked),
            SqlValue::Boolean(mapping.visited),
            optional(mapping.verified, |time| SqlValue::Integer(time.0)),
        ];
        let sql = "INSERT INTO IDMappingTable (MapId, CrmId, EntryId, ObjectType, DeletedLocally,
                     Linked, Visited, VerifiedTime) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (MapId) DO UPDATE SET CrmId = excluded.CrmId,
                     EntryId = excluded.EntryId, ObjectType = excluded.ObjectType,
                     DeletedLocally = excluded.DeletedLocally, Linked = excluded.Linked,
                     Visited = excluded.Visited, VerifiedTime = excluded.VerifiedTime";
        self.0.execute(sql, &params)?;
        let map_id = if mapping.map_id == 0 { self.0.last_id()? } else { mapping.map_id };
        let sql = "INSERT OR REPLACE INTO MappingDetail (MapId, FullEntryId, Folder, ChangeKey,
                     OutlookTicks, CrmVersion, OriginalXml, Owner, Organizer, Manual, Regarding)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let params = [
            SqlValue::Integer(map_id),
            optional(key.as_ref().and_then(|(_, full)| *full), SqlValue::text),
            optional(mapping.folder.as_deref(), SqlValue::text),
            optional(mapping.change_key.as_deref(), SqlValue::text),
            optional(mapping.outlook_ticks, SqlValue::Integer),
            SqlValue::unsigned(mapping.crm_version),
            optional(mapping.original_xml.as_deref(), SqlValue::text),
            optional(mapping.owner, SqlValue::Guid),
            SqlValue::Boolean(mapping.organizer),
            SqlValue::Boolean(mapping.manual),
            optional(mapping.regarding.as_deref(), SqlValue::text),
        ];
        self.0.execute(sql, &params)?;
        Ok(map_id)
    }

    /// A pair.
    ///
    /// # Errors
    /// The database fails.
    pub fn mapping(&mut self, key: MappingKey<'_>) -> Result<Option<Mapping>, StoreError> {
        let (rule, params) = match key {
            MappingKey::Map(id) => ("m.MapId = ?1", vec![SqlValue::Integer(id)]),
            MappingKey::Record(id, object_type) => (
                "m.CrmId = ?1 AND m.ObjectType = ?2",
                vec![SqlValue::Guid(id), SqlValue::Integer(i64::from(object_type))],
            ),
            MappingKey::Item(id) => ("m.EntryId = ?1", vec![SqlValue::text(&entry_key(id).0)]),
        };
        let sql = format!("SELECT {MAPPING} {FROM_MAPPING} WHERE {rule}");
        self.0.row("mapping", &sql, &params, read_mapping)
    }

    /// All pairs, by MapId.
    ///
    /// # Errors
    /// The database fails.
    pub fn mappings(&mut self) -> Result<Vec<Mapping>, StoreError> {
        let sql = format!("SELECT {MAPPING} {FROM_MAPPING} ORDER BY m.MapId");
        self.0.rows("mapping", &sql, &[], read_mapping)
    }

    /// The tracked pairs with an item whose existence was verified longest ago.
    ///
    /// # Errors
    /// The database fails.
    pub fn due_for_verification(&mut self, rows_max: usize) -> Result<Vec<Mapping>, StoreError> {
        let sql = format!(
            "SELECT {MAPPING} {FROM_MAPPING} WHERE m.Linked = 1 AND m.EntryId IS NOT NULL
             ORDER BY m.VerifiedTime, m.MapId LIMIT ?1"
        );
        self.0.rows("mapping", &sql, &[limit(rows_max)], read_mapping)
    }

    /// How many pairs are tracked.
    ///
    /// # Errors
    /// The database fails.
    pub fn linked_count(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM IDMappingTable WHERE Linked = 1";
        Ok(self.0.row("mapping", sql, &[], |cells| cells.unsigned())?.unwrap_or(0))
    }

    /// Forgets a pair and its change.
    ///
    /// # Errors
    /// The database fails.
    pub fn forget(&mut self, map_id: i64) -> Result<(), StoreError> {
        self.remove_change(map_id)?;
        let params = [SqlValue::Integer(map_id)];
        self.0.execute("DELETE FROM MappingDetail WHERE MapId = ?1", &params)?;
        self.0.execute("DELETE FROM IDMappingTable WHERE MapId = ?1", &params)?;
        Ok(())
    }

    /// Adds or replaces the change of a pair.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_change(&mut self, change: &CachedChange) -> Result<(), StoreError> {
        let at = change.outlook_ticks.map(|ticks| ticks.div_euclid(10_000) - EPOCH_MS);
        let params = [
            SqlValue::Integer(change.map_id),
            optional(at, SqlValue::Integer),
            SqlValue::Integer(change.outlook.number()),
            optional(change.crm_time, |time| SqlValue::Integer(time.0)),
            SqlValue::Integer(change.crm.number()),
        ];
        let sql = "INSERT INTO OutlookSyncTable
                     (MapId, OutlookTimestamp, OutlookChange, CrmTimestamp, CrmChange)
                   VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (MapId) DO UPDATE SET OutlookTimestamp = excluded.OutlookTimestamp,
                     OutlookChange = excluded.OutlookChange, CrmTimestamp = excluded.CrmTimestamp,
                     CrmChange = excluded.CrmChange";
        self.0.execute(sql, &params)?;
        let sql = "INSERT OR REPLACE INTO ChangeDetail (ChangeId, OutlookTicks, CrmVersion,
                     Operation, Attempts, NextAttempt, Held, Reason)
                   SELECT ChangeId, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM OutlookSyncTable
                   WHERE MapId = ?1";
        let params = [
            SqlValue::Integer(change.map_id),
            optional(change.outlook_ticks, SqlValue::Integer),
            SqlValue::unsigned(change.crm_version),
            optional(change.operation, SqlValue::Guid),
            SqlValue::Integer(i64::from(change.attempts)),
            SqlValue::Integer(change.next_attempt.0),
            optional(change.held.as_deref(), SqlValue::text),
            optional(change.reason.as_deref(), SqlValue::text),
        ];
        self.0.execute(sql, &params)?;
        Ok(())
    }

    /// The change of a pair.
    ///
    /// # Errors
    /// The database fails.
    pub fn change(&mut self, map_id: i64) -> Result<Option<CachedChange>, StoreError> {
        let sql = format!("SELECT {CHANGE} {FROM_CHANGE} WHERE c.MapId = ?1");
        self.0.row("change", &sql, &[SqlValue::Integer(map_id)], read_change)
    }

    /// All changes, by ChangeId.
    ///
    /// # Errors
    /// The database fails.
    pub fn changes(&mut self) -> Result<Vec<CachedChange>, StoreError> {
        let sql = format!("SELECT {CHANGE} {FROM_CHANGE} ORDER BY c.ChangeId");
        self.0.rows("change", &sql, &[], read_change)
    }

    /// Removes the change of a pair: it is done.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_change(&mut self, map_id: i64) -> Result<(), StoreError> {
        let params = [SqlValue::Integer(map_id)];
        let sql = "DELETE FROM ChangeDetail
                   WHERE ChangeId IN (SELECT ChangeId FROM OutlookSyncTable WHERE MapId = ?1)";
        self.0.execute(sql, &params)?;
        self.0.execute("DELETE FROM OutlookSyncTable WHERE MapId = ?1", &params)?;
        Ok(())
    }

    /// Where the last scan of a folder stopped.
    ///
    /// # Errors
    /// The database fails.
    pub fn mark(&mut self, folder: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT Mark FROM FolderMark WHERE Folder = ?1";
        self.0.row("mark", sql, &[SqlValue::text(folder)], |cells| cells.text())
    }

    /// Notes where a scan stopped.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_mark(&mut self, folder: &str, mark: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO FolderMark (Folder, Mark) VALUES (?1, ?2)";
        self.0.execute(sql, &[SqlValue::text(folder), SqlValue::text(mark)])?;
        Ok(())
    }

    /// A setting, as JSON.
    ///
    /// # Errors
    /// The database fails.
    pub fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT Json FROM Setting WHERE Name = ?1";
        self.0.row("setting", sql, &[SqlValue::text(name)], |cells| cells.text())
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_setting(&mut self, name: &str, json: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO Setting (Name, Json) VALUES (?1, ?2)";
        self.0.execute(sql, &[SqlValue::text(name), SqlValue::text(json)])?;
        Ok(())
    }

    /// Begins a run; returns its number.
    ///
    /// # Errors
    /// The database fails.
    pub fn begin_run(&mut self, started: Timestamp, trigger: &str) -> Result<i64, StoreError> {
        let sql = "INSERT INTO Run (Started, Trigger, Undone) VALUES (?1, ?2, 0)";
        self.0.execute(sql, &[SqlValue::Integer(started.0), SqlValue::text(trigger)])?;
        self.0.last_id()
    }

    /// Ends a run with its report.
    ///
    /// # Errors
    /// The database fails.
    pub fn end_run(&mut self, run_id: i64, report: &str) -> Result<(), StoreError> {
        let sql = "UPDATE Run SET Report = ?2 WHERE RunId = ?1";
        self.0.execute(sql, &[SqlValue::Integer(run_id), SqlValue::text(report)])?;
        Ok(())
    }

    /// The last runs, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn runs(&mut self, rows_max: usize) -> Result<Vec<RunRow>, StoreError> {
        let sql = "SELECT RunId, Started, Trigger, Report, Undone FROM Run
                   ORDER BY RunId DESC LIMIT ?1";
        self.0.rows("run", sql, &[limit(rows_max)], |cells| {
            Ok(RunRow {
                run_id: cells.integer()?,
                started: cells.time()?,
                trigger: cells.text()?,
                report: cells.opt_text()?,
                undone: cells.boolean()?,
            })
        })
    }

    /// Notes that a run was undone.
    ///
    /// # Errors
    /// The database fails.
    pub fn mark_undone(&mut self, run_id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE Run SET Undone = 1 WHERE RunId = ?1";
        self.0.execute(sql, &[SqlValue::Integer(run_id)])?;
        Ok(())
    }

    /// Notes one write of a run.
    ///
    /// # Errors
    /// The database fails.
    pub fn add_undo(&mut self, run_id: i64, row: &UndoRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO Undo (RunId, MapId, Json) VALUES (?1, ?2, ?3)";
        let params =
            [SqlValue::Integer(run_id), SqlValue::Integer(row.map_id), SqlValue::text(&row.json)];
        self.0.execute(sql, &params)?;
        Ok(())
    }

    /// The writes of a run, the last one first.
    ///
    /// # Errors
    /// The database fails.
    pub fn undo_rows(&mut self, run_id: i64) -> Result<Vec<UndoRow>, StoreError> {
        let sql = "SELECT MapId, Json FROM Undo WHERE RunId = ?1 ORDER BY UndoId DESC";
        self.0.rows("undo", sql, &[SqlValue::Integer(run_id)], |cells| {
            Ok(UndoRow { map_id: cells.integer()?, json: cells.text()? })
        })
    }

    /// Adds a note.
    ///
    /// # Errors
    /// The database fails.
    pub fn add_note(
        &mut self,
        time: Timestamp,
        map_id: Option<i64>,
        json: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO Note (Time, MapId, Json) VALUES (?1, ?2, ?3)";
        let params =
            [SqlValue::Integer(time.0), optional(map_id, SqlValue::Integer), SqlValue::text(json)];
        self.0.execute(sql, &params)?;
        Ok(())
    }

    /// The last notes, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn notes(&mut self, rows_max: usize) -> Result<Vec<NoteRow>, StoreError> {
        let sql = "SELECT NoteId, Time, MapId, Json FROM Note ORDER BY NoteId DESC LIMIT ?1";
        self.0.rows("note", sql, &[limit(rows_max)], read_note)
    }

    /// A note.
    ///
    /// # Errors
    /// The database fails.
    pub fn note(&mut self, note_id: i64) -> Result<Option<NoteRow>, StoreError> {
        let sql = "SELECT NoteId, Time, MapId, Json FROM Note WHERE NoteId = ?1";
        self.0.row("note", sql, &[SqlValue::Integer(note_id)], read_note)
    }

    /// Forgets runs that are neither among the last `runs_min` nor younger than `since`, with what is
    /// kept for undoing them, and the notes of their time. Returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub fn prune(&mut self, runs_min: usize, since: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT max(RunId), count(*) FROM Run WHERE Started < ?2 AND RunId <=
                     (SELECT RunId FROM Run ORDER BY RunId DESC LIMIT 1 OFFSET ?1)";
        let params = [limit(runs_min), SqlValue::Integer(since.0)];
        let found = self
            .0
            .row("run", sql, &params, |cells| Ok((cells.opt_integer()?, cells.unsigned()?)))?;
        let Some((Some(last), count)) = found else { return Ok(0) };
        let last = [SqlValue::Integer(last)];
        self.0.execute("DELETE FROM Undo WHERE RunId <= ?1", &last)?;
        self.0.execute("DELETE FROM Run WHERE RunId <= ?1", &last)?;
        let sql = "DELETE FROM Note WHERE Time < (SELECT min(Started) FROM Run)";
        self.0.execute(sql, &[])?;
        Ok(count)
    }
}

fn read_note(cells: &mut Cells<'_>) -> Result<NoteRow, StoreError> {
    Ok(NoteRow {
        note_id: cells.integer()?,
        time: cells.time()?,
        map_id: cells.opt_integer()?,
        json: cells.text()?,
    })
}

fn read_mapping(cells: &mut Cells<'_>) -> Result<Mapping, StoreError> {
    Ok(Mapping {
        map_id: cells.integer()?,
        crm_id: cells.guid()?,
        entry_id: cells.opt_text()?,
        object_type: i32::try_from(cells.integer()?).unwrap_or_default(),
        deleted_locally: cells.boolean()?,
        linked: cells.boolean()?,
        visited: cells.boolean()?,
        verified: cells.opt_integer()?.map(Timestamp),
        folder: cells.opt_text()?,
        change_key: cells.opt_text()?,
        outlook_ticks: cells.opt_integer()?,
        crm_version: cells.unsigned()?,
        original_xml: cells.opt_text()?,
        owner: cells.opt_guid()?,
        organizer: cells.boolean()?,
        manual: cells.boolean()?,
        regarding: cells.opt_text()?,
    })
}

fn read_change(cells: &mut Cells<'_>) -> Result<CachedChange, StoreError> {
    Ok(CachedChange {
        change_id: cells.integer()?,
        map_id: cells.integer()?,
        outlook_ticks: cells.opt_integer()?,
        outlook: ChangeCode::of(cells.integer()?),
        crm_time: cells.opt_integer()?.map(Timestamp),
        crm: ChangeCode::of(cells.integer()?),
        crm_version: cells.unsigned()?,
        operation: cells.opt_guid()?,
        attempts: cells.small()?,
        next_attempt: cells.time()?,
        held: cells.opt_text()?,
        reason: cells.opt_text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of the paper: column, value type, and nothing else.
    #[test]
    fn the_two_tables_have_the_names_and_columns_of_the_paper() {
        let folder = std::env::temp_dir().join(format!("offstage-cache-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut cache = SyncCache::open(&folder.join("outlook.db")).unwrap();
        let tables: [(&str, &[(&str, &str)]); 2] = [
            (
                "IDMappingTable",
                &[
                    ("MapId", "INTEGER"),
                    ("CrmId", "uniqueidentifier"),
                    ("EntryId", "nvarchar(400)"),
                    ("ObjectType", "INT"),
                    ("DeletedLocally", "bit"),
                    ("Linked", "bit"),
                    ("Visited", "bit"),
                    ("VerifiedTime", "datetime"),
                ],
            ),
            (
                "OutlookSyncTable",
                &[
                    ("ChangeId", "INTEGER"),
                    ("MapId", "INT"),
                    ("OutlookTimestamp", "datetime"),
                    ("OutlookChange", "INT"),
                    ("CrmTimestamp", "datetime"),
                    ("CrmChange", "INT"),
                ],
            ),
        ];
        for (table, columns) in tables {
            let sql = format!("PRAGMA table_info({table})");
            let read = |cells: &mut Cells<'_>| {
                cells.any();
                Ok((cells.text()?, cells.text()?))
            };
            let found = cache.write(|tx| tx.0.rows("column", &sql, &[], read)).unwrap();
            let found: Vec<(&str, String)> =
                found.iter().map(|(name, kind)| (name.as_str(), kind.to_lowercase())).collect();
            let wanted: Vec<(&str, String)> =
                columns.iter().map(|(name, kind)| (*name, kind.to_lowercase())).collect();
            assert_eq!(found, wanted, "{table}");
        }
        drop(cache);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn long_and_case_sensitive_ids_are_kept_apart_and_whole() {
        let folder = std::env::temp_dir().join(format!("offstage-ids-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut cache = SyncCache::open(&folder.join("outlook.db")).unwrap();
        let long = "x".repeat(500);
        let ids = ["AAMkAd", "AAMkAD", &long];
        cache
            .write(|tx| {
                for (number, id) in (1..).zip(ids) {
                    let mut mapping = Mapping::new(Uuid::from_u128(number), 2);
                    mapping.entry_id = Some(id.to_owned());
                    tx.put_mapping(&mapping)?;
                }
                Ok(())
            })
            .unwrap();
        for (number, id) in (1..).zip(ids) {
            let found = cache.write(|tx| tx.mapping(MappingKey::Item(id))).unwrap().unwrap();
            assert_eq!(
                (found.crm_id, found.entry_id.as_deref()),
                (Uuid::from_u128(number), Some(id))
            );
        }
        drop(cache);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
