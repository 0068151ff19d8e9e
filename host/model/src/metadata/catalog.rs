//! The catalog: all tables and relationships of one metadata version, checked and completed with
//! the system columns. Never changes; a change makes a new one.

use super::autonumber::AUTONUMBER_LENGTH_MIN;
use super::column::{Choice, Column, ColumnType, DateBehavior, RequiredLevel};
use super::table::{
    AlternateKey, ManyToMany, OneToMany, Ownership, Relationship, State, Status, Table,
};
use crate::{Entity, Fault, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Limits on metadata.
#[derive(Debug)]
pub struct Limits {
    /// The longest logical name.
    pub name_length_max: usize,
    /// Tables in a catalog.
    pub tables_max: usize,
    /// Columns in a table, system columns included; below SQLite's and PostgreSQL's limits.
    pub columns_max: usize,
    /// Digits after the point; ten as on the platform.
    pub precision_max: u32,
    /// Characters of a memo.
    pub text_length_max: u32,
}

/// The limits in force.
pub const LIMITS: Limits = Limits {
    name_length_max: 50,
    tables_max: 1_000,
    columns_max: 500,
    precision_max: 10,
    text_length_max: 1_048_576,
};

/// A definition file: tables, relationships, and columns for tables that exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionFile {
    /// New tables.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// New columns and keys of known tables.
    #[serde(default)]
    pub extend: Vec<Extension>,
    /// New relationships.
    #[serde(default)]
    pub relationships: Vec<Relationship>,
}

/// New columns and keys of a known table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The table.
    pub table: String,
    /// The columns.
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
    /// The keys.
    #[serde(default)]
    pub keys: Vec<AlternateKey>,
    /// More target tables for lookup columns that have several already, by column: how a custom
    /// table becomes something that tasks and notes can be about.
    #[serde(default)]
    pub add_targets: BTreeMap<String, Vec<String>>,
}

/// Why a definition is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// A name that is not allowed.
    #[error("'{name}' is not a valid name: use up to {max} lower-case letters, digits and underscores, starting with a letter", max = LIMITS.name_length_max)]
    Name {
        /// The name.
        name: String,
    },
    /// Something is there already with another definition.
    #[error("'{name}' exists already with another definition; a column's type never changes")]
    Exists {
        /// The table, column or relationship.
        name: String,
    },
    /// Something that is referred to does not exist.
    #[error("{owner} refers to '{name}', which does not exist")]
    Unknown {
        /// Who refers.
        owner: String,
        /// What is missing.
        name: String,
    },
    /// A property of a column or table that makes no sense.
    #[error("{owner}: {reason}")]
    Invalid {
        /// The table or column.
        owner: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// All tables and relationships of one metadata version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Counts the changes.
    pub version: u64,
    /// Tables by logical name, with their system columns.
    pub tables: BTreeMap<String, Table>,
    /// Relationships by schema name.
    pub relationships: BTreeMap<String, Relationship>,
}

impl Catalog {
    /// The shipped base tables, version 1.
    #[must_use]
    pub fn base() -> Self {
        let file: DefinitionFile = serde_json::from_str(include_str!("../../base/tables.json"))
            .expect("BUG: the shipped definitions are valid JSON");
        Self::default().extended(file).expect("BUG: the shipped definitions are valid")
    }

    /// The table.
    ///
    /// # Errors
    /// [`crate::code::UNKNOWN_TABLE`].
    pub fn table(&self, name: &str) -> Result<&Table, Fault> {
        self.tables.get(name).ok_or_else(|| Fault::unknown_table(name))
    }

    /// The column of a table.
    ///
    /// # Errors
    /// [`crate::code::UNKNOWN_TABLE`], [`crate::code::UNKNOWN_COLUMN`].
    pub fn column(&self, table: &str, column: &str) -> Result<&Column, Fault> {
        self.table(table)?.column(column).ok_or_else(|| Fault::unknown_column(table, column))
    }

    /// The table with this Web API set name.
    #[must_use]
    pub fn table_of_set(&self, set: &str) -> Option<&Table> {
        self.tables.values().find(|table| table.set == set)
    }

    /// One-to-many relationships in which `parent` is the referenced table.
    pub fn children_of<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a OneToMany> {
        self.relationships.values().filter_map(move |r| match r {
            Relationship::OneToMany(r) if r.parent == parent => Some(r),
            _ => None,
        })
    }

    /// The entity's primary name, for messages to people.
    #[must_use]
    pub fn name_of(&self, entity: &Entity) -> String {
        let name = self
            .tables
            .get(&entity.table)
            .and_then(|table| entity.text(&table.primary_name))
            .map(str::to_owned);
        name.or_else(|| entity.id.map(|id| id.to_string())).unwrap_or_default()
    }

