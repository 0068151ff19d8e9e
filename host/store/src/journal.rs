//! The journal of a device: frozen entries in a hash chain, their states and outcomes, and which
//! rows open entries touched.
//!
//! Frozen bytes are inserted once and never updated. Entries belong to an epoch; all methods without
//! one mean the current epoch.

use crate::cells::{Cells, from_json, from_word, limit, optional, to_json, word};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::journal::{
    ChainHash, EffectKind, EntryState, JournalEntry, Outcome, RowEffect, chain_hash,
};
use offstage_model::value::{EntityReference, Timestamp};
use offstage_query::SqlValue;
use serde::Deserialize;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_journal (
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    operation BLOB NOT NULL,
    state TEXT NOT NULL,
    time INTEGER NOT NULL,
    message TEXT NOT NULL,
    tbl TEXT NOT NULL,
    id BLOB,
    supersedes INTEGER,
    superseded_by INTEGER,
    hash TEXT NOT NULL,
    length INTEGER NOT NULL,
    outcome TEXT,
    PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS os_journal_state ON os_journal (epoch, state, sequence);
CREATE TABLE IF NOT EXISTS os_journal_frozen (
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT;
CREATE TABLE IF NOT EXISTS os_journal_row (
    tbl TEXT NOT NULL,
    id BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    base_version INTEGER,
    after TEXT,
    PRIMARY KEY (tbl, id, epoch, sequence, ordinal)
) STRICT, WITHOUT ROWID;";

const ROW_COLUMNS: &str = "sequence, epoch, operation, state, time, message, tbl, id, supersedes, \
                           superseded_by, length, hash";
const EPOCH: &str = "(SELECT COALESCE(MAX(value), 1) FROM os_counter WHERE name = 'epoch')";
const OPEN: &str = "state IN ('pending', 'sent')";

/// One entry as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Dense per epoch, from 1.
    pub sequence: u64,
    /// The device's epoch.
    pub epoch: u64,
    /// The root operation's id.
    pub operation: Uuid,
    /// Where the entry stands.
    pub state: EntryState,
    /// When it was made, on the device's clock.
    pub time: Timestamp,
    /// The message of the root request.
    pub message: String,
    /// Its table; empty when there is none.
    pub table: String,
    /// Its row.
    pub row: Option<Uuid>,
    /// The entry that it takes the place of.
    pub supersedes: Option<u64>,
    /// The entry that took its place.
    pub superseded_by: Option<u64>,
    /// The size of the frozen bytes.
    pub bytes_len: u64,
    /// The chain hash of the frozen bytes.
    pub hash: ChainHash,
}

/// One entry with everything.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// The entry as a list shows it.
    pub row: JournalRow,
    /// The bytes that are sent.
    pub frozen: Vec<u8>,
    /// The server's word, once it was given.
    pub outcome: Option<Outcome>,
}

impl StoredEntry {
    /// The entry itself.
    ///
    /// # Errors
    /// The bytes are damaged or of a newer format.
    pub fn entry(&self) -> Result<JournalEntry, offstage_model::journal::JournalFormatError> {
        JournalEntry::thaw(&self.frozen)
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// Of this epoch; `None` means the current one.
    pub epoch: Option<u64>,
    /// In one of these states; empty means any.
    pub states: Vec<EntryState>,
    /// With a larger sequence.
    pub after: u64,
    /// At most so many; 0 means 1,000.
    pub rows_max: usize,
}

/// Entries per state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the states of `EntryState`")]
pub struct JournalCounts {
    pub pending: u64,
    pub sent: u64,
    pub applied: u64,
    pub conflict: u64,
    pub rejected: u64,
    pub blocked: u64,
    pub discarded: u64,
}

impl JournalCounts {
    /// Entries without an outcome.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.pending + self.sent
    }

    /// Entries that a person has to look at. Those that another entry took the place of do not
    /// count; see [`Tx::journal_attention`].
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.conflict + self.rejected + self.blocked
    }

    fn slot(&mut self, state: EntryState) -> &mut u64 {
        match state {
            EntryState::Pending => &mut self.pending,
            EntryState::Sent => &mut self.sent,
            EntryState::Applied => &mut self.applied,
            EntryState::Conflict => &mut self.conflict,
            EntryState::Rejected => &mut self.rejected,
            EntryState::Blocked => &mut self.blocked,
            EntryState::Discarded => &mut self.discarded,
        }
    }
}

