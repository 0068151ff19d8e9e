//! Clocks that differ: `latest` compares corrected times, and a clock that cannot be believed never
//! takes away what is on the server (hard case *Clocks*).

mod support;

use offstage_model::journal::EntryState;
use offstage_model::{Request, Uuid};
use offstage_replication::wire::{Frozen, HandshakeRequest, PROTOCOL_VERSION, PlaybackRequest};
use offstage_store::{ConflictRow, Winner};
use std::sync::atomic::Ordering;
use support::{Unit, World, set};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn pass(world: &World, ms: i64) {
    world.clock.0.fetch_add(ms, Ordering::Relaxed);
}

fn conflicts(world: &World) -> Vec<ConflictRow> {
    world.server.store().read().expect("a snapshot").conflicts(10).expect("the log")
}

fn fax(world: &World, id: Uuid) -> String {
    let row = world.server_row("account", id).expect("the account is there");
    row.text("fax").expect("it has a fax").to_owned()
}

/// A device that is `skew_ms` ahead and the server both write; returns what stands.
fn both_write(skew_ms: i64, device_first: bool) -> (String, Vec<ConflictRow>) {
    let world = World::new();
    let id = world.account("shared");
    let unit = world.skewed_device(skew_ms);
    unit.go_offline();
    let on_server = || drop(world.run_as(&world.bob, set(id, "fax", "server")).expect("written"));
    if !device_first {
        on_server();
        pass(&world, HOUR_MS / 60);
    }
    unit.run(set(id, "fax", "device")).expect("written");
    if device_first {
        pass(&world, HOUR_MS / 60);
        on_server();
    }
    pass(&world, HOUR_MS / 60);
    assert_eq!(unit.go_online().applied, 1);
    unit.assert_same();
    (fax(&world, id), conflicts(&world))
}

#[test]
fn the_later_value_stands_whatever_the_devices_clock_shows() {
    for hours in [-11, -1, 0, 1, 13] {
        for device_first in [true, false] {
            let (stands, log) = both_write(hours * HOUR_MS, device_first);
            let expected = if device_first { "server" } else { "device" };
            assert_eq!(stands, expected, "the clock is {hours} h ahead: {log:?}");
            assert_eq!((log.len(), log[0].decided_by.as_str()), (1, "latest"));
        }
    }
}

#[test]
fn a_clock_that_is_days_off_leaves_the_decision_to_the_server() {
    for hours in [-49, 49] {
        for device_first in [true, false] {
            let (stands, log) = both_write(hours * HOUR_MS, device_first);
            assert_eq!(stands, "server", "the clock is {hours} h ahead");
            assert_eq!((log.len(), log[0].decided_by.as_str()), (1, "clock too far off"));
            assert_eq!((log[0].winner, log[0].client.as_text()), (Winner::Server, Some("device")));
        }
    }
}

/// The open entries of a device, as they are sent.
fn batch(unit: &Unit, offset_ms: Option<i64>) -> PlaybackRequest {
    let status = unit.device.status().expect("status");
    let mut tx = unit.pipeline.store().read().expect("a snapshot");
    let entries = tx.frozen_after(0, 100, 1 << 20).expect("entries");
    PlaybackRequest {
        device: status.device,
        epoch: status.epoch,
        entries: entries.into_iter().map(|(_, bytes)| Frozen(bytes)).collect(),
        acknowledged_through: 0,
        offset_ms,
    }
}

#[test]
fn without_a_measured_clock_what_both_sides_changed_waits_and_the_rest_goes_on() {
    let world = World::new();
    let (shared, own) = (world.account("shared"), world.account("own"));
    let unit = world.device();
    unit.go_offline();
    unit.run(set(shared, "fax", "device")).expect("written");
    unit.run(set(own, "fax", "device")).expect("written");
    world.run_as(&world.bob, set(shared, "fax", "server")).expect("written");
    let answer = world.service.playback(&world.ada, &batch(&unit, None)).expect("decided");
    let states: Vec<EntryState> = answer
        .outcomes
        .iter()
        .map(|o| serde_json::from_slice::<offstage_model::journal::Outcome>(&o.0))
        .map(|o| o.expect("an outcome").state)
        .collect();
    assert_eq!(states, [EntryState::Conflict, EntryState::Applied]);
    assert_eq!((fax(&world, shared), fax(&world, own)), ("server".into(), "device".into()));
}

#[test]
fn a_late_duplicate_of_a_handshake_changes_no_decision() {
    let world = World::new();
    let id = world.account("shared");
    let unit = world.device();
    let status = unit.device.status().expect("status");
    let duplicate = HandshakeRequest {
        protocol: PROTOCOL_VERSION,
        device: status.device,
        epoch: status.epoch,
        incarnation: Uuid::nil(),
        metadata_version: 0,
        device_time: world.server.clock().now(),
        takes_data: false,
    };
    unit.go_offline();
    unit.run(set(id, "fax", "device")).expect("written");
    pass(&world, HOUR_MS);
    world.run_as(&world.bob, set(id, "fax", "server")).expect("written");
    pass(&world, HOUR_MS);
    let own = batch(&unit, Some(0));
    // As if the device's clock were two hours behind.
    world.service.handshake(&world.ada, &duplicate).expect("answered");
    world.service.playback(&world.ada, &own).expect("decided");
    assert_eq!(fax(&world, id), "server");
}

#[test]
fn at_the_same_time_the_order_of_arrival_does_not_matter() {
    let stands: Vec<String> = [false, true]
        .into_iter()
        .map(|second_first| {
            let world = World::new();
            let id = world.account("shared");
            let units =
                [world.device_with(&world.service, 2), world.device_with(&world.service, 3)];
            let mut batches = Vec::new();
            for (unit, value) in units.iter().zip(["first", "second"]) {
                unit.go_offline();
                unit.run(set(id, "fax", value)).expect("written");
            }
            let made = |unit: &Unit| {
                let entry = unit.device.entry(1).expect("the entry");
                entry.entry.time.0
            };
            pass(&world, HOUR_MS);
            // Both entries are made at the same time on the server's clock.
            let apart = made(&units[1]) - made(&units[0]);
            batches.push(batch(&units[0], Some(HOUR_MS / 2)));
            batches.push(batch(&units[1], Some(HOUR_MS / 2 - apart)));
            if second_first {
                batches.reverse();
            }
            for batch in &batches {
                world.service.playback(&world.ada, batch).expect("decided");
            }
            assert_eq!(conflicts(&world).len(), 1);
            fax(&world, id)
        })
        .collect();
    assert_eq!(stands[0], stands[1]);
}

#[test]
fn a_device_whose_clock_jumps_back_keeps_the_order_of_its_own_changes() {
    let world = World::new();
    let id = world.account("shared");
    let unit = world.device();
    unit.go_offline();
    pass(&world, 2 * HOUR_MS);
    unit.run(set(id, "fax", "1")).expect("written");
    pass(&world, -HOUR_MS);
    unit.run(set(id, "fax", "2")).expect("written");
    unit.run(Request::update(
        offstage_model::Entity::with_id("account", id)
            .with("telephone1", offstage_model::Value::text("3")),
    ))
    .expect("written");
    pass(&world, 2 * HOUR_MS);
    assert_eq!(unit.go_online().applied, 3);
    assert_eq!(fax(&world, id), "2");
    let mut tx = world.server.store().read().expect("a snapshot");
    let stamps = tx.stamps("account", id).expect("stamps");
    let time = |column: &str| stamps.of(column).expect("a stamp").time;
    assert!(time("telephone1") >= time("fax"), "stamps follow the sequence");
    unit.assert_same();
}
