//! The store as a file: reopening, refusals, damage and migration.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use offstage_model::metadata::DefinitionFile;
use offstage_model::{Catalog, Fault, Value, code};
use offstage_store::{Role, Store, StoreError, StoreOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{id, options, stamp, thing};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offstage.db");
    (folder, path)
}

fn with_one_row(path: &Path) {
    let store = Store::open(path, &options(Role::Server)).unwrap();
    let mut tx = store.write().unwrap();
    tx.insert(&thing(1, "kept"), &stamp(1)).unwrap();
    tx.commit().unwrap();
    let mut tx = store.write().unwrap();
    tx.insert(&thing(2, "forgotten"), &stamp(1)).unwrap();
    // Dropped without commit.
}

#[test]
fn what_was_committed_is_there_after_reopening_and_nothing_else() {
    let (_folder, path) = folder();
    with_one_row(&path);
    let store = Store::open(&path, &options(Role::Server)).unwrap();
    let mut tx = store.read().unwrap();
    assert!(tx.exists("thing", id(1)).unwrap() && !tx.exists("thing", id(2)).unwrap());
    assert_eq!(tx.current_version().unwrap(), 1);
    drop(tx);
    store.check().unwrap();
    assert_eq!(*store.catalog(), support::catalog());
}

#[test]
fn a_store_that_cannot_be_used_says_why_and_what_to_do() {
    let check = |path: &Path, role: Role, start: &str| {
        let error = Store::open(path, &options(role)).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        assert!(error.to_string().starts_with(start), "{error}");
        assert_eq!(Fault::from(error).code, code::STORE_UNUSABLE);
    };
    let (folder, path) = folder();
    let shown = |rest: &str| format!("the store '{}' {rest}", path.display());
    with_one_row(&path);

    let open = Store::open(&path, &options(Role::Server)).unwrap();
    check(&path, Role::Server, &shown("is in use by another program"));
    drop(open);
    check(&path, Role::Device, &shown("is the store of a server, not of a device"));

    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "this is not a database, whatever its name says").unwrap();
    check(&garbage, Role::Server, &format!("the file '{}' is not an Offstage", garbage.display()));

    let foreign = folder.path().join("foreign.db");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other.execute_batch("CREATE TABLE mine (a)").unwrap();
    drop(other);
    check(&foreign, Role::Server, &format!("the file '{}' is not an Offstage", foreign.display()));

    let nowhere = folder.path().join("no/such/folder.db");
    check(&nowhere, Role::Server, &format!("the store '{}' cannot be opened", nowhere.display()));

    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    check(&path, Role::Server, &shown("has format 99; this program reads up to 1"));
}

#[test]
fn a_damaged_file_is_refused() {
    let (_folder, path) = folder();
    with_one_row(&path);
    let whole = std::fs::read(&path).unwrap();
    // A page in the middle, the header's page size, and a file that was cut short.
    let mut middle = whole.clone();
    middle[4096 * 3..4096 * 3 + 64].fill(0xA5);
    let mut header = whole.clone();
    header[16..24].fill(0xFF);
    let short = whole[..whole.len() / 2].to_vec();
    for (damage, bytes) in [("page", middle), ("header", header), ("cut", short)] {
        std::fs::write(&path, bytes).unwrap();
        let error = Store::open(&path, &options(Role::Server)).unwrap_err();
        let known = matches!(error, StoreError::Corrupt { .. } | StoreError::NotAStore { .. });
        assert!(known, "{damage}: {error:?}");
    }
}

#[test]
fn the_writer_waits_for_a_bounded_time() {
    let options = StoreOptions { wait_max: Duration::from_millis(30), ..options(Role::Server) };
    let store = Store::in_memory(&options).unwrap();
    let first = store.write().unwrap();
    let refused = store.write().map(drop);
    assert!(matches!(refused, Err(StoreError::Busy { waited_ms: 30 })), "{refused:?}");
    drop(first);
    store.write().unwrap().commit().unwrap();
    let readers: Vec<_> = (0..4).map(|_| store.read().unwrap()).collect();
    assert!(matches!(store.read().map(drop), Err(StoreError::Busy { .. })));
    drop(readers);
    store.read().unwrap();
}

fn extended(catalog: &Catalog, json: &str) -> Catalog {
    let file: DefinitionFile = serde_json::from_str(json).unwrap();
    catalog.extended(file).unwrap()
}