/// What an open entry did to a row: a [`RowEffect`] without the values before, with its sequence.
pub type PendingEffect = (u64, RowEffect);

/// What a walk along the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// The entries that were checked.
    pub entries: u64,
    /// The first one that does not fit, and why.
    pub broken: Option<(u64, &'static str)>,
}

impl Tx {
    /// The epoch of new entries; 1 at first.
    ///
    /// # Errors
    /// The database fails.
    pub fn journal_epoch(&mut self) -> Result<u64, StoreError> {
        let sql = format!("SELECT {EPOCH}");
        Ok(self.sql_row("epoch", &sql, &[], |cells| cells.unsigned())?.unwrap_or(1))
    }

    /// Starts a new epoch: sequence 1, a new chain. Entries of older epochs stay readable.
    ///
    /// # Errors
    /// The database fails.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_counter (name, value) VALUES ('epoch', ?1)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.sql_execute(sql, &[SqlValue::unsigned(epoch)])?;
        Ok(())
    }

    /// Sequence and hash of the last entry.
    ///
    /// # Errors
    /// The database fails.
    pub fn last_entry(&mut self) -> Result<Option<(u64, ChainHash)>, StoreError> {
        let sql = format!(
            "SELECT sequence, hash FROM os_journal WHERE epoch = {EPOCH}
             ORDER BY sequence DESC LIMIT 1"
        );
        self.sql_row("journal entry", &sql, &[], |cells| Ok((cells.unsigned()?, cells.text()?)))
    }

    /// Appends an entry: its frozen bytes with their hash, and the rows that it touched.
    ///
    /// # Errors
    /// [`StoreError::JournalOrder`] when the sequence is not the next one of its epoch.
    pub fn append_entry(
        &mut self,
        entry: &JournalEntry,
        frozen: &[u8],
        hash: &str,
    ) -> Result<(), StoreError> {
        if entry.epoch > self.journal_epoch()? {
            self.begin_epoch(entry.epoch)?;
        }
        let last_sequence = self.last_entry()?.map_or(0, |(sequence, _)| sequence);
        if entry.sequence != last_sequence + 1 || entry.epoch != self.journal_epoch()? {
            let (epoch, sequence) = (entry.epoch, entry.sequence);
            return Err(StoreError::JournalOrder { epoch, sequence, last_sequence });
        }
        let request = &entry.root.request;
        let key = [SqlValue::unsigned(entry.epoch), SqlValue::unsigned(entry.sequence)];
        let [epoch, sequence] = key.clone();
        let params = [
            epoch,
            sequence,
            SqlValue::Guid(entry.operation),
            word(&EntryState::Pending)?,
            SqlValue::Integer(entry.time.0),
            SqlValue::text(&request.message),
            SqlValue::text(request.primary_table()),
            optional(entry.root.row.or_else(|| request.primary_id()), SqlValue::Guid),
            optional(entry.supersedes, SqlValue::unsigned),
            SqlValue::text(hash),
            limit(frozen.len()),
        ];
        self.sql_execute(
            "INSERT INTO os_journal (epoch, sequence, operation, state, time, message, tbl, id,
               supersedes, hash, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            &params,
        )?;
        let [epoch, sequence] = key;
        self.sql_execute(
            "INSERT INTO os_journal_frozen (epoch, sequence, bytes) VALUES (?1, ?2, ?3)",
            &[epoch.clone(), sequence.clone(), SqlValue::Blob(frozen.to_vec())],
        )?;
        for (ordinal, effect) in entry.root.all_effects().into_iter().enumerate() {
            self.append_row(epoch.clone(), sequence.clone(), ordinal, effect)?;
        }
        if let Some(superseded) = entry.supersedes {
            self.sql_execute(
                "UPDATE os_journal SET superseded_by = ?2 WHERE epoch = ?1 AND sequence = ?3",
                &[epoch, sequence, SqlValue::unsigned(superseded)],
            )?;
        }
        Ok(())
    }

    fn append_row(
        &mut self,
        epoch: SqlValue,
        sequence: SqlValue,
        ordinal: usize,
        effect: &RowEffect,
    ) -> Result<(), StoreError> {
        let params = [
            SqlValue::text(&effect.table),
            SqlValue::Guid(effect.id),
            epoch,
            sequence,
            limit(ordinal),
            word(&effect.kind)?,
            optional(effect.base_version, SqlValue::unsigned),
            to_json("row effect", &effect.after)?,
        ];
        self.sql_execute(
            "INSERT INTO os_journal_row (tbl, id, epoch, sequence, ordinal, kind, base_version,
               after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &params,
        )?;
        Ok(())
    }

    /// Entries in order of their sequence.
    ///
    /// # Errors
    /// The database fails.
    pub fn entries(&mut self, filter: &JournalFilter) -> Result<Vec<JournalRow>, StoreError> {
        let mut params = vec![SqlValue::unsigned(filter.after)];
        let mut sql = format!("SELECT {ROW_COLUMNS} FROM os_journal WHERE sequence > ?1");
        match filter.epoch {
            Some(epoch) => {
                params.push(SqlValue::unsigned(epoch));
                sql.push_str(" AND epoch = ?2");
            }
            None => sql.push_str(&format!(" AND epoch = {EPOCH}")),
        }
        if !filter.states.is_empty() {
            let mut marks = Vec::new();
            for state in &filter.states {
                params.push(word(state)?);
                marks.push(format!("?{}", params.len()));
            }
            sql.push_str(&format!(" AND state IN ({})", marks.join(", ")));
        }
        params.push(limit(if filter.rows_max == 0 { 1_000 } else { filter.rows_max }));
        sql.push_str(&format!(" ORDER BY sequence LIMIT ?{}", params.len()));
        self.sql_rows("journal entry", &sql, &params, read_row)
    }

    /// One entry of the current epoch with everything.
    ///
    /// # Errors
    /// The database fails.
    pub fn entry(&mut self, sequence: u64) -> Result<Option<StoredEntry>, StoreError> {
        let epoch = self.journal_epoch()?;
        self.entry_of(epoch, sequence)
    }

    /// One entry of any epoch with everything.
    ///
    /// # Errors
    /// The database fails.
    pub fn entry_of(
        &mut self,
        epoch: u64,
        sequence: u64,
    ) -> Result<Option<StoredEntry>, StoreError> {
        let sql = format!(
            "SELECT {ROW_COLUMNS}, outcome, (SELECT bytes FROM os_journal_frozen AS f
               WHERE f.epoch = j.epoch AND f.sequence = j.sequence)
             FROM os_journal AS j WHERE epoch = ?1 AND sequence = ?2"
        );
        let params = [SqlValue::unsigned(epoch), SqlValue::unsigned(sequence)];
        self.sql_row("journal entry", &sql, &params, |cells| {
            let row = read_row(cells)?;
            let outcome = cells.opt_json()?;
            Ok(StoredEntry { row, outcome, frozen: cells.bytes()? })
        })
    }

    /// Open entries with a larger sequence, in order, for sending: (sequence, frozen bytes), as many
    /// as the limits allow and at least one.
    ///
    /// # Errors
    /// The database fails.
    pub fn frozen_after(
        &mut self,
        sequence: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        // The sizes first, so that no more bytes are read than are sent.
        let sql = format!(
            "SELECT sequence, length FROM os_journal
             WHERE epoch = {EPOCH} AND sequence > ?1 AND {OPEN} ORDER BY sequence LIMIT ?2"
        );
        let params = [SqlValue::unsigned(sequence), limit(entries_max)];
        let sizes = self.sql_rows("journal entry", &sql, &params, |cells| {
            Ok((cells.unsigned()?, cells.unsigned()?))
        })?;
        let mut left = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let mut found = Vec::new();
        for (sequence, length) in sizes {
            if length > left && !found.is_empty() {
                break;
            }
            left = left.saturating_sub(length);
            found.push((sequence, self.frozen(sequence)?));
        }
        Ok(found)
    }

    fn frozen(&mut self, sequence: u64) -> Result<Vec<u8>, StoreError> {
        let sql =
            format!("SELECT bytes FROM os_journal_frozen WHERE epoch = {EPOCH} AND sequence = ?1");
        self.sql_row("journal entry", &sql, &[SqlValue::unsigned(sequence)], |c| c.bytes())?
            .ok_or(StoreError::NoSuchEntry { sequence })
    }

    /// Sets the state of an entry.
    ///
    /// # Errors
    /// [`StoreError::NoSuchEntry`].
    pub fn set_state(&mut self, sequence: u64, state: EntryState) -> Result<(), StoreError> {
        let sql =
            format!("UPDATE os_journal SET state = ?2 WHERE epoch = {EPOCH} AND sequence = ?1");
        match self.sql_execute(&sql, &[SqlValue::unsigned(sequence), word(&state)?])? {
            0 => Err(StoreError::NoSuchEntry { sequence }),
            _ => Ok(()),
        }
    }

    /// Records the server's word on an entry, and takes over its state.
    ///
    /// # Errors
    /// [`StoreError::NoSuchEntry`].
    pub fn record_outcome(&mut self, outcome: &Outcome) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE os_journal SET state = ?2, outcome = ?3 WHERE epoch = {EPOCH} AND sequence = ?1"
        );
        let sequence = outcome.sequence;
        let params =
            [SqlValue::unsigned(sequence), word(&outcome.state)?, to_json("outcome", outcome)?];
        match self.sql_execute(&sql, &params)? {
            0 => Err(StoreError::NoSuchEntry { sequence }),
            _ => Ok(()),
        }
    }

    /// How many entries of the current epoch are in each state.
    ///
    /// # Errors
    /// The database fails.
    pub fn journal_counts(&mut self) -> Result<JournalCounts, StoreError> {
        let sql =
            format!("SELECT state, COUNT(*) FROM os_journal WHERE epoch = {EPOCH} GROUP BY state");
        let groups = self.sql_rows("journal entry", &sql, &[], |cells| {
            Ok((from_word::<EntryState>("journal state", cells.text()?)?, cells.unsigned()?))
        })?;
        let mut counts = JournalCounts::default();
        for (state, count) in groups {
            *counts.slot(state) = count;
        }
        Ok(counts)
    }

    /// Refused entries that no other entry took the place of, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn journal_attention(&mut self, rows_max: usize) -> Result<Vec<JournalRow>, StoreError> {
        let sql = format!(
            "SELECT {ROW_COLUMNS} FROM os_journal WHERE epoch = {EPOCH}
               AND state IN ('conflict', 'rejected', 'blocked') AND superseded_by IS NULL
             ORDER BY sequence LIMIT ?1"
        );
        self.sql_rows("journal entry", &sql, &[limit(rows_max)], read_row)
    }

    /// What open entries did to a row, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn pending_effects(
        &mut self,
        table: &str,
        id: Uuid,
    ) -> Result<Vec<PendingEffect>, StoreError> {
        let sql = format!(
            "SELECT r.sequence, r.kind, r.base_version, r.after FROM os_journal_row AS r
             JOIN os_journal AS j ON j.epoch = r.epoch AND j.sequence = r.sequence
             WHERE r.tbl = ?1 AND r.id = ?2 AND r.epoch = {EPOCH} AND j.{OPEN}
             ORDER BY r.sequence, r.ordinal"
        );
        let params = [SqlValue::text(table), SqlValue::Guid(id)];
        self.sql_rows("row effect", &sql, &params, |cells| {
            let sequence = cells.unsigned()?;
            let kind: EffectKind = from_word("row effect", cells.text()?)?;
            let base_version = cells.opt_unsigned()?;
            let effect = RowEffect {
                table: table.to_owned(),
                id,
                kind,
                base_version,
                before: Default::default(),
                after: cells.opt_json()?.unwrap_or_default(),
            };
            Ok((sequence, effect))
        })
    }

    /// Whether entries touched the row since it was last brought in line with the server.
    ///
    /// # Errors
    /// The database fails.
    pub fn is_dirty(&mut self, table: &str, id: Uuid) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM os_journal_row WHERE tbl = ?1 AND id = ?2 LIMIT 1";
        let params = [SqlValue::text(table), SqlValue::Guid(id)];
        Ok(self.sql_row("row", sql, &params, |_| Ok(()))?.is_some())
    }

    /// Rows that entries touched since they were last brought in line with the server, by table and
    /// id, after the row `after`.
    ///
    /// # Errors
    /// The database fails.
    pub fn dirty_rows(
        &mut self,
        after: Option<&EntityReference>,
        rows_max: usize,
    ) -> Result<Vec<EntityReference>, StoreError> {
        let sql = "SELECT DISTINCT tbl, id FROM os_journal_row WHERE (tbl, id) > (?1, ?2)
                   ORDER BY tbl, id LIMIT ?3";
        // An empty blob comes before every id.
        let (table, id) = match after {
            Some(row) => (SqlValue::text(&row.table), SqlValue::Guid(row.id)),
            None => (SqlValue::text(""), SqlValue::Blob(Vec::new())),
        };
        self.sql_rows("row", sql, &[table, id, limit(rows_max)], |cells| {
            Ok(EntityReference::new(cells.text()?, cells.guid()?))
        })
    }

    /// Says that a row is in line with the server. What open entries did to it stays, and the row
    /// stays dirty then.
    ///
    /// # Errors
    /// The database fails.
    pub fn clear_dirty(&mut self, table: &str, id: Uuid) -> Result<(), StoreError> {
        let sql = format!(
            "DELETE FROM os_journal_row WHERE tbl = ?1 AND id = ?2 AND NOT EXISTS (
               SELECT 1 FROM os_journal AS j WHERE j.epoch = os_journal_row.epoch
                 AND j.sequence = os_journal_row.sequence AND j.epoch = {EPOCH} AND j.{OPEN})"
        );
        self.sql_execute(&sql, &[SqlValue::text(table), SqlValue::Guid(id)])?;
        Ok(())
    }

    /// Walks along the chain of the current epoch: hashes, links and sequences.
    ///
    /// # Errors
    /// The database fails; a broken chain is a finding and no error.
    pub fn verify_chain(&mut self) -> Result<ChainReport, StoreError> {
        let sql = format!(
            "SELECT j.sequence, j.hash, f.bytes FROM os_journal AS j
             LEFT JOIN os_journal_frozen AS f ON f.epoch = j.epoch AND f.sequence = j.sequence
             WHERE j.epoch = {EPOCH} ORDER BY j.sequence"
        );
        let mut report = ChainReport { entries: 0, broken: None };
        let mut previous = ChainHash::new();
        self.sql_query(&sql, &[], &mut |cells| {
            if report.broken.is_some() {
                return Ok(());
            }
            let mut cells = Cells::new("journal entry", cells);
            let (sequence, hash, bytes) =
                (cells.unsigned()?, cells.text()?, cells.opt_bytes()?.unwrap_or_default());
            report.entries += 1;
            let expected = report.entries;
            match check_link(&bytes, &hash, &previous, sequence, expected) {
                Some(reason) => report.broken = Some((sequence, reason)),
                None => previous = hash,
            }
            Ok(())
        })?;
        Ok(report)
    }
}

