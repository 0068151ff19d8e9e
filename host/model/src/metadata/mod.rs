//! Metadata: tables, columns, relationships, keys and states, from definition files.
//!
//! The base set ships inside (`base/*.json`) in the same form in which users add custom tables.
//! Never reads files and never migrates a store; `offstage-store` does that.

mod autonumber;
mod catalog;
mod check;
mod column;
mod table;

pub use autonumber::{AUTONUMBER_LENGTH_MIN, AutoNumber};
pub use catalog::{Catalog, DefinitionError, DefinitionFile, Extension, LIMITS, Limits};
pub use column::{Choice, Column, ColumnType, DateBehavior, RequiredLevel};
pub use table::{
    AlternateKey, Cascade, ManyToMany, OneToMany, Ownership, Relationship, State, Status, Table,
};