    /// A catalog with the definitions of `file` added and the next version; the same catalog when
    /// `file` brings nothing new, so that adding a file twice does no harm.
    ///
    /// # Errors
    /// The first definition that is not valid; nothing is added then.
    pub fn extended(&self, file: DefinitionFile) -> Result<Self, DefinitionError> {
        let mut next = self.clone();
        for table in file.tables {
            next.add_table(table)?;
        }
        for extension in file.extend {
            next.extend_table(extension)?;
        }
        for relationship in file.relationships {
            next.add_relationship(relationship)?;
        }
        next.check_references()?;
        if next.tables.len() > LIMITS.tables_max {
            return Err(DefinitionError::Invalid {
                owner: "catalog".into(),
                reason: "there are too many tables",
            });
        }
        if next != *self {
            next.version = self.version + 1;
        }
        Ok(next)
    }

    fn add_table(&mut self, table: Table) -> Result<(), DefinitionError> {
        let table = completed(table)?;
        match self.tables.get(&table.name) {
            Some(known) if table.columns.iter().all(|(n, c)| known.columns.get(n) == Some(c)) => {}
            Some(_) => return Err(DefinitionError::Exists { name: table.name }),
            None => {
                self.tables.insert(table.name.clone(), table);
            }
        }
        Ok(())
    }

    fn extend_table(&mut self, extension: Extension) -> Result<(), DefinitionError> {
        let Some(table) = self.tables.get_mut(&extension.table) else {
            return Err(DefinitionError::Unknown {
                owner: "'extend'".into(),
                name: extension.table,
            });
        };
        for (name, column) in extension.columns {
            check_column(&extension.table, &name, &column)?;
            let full_name = format!("{}.{name}", extension.table);
            match table.columns.get(&name) {
                Some(known) if *known == column => {}
                Some(_) => return Err(DefinitionError::Exists { name: full_name }),
                None => {
                    table.columns.insert(name, column);
                }
            }
        }
        for key in extension.keys {
            if !table.keys.contains(&key) {
                table.keys.push(key);
            }
        }
        for (name, targets) in extension.add_targets {
            add_targets(table, &name, targets)?;
        }
        check_shape(table)
    }

    fn add_relationship(&mut self, relationship: Relationship) -> Result<(), DefinitionError> {
        let name = relationship.name().to_owned();
        match self.relationships.get(&name) {
            Some(known) if *known == relationship => return Ok(()),
            Some(_) => return Err(DefinitionError::Exists { name }),
            None => {}
        }
        if let Relationship::ManyToMany(link) = &relationship {
            self.add_table(intersect_table(link))?;
        }
        self.relationships.insert(name, relationship);
        Ok(())
    }

    fn check_references(&self) -> Result<(), DefinitionError> {
        for table in self.tables.values() {
            for (name, column) in &table.columns {
                if let Some(target) = column.targets.iter().find(|t| !self.tables.contains_key(*t))
                {
                    let owner = format!("column '{}.{name}'", table.name);
                    return Err(DefinitionError::Unknown { owner, name: target.clone() });
                }
            }
        }
        for relationship in self.relationships.values() {
            let Relationship::OneToMany(r) = relationship else {
                continue;
            };
            let lookup = self.tables.get(&r.child).and_then(|t| t.column(&r.lookup));
            let fits = lookup.is_some_and(|c| c.targets.contains(&r.parent));
            if !fits || !self.tables.contains_key(&r.parent) {
                let owner = format!("relationship '{}'", r.name);
                let name = format!("{}.{} -> {}", r.child, r.lookup, r.parent);
                return Err(DefinitionError::Unknown { owner, name });
            }
        }
        Ok(())
    }
}

/// Adds target tables to a lookup. A lookup with one target is stored without the table's name, so
/// it keeps its one target for ever.
fn add_targets(table: &mut Table, name: &str, targets: Vec<String>) -> Result<(), DefinitionError> {
    let owner = format!("{}.{name}", table.name);
    let Some(column) = table.columns.get_mut(name) else {
        return Err(DefinitionError::Unknown { owner: "'add_targets'".into(), name: owner });
    };
    if column.kind != ColumnType::Lookup || column.system || column.targets.len() < 2 {
        let reason = "targets can be added only to a lookup that has several already";
        return Err(DefinitionError::Invalid { owner, reason });
    }
    for target in targets {
        if !column.targets.contains(&target) {
            column.targets.push(target);
        }
    }
    Ok(())
}

fn intersect_table(link: &ManyToMany) -> Table {
    let (first, second) = link.lookups();
    let lookup = |to: &str| Column::of(ColumnType::Lookup).to(&[to]);
    let columns = BTreeMap::from([
        (first, lookup(&link.first)),
        (second, lookup(&link.second)),
        ("name".to_owned(), Column::of(ColumnType::String)),
    ]);
    Table {
        name: link.intersect.clone(),
        set: format!("{}set", link.intersect),
        label: String::new(),
        primary_id: String::new(),
        primary_name: "name".into(),
        ownership: Ownership::Organization,
        offline: true,
        administrative: false,
        intersect: true,
        columns,
        keys: Vec::new(),
        states: Vec::new(),
    }
}

