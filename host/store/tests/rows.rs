//! Rows: every type, versions, stamps, keys, savepoints and change order.

mod support;

use offstage_model::entity::Attributes;
use offstage_model::{Decimal, Entity, Fault, Timestamp, Value, code};
use offstage_store::{Change, Role, StoreError, WriteStamp};
use support::{id, stamp, store, thing};

fn one(column: &str, value: Value) -> Attributes {
    Attributes::from([(column.to_owned(), value)])
}

#[test]
fn every_column_type_comes_back_as_it_went_in() {
    let cases = [
        ("name", Value::text("Zürich ' \" ; -- 日本")),
        ("notes", Value::text("x".repeat(100_000))),
        ("count", Value::Integer(i32::MIN)),
        ("big", Value::BigInt(i64::MAX)),
        ("ratio", Value::Decimal(Decimal::new(-12_345, 4))),
        ("weight", Value::Double(0.1 + 0.2)),
        ("price", Value::Money(Decimal::new(995, 1))),
        ("active", Value::Boolean(false)),
        ("due", Value::DateTime(Timestamp(-1))),
        ("kind", Value::Option(2)),
        ("tags", Value::Options(vec![1, 13])),
        ("parent", Value::reference("thing", id(7))),
        ("about", Value::reference("contact", id(8))),
        ("token", Value::Guid(id(9))),
        ("file", Value::Bytes(vec![0, 255, 7])),
        ("file", Value::Bytes(vec![3; 16])),
    ];
    for role in [Role::Server, Role::Device] {
        let store = store(role);
        let mut tx = store.write().unwrap();
        for (i, (column, value)) in cases.iter().enumerate() {
            let row = Entity::with_id("thing", id(i as u128 + 1)).with(*column, value.clone());
            tx.insert(&row, &stamp(1)).unwrap();
            let read = tx.get("thing", row.id.unwrap()).unwrap().unwrap();
            assert_eq!(read.value(column), value, "{column}");
            assert_eq!(read.attributes.len(), 1, "empty columns are absent");
            tx.update("thing", read.id.unwrap(), &one(column, Value::Null), &stamp(2)).unwrap();
            let cleared = tx.get("thing", read.id.unwrap()).unwrap().unwrap();
            assert!(cleared.attributes.is_empty(), "{column}");
        }
    }
}

#[test]
fn errors_are_typed_and_say_what_to_do() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let with_key = |n: u128, code: &str| {
        thing(n, "a").with("code", Value::text(code)).with("kind", Value::Option(1))
    };
    tx.insert(&with_key(1, "K"), &stamp(1)).unwrap();
    tx.insert(&with_key(2, "L"), &stamp(1)).unwrap();
    let missing = id(99);
    let check = |result: Result<u64, StoreError>, fault_code: u32, text: &str| {
        let fault = Fault::from(result.unwrap_err());
        assert_eq!((fault.code, fault.message.as_str()), (fault_code, text));
    };
    check(
        tx.insert(&thing(1, "again"), &stamp(1)),
        code::DUPLICATE_RECORD,
        "Thing(00000000-0000-0000-0000-000000000001) exists already.",
    );
    let key_text =
        "Thing(00000000-0000-0000-0000-000000000001) has the same values of the key 'thing_code'.";
    check(tx.insert(&with_key(3, "k"), &stamp(1)), code::DUPLICATE_KEY, key_text);
    check(
        tx.update("thing", id(2), &one("code", Value::text("K")), &stamp(1)),
        code::DUPLICATE_KEY,
        key_text,
    );
    check(
        tx.update("thing", missing, &one("name", Value::Null), &stamp(1)),
        code::OBJECT_DOES_NOT_EXIST,
        "thing With Id = 00000000-0000-0000-0000-000000000063 Does Not Exist",
    );
    check(
        tx.insert(&Entity::with_id("nothing", id(1)), &stamp(1)),
        code::UNKNOWN_TABLE,
        "The table 'nothing' does not exist.",
    );
    check(
        tx.insert(&thing(5, "a").with("nocolumn", Value::Null), &stamp(1)),
        code::UNKNOWN_COLUMN,
        "'Thing' entity doesn't contain attribute with Name = 'nocolumn' and NameMapping = 'Logical'",
    );
    check(
        tx.insert(&thing(5, "a").with("count", Value::text("7")), &stamp(1)),
        code::INVALID_VALUE,
        "A value for thing does not fit its column: the value of column 'count' is not a Integer.",
    );
    check(
        tx.insert(&Entity::new("thing"), &stamp(1)),
        code::INVALID_ARGUMENT,
        "A row of thing has no id.",
    );
    // None of the errors ended the transaction.
    assert_eq!(tx.insert(&thing(5, "a"), &stamp(1)).unwrap(), tx.current_version().unwrap());
    tx.commit().unwrap();
}

