//! Outlook clients of users, and the rows that they track by hand. Decides nothing.

use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_query::SqlValue;

/// A client: a directory that synchronises a mailbox of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlookClient {
    /// Its id; its subscription has the same.
    pub client: Uuid,
    /// The user.
    pub user: Uuid,
    /// What people call it.
    pub name: String,
    /// The word for its role.
    pub role: String,
}

const COLUMNS: &str = "client, user_id, name, role";

impl Tx {
    /// Adds or replaces a client.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_outlook_client(&mut self, client: &OutlookClient) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO os_outlook_client ({COLUMNS}) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (client) DO UPDATE SET user_id = excluded.user_id, name = excluded.name,
               role = excluded.role"
        );
        let params = [
            SqlValue::Guid(client.client),
            SqlValue::Guid(client.user),
            SqlValue::text(&client.name),
            SqlValue::text(&client.role),
        ];
        self.sql_execute(&sql, &params)?;
        Ok(())
    }

    /// A client.
    ///
    /// # Errors
    /// The database fails.
    pub fn outlook_client(&mut self, client: Uuid) -> Result<Option<OutlookClient>, StoreError> {
        let rule = "client = ?1";
        Ok(self.clients_where(rule, client)?.pop())
    }

    /// The clients of a user.
    ///
    /// # Errors
    /// The database fails.
    pub fn outlook_clients(&mut self, user: Uuid) -> Result<Vec<OutlookClient>, StoreError> {
        self.clients_where("user_id = ?1", user)
    }

    fn clients_where(&mut self, rule: &str, id: Uuid) -> Result<Vec<OutlookClient>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM os_outlook_client WHERE {rule} ORDER BY client");
        self.sql_rows("client", &sql, &[SqlValue::Guid(id)], |cells| {
            Ok(OutlookClient {
                client: cells.guid()?,
                user: cells.guid()?,
                name: cells.text()?,
                role: cells.text()?,
            })
        })
    }

    /// Notes that a client tracks a row by hand, or no longer; the next PrepareSync looks at it.
    ///
    /// A row that it tracks it holds, in a version before any: its removal is told even when the row
    /// goes before that PrepareSync.
    ///
    /// # Errors
    /// The database fails.
    pub fn track_manually(
        &mut self,
        client: Uuid,
        table: &str,
        id: Uuid,
        track: bool,
    ) -> Result<(), StoreError> {
        let key = [SqlValue::Guid(client), SqlValue::text(table), SqlValue::Guid(id)];
        let sql = "SELECT track FROM os_sync_tracked WHERE device = ?1 AND tbl = ?2 AND id = ?3";
        let known = self.sql_row("tracked row", sql, &key, |cells| cells.boolean())?;
        if known == Some(track) {
            return Ok(());
        }
        if track {
            let sql = "INSERT INTO os_sync_entry (device, tbl, id, held, version, number)
                       VALUES (?1, ?2, ?3, 1, 1, NULL) ON CONFLICT (device, tbl, id) DO NOTHING";
            self.sql_execute(sql, &key)?;
        }
        let version = self.next_version()?;
        let mut params = key.to_vec();
        params.extend([SqlValue::Boolean(track), SqlValue::unsigned(version)]);
        let sql = "INSERT OR REPLACE INTO os_sync_tracked (device, tbl, id, track, version)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        self.sql_execute(sql, &params)?;
        Ok(())
    }
}
