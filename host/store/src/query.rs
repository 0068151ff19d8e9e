//! Queries on catalog tables. Never builds SQL; `offstage-query` does.

use crate::{StoreError, Tx};
use offstage_model::query::{Filter, Query};
use offstage_model::{EntityCollection, Uuid};
use offstage_query::sql::{self, TOTAL_COUNT_MAX};
use offstage_query::{Dialect, Scope, Statement};

const DIALECT: Dialect = Dialect::Sqlite;

impl Tx {
    /// One page of a query.
    ///
    /// # Errors
    /// The query is not valid ([`StoreError::Query`]).
    pub fn query(&mut self, query: &Query, scope: &Scope) -> Result<EntityCollection, StoreError> {
        let catalog = self.catalog().clone();
        let statement = sql::compile(query, &catalog, scope, DIALECT)?;
        let mut page = self.page(&statement, &query.table)?;
        if query.total_count {
            page.total_count = Some(self.count_up_to(query, scope, TOTAL_COUNT_MAX)?);
        }
        Ok(page)
    }

    fn page(&mut self, statement: &Statement, table: &str) -> Result<EntityCollection, StoreError> {
        let Some(mut reader) = statement.reader() else {
            return Ok(EntityCollection { table: table.to_owned(), ..Default::default() });
        };
        let unreadable = |source| StoreError::Unreadable { table: table.to_owned(), source };
        self.sql_query(&statement.sql, &statement.params, &mut |cells| {
            reader.push(cells).map_err(unreadable)
        })?;
        Ok(reader.finish(table)?)
    }

    /// How many rows match, all of them.
    ///
    /// # Errors
    /// The query is not valid.
    pub fn count(&mut self, query: &Query, scope: &Scope) -> Result<u64, StoreError> {
        self.count_up_to(query, scope, u64::MAX)
    }

    /// How many rows match, counted up to `count_max`.
    ///
    /// # Errors
    /// The query is not valid.
    pub fn count_up_to(
        &mut self,
        query: &Query,
        scope: &Scope,
        count_max: u64,
    ) -> Result<u64, StoreError> {
        let catalog = self.catalog().clone();
        let statement = sql::compile_count(query, &catalog, scope, DIALECT, count_max)?;
        let count =
            self.sql_row("count", &statement.sql, &statement.params, |cells| cells.unsigned())?;
        Ok(count.unwrap_or(0))
    }

    /// Ids and versions of all rows that match, by id.
    ///
    /// # Errors
    /// The filter is not valid.
    pub fn matching_ids(
        &mut self,
        table: &str,
        filter: Option<&Filter>,
        scope: &Scope,
    ) -> Result<Vec<(Uuid, u64)>, StoreError> {
        let catalog = self.catalog().clone();
        let statement = sql::compile_ids(table, filter, &catalog, scope, DIALECT)?;
        self.sql_rows("row", &statement.sql, &statement.params, |cells| {
            Ok((cells.guid()?, cells.unsigned()?))
        })
    }

    /// Whether a row exists and matches.
    ///
    /// # Errors
    /// The filter is not valid.
    pub fn matches(
        &mut self,
        table: &str,
        id: Uuid,
        filter: Option<&Filter>,
        scope: &Scope,
    ) -> Result<bool, StoreError> {
        let catalog = self.catalog().clone();
        let statement = sql::compile_membership(table, id, filter, &catalog, scope, DIALECT)?;
        let found = self.sql_row("row", &statement.sql, &statement.params, |_| Ok(()))?;
        Ok(found.is_some())
    }
}
