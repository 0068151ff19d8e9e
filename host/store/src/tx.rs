//! Transactions: one connection each, with savepoints. Dropping one rolls it back.

use crate::backend::sqlite::Sqlite;
use crate::backend::{RowSink, Session};
use crate::cells::Cells;
use crate::fence::Fence;
use crate::schema::{Schema, TablePlan};
use crate::{Role, Store, StoreError};
use offstage_model::Catalog;
use offstage_query::SqlValue;
use std::sync::Arc;

/// An open transaction. It owns its connection and may move between threads.
pub struct Tx {
    store: Store,
    session: Option<Sqlite>,
    pub(crate) schema: Arc<Schema>,
    writes: bool,
    lost: bool,
    savepoints: u32,
    /// The row version counter, once it was read; written back at commit.
    pub(crate) version: Option<VersionCounter>,
}

/// The row version counter of a write transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionCounter {
    pub(crate) stored: u64,
    pub(crate) next: u64,
}

/// A point to which a transaction can go back. Savepoints nest: ending one ends those after it.
#[derive(Debug)]
#[must_use = "release it or roll back to it"]
pub struct Savepoint {
    depth: u32,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("writes", &self.writes).finish_non_exhaustive()
    }
}

impl Tx {
    pub(crate) fn begin_write(store: &Store) -> Result<Self, StoreError> {
        let session = store.writer().take()?;
        // The schema is read after the connection is taken: a migration needs it too.
        Self::begin(store, session, true, "BEGIN IMMEDIATE")
    }

    pub(crate) fn begin_read(store: &Store) -> Result<Self, StoreError> {
        let session = store.readers().take()?;
        Self::begin(store, session, false, "BEGIN DEFERRED")
    }

    fn begin(
        store: &Store,
        session: Sqlite,
        writes: bool,
        statement: &str,
    ) -> Result<Self, StoreError> {
        let mut tx = Self {
            store: store.clone(),
            session: Some(session),
            schema: store.schema(),
            writes,
            lost: false,
            savepoints: 0,
            version: None,
        };
        tx.session()?.batch(statement)?;
        Ok(tx)
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// Nothing was kept then; the connection is closed and the next transaction gets a new one.
    pub fn commit(mut self) -> Result<(), StoreError> {
        if self.lost {
            return Err(StoreError::TransactionLost);
        }
        self.store_version()?;
        let Some(mut session) = self.session.take() else {
            return Err(StoreError::TransactionLost);
        };
        match session.batch("COMMIT") {
            Ok(()) => {
                self.pool().give_back(session);
                Ok(())
            }
            Err(error) => {
                // After a failed sync the handle's idea of the file cannot be trusted.
                drop(session);
                self.pool().discarded();
                Err(error)
            }
        }
    }

    /// Undoes everything.
    pub fn rollback(self) {
        drop(self);
    }

    /// Starts a savepoint.
    ///
    /// # Errors
    /// The transaction is lost.
    pub fn savepoint(&mut self) -> Result<Savepoint, StoreError> {
        let depth = self.savepoints + 1;
        self.control("SAVEPOINT", depth)?;
        self.savepoints = depth;
        Ok(Savepoint { depth })
    }

    /// Keeps what was done since the savepoint.
    ///
    /// # Errors
    /// The transaction is lost.
    pub fn release(&mut self, savepoint: Savepoint) -> Result<(), StoreError> {
        self.control("RELEASE", savepoint.depth)?;
        self.savepoints = savepoint.depth.saturating_sub(1);
        Ok(())
    }

    /// Undoes what was done since the savepoint, and ends it.
    ///
    /// # Errors
    /// The transaction is lost.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), StoreError> {
        self.control("ROLLBACK TO", savepoint.depth)?;
        self.release(savepoint)
    }

