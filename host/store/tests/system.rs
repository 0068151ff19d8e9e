//! The system tables: settings, journal, receipts, traces, registration, principals and logs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use offstage_model::journal::{
    EffectKind, EntryState, JOURNAL_FORMAT, JournalEntry, OperationNode, Outcome, RowEffect,
    chain_hash,
};
use offstage_model::registration::{Package, Step, StepDeclaration};
use offstage_model::value::EntityReference;
use offstage_model::{Entity, Request, Timestamp, Value};
use offstage_store::{
    CaptureFilter, CaptureRow, ConflictRow, DeviceRow, JournalCounts, JournalFilter, Principal,
    Receipt, Role, StoreError, TraceFilter, TraceRow, Tx, Winner,
};
use support::{id, store};

#[test]
fn settings_are_documents_by_key() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    assert_eq!(tx.get_setting::<Vec<u8>>("k").unwrap(), None);
    tx.put_setting("k", &vec![1u8, 2]).unwrap();
    tx.put_setting("k", &vec![3u8]).unwrap();
    assert_eq!(tx.get_setting::<Vec<u8>>("k").unwrap(), Some(vec![3]));
    assert!(matches!(tx.get_setting::<String>("k"), Err(StoreError::Document { .. })));
    tx.remove_setting("k").unwrap();
    assert_eq!(tx.get_setting::<Vec<u8>>("k").unwrap(), None);
}

/// An entry that changes the row `row`, and continues the journal.
fn append(tx: &mut Tx, epoch: u64, row: u128, supersedes: Option<u64>) -> u64 {
    let last = if tx.journal_epoch().unwrap() == epoch { tx.last_entry().unwrap() } else { None };
    let (sequence, previous) = last.map_or((1, String::new()), |(s, hash)| (s + 1, hash));
    let mut root = OperationNode::new(Request::create(Entity::with_id("thing", id(row))));
    root.row = Some(id(row));
    root.effects.push(RowEffect {
        table: "thing".into(),
        id: id(row),
        kind: EffectKind::Created,
        base_version: Some(4),
        before: Default::default(),
        after: [("count".to_owned(), Value::Integer(sequence as i32))].into(),
    });
    let entry = JournalEntry {
        format: JOURNAL_FORMAT,
        device: id(50),
        epoch,
        sequence,
        previous,
        operation: id(1000 + u128::from(sequence)),
        supersedes,
        discards: false,
        user: id(51),
        time: Timestamp(9),
        correlation: id(52),
        plugin_set: String::new(),
        metadata_version: 1,
        reads: Vec::new(),
        root,
    };
    let frozen = entry.freeze();
    tx.append_entry(&entry, &frozen, &chain_hash(&frozen)).unwrap();
    sequence
}

fn outcome(sequence: u64, state: EntryState) -> Outcome {
    Outcome {
        sequence,
        state,
        response: None,
        fault: None,
        blocked_by: None,
        report: Default::default(),
        rows: Vec::new(),
        decided_on: Timestamp(3),
    }
}