#[test]
fn a_device_checks_keys_itself_and_takes_replicas_that_clash_for_a_moment() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    let with_key = |n: u128, code: &str| {
        let row = thing(n, "a").with("code", Value::text(code)).with("kind", Value::Option(1));
        Entity { version: Some(10 + n as u64), ..row }
    };
    tx.put_replica(&with_key(1, "A")).unwrap();
    tx.put_replica(&with_key(2, "B")).unwrap();
    let taken = tx.insert(&with_key(3, "b"), &stamp(1));
    assert!(matches!(taken, Err(StoreError::DuplicateKey { .. })), "{taken:?}");
    let taken = tx.update("thing", id(1), &one("code", Value::text("B")), &stamp(1));
    assert!(matches!(taken, Err(StoreError::DuplicateKey { .. })), "{taken:?}");
    // The server swapped the two codes; the rows come one by one.
    tx.put_replica(&with_key(1, "B")).unwrap();
    tx.put_replica(&with_key(2, "A")).unwrap();
    let key = Attributes::from([
        ("code".to_owned(), Value::text("a")),
        ("kind".to_owned(), Value::Option(1)),
    ]);
    assert_eq!(tx.find_by_key("thing", &key).unwrap(), Some(id(2)));
    // Local writes keep the server's version; a row of the device's own has none.
    assert_eq!(tx.update("thing", id(1), &one("count", Value::Integer(1)), &stamp(1)).unwrap(), 11);
    assert_eq!(tx.insert(&thing(4, "mine"), &stamp(1)).unwrap(), 0);
    assert_eq!(tx.version("thing", id(1)).unwrap(), Some(11));
    assert!(
        tx.remove_replica("thing", id(1)).unwrap() && !tx.remove_replica("thing", id(1)).unwrap()
    );
}

#[test]
fn stamps_tell_who_wrote_each_column() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let device = WriteStamp { time: Timestamp(20), device: id(77), sequence: 5 };
    let first = tx.insert(&thing(1, "a"), &stamp(10)).unwrap();
    let second = tx.update("thing", id(1), &one("count", Value::Integer(1)), &device).unwrap();
    assert!(second > first);
    let stamps = tx.stamps("thing", id(1)).unwrap();
    let of = |column: &str| stamps.of(column).map(|s| (s.version, s.time.0, s.device, s.sequence));
    assert_eq!(of("name"), Some((first, 10, id(0), 0)));
    assert_eq!(of("count"), Some((second, 20, id(77), 5)));
    assert_eq!(stamps.version, second);
}

