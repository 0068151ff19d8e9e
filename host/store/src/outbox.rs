//! The outbox: HTTP requests of plug-ins, written in the transaction of the effects that they belong
//! to, and what became of each. Never sends anything.

use crate::cells::to_json;
use crate::{StoreError, Tx};
use offstage_model::value::Timestamp;
use offstage_model::{HttpRequest, Uuid};
use offstage_query::SqlValue;
use serde::{Deserialize, Serialize};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    package TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS os_outbox_due ON os_outbox (state, due);";

/// Where a request of the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// It waits to be sent, for the first time or again.
    Queued,
    /// The receiver took it.
    Sent,
    /// It is given up; a person decides.
    Failed,
    /// A person gave it up.
    Discarded,
}

impl OutboxState {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

/// One request of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The idempotency key, derived from the operation.
    pub id: Uuid,
    /// The package that asked for it.
    pub package: String,
    /// The step that asked for it.
    pub step: String,
    /// The root operation.
    pub operation: Uuid,
    /// The user it was made for.
    pub user: Uuid,
    /// When it was put there.
    pub created_on: Timestamp,
    /// What is sent; without its body once nobody needs that. Secrets are names here.
    pub request: HttpRequest,
    /// Where it stands.
    pub state: OutboxState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// What happened last.
    pub note: String,
}

impl Tx {
    /// Puts a request into the outbox, unless its id is there already: the same request of the same
    /// operation is one request.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_outbox(&mut self, row: &OutboxRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_outbox (id, package, state, due, document)
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING";
        let params = [
            SqlValue::Guid(row.id),
            SqlValue::text(&row.package),
            SqlValue::text(row.state.name()),
            SqlValue::Integer(row.due.0),
            to_json("outbox", row)?,
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// Changes a request that is still in the state `from`; returns whether it was.
    ///
    /// # Errors
    /// The database fails.
    pub fn update_outbox(
        &mut self,
        row: &OutboxRow,
        from: OutboxState,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE os_outbox SET state = ?3, due = ?4, document = ?5
                   WHERE id = ?1 AND state = ?2";
        let params = [
            SqlValue::Guid(row.id),
            SqlValue::text(from.name()),
            SqlValue::text(row.state.name()),
            SqlValue::Integer(row.due.0),
            to_json("outbox", row)?,
        ];
        Ok(self.sql_execute(sql, &params)? > 0)
    }

    /// A request by its id.
    ///
    /// # Errors
    /// The database fails.
    pub fn outbox_row(&mut self, id: Uuid) -> Result<Option<OutboxRow>, StoreError> {
        let sql = "SELECT document FROM os_outbox WHERE id = ?1";
        self.sql_row("outbox", sql, &[SqlValue::Guid(id)], |cells| cells.json())
    }

    /// The newest requests, in one state or in any.
    ///
    /// # Errors
    /// The database fails.
    pub fn outbox(
        &mut self,
        state: Option<OutboxState>,
        rows_max: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let sql = "SELECT document FROM os_outbox WHERE (?1 IS NULL OR state = ?1)
                   ORDER BY number DESC LIMIT ?2";
        let state = state.map_or(SqlValue::Null, |state| SqlValue::text(state.name()));
        self.sql_rows("outbox", sql, &[state, crate::cells::limit(rows_max)], |cells| cells.json())
    }

    /// Queued requests whose time has come, the longest due first.
    ///
    /// # Errors
    /// The database fails.
    pub fn outbox_due(
        &mut self,
        now: Timestamp,
        rows_max: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let sql = "SELECT document FROM os_outbox WHERE state = 'queued' AND due <= ?1
                   ORDER BY due, number LIMIT ?2";
        let params = [SqlValue::Integer(now.0), crate::cells::limit(rows_max)];
        self.sql_rows("outbox", sql, &params, |cells| cells.json())
    }

    /// How many requests of a package wait to be sent, or for a person to decide.
    ///
    /// # Errors
    /// The database fails.
    pub fn outbox_queued(&mut self, package: &str) -> Result<u64, StoreError> {
        let sql =
            "SELECT COUNT(*) FROM os_outbox WHERE state IN ('queued', 'failed') AND package = ?1";
        let count = self.sql_row("outbox", sql, &[SqlValue::text(package)], |c| c.unsigned())?;
        Ok(count.unwrap_or(0))
    }

    /// Forgets the oldest requests that need nobody any more, beyond `rows_max` of them.
    ///
    /// # Errors
    /// The database fails.
    pub fn prune_outbox(&mut self, rows_max: usize) -> Result<(), StoreError> {
        let sql = "DELETE FROM os_outbox WHERE state IN ('sent', 'discarded') AND number <= (
                     SELECT number FROM os_outbox WHERE state IN ('sent', 'discarded')
                     ORDER BY number DESC LIMIT 1 OFFSET ?1)";
        self.sql_execute(sql, &[crate::cells::limit(rows_max)])?;
        Ok(())
    }
}