#[test]
fn the_journal_is_a_chain_with_states_and_outcomes() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    for n in 1..=4 {
        assert_eq!(append(&mut tx, 1, 100 + n % 2, None), n as u64);
    }
    let report = tx.verify_chain().unwrap();
    assert_eq!((report.entries, report.broken), (4, None));

    let sent = tx.frozen_after(1, 10, usize::MAX).unwrap();
    assert_eq!(sent.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(tx.frozen_after(0, 10, 1).unwrap().len(), 1, "at least one");
    tx.set_state(1, EntryState::Sent).unwrap();
    tx.record_outcome(&outcome(1, EntryState::Applied)).unwrap();
    tx.record_outcome(&outcome(2, EntryState::Rejected)).unwrap();
    let counts = JournalCounts { pending: 2, applied: 1, rejected: 1, ..Default::default() };
    assert_eq!(tx.journal_counts().unwrap(), counts);
    let stored = tx.entry(2).unwrap().unwrap();
    assert_eq!(stored.outcome, Some(outcome(2, EntryState::Rejected)));
    assert_eq!(chain_hash(&stored.frozen), stored.row.hash);
    assert_eq!(stored.entry().unwrap().sequence, 2);
    assert_eq!(stored.row.row, Some(id(100)));

    assert_eq!(tx.journal_attention(10).unwrap().len(), 1);
    append(&mut tx, 1, 100, Some(2));
    assert_eq!(tx.journal_attention(10).unwrap().len(), 0);
    assert_eq!(tx.entry(2).unwrap().unwrap().row.superseded_by, Some(5));
    let filter =
        JournalFilter { states: vec![EntryState::Pending], after: 3, ..Default::default() };
    let listed: Vec<u64> = tx.entries(&filter).unwrap().iter().map(|r| r.sequence).collect();
    assert_eq!(listed, [4, 5]);
    assert!(matches!(tx.set_state(99, EntryState::Sent), Err(StoreError::NoSuchEntry { .. })));

    // A new epoch starts a new chain; the old one stays readable.
    append(&mut tx, 2, 300, None);
    assert_eq!(tx.last_entry().unwrap().unwrap().0, 1);
    assert_eq!(tx.entry_of(1, 5).unwrap().unwrap().row.supersedes, Some(2));
    assert_eq!(tx.verify_chain().unwrap().entries, 1);
}

#[test]
fn an_entry_must_follow_the_last_one() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    append(&mut tx, 1, 1, None);
    let mut entry = tx.entry(1).unwrap().unwrap().entry().unwrap();
    for sequence in [1, 3] {
        entry.sequence = sequence;
        let refused = tx.append_entry(&entry, b"x", "h");
        assert!(matches!(refused, Err(StoreError::JournalOrder { .. })), "{refused:?}");
    }
}

#[test]
fn rows_stay_dirty_until_their_entries_are_closed_and_they_are_repaired() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    for row in [100, 101, 100] {
        append(&mut tx, 1, row, None);
    }
    let effects = tx.pending_effects("thing", id(100)).unwrap();
    assert_eq!(effects.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(effects[1].1.after["count"], Value::Integer(3));
    assert_eq!(effects[1].1.base_version, Some(4));
    let row = |n| EntityReference::new("thing", id(n));
    assert_eq!(tx.dirty_rows(None, 10).unwrap(), [row(100), row(101)]);
    assert_eq!(tx.dirty_rows(Some(&row(100)), 10).unwrap(), [row(101)]);
    tx.record_outcome(&outcome(1, EntryState::Applied)).unwrap();
    tx.record_outcome(&outcome(2, EntryState::Rejected)).unwrap();
    assert_eq!(tx.pending_effects("thing", id(101)).unwrap(), []);
    assert!(tx.is_dirty("thing", id(101)).unwrap());
    tx.clear_dirty("thing", id(101)).unwrap();
    tx.clear_dirty("thing", id(100)).unwrap();
    assert!(!tx.is_dirty("thing", id(101)).unwrap());
    assert_eq!(tx.pending_effects("thing", id(100)).unwrap().len(), 1, "entry 3 is open");
}

#[test]
fn receipts_are_final_and_outcomes_are_forgotten_when_acknowledged() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let device =
        DeviceRow { offset_ms: Some(-5), ..DeviceRow::new(id(1), id(2), "laptop", Timestamp(7)) };
    tx.put_device(&device).unwrap();
    tx.put_device(&DeviceRow { last_sequence: 3, ..device.clone() }).unwrap();
    assert_eq!(tx.devices().unwrap(), [DeviceRow { last_sequence: 3, ..device }]);
    for (sequence, state) in
        [(1, EntryState::Applied), (2, EntryState::Rejected), (3, EntryState::Applied)]
    {
        let receipt = Receipt {
            device: id(1),
            epoch: 1,
            sequence,
            hash: "h".into(),
            operation: id(9),
            state,
            outcome: Some(vec![7; 16]),
        };
        tx.put_receipt(&receipt).unwrap();
        assert_eq!(tx.receipt(id(1), 1, sequence).unwrap(), Some(receipt.clone()));
        assert!(matches!(tx.put_receipt(&receipt), Err(StoreError::DuplicateSystemRow { .. })));
    }
    assert_eq!(tx.forget_receipts(id(1), 1, 2).unwrap(), 1);
    let left: Vec<bool> =
        (1..=3).map(|s| tx.receipt(id(1), 1, s).unwrap().unwrap().outcome.is_some()).collect();
    assert_eq!(left, [false, true, true]);
    assert_eq!(tx.attention_receipts(id(1)).unwrap().len(), 1);

    tx.put_online_receipt(id(5), "h", b"answer", Timestamp(10)).unwrap();
    assert!(tx.put_online_receipt(id(5), "h", b"other", Timestamp(10)).is_err());
    assert_eq!(tx.online_receipt(id(5)).unwrap().unwrap().response, b"answer");
}

