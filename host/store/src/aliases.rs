//! Aliases: a row that a device made, and the row of the server that an upsert matched instead.

use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_alias (
    device BLOB NOT NULL,
    tbl TEXT NOT NULL,
    from_id BLOB NOT NULL,
    to_id BLOB NOT NULL,
    PRIMARY KEY (device, tbl, from_id)
) STRICT, WITHOUT ROWID;";

impl Tx {
    /// Whether the device has any alias; most have none.
    ///
    /// # Errors
    /// The database fails.
    pub fn has_aliases(&mut self, device: Uuid) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM os_alias WHERE device = ?1 LIMIT 1";
        let found =
            self.sql_row("alias", sql, &[SqlValue::Guid(device)], |cells| cells.unsigned())?;
        Ok(found.is_some())
    }

    /// Says that the device's row `from` is the server's row `to`.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_alias(
        &mut self,
        device: Uuid,
        table: &str,
        from: Uuid,
        to: Uuid,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_alias (device, tbl, from_id, to_id) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (device, tbl, from_id) DO UPDATE SET to_id = excluded.to_id";
        let params = [
            SqlValue::Guid(device),
            SqlValue::text(table),
            SqlValue::Guid(from),
            SqlValue::Guid(to),
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// The server's row for a device's row, when they differ.
    ///
    /// # Errors
    /// The database fails.
    pub fn alias(
        &mut self,
        device: Uuid,
        table: &str,
        from: Uuid,
    ) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT to_id FROM os_alias WHERE device = ?1 AND tbl = ?2 AND from_id = ?3";
        let params = [SqlValue::Guid(device), SqlValue::text(table), SqlValue::Guid(from)];
        self.sql_row("alias", sql, &params, |cells| cells.guid())
    }
}
