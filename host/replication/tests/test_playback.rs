//! The protocol of playback: duplicates, gaps, forks and copies of a device.

mod support;

use offstage_model::journal::Outcome;
use offstage_model::{Uuid, code};
use offstage_replication::wire::{Frozen, PlaybackRequest};
use offstage_store::JournalFilter;
use support::{Unit, World, rename};

fn frozen(unit: &Unit) -> Vec<Frozen> {
    let mut tx = unit.pipeline.store().read().expect("a snapshot");
    let rows = tx.entries(&JournalFilter::default()).expect("entries");
    rows.iter()
        .map(|row| Frozen(tx.entry(row.sequence).expect("read").expect("there").frozen))
        .collect()
}

fn device(unit: &Unit) -> Uuid {
    unit.device.status().expect("status").device
}

fn batch(unit: &Unit, entries: &[Frozen], acknowledged_through: u64) -> PlaybackRequest {
    PlaybackRequest {
        device: device(unit),
        epoch: 1,
        entries: entries.to_vec(),
        acknowledged_through,
        offset_ms: Some(0),
    }
}

fn offline_with_three_entries(world: &World) -> Unit {
    let unit = world.device();
    unit.go_offline();
    let id = unit.account("one");
    unit.run(rename(id, "two")).expect("updated");
    unit.run(rename(id, "three")).expect("updated");
    unit
}

#[test]
fn a_duplicate_gets_the_same_bytes_and_does_nothing() {
    let world = World::new();
    let unit = offline_with_three_entries(&world);
    let entries = frozen(&unit);
    let play = |from: usize, to: usize| {
        world.service.playback(&world.ada, &batch(&unit, &entries[from..to], 0)).expect("played")
    };
    let first = play(0, 2);
    let version = || world.server.store().read().expect("read").current_version().expect("read");
    let before = version();
    assert_eq!(play(0, 2), first, "byte for byte");
    assert_eq!(play(1, 2).outcomes, first.outcomes[1..]);
    assert_eq!(version(), before, "nothing ran again");
    let overlapping = play(0, 3);
    assert_eq!(overlapping.outcomes[..2], first.outcomes);
    assert_eq!(overlapping.expected, 4);
}

#[test]
fn a_gap_is_refused_with_the_expected_sequence() {
    let world = World::new();
    let unit = offline_with_three_entries(&world);
    let entries = frozen(&unit);
    let answer =
        world.service.playback(&world.ada, &batch(&unit, &entries[1..], 0)).expect("answered");
    assert_eq!(answer.stopped.expect("a gap").code, code::SEQUENCE_GAP);
    assert_eq!((answer.outcomes.len(), answer.expected), (0, 1));
    let reordered = [entries[0].clone(), entries[2].clone(), entries[1].clone()];
    let answer =
        world.service.playback(&world.ada, &batch(&unit, &reordered, 0)).expect("answered");
    assert_eq!((answer.outcomes.len(), answer.expected), (1, 2), "the start counts");
}

#[test]
fn a_copy_of_a_device_is_never_merged() {
    let world = World::new();
    let unit = offline_with_three_entries(&world);
    let entries = frozen(&unit);
    let play = |entries: &[Frozen], acknowledged| {
        world.service.playback(&world.ada, &batch(&unit, entries, acknowledged))
    };
    let other = |at: usize| {
        let text = String::from_utf8(entries[at].0.clone()).expect("JSON");
        Frozen(text.replace("three", "four").replace("two", "2").into_bytes())
    };
    play(&entries[..2], 0).expect("played");
    let fault = play(&[other(1)], 0).expect_err("the same sequence with other content");
    assert_eq!(fault.code, code::DEVICE_FORKED);
    let broken = String::from_utf8(entries[2].0.clone()).expect("JSON");
    let entry = offstage_model::journal::JournalEntry::thaw(broken.as_bytes()).expect("thaws");
    let stray = offstage_model::journal::JournalEntry { previous: "0".repeat(64), ..entry };
    let fault = play(&[Frozen(stray.freeze())], 0).expect_err("another past");
    assert_eq!(fault.code, code::DEVICE_FORKED);
    play(&entries[2..], 2).expect("the true branch goes on");
    let fault = play(&entries[..1], 0).expect_err("sent again after it was acknowledged");
    assert_eq!(fault.code, code::DEVICE_FORKED);
}

#[test]
fn entries_of_another_user_or_epoch_consume_nothing() {
    let world = World::new();
    let unit = offline_with_three_entries(&world);
    let entries = frozen(&unit);
    let fault = world.service.playback(&world.bob, &batch(&unit, &entries, 0)).expect_err("Bob");
    assert_eq!(fault.code, code::PLAYBACK_NOT_ALLOWED);
    let mut tx = world.server.store().write().expect("a transaction");
    let mut row = tx.device(device(&unit)).expect("read").expect("there");
    row.revoked = true;
    tx.put_device(&row).expect("written");
    tx.commit().expect("kept");
    let fault = unit.device.go_online(&offstage_replication::Silent).expect_err("revoked");
    assert_eq!(fault.code, code::PLAYBACK_NOT_ALLOWED);
    row.revoked = false;
    let mut tx = world.server.store().write().expect("a transaction");
    tx.put_device(&row).expect("written");
    tx.commit().expect("kept");
    assert_eq!(unit.go_online().applied, 3);
    unit.assert_same();
}

#[test]
fn outcomes_carry_every_row_of_the_entry() {
    let world = World::new();
    let unit = offline_with_three_entries(&world);
    let entries = frozen(&unit);
    let answer = world.service.playback(&world.ada, &batch(&unit, &entries, 0)).expect("played");
    for (sequence, frozen) in (1..).zip(&answer.outcomes) {
        let outcome: Outcome = serde_json::from_slice(&frozen.0).expect("an outcome");
        assert_eq!(outcome.sequence, sequence);
        assert!(outcome.rows.iter().any(|row| row.table == "account" && row.version.is_some()));
    }
}

/// The control: with the receipt in a transaction of its own, a crash between the two plays entries
/// a second time, and this notices.
#[cfg(all(feature = "negative-control", feature = "crash-points"))]
#[test]
fn control_a_receipt_after_the_commit_is_caught() {
    use offstage_replication::{ReceiptPlacement, Silent, set_crash_hook};
    let world = World::new();
    let broken = world.service.clone().with_receipts(ReceiptPlacement::AfterCommit);
    let unit = world.device_with(&broken, 9);
    unit.go_offline();
    unit.account("once");
    set_crash_hook(Some(Box::new(|place| place == "server.between-commits")));
    unit.device.go_online(&Silent).expect_err("the server stops between its commits");
    set_crash_hook(None);
    let counts = unit.go_online();
    assert_eq!(counts.applied, 0, "the create meets its own row of the first time");
    assert_eq!(counts.conflict, 1);
}