#[test]
fn a_migration_adds_tables_and_columns_to_a_store_with_data() {
    let (_folder, path) = folder();
    with_one_row(&path);
    let store = Store::open(&path, &options(Role::Server)).unwrap();
    let next = extended(
        &store.catalog(),
        r#"{"tables": [{"name": "crate", "set": "crates", "primary_name": "name",
              "columns": {"name": {"type": "string"}}}],
            "extend": [{"table": "thing", "columns": {"colour": {"type": "string"},
              "second": {"type": "customer", "targets": ["account", "contact"]}},
              "keys": [{"name": "thing_colour", "columns": ["colour"]}]}]}"#,
    );
    store.migrate(next.clone()).unwrap();
    store.migrate(next.clone()).unwrap();
    drop(store);
    let store = Store::open(&path, &options(Role::Server)).unwrap();
    assert_eq!(*store.catalog(), next);
    let mut tx = store.write().unwrap();
    assert_eq!(tx.get("thing", id(1)).unwrap().unwrap().text("name"), Some("kept"));
    let red = |n| {
        thing(n, "new")
            .with("colour", Value::text("Red"))
            .with("second", Value::reference("contact", id(3)))
    };
    tx.insert(&red(5), &stamp(1)).unwrap();
    assert!(matches!(tx.insert(&red(6), &stamp(1)), Err(StoreError::DuplicateKey { .. })));
    let row = offstage_model::Entity::with_id("crate", id(1)).with("name", Value::text("c"));
    tx.insert(&row, &stamp(1)).unwrap();
    assert_eq!(tx.get("thing", id(5)).unwrap().unwrap().attributes, red(5).attributes);
}

#[test]
fn a_lookup_that_gets_a_second_target_keeps_its_rows() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &options(Role::Device)).unwrap();
    let mut tx = store.write().unwrap();
    let row = thing(1, "a").with("parent", Value::reference("thing", id(9)));
    tx.put_replica(&row).unwrap();
    tx.commit().unwrap();
    let mut next = (*store.catalog()).clone();
    let table = next.tables.get_mut("thing").unwrap();
    table.columns.get_mut("parent").unwrap().targets.push("account".into());
    store.migrate(next).unwrap();
    let mut tx = store.write().unwrap();
    let read = tx.get("thing", id(1)).unwrap().unwrap();
    assert_eq!(read.value("parent"), &Value::reference("thing", id(9)));
    tx.put_replica(&thing(2, "b").with("parent", Value::reference("account", id(4)))).unwrap();
    let read = tx.get("thing", id(2)).unwrap().unwrap();
    assert_eq!(read.value("parent"), &Value::reference("account", id(4)));
}

#[test]
fn a_migration_that_the_rows_do_not_allow_changes_nothing() {
    let store = support::store(Role::Server);
    let mut tx = store.write().unwrap();
    tx.insert(&thing(1, "same"), &stamp(1)).unwrap();
    tx.insert(&thing(2, "Same"), &stamp(1)).unwrap();
    tx.commit().unwrap();
    let before = store.catalog();
    let mut other_type = (*before).clone();
    let table = other_type.tables.get_mut("thing").unwrap();
    table.columns.get_mut("count").unwrap().kind = offstage_model::metadata::ColumnType::String;
    let mut other_scale = (*before).clone();
    let table = other_scale.tables.get_mut("thing").unwrap();
    table.columns.get_mut("price").unwrap().precision = Some(4);
    let new_key = r#"{"extend": [{"table": "thing", "columns": {"extra": {"type": "string"}},
                     "keys": [{"name": "by_name", "columns": ["name"]}]}]}"#;
    let reserved = r#"{"extend": [{"table": "thing", "columns": {"os_x": {"type": "string"}}}]}"#;
    let cases = [other_type, other_scale, extended(&before, new_key), extended(&before, reserved)];
    for next in cases {
        store.migrate(next).unwrap_err();
        assert_eq!(*store.catalog(), *before);
        let mut tx = store.write().unwrap();
        tx.update("thing", id(1), &thing(1, "same").attributes, &stamp(2)).unwrap();
        assert!(matches!(
            tx.get_columns("thing", id(1), &["extra".into()]),
            Err(StoreError::Query(_))
        ));
    }
}