#[test]
fn traces_are_listed_newest_first_and_pruned() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    for n in 1..=5u128 {
        let row = TraceRow {
            id: id(n),
            time: Timestamp(n as i64),
            message: if n % 2 == 0 { "Update".into() } else { "Create".into() },
            exception: (n == 4).then(|| "refused".into()),
            fuel: u64::from(u32::MAX) * 8,
            stage: 40,
            offline: true,
            ..TraceRow::default()
        };
        tx.put_trace(&row).unwrap();
        assert_eq!(tx.trace(id(n)).unwrap(), Some(row));
    }
    let mut ids = |filter: TraceFilter| -> Vec<u128> {
        tx.traces(&filter, 10).unwrap().iter().map(|t| t.id.as_u128()).collect()
    };
    assert_eq!(ids(TraceFilter::default()), [5, 4, 3, 2, 1]);
    assert_eq!(ids(TraceFilter { message: Some("Update".into()), ..Default::default() }), [4, 2]);
    assert_eq!(ids(TraceFilter { failed: true, ..Default::default() }), [4]);
    assert_eq!(ids(TraceFilter { since: Some(Timestamp(4)), ..Default::default() }), [5, 4]);
    assert_eq!(tx.prune_traces(2).unwrap(), 3);
    assert_eq!(tx.traces(&TraceFilter::default(), 10).unwrap().len(), 2);
}

#[test]
fn captures_are_found_by_operation_and_bounded_by_count_and_bytes() {
    let store = store(Role::Device);
    let mut tx = store.write().unwrap();
    let row = |n: u128| CaptureRow {
        id: id(n),
        time: Timestamp(n as i64),
        step: if n.is_multiple_of(2) { "even".into() } else { "odd".into() },
        place: "offline".into(),
        operation: id(100 + n % 2),
        package: "samples/x".into(),
        failed: n == 4,
        imported: false,
        bytes: n as u64,
    };
    for n in 1..=5u128 {
        // As many bytes as its number.
        assert!(tx.put_capture(&row(n), &vec![n as u8; n as usize]).unwrap());
    }
    assert!(!tx.put_capture(&row(5), b"again").unwrap());
    assert_eq!(tx.capture_document(id(3)).unwrap(), Some(vec![3; 3]));
    assert_eq!(tx.capture_document(id(9)).unwrap(), None);
    let odd = tx.capture_documents(id(101)).unwrap();
    assert_eq!(odd, [vec![1; 1], vec![3; 3], vec![5; 5]]);
    assert_eq!(tx.captures(&CaptureFilter::default(), 1).unwrap(), [row(5)]);
    let mut ids = |filter: CaptureFilter| -> Vec<u128> {
        tx.captures(&filter, 10).unwrap().iter().map(|c| c.id.as_u128()).collect()
    };
    assert_eq!(ids(CaptureFilter::default()), [5, 4, 3, 2, 1]);
    assert_eq!(ids(CaptureFilter { step: Some("even".into()), ..Default::default() }), [4, 2]);
    assert_eq!(ids(CaptureFilter { operation: Some(id(101)), ..Default::default() }), [5, 3, 1]);
    assert_eq!(ids(CaptureFilter { failed: true, ..Default::default() }), [4]);
    // Count, bytes, how many go, what stays.
    let cases: [(usize, u64, usize, &[u128]); 4] = [
        (5, 15, 0, &[5, 4, 3, 2, 1]),
        (4, 15, 1, &[5, 4, 3, 2]),
        (4, 11, 2, &[5, 4]),
        (0, 15, 2, &[]),
    ];
    for (count_max, bytes_max, gone, left) in cases {
        assert_eq!(tx.prune_captures(count_max, bytes_max).unwrap(), gone);
        let rows = tx.captures(&CaptureFilter::default(), 10).unwrap();
        let ids: Vec<u128> = rows.iter().map(|c| c.id.as_u128()).collect();
        assert_eq!(ids, left, "{count_max} captures, {bytes_max} bytes");
    }
}

