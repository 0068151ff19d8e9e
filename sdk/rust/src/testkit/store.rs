//! The rows of the fake organization.
//!
//! It knows no metadata: a row has the columns that were set, its id column and `statecode`.

use std::collections::{BTreeMap, BTreeSet};

use crate::entity::{Entity, EntityReference};
use crate::error::{DataError, PluginError, codes};
use crate::guid::Guid;
use crate::value::{OptionValue, Value};

/// All rows and links.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    rows: BTreeMap<(String, Guid), Entity>,
    links: BTreeSet<(String, Guid, Guid)>,
    version: u64,
}

impl Store {
    pub(crate) fn get(&self, table: &str, id: Guid) -> Option<&Entity> {
        self.rows.get(&(table.to_owned(), id))
    }

    pub(crate) fn table<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Entity> {
        self.rows.values().filter(move |row| row.table == table)
    }

    /// Reads a row or fails as the platform does.
    pub(crate) fn require(&self, table: &str, id: Guid) -> Result<&Entity, PluginError> {
        let missing = || DataError::NoSuchRow { table: table.to_owned(), id }.into();
        self.get(table, id).ok_or_else(missing)
    }

    pub(crate) fn insert(&mut self, mut row: Entity, id: Guid) -> Result<(), PluginError> {
        if self.get(&row.table, id).is_some() {
            let text = format!("A row of {} with id {id} exists already.", row.table);
            return Err(PluginError::new(text).with_code(codes::DUPLICATE_RECORD));
        }
        row.id = Some(id);
        row.set(&format!("{}id", row.table), id);
        if !row.contains("statecode") {
            row.set("statecode", OptionValue(0));
        }
        row.row_version = Some(self.next_version());
        self.rows.insert((row.table.clone(), id), row);
        Ok(())
    }

    pub(crate) fn update(&mut self, changes: &Entity, id: Guid) -> Result<(), PluginError> {
        let mut row = self.require(&changes.table, id)?.overlaid_with(changes);
        row.id = Some(id);
        row.row_version = Some(self.next_version());
        self.rows.insert((row.table.clone(), id), row);
        Ok(())
    }

    pub(crate) fn delete(&mut self, target: &EntityReference) -> Result<(), PluginError> {
        self.require(&target.table, target.id)?;
        self.rows.remove(&(target.table.clone(), target.id));
        Ok(())
    }

    pub(crate) fn link(&mut self, relationship: &str, from: Guid, to: Guid) {
        self.links.insert((relationship.to_owned(), from, to));
    }

    pub(crate) fn unlink(&mut self, relationship: &str, from: Guid, to: Guid) {
        self.links.remove(&(relationship.to_owned(), from, to));
    }

    pub(crate) fn is_linked(&self, relationship: &str, from: Guid, to: Guid) -> bool {
        self.links.contains(&(relationship.to_owned(), from, to))
    }

    /// Reads a column, over lookups if there is a path; a broken path reads null.
    pub(crate) fn column(&self, row: &Entity, path: &[String], column: &str) -> Value {
        let mut row = row;
        for lookup in path {
            let Some(Value::Reference(reference)) = row.get(lookup) else {
                return Value::Null;
            };
            let Some(parent) = self.get(&reference.table, reference.id) else {
                return Value::Null;
            };
            row = parent;
        }
        row.get(column).cloned().unwrap_or_default()
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}
