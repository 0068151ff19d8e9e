//! Settings: small JSON documents by key. Never holds secrets in the clear.

use crate::cells::{from_json, to_json};
use crate::{StoreError, Tx};
use offstage_query::SqlValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;";

/// The catalog.
pub(crate) const CATALOG: &str = "store.catalog";
/// The store's role.
pub(crate) const ROLE: &str = "store.role";
/// The Unicode version by which text indexes are sorted.
pub(crate) const COLLATION: &str = "store.collation";

impl Tx {
    /// A setting.
    ///
    /// # Errors
    /// The stored document is of another shape.
    pub fn get_setting<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, StoreError> {
        let sql = "SELECT value FROM os_setting WHERE key = ?1";
        self.sql_row("setting", sql, &[SqlValue::text(key)], |cells| cells.text())?
            .map(|json| from_json("setting", json.as_bytes()))
            .transpose()
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// The value has no JSON form; the database fails.
    pub fn put_setting<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_setting (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.sql_execute(sql, &[SqlValue::text(key), to_json("setting", value)?])?;
        Ok(())
    }

    /// Removes a setting, if it is there.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_setting(&mut self, key: &str) -> Result<(), StoreError> {
        self.sql_execute("DELETE FROM os_setting WHERE key = ?1", &[SqlValue::text(key)])?;
        Ok(())
    }
}