    /// The metadata.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.schema.catalog
    }

    /// Whose store it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.store.role()
    }

    fn control(&mut self, verb: &str, depth: u32) -> Result<(), StoreError> {
        self.guarded(|session| session.execute(&format!("{verb} s{depth}"), &[]))?;
        Ok(())
    }

    /// Runs a statement that writes.
    pub(crate) fn sql_execute(
        &mut self,
        sql: &str,
        params: &[SqlValue],
    ) -> Result<usize, StoreError> {
        if !self.writes {
            return Err(StoreError::ReadOnlyTransaction);
        }
        self.guarded(|session| session.execute(sql, params))
    }

    /// Runs a query and hands every row to `sink`.
    pub(crate) fn sql_query(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError> {
        self.guarded(|session| session.query(sql, params, sink))
    }

    /// Runs a query that reads what `fence` allows only, and hands every row to `sink`.
    pub(crate) fn sql_query_within(
        &mut self,
        fence: Fence,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError> {
        self.guarded(|session| session.query_within(fence, sql, params, sink))
    }

    /// Runs a query and collects what `read` makes of its rows; `what` names them in errors.
    pub(crate) fn sql_rows<T>(
        &mut self,
        what: &'static str,
        sql: &str,
        params: &[SqlValue],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.sql_query(sql, params, &mut |cells| {
            found.push(read(&mut Cells::new(what, cells))?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row of a query.
    pub(crate) fn sql_row<T>(
        &mut self,
        what: &'static str,
        sql: &str,
        params: &[SqlValue],
        read: impl FnMut(&mut Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.sql_rows(what, sql, params, read)?.into_iter().next())
    }

    /// Runs statements without parameters; for definitions.
    pub(crate) fn sql_batch(&mut self, sql: &str) -> Result<(), StoreError> {
        if !self.writes {
            return Err(StoreError::ReadOnlyTransaction);
        }
        self.guarded(|session| session.batch(sql))
    }

    /// The cached SQL of a table.
    pub(crate) fn plan(&self, table: &str) -> Result<Arc<TablePlan>, StoreError> {
        self.schema.plan(table)
    }

    // After some errors (disk full, I/O) SQLite ends the transaction by itself; a statement that
    // came after would commit on its own. So the transaction is closed for good here.
    fn guarded<T>(
        &mut self,
        run: impl FnOnce(&mut Sqlite) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.lost {
            return Err(StoreError::TransactionLost);
        }
        let session = self.session()?;
        let result = run(session);
        if result.is_err() && !session.in_transaction() {
            self.lost = true;
        }
        result
    }

    fn session(&mut self) -> Result<&mut Sqlite, StoreError> {
        self.session.as_mut().ok_or(StoreError::TransactionLost)
    }

    fn pool(&self) -> &crate::pool::Pool {
        if self.writes { self.store.writer() } else { self.store.readers() }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        let healthy = !self.lost
            && (!session.in_transaction() || session.batch("ROLLBACK").is_ok())
            && !session.in_transaction();
        if healthy {
            self.pool().give_back(session);
        } else {
            drop(session);
            self.pool().discarded();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreOptions, WriteStamp};
    use offstage_model::{Entity, Fault, Timestamp, Uuid, Value};

    #[test]
    fn a_full_disk_is_an_error_and_nothing_of_the_transaction_stays() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let stamp = WriteStamp::server(Timestamp(1));
        let row = |n| {
            let text = Value::text("x".repeat(2_000));
            Entity::with_id("account", Uuid::from_u128(n)).with("description", text)
        };
        let mut tx = store.write().unwrap();
        tx.insert(&row(1), &stamp).unwrap();
        tx.commit().unwrap();

        let mut tx = store.write().unwrap();
        tx.session().unwrap().fill_disk().unwrap();
        let mut inserts = (2..100).map(|n| tx.insert(&row(n), &stamp));
        let error = inserts.find_map(Result::err).unwrap();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        assert!(Fault::from(error).hint.is_some());
        // Whether or not SQLite ended the transaction, no later statement stands alone.
        assert!(tx.insert(&row(200), &stamp).is_err());
        tx.rollback();

        let mut tx = store.read().unwrap();
        let there: Vec<bool> =
            [1, 2, 200].map(|n| tx.exists("account", Uuid::from_u128(n)).unwrap()).to_vec();
        assert_eq!(there, [true, false, false]);
        drop(tx);
        store.check().unwrap();
    }

    #[test]
    fn a_lost_transaction_refuses_everything() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let stamp = WriteStamp::server(Timestamp(1));
        let mut tx = store.write().unwrap();
        // What SQLite does by itself after some I/O errors.
        tx.session().unwrap().batch("ROLLBACK").unwrap();
        let row = Entity::with_id("account", Uuid::from_u128(1));
        tx.sql_execute("INSERT INTO nowhere VALUES (1)", &[]).unwrap_err();
        assert!(matches!(tx.insert(&row, &stamp), Err(StoreError::TransactionLost)));
        assert!(matches!(tx.commit(), Err(StoreError::TransactionLost)));
        assert!(!store.read().unwrap().exists("account", Uuid::from_u128(1)).unwrap());
        store.write().unwrap().commit().unwrap();
    }
}