/// Adds the primary id, the system columns and the default states.
fn completed(mut table: Table) -> Result<Table, DefinitionError> {
    for (name, column) in &table.columns {
        check_column(&table.name, name, column)?;
    }
    if table.primary_id.is_empty() {
        table.primary_id = format!("{}id", table.name);
    }
    if table.states.is_empty() {
        table.states = active_and_inactive();
    }
    let id = Column::of(ColumnType::UniqueIdentifier);
    table.columns.insert(table.primary_id.clone(), id);
    for (name, column) in system_columns(&table) {
        table.columns.entry(name.to_owned()).or_insert(column);
    }
    check_name(&table.name)?;
    check_name(&table.set)?;
    check_shape(&table)?;
    Ok(table)
}

fn active_and_inactive() -> Vec<State> {
    let status = |value, label: &str| Status { value, label: label.into(), transitions: vec![] };
    vec![
        State {
            value: 0,
            label: "Active".into(),
            statuses: vec![status(1, "Active")],
            closed: false,
        },
        State {
            value: 1,
            label: "Inactive".into(),
            statuses: vec![status(2, "Inactive")],
            closed: false,
        },
    ]
}

fn system_columns(table: &Table) -> Vec<(&'static str, Column)> {
    let user = || Column::of(ColumnType::Lookup).to(&["systemuser"]).system();
    let date = || Column::of(ColumnType::DateTime).system();
    let choices = |states: Vec<(i32, &str)>| {
        states.into_iter().map(|(value, l)| Choice { value, label: l.to_owned() }).collect()
    };
    let mut columns = vec![
        ("createdon", date()),
        ("modifiedon", date()),
        ("createdby", user()),
        ("modifiedby", user()),
    ];
    if table.intersect {
        return columns;
    }
    let mut state = Column::of(ColumnType::State);
    state.choices = choices(table.states.iter().map(|s| (s.value, s.label.as_str())).collect());
    let mut status = Column::of(ColumnType::Status);
    let statuses = table.states.iter().flat_map(|s| &s.statuses);
    status.choices = choices(statuses.map(|s| (s.value, s.label.as_str())).collect());
    // The offline time of a row that was made offline, beside the server's createdon.
    columns.push(("overriddencreatedon", Column::of(ColumnType::DateTime)));
    columns.push(("statecode", state));
    columns.push(("statuscode", status));
    if table.ownership == Ownership::User {
        columns.push(("ownerid", Column::of(ColumnType::Owner).to(&["systemuser", "team"])));
    }
    columns
}

fn check_name(name: &str) -> Result<(), DefinitionError> {
    let ok = !name.is_empty()
        && name.len() <= LIMITS.name_length_max
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if ok { Ok(()) } else { Err(DefinitionError::Name { name: name.chars().take(80).collect() }) }
}

fn check_shape(table: &Table) -> Result<(), DefinitionError> {
    let invalid = |reason| DefinitionError::Invalid { owner: table.name.clone(), reason };
    if table.columns.len() > LIMITS.columns_max {
        return Err(invalid("there are too many columns"));
    }
    if !table.column(&table.primary_name).is_some_and(|c| c.kind == ColumnType::String) {
        return Err(invalid("'primary_name' must name a string column"));
    }
    for key in &table.keys {
        let known = key.columns.iter().all(|c| table.columns.contains_key(c));
        if key.columns.is_empty() || !known {
            return Err(invalid("an alternate key needs columns of the table"));
        }
    }
    if table.states.iter().any(|state| state.statuses.is_empty()) {
        return Err(invalid("each state needs a status"));
    }
    Ok(())
}

fn check_column(table: &str, name: &str, column: &Column) -> Result<(), DefinitionError> {
    check_name(name)?;
    let invalid =
        |reason| Err(DefinitionError::Invalid { owner: format!("{table}.{name}"), reason });
    if column.system {
        return invalid("only the platform makes system columns");
    }
    if column.kind.is_reference() && column.targets.is_empty() {
        return invalid("a reference needs 'targets'");
    }
    if !column.kind.is_reference() && !column.targets.is_empty() {
        return invalid("only references have 'targets'");
    }
    if matches!(column.kind, ColumnType::Picklist | ColumnType::MultiSelect)
        && column.choices.is_empty()
    {
        return invalid("a picklist needs 'choices'");
    }
    if matches!(column.kind, ColumnType::State | ColumnType::Status) {
        return invalid("states are defined by 'states' of the table");
    }
    if column.precision.is_some_and(|p| p > LIMITS.precision_max) {
        return invalid("'precision' is at most 10");
    }
    if column.length_max() > LIMITS.text_length_max || column.length == Some(0) {
        return invalid("'length' must be between 1 and 1048576");
    }
    if column.behavior != DateBehavior::UserLocal && column.kind != ColumnType::DateTime {
        return invalid("only dates have 'behavior'");
    }
    if column.required == RequiredLevel::System && column.default == Some(Value::Null) {
        return invalid("a required column cannot default to null");
    }
    if column.autonumber.is_some() {
        if column.kind != ColumnType::String || column.length_max() < AUTONUMBER_LENGTH_MIN {
            return invalid("'autonumber' needs a string column with a length of at least 40");
        }
        if column.default.is_some() {
            return invalid("a column has 'autonumber' or 'default', not both");
        }
    }
    match &column.default {
        Some(value) if column.check(table, name, value).is_err() => {
            invalid("'default' does not fit the column")
        }
        _ => Ok(()),
    }
}