/// The part of an entry that links it.
#[derive(Deserialize)]
struct Link {
    sequence: u64,
    previous: ChainHash,
}

fn check_link(
    bytes: &[u8],
    hash: &str,
    previous: &str,
    sequence: u64,
    expected: u64,
) -> Option<&'static str> {
    if sequence != expected {
        return Some("an entry before it is missing");
    }
    if chain_hash(bytes) != hash {
        return Some("its bytes changed");
    }
    match from_json::<Link>("journal entry", bytes) {
        Err(_) => Some("it is not readable"),
        Ok(link) if link.sequence != sequence => Some("it holds another sequence"),
        Ok(link) if link.previous != previous => Some("it does not continue the entry before"),
        Ok(_) => None,
    }
}

fn read_row(cells: &mut Cells<'_>) -> Result<JournalRow, StoreError> {
    Ok(JournalRow {
        sequence: cells.unsigned()?,
        epoch: cells.unsigned()?,
        operation: cells.guid()?,
        state: from_word("journal state", cells.text()?)?,
        time: cells.time()?,
        message: cells.text()?,
        table: cells.text()?,
        row: cells.opt_guid()?,
        supersedes: cells.opt_unsigned()?,
        superseded_by: cells.opt_unsigned()?,
        bytes_len: cells.unsigned()?,
        hash: cells.text()?,
    })
}
