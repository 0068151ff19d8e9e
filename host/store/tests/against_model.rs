//! Random operations, with savepoints and rollbacks, against a map: equal rows, errors, versions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use offstage_model::entity::Attributes;
use offstage_model::{Uuid, Value};
use offstage_store::{Role, Savepoint, Store, StoreError, Tx};
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

/// A store and the map that it must agree with.
struct Run {
    store: Store,
    tx: Option<Tx>,
    committed: Model,
    model: Model,
    saved: Vec<(Model, Savepoint)>,
    last_version: u64,
}

impl Run {
    fn new(role: Role) -> Self {
        let store = store(role);
        let tx = Some(store.write().unwrap());
        let (committed, model) = (Model::new(), Model::new());
        Self { store, tx, committed, model, saved: Vec::new(), last_version: 0 }
    }

    fn tx(&mut self) -> &mut Tx {
        self.tx.as_mut().unwrap()
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Insert(row, code) => self.insert(*row, Some(*code).filter(|c| *c > 0)),
            Op::Update(row, code) => self.update(*row, *code),
            Op::Delete(row) => {
                let known = self.model.remove(row).is_some();
                let expected = if known { Answer::Done } else { Answer::NoSuchRow };
                let found = self.tx().delete("thing", uuid(*row), &stamp(3));
                assert_eq!(answer(found), expected);
            }
            Op::Commit | Op::Rollback => self.end(matches!(op, Op::Commit)),
            Op::Savepoint => {
                let savepoint = self.tx().savepoint().unwrap();
                self.saved.push((self.model.clone(), savepoint));
            }
            Op::Release => {
                if let Some((_, savepoint)) = self.saved.pop() {
                    self.tx().release(savepoint).unwrap();
                }
            }
            Op::RollbackTo => {
                if let Some((before, savepoint)) = self.saved.pop() {
                    self.tx().rollback_to(savepoint).unwrap();
                    self.model = before;
                }
            }
        }
    }

    fn insert(&mut self, row: u8, code: Option<u8>) {
        let entity =
            thing(u128::from(row), "n").with("code", key(code)).with("kind", Value::Option(1));
        let found = self.tx().insert(&entity, &stamp(1));
        if let (Ok(version), Role::Server) = (&found, self.store.role()) {
            assert!(*version > self.last_version);
            self.last_version = *version;
        }
        let (exists, clash) = (self.model.contains_key(&row), taken(&self.model, row, code));
        match answer(found) {
            Answer::Done => {
                assert!(!exists && !clash);
                self.model.insert(row, code);
            }
            Answer::Duplicate => assert!(exists),
            Answer::DuplicateKey => assert!(clash),
            Answer::NoSuchRow => panic!("an insert needs no row"),
        }
    }

    fn update(&mut self, row: u8, code: Option<u8>) {
        let changes = Attributes::from([("code".to_owned(), key(code))]);
        let expected = match (self.model.contains_key(&row), taken(&self.model, row, code)) {
            (false, _) => Answer::NoSuchRow,
            (true, true) => Answer::DuplicateKey,
            (true, false) => {
                self.model.insert(row, code);
                Answer::Done
            }
        };
        let found = self.tx().update("thing", uuid(row), &changes, &stamp(2));
        assert_eq!(answer(found), expected);
    }

    fn end(&mut self, commit: bool) {
        self.saved.clear();
        let tx = self.tx.take().unwrap();
        if commit {
            tx.commit().unwrap();
            self.committed = self.model.clone();
        } else {
            tx.rollback();
            self.model = self.committed.clone();
            self.last_version = 0;
        }
        self.tx = Some(self.store.write().unwrap());
    }

    fn finish(mut self) {
        for row in 1..8u8 {
            let stored = self.tx().get("thing", uuid(row)).unwrap();
            let stored = stored.map(|e| e.value("code").clone());
            assert_eq!(stored, self.model.get(&row).map(|code| key(*code)));
        }
        self.end(true);
        drop(self.tx.take());
        if self.store.role() == Role::Server {
            let changes = self.store.read().unwrap().changes("thing", 0, 1000).unwrap();
            assert!(changes.is_sorted_by_key(|c| c.version));
            assert_eq!(changes.iter().filter(|c| !c.deleted).count(), self.model.len());
        }
        self.store.check().unwrap();
    }
}

fn check(role: Role, ops: &[Op]) {
    let mut run = Run::new(role);
    ops.iter().for_each(|op| run.step(op));
    run.finish();
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
