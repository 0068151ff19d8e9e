//! Registered plug-in packages with their component bytes, and steps. Never judges a registration.

use crate::cells::to_json;
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::registration::{Package, Step};
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_package (
    id TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS os_step (
    id BLOB NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    package TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS os_step_package ON os_step (package);";

impl Tx {
    /// A number that grows with every change of packages and steps.
    ///
    /// # Errors
    /// The database fails.
    pub fn registration_version(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM os_counter WHERE name = 'registration'";
        Ok(self.sql_row("counter", sql, &[], |cells| cells.unsigned())?.unwrap_or(0))
    }

    fn registration_changed(&mut self) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_counter (name, value) VALUES ('registration', 1)
                   ON CONFLICT (name) DO UPDATE SET value = os_counter.value + 1";
        self.sql_execute(sql, &[])?;
        Ok(())
    }

    /// Adds a package or takes the place of the one with its id.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_package(&mut self, package: &Package, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_package (id, document, bytes) VALUES (?1, ?2, ?3)
                   ON CONFLICT (id) DO UPDATE SET document = excluded.document,
                     bytes = excluded.bytes";
        let params = [
            SqlValue::text(&package.id),
            to_json("package", package)?,
            SqlValue::Blob(bytes.to_vec()),
        ];
        self.sql_execute(sql, &params)?;
        self.registration_changed()
    }

    /// Changes what is known of a package and leaves its bytes; returns whether it is there.
    ///
    /// # Errors
    /// The database fails.
    pub fn update_package(&mut self, package: &Package) -> Result<bool, StoreError> {
        let sql = "UPDATE os_package SET document = ?2 WHERE id = ?1";
        let params = [SqlValue::text(&package.id), to_json("package", package)?];
        let found = self.sql_execute(sql, &params)? > 0;
        self.registration_changed()?;
        Ok(found)
    }

    /// The component of a package.
    ///
    /// # Errors
    /// The database fails.
    pub fn package_bytes(&mut self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM os_package WHERE id = ?1";
        self.sql_row("package", sql, &[SqlValue::text(id)], |cells| cells.bytes())
    }

    /// All packages, by id.
    ///
    /// # Errors
    /// The database fails.
    pub fn packages(&mut self) -> Result<Vec<Package>, StoreError> {
        let sql = "SELECT document FROM os_package ORDER BY id";
        self.sql_rows("package", sql, &[], |cells| cells.json())
    }

    /// Removes a package with its steps; returns whether it was there.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_package(&mut self, id: &str) -> Result<bool, StoreError> {
        self.sql_execute("DELETE FROM os_step WHERE package = ?1", &[SqlValue::text(id)])?;
        let removed =
            self.sql_execute("DELETE FROM os_package WHERE id = ?1", &[SqlValue::text(id)])?;
        self.registration_changed()?;
        Ok(removed > 0)
    }

    /// Adds a step or takes the place of the one with its id.
    ///
    /// # Errors
    /// [`StoreError::DuplicateSystemRow`] when another step has its key.
    pub fn put_step(&mut self, step: &Step) -> Result<(), StoreError> {
        let taken = "SELECT 1 FROM os_step WHERE key = ?1 AND id <> ?2";
        let key = SqlValue::text(&step.declaration.key);
        let params = [key.clone(), SqlValue::Guid(step.id)];
        if self.sql_row("step", taken, &params, |_| Ok(()))?.is_some() {
            return Err(StoreError::DuplicateSystemRow { what: "step key" });
        }
        let sql = "INSERT INTO os_step (id, key, package, document) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (id) DO UPDATE SET key = excluded.key, package = excluded.package,
                     document = excluded.document";
        let params =
            [SqlValue::Guid(step.id), key, SqlValue::text(&step.package), to_json("step", step)?];
        self.sql_execute(sql, &params)?;
        self.registration_changed()
    }

    /// All steps, by key.
    ///
    /// # Errors
    /// The database fails.
    pub fn steps(&mut self) -> Result<Vec<Step>, StoreError> {
        let sql = "SELECT document FROM os_step ORDER BY key";
        self.sql_rows("step", sql, &[], |cells| cells.json())
    }

    /// A step by its key.
    ///
    /// # Errors
    /// The database fails.
    pub fn step(&mut self, key: &str) -> Result<Option<Step>, StoreError> {
        let sql = "SELECT document FROM os_step WHERE key = ?1";
        self.sql_row("step", sql, &[SqlValue::text(key)], |cells| cells.json())
    }

    /// Removes a step; returns whether it was there.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_step(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let removed =
            self.sql_execute("DELETE FROM os_step WHERE id = ?1", &[SqlValue::Guid(id)])?;
        self.registration_changed()?;
        Ok(removed > 0)
    }

    /// Switches a step on or off; returns whether it is there.
    ///
    /// # Errors
    /// The database fails.
    pub fn set_step_enabled(&mut self, id: Uuid, enabled: bool) -> Result<bool, StoreError> {
        let sql = "SELECT document FROM os_step WHERE id = ?1";
        let found: Option<Step> =
            self.sql_row("step", sql, &[SqlValue::Guid(id)], |cells| cells.json())?;
        let Some(mut step) = found else {
            return Ok(false);
        };
        step.enabled = enabled;
        self.put_step(&step)?;
        Ok(true)
    }
}
