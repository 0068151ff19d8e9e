//! Random operations, with savepoints and rollbacks, against a map: equal rows, errors, versions.

mod support;

use offstage_model::entity::Attributes;
use offstage_model::{Uuid, Value};
use offstage_store::{Role, StoreError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{id, stamp, store, thing};

#[derive(Clone, Debug)]
enum Op {
    Insert(u8, u8),
    Update(u8, Option<u8>),
    Delete(u8),
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
}

fn op() -> impl Strategy<Value = Op> {
    let row = 1..8u8;
    prop_oneof![
        4 => (row.clone(), 0..4u8).prop_map(|(row, code)| Op::Insert(row, code)),
        4 => (row.clone(), proptest::option::of(0..4u8)).prop_map(|(r, c)| Op::Update(r, c)),
        2 => row.prop_map(Op::Delete),
        1 => Just(Op::Commit),
        1 => Just(Op::Rollback),
        1 => Just(Op::Savepoint),
        1 => Just(Op::Release),
        1 => Just(Op::RollbackTo),
    ]
}

/// Row to key column; the key is unique unless it is empty.
type Model = BTreeMap<u8, Option<u8>>;

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Duplicate,
    DuplicateKey,
    NoSuchRow,
}

fn answer<T>(result: Result<T, StoreError>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(StoreError::Duplicate { .. }) => Answer::Duplicate,
        Err(StoreError::DuplicateKey { .. }) => Answer::DuplicateKey,
        Err(StoreError::NoSuchRow { .. }) => Answer::NoSuchRow,
        Err(other) => panic!("{other:?}"),
    }
}

fn taken(model: &Model, row: u8, key: Option<u8>) -> bool {
    key.is_some() && model.iter().any(|(other, k)| *other != row && *k == key)
}

fn key(code: Option<u8>) -> Value {
    code.map_or(Value::Null, |c| Value::text(format!("K{c}")))
}

fn uuid(row: u8) -> Uuid {
    id(u128::from(row))
}

fn check(role: Role, ops: &[Op]) {
    let store = store(role);
    let mut committed = Model::new();
    let mut model = Model::new();
    let mut saved: Vec<(Model, offstage_store::Savepoint)> = Vec::new();
    let mut tx = store.write().unwrap();
    let mut last_version = 0;
    for op in ops {
        match op {
            Op::Insert(row, code) => {
                let code = Some(*code).filter(|c| *c > 0);
                let entity = thing(u128::from(*row), "n")
                    .with("code", key(code))
                    .with("kind", Value::Option(1));
                let found = tx.insert(&entity, &stamp(1));
                if let (Ok(version), Role::Server) = (&found, role) {
                    assert!(*version > last_version);
                    last_version = *version;
                }
                let (exists, clash) = (model.contains_key(row), taken(&model, *row, code));
                match answer(found) {
                    Answer::Done => {
                        assert!(!exists && !clash);
                        model.insert(*row, code);
                    }
                    Answer::Duplicate => assert!(exists),
                    Answer::DuplicateKey => assert!(clash),
                    Answer::NoSuchRow => panic!("an insert needs no row"),
                }
            }
            Op::Update(row, code) => {
                let changes = Attributes::from([("code".to_owned(), key(*code))]);
                let expected = match (model.contains_key(row), taken(&model, *row, *code)) {
                    (false, _) => Answer::NoSuchRow,
                    (true, true) => Answer::DuplicateKey,
                    (true, false) => {
                        model.insert(*row, *code);
                        Answer::Done
                    }
                };
                assert_eq!(answer(tx.update("thing", uuid(*row), &changes, &stamp(2))), expected);
            }
            Op::Delete(row) => {
                let expected =
                    if model.remove(row).is_some() { Answer::Done } else { Answer::NoSuchRow };
                assert_eq!(answer(tx.delete("thing", uuid(*row), &stamp(3))), expected);
            }
            Op::Commit | Op::Rollback => {
                saved.clear();
                if matches!(op, Op::Commit) {
                    tx.commit().unwrap();
                    committed = model.clone();
                } else {
                    tx.rollback();
                    model = committed.clone();
                    last_version = 0;
                }
                tx = store.write().unwrap();
            }
            Op::Savepoint => saved.push((model.clone(), tx.savepoint().unwrap())),
            Op::Release => {
                if let Some((_, savepoint)) = saved.pop() {
                    tx.release(savepoint).unwrap();
                }
            }
            Op::RollbackTo => {
                if let Some((before, savepoint)) = saved.pop() {
                    tx.rollback_to(savepoint).unwrap();
                    model = before;
                }
            }
        }
    }
    for row in 1..8u8 {
        let stored = tx.get("thing", uuid(row)).unwrap();
        let stored = stored.map(|e| e.value("code").clone());
        assert_eq!(stored, model.get(&row).map(|code| key(*code)));
    }
    tx.commit().unwrap();
    if role == Role::Server {
        let mut tx = store.read().unwrap();
        let changes = tx.changes("thing", 0, 1000).unwrap();
        assert!(changes.is_sorted_by_key(|c| c.version));
        let alive = changes.iter().filter(|c| !c.deleted).count();
        assert_eq!(alive, model.len());
    }
    store.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_server_store_is_a_map(ops in proptest::collection::vec(op(), 1..60)) {
        check(Role::Server, &ops);
    }

    #[test]
    fn a_device_store_is_a_map(ops in proptest::collection::vec(op(), 1..60)) {
        check(Role::Device, &ops);
    }
}
