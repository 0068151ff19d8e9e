//! Queries on catalog tables, each inside of a fence. Never builds SQL; `offstage-query` does.

use crate::cells::Cells;
use crate::fence::Fence;
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
        let fence = Fence::of(&catalog, &query.table, query.filter.as_ref());
        let mut page = self.page(fence, &statement, &query.table)?;
        if query.total_count {
            page.total_count = Some(self.count_up_to(query, scope, TOTAL_COUNT_MAX)?);
        }
        Ok(page)
    }

    fn page(
        &mut self,
        fence: Fence,
        statement: &Statement,
        table: &str,
    ) -> Result<EntityCollection, StoreError> {
        let Some(mut reader) = statement.reader() else {
            return Ok(EntityCollection { table: table.to_owned(), ..Default::default() });
        };
        let unreadable = |source| StoreError::Unreadable { table: table.to_owned(), source };
        self.sql_query_within(fence, &statement.sql, &statement.params, &mut |cells| {
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
        let fence = Fence::of(&catalog, &query.table, query.filter.as_ref());
        let counts = self.rows_within(fence, "count", &statement, |cells| cells.unsigned())?;
        Ok(counts.first().copied().unwrap_or(0))
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
        let fence = Fence::of(&catalog, table, filter);
        self.rows_within(fence, "row", &statement, |cells| Ok((cells.guid()?, cells.unsigned()?)))
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
        let fence = Fence::of(&catalog, table, filter);
        let found = self.rows_within(fence, "row", &statement, |_| Ok(()))?;
        Ok(!found.is_empty())
    }

    /// Collects what `read` makes of the rows of a statement; `what` names them in errors.
    fn rows_within<T>(
        &mut self,
        fence: Fence,
        what: &'static str,
        statement: &Statement,
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.sql_query_within(fence, &statement.sql, &statement.params, &mut |cells| {
            found.push(read(&mut Cells::new(what, cells))?);
            Ok(())
        })?;
        Ok(found)
    }
}
