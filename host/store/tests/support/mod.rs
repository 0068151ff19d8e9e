//! What the store tests share: a catalog with every column type, stores and rows.
#![allow(dead_code, reason = "every test binary uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "shared by several test binaries")]

use offstage_model::metadata::DefinitionFile;
use offstage_model::{Catalog, Entity, Timestamp, Uuid, Value};
use offstage_store::{Role, Store, StoreOptions, WriteStamp};

/// A table with one column of every type, and a key.
pub const EVERY_TYPE: &str = r#"{
  "tables": [{
    "name": "thing", "set": "things", "primary_name": "name", "ownership": "organization",
    "keys": [{"name": "thing_code", "columns": ["code", "kind"]}],
    "columns": {
      "name": {"type": "string"}, "code": {"type": "string"}, "notes": {"type": "memo"},
      "count": {"type": "integer"}, "big": {"type": "bigint"},
      "ratio": {"type": "decimal", "precision": 4}, "weight": {"type": "double"},
      "price": {"type": "money"}, "active": {"type": "boolean"}, "due": {"type": "datetime"},
      "kind": {"type": "picklist", "choices": [{"value": 1, "label": "One"}, {"value": 2, "label": "Two"}]},
      "tags": {"type": "multiselect", "choices": [{"value": 1, "label": "A"}, {"value": 3, "label": "B"}, {"value": 13, "label": "C"}]},
      "parent": {"type": "lookup", "targets": ["thing"]},
      "about": {"type": "customer", "targets": ["account", "contact"]},
      "token": {"type": "uniqueidentifier"}, "file": {"type": "file"}
    }
  }]
}"#;

pub fn catalog() -> Catalog {
    let file: DefinitionFile = serde_json::from_str(EVERY_TYPE).unwrap();
    Catalog::base().extended(file).unwrap()
}

pub fn options(role: Role) -> StoreOptions {
    StoreOptions { catalog: Some(catalog()), ..StoreOptions::new(role) }
}

pub fn store(role: Role) -> Store {
    Store::in_memory(&options(role)).unwrap()
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn stamp(time: i64) -> WriteStamp {
    WriteStamp::server(Timestamp(time))
}

pub fn thing(number: u128, name: &str) -> Entity {
    Entity::with_id("thing", id(number)).with("name", Value::text(name))
}