#[test]
fn changes_come_in_commit_order_with_deletes_among_them() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    for n in 1..=3 {
        tx.insert(&thing(n, "a"), &stamp(1)).unwrap();
    }
    tx.commit().unwrap();
    let mut tx = store.write().unwrap();
    tx.update("thing", id(1), &one("name", Value::text("b")), &stamp(2)).unwrap();
    tx.delete("thing", id(2), &stamp(3)).unwrap();
    tx.commit().unwrap();
    let mut tx = store.read().unwrap();
    let seen: Vec<(u128, bool)> = tx
        .changes("thing", 0, 10)
        .unwrap()
        .iter()
        .map(|c: &Change| (c.id.as_u128(), c.deleted))
        .collect();
    assert_eq!(seen, [(3, false), (1, false), (2, true)]);
    assert_eq!(tx.changes("thing", 3, 1).unwrap().len(), 1);
    assert_eq!(tx.tombstone("thing", id(2)).unwrap().unwrap().stamp.time, Timestamp(3));
    drop(tx);
    // A row that comes back has no tombstone.
    let mut tx = store.write().unwrap();
    tx.insert(&thing(2, "back"), &stamp(4)).unwrap();
    assert_eq!(tx.tombstone("thing", id(2)).unwrap(), None);
    assert_eq!(tx.changes("thing", 5, 10).unwrap().len(), 1);
}

#[test]
fn savepoints_undo_their_part_only() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    tx.insert(&thing(1, "kept"), &stamp(1)).unwrap();
    let outer = tx.savepoint().unwrap();
    tx.insert(&thing(2, "undone"), &stamp(1)).unwrap();
    let inner = tx.savepoint().unwrap();
    let undone = tx.insert(&thing(3, "undone"), &stamp(1)).unwrap();
    tx.release(inner).unwrap();
    tx.rollback_to(outer).unwrap();
    let next = tx.insert(&thing(4, "kept"), &stamp(1)).unwrap();
    assert!(next > undone, "a version is never given twice");
    tx.commit().unwrap();
    let mut tx = store.read().unwrap();
    let there: Vec<bool> = (1..=4).map(|n| tx.exists("thing", id(n)).unwrap()).collect();
    assert_eq!(there, [true, false, false, true]);
    assert_eq!(tx.current_version().unwrap(), next);
}

#[test]
fn a_reader_sees_one_state_and_cannot_write() {
    let store = store(Role::Server);
    let mut reader = store.read().unwrap();
    assert!(!reader.exists("thing", id(1)).unwrap());
    let mut tx = store.write().unwrap();
    tx.insert(&thing(1, "a"), &stamp(1)).unwrap();
    tx.commit().unwrap();
    assert!(!reader.exists("thing", id(1)).unwrap());
    let refused = reader.insert(&thing(2, "a"), &stamp(1));
    assert!(matches!(refused, Err(StoreError::ReadOnlyTransaction)), "{refused:?}");
    drop(reader);
    assert!(store.read().unwrap().exists("thing", id(1)).unwrap());
}

#[test]
fn children_and_digests() {
    let (server, device) = (store(Role::Server), store(Role::Device));
    let mut tx = server.write().unwrap();
    let parent = |n: u128| thing(n, "child").with("parent", Value::reference("thing", id(9)));
    for n in [3, 1, 2] {
        tx.insert(&parent(n), &stamp(1)).unwrap();
    }
    assert_eq!(tx.children("thing", "parent", id(9), 10).unwrap(), [id(1), id(2), id(3)]);
    assert_eq!(tx.children("thing", "parent", id(9), 2).unwrap().len(), 2);
    let mut copy = device.write().unwrap();
    for n in 1..=3 {
        copy.put_replica(&tx.get("thing", id(n)).unwrap().unwrap()).unwrap();
    }
    let digest = tx.table_digest("thing", None, None).unwrap();
    assert_eq!(digest, copy.table_digest("thing", None, None).unwrap());
    let ids = [id(3), id(2), id(1), id(50)];
    assert_eq!(digest, copy.table_digest("thing", Some(&ids), None).unwrap());
    copy.apply_overlay("thing", id(1), &one("name", Value::text("other"))).unwrap();
    copy.apply_overlay("thing", id(60), &one("name", Value::text("absent"))).unwrap();
    assert_ne!(digest, copy.table_digest("thing", None, None).unwrap());
    let columns = ["parent".to_owned()];
    assert_eq!(
        tx.table_digest("thing", None, Some(&columns)).unwrap(),
        copy.table_digest("thing", None, Some(&columns)).unwrap()
    );
}