#[test]
fn registration_counts_its_changes() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let package = Package {
        id: "samples/x".into(),
        version: "1.0.0".into(),
        sha256: "ab".into(),
        size: 3,
        enabled: true,
    };
    tx.put_package(&package, &[1, 2, 3]).unwrap();
    let declaration: StepDeclaration =
        serde_json::from_str(r#"{"key": "x.create", "message": "Create"}"#).unwrap();
    let step = Step {
        id: id(1),
        package: package.id.clone(),
        plugin_type: "X".into(),
        declaration,
        enabled: true,
    };
    tx.put_step(&step).unwrap();
    assert_eq!(tx.registration_version().unwrap(), 2);
    assert_eq!(tx.package_bytes("samples/x").unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(tx.step("x.create").unwrap(), Some(step.clone()));
    let clash = tx.put_step(&Step { id: id(2), ..step.clone() });
    assert!(matches!(clash, Err(StoreError::DuplicateSystemRow { .. })), "{clash:?}");
    assert!(tx.set_step_enabled(id(1), false).unwrap() && !tx.steps().unwrap()[0].enabled);
    assert!(!tx.set_step_enabled(id(3), false).unwrap());
    let off = Package { enabled: false, ..package };
    assert!(tx.update_package(&off).unwrap());
    assert_eq!(tx.packages().unwrap(), [off]);
    assert!(tx.remove_package("samples/x").unwrap() && tx.steps().unwrap().is_empty());
    assert!(tx.registration_version().unwrap() > 4);
}

#[test]
fn principals_conflicts_and_aliases() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let ann = Principal {
        user: id(1),
        name: "Ann".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        disabled: false,
        client_id: Some("ann".into()),
        secret_hash: Some("hash".into()),
    };
    tx.put_principal(&ann).unwrap();
    assert_eq!(tx.principal_by_client("ann").unwrap(), Some(ann.clone()));
    assert_eq!(tx.principal_by_client("ANN").unwrap(), None);
    let taken = tx.put_principal(&Principal { user: id(2), ..ann.clone() });
    assert!(matches!(taken, Err(StoreError::DuplicateSystemRow { .. })), "{taken:?}");
    assert_eq!(tx.principals().unwrap(), [ann]);

    let conflict = ConflictRow {
        id: id(3),
        time: Timestamp(1),
        device: id(4),
        epoch: 1,
        sequence: 2,
        table: "thing".into(),
        row: id(5),
        column: Some("name".into()),
        winner: Winner::Server,
        base: Value::Null,
        server: Value::text("theirs"),
        client: Value::text("ours"),
        decided_by: "latest".into(),
    };
    tx.put_conflict(&conflict).unwrap();
    assert_eq!(tx.conflicts(10).unwrap(), std::slice::from_ref(&conflict));
    assert_eq!(tx.conflicts_of("thing", id(5), 10).unwrap(), [conflict]);
    assert_eq!(tx.conflicts_of("thing", id(6), 10).unwrap(), []);

    tx.put_alias(id(1), "thing", id(2), id(3)).unwrap();
    assert_eq!(tx.alias(id(1), "thing", id(2)).unwrap(), Some(id(3)));
    assert_eq!(tx.alias(id(9), "thing", id(2)).unwrap(), None);
}
