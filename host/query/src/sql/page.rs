//! Reads the rows of a compiled query into one page. Never runs SQL.

use super::cookie::Cookie;
use crate::physical::TypeMismatch;
use crate::{Layout, SqlValue};
use offstage_model::query::Order;
use offstage_model::{Entity, EntityCollection, Fault, Value};

/// What a page is made of.
#[derive(Clone, Debug)]
pub(super) struct PageRules {
    pub(super) layout: Layout,
    /// All sort keys; the last one is the primary id.
    pub(super) orders: Vec<Order>,
    pub(super) limit: usize,
    pub(super) paged: bool,
    pub(super) page_number: u32,
}

/// Collects rows into an [`EntityCollection`].
#[derive(Debug)]
pub struct PageReader<'a> {
    rules: &'a PageRules,
    entities: Vec<Entity>,
    /// The hidden sort keys of the last row.
    hidden: Vec<(String, Value)>,
    more_records: bool,
}

impl<'a> PageReader<'a> {
    pub(super) fn new(rules: &'a PageRules) -> Self {
        Self { rules, entities: Vec::new(), hidden: Vec::new(), more_records: false }
    }

    /// Adds a row; its cells are moved out.
    ///
    /// # Errors
    /// Cells that do not fit the columns: the store is damaged.
    pub fn push(&mut self, cells: &mut [SqlValue]) -> Result<(), TypeMismatch> {
        if self.entities.len() == self.rules.limit {
            self.more_records = true;
            return Ok(());
        }
        let (entity, hidden) = self.rules.layout.read_with_hidden(cells)?;
        self.entities.push(entity);
        self.hidden = hidden;
        Ok(())
    }

    /// The page, with the cookie for the next one when there is one.
    ///
    /// # Errors
    /// A sort key that is too long for a cookie.
    pub fn finish(self, table: &str) -> Result<EntityCollection, Fault> {
        let more_records = self.rules.paged && self.more_records;
        let paging_cookie = match self.entities.last() {
            Some(last) if more_records => Some(self.cookie(table, last)?),
            _ => None,
        };
        Ok(EntityCollection {
            table: table.to_owned(),
            entities: self.entities,
            more_records,
            paging_cookie,
            total_count: None,
        })
    }

    fn cookie(&self, table: &str, last: &Entity) -> Result<String, Fault> {
        let orders = &self.rules.orders;
        let columns = orders.len().saturating_sub(1);
        let keys = orders[..columns]
            .iter()
            .map(|order| {
                let hidden = self.hidden.iter().find(|(name, _)| *name == order.column);
                hidden.map_or_else(|| last.value(&order.column).clone(), |(_, v)| v.clone())
            })
            .collect();
        let id = last.id.unwrap_or_default();
        Cookie::new(self.rules.page_number, table, orders, keys, id).text()
    }
}
