//! Who may sign in to the server, and what they may do. Holds hashes of secrets, never secrets.

use crate::cells::{Cells, optional};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_principal (
    user BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    administrator INTEGER NOT NULL,
    go_offline INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    client_id TEXT UNIQUE,
    secret_hash TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS os_outlook_denied (
    user BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;";

const COLUMNS: &str = "user, name, administrator, go_offline, disabled, client_id, secret_hash";
/// Who may not synchronise to Outlook stands in a table of its own: stores of before have it not.
const SYNC_TO_OUTLOOK: &str =
    "NOT EXISTS (SELECT 1 FROM os_outlook_denied AS d WHERE d.user = os_principal.user)";

/// A user with rights and a way to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The row of `systemuser`.
    pub user: Uuid,
    /// The user's name.
    pub name: String,
    /// May change metadata, registration and users.
    pub administrator: bool,
    /// May take data offline (`prvGoOffline`).
    pub go_offline: bool,
    /// May synchronise contacts, tasks and appointments to Outlook (`prvSyncToOutlook`).
    pub sync_to_outlook: bool,
    /// May do nothing.
    pub disabled: bool,
    /// The name that the user signs in with.
    pub client_id: Option<String>,
    /// The hash of the secret, in the form that the server chose.
    pub secret_hash: Option<String>,
}

impl Tx {
    /// Adds a principal or takes the place of the one of this user.
    ///
    /// # Errors
    /// [`StoreError::DuplicateSystemRow`] when another user has the client id.
    pub fn put_principal(&mut self, principal: &Principal) -> Result<(), StoreError> {
        if let Some(client_id) = &principal.client_id {
            let other = self.principal_by_client(client_id)?;
            if other.is_some_and(|p| p.user != principal.user) {
                return Err(StoreError::DuplicateSystemRow { what: "client id" });
            }
        }
        let sql = format!(
            "INSERT INTO os_principal ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (user) DO UPDATE SET name = excluded.name,
               administrator = excluded.administrator, go_offline = excluded.go_offline,
               disabled = excluded.disabled, client_id = excluded.client_id,
               secret_hash = excluded.secret_hash"
        );
        let params = [
            SqlValue::Guid(principal.user),
            SqlValue::text(&principal.name),
            SqlValue::Boolean(principal.administrator),
            SqlValue::Boolean(principal.go_offline),
            SqlValue::Boolean(principal.disabled),
            optional(principal.client_id.as_deref(), SqlValue::text),
            optional(principal.secret_hash.as_deref(), SqlValue::text),
        ];
        self.sql_execute(&sql, &params)?;
        let right = if principal.sync_to_outlook {
            "DELETE FROM os_outlook_denied WHERE user = ?1"
        } else {
            "INSERT OR IGNORE INTO os_outlook_denied (user) VALUES (?1)"
        };
        self.sql_execute(right, &[SqlValue::Guid(principal.user)])?;
        Ok(())
    }

    /// The principal of a user.
    ///
    /// # Errors
    /// The database fails.
    pub fn principal(&mut self, user: Uuid) -> Result<Option<Principal>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, {SYNC_TO_OUTLOOK} FROM os_principal WHERE user = ?1");
        self.sql_row("principal", &sql, &[SqlValue::Guid(user)], read_principal)
    }

    /// The principal that signs in with this client id; case counts.
    ///
    /// # Errors
    /// The database fails.
    pub fn principal_by_client(
        &mut self,
        client_id: &str,
    ) -> Result<Option<Principal>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS}, {SYNC_TO_OUTLOOK} FROM os_principal WHERE client_id = ?1");
        self.sql_row("principal", &sql, &[SqlValue::text(client_id)], read_principal)
    }

    /// All principals, by name.
    ///
    /// # Errors
    /// The database fails.
    pub fn principals(&mut self) -> Result<Vec<Principal>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS}, {SYNC_TO_OUTLOOK} FROM os_principal ORDER BY name, user");
        self.sql_rows("principal", &sql, &[], read_principal)
    }

    /// Removes the principal of a user; returns whether it was there.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_principal(&mut self, user: Uuid) -> Result<bool, StoreError> {
        self.sql_execute("DELETE FROM os_outlook_denied WHERE user = ?1", &[SqlValue::Guid(user)])?;
        let sql = "DELETE FROM os_principal WHERE user = ?1";
        Ok(self.sql_execute(sql, &[SqlValue::Guid(user)])? > 0)
    }
}

fn read_principal(cells: &mut Cells<'_>) -> Result<Principal, StoreError> {
    Ok(Principal {
        user: cells.guid()?,
        name: cells.text()?,
        administrator: cells.boolean()?,
        go_offline: cells.boolean()?,
        disabled: cells.boolean()?,
        client_id: cells.opt_text()?,
        secret_hash: cells.opt_text()?,
        sync_to_outlook: cells.boolean()?,
    })
}
