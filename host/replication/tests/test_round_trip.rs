//! Going offline and online: what comes down, what goes up, and that both sides end up the same.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::{Entity, Request, Uuid, Value, code};
use offstage_replication::wire::ExecuteRequest;
use offstage_replication::{DeviceState, Silent};
use std::sync::atomic::Ordering;
use support::{World, account, rename, set};

#[test]
fn a_subset_comes_down_and_offline_work_goes_up() {
    let world = World::new();
    let ids: Vec<_> = (0..10).map(|n| world.account(&format!("Account {n}"))).collect();
    let foreign = world.run_as(&world.bob, Request::create(account("Bob's"))).expect("made");
    let unit = world.device();
    unit.go_offline();
    assert_eq!(unit.row("account", ids[3]).expect("here").text("name"), Some("Account 3"));
    assert!(unit.row("account", foreign.id().expect("an id")).is_none(), "another user's row");
    unit.assert_same();

    let made = unit.account("Made offline");
    unit.run(rename(ids[0], "Renamed offline")).expect("updated");
    unit.run(Request::delete("account", ids[1])).expect("deleted");
    assert!(world.server_row("account", made).is_none());
    let counts = unit.go_online();
    assert_eq!((counts.applied, counts.rejected, counts.conflict), (3, 0, 0));
    assert_eq!(
        world.server_row("account", made).expect("played").text("name"),
        Some("Made offline")
    );
    assert_eq!(
        world.server_row("account", ids[0]).expect("there").text("name"),
        Some("Renamed offline")
    );
    assert!(world.server_row("account", ids[1]).is_none());
    unit.assert_same();
}

#[test]
fn a_refresh_brings_what_changed_and_takes_what_left() {
    let world = World::new();
    let (kept, deleted, given) = (world.account("a"), world.account("b"), world.account("c"));
    let unit = world.device();
    unit.go_offline();
    unit.go_online();
    world.run(rename(kept, "changed")).expect("updated");
    world.run(Request::delete("account", deleted)).expect("deleted");
    let owner = Value::reference("systemuser", world.bob.user);
    world
        .run(Request::update(Entity::with_id("account", given).with("ownerid", owner)))
        .expect("given");
    let report = unit.device.sync(&Silent).expect("refreshed");
    assert_eq!((report.rows, report.removals), (1, 2), "{report:?}");
    assert_eq!(unit.row("account", kept).expect("here").text("name"), Some("changed"));
    assert!(unit.row("account", deleted).is_none() && unit.row("account", given).is_none());
    unit.assert_same();
    let again = unit.device.sync(&Silent).expect("refreshed");
    assert_eq!((again.rows, again.removals), (0, 0));
}

#[test]
fn a_row_that_leaves_the_filter_stays_while_its_change_is_open() {
    let world = World::new();
    let id = world.account("a");
    let unit = world.device();
    unit.go_offline();
    unit.run(set(id, "telephone1", "1")).expect("updated");
    let owner = Value::reference("systemuser", world.bob.user);
    world
        .run(Request::update(Entity::with_id("account", id).with("ownerid", owner)))
        .expect("given");
    assert!(unit.row("account", id).is_some());
    let counts = unit.go_online();
    assert_eq!(counts.applied, 1);
    assert_eq!(world.server_row("account", id).expect("there").text("telephone1"), Some("1"));
    assert!(unit.row("account", id).is_none(), "played back, so it may go");
    unit.assert_same();
}

#[test]
fn writes_of_two_sides_to_one_row_merge_by_column() {
    let world = World::new();
    let id = world.account("a");
    let unit = world.device();
    unit.go_offline();
    unit.run(set(id, "telephone1", "offline")).expect("updated");
    world.run(set(id, "fax", "server")).expect("updated");
    unit.go_online();
    let row = unit.row("account", id).expect("here");
    assert_eq!((row.text("telephone1"), row.text("fax")), (Some("offline"), Some("server")));
    unit.assert_same();
}

#[test]
fn while_online_writes_go_to_the_server_and_through_to_the_copy() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    unit.go_online();
    let id = unit.account("Made online");
    assert!(world.server_row("account", id).is_some());
    assert_eq!(unit.row("account", id).expect("written through").text("name"), Some("Made online"));
    assert!(unit.device.journal(&Default::default()).expect("the journal").is_empty());
}

#[test]
fn a_lost_answer_of_an_online_write_is_resolved_at_the_next_contact() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    unit.go_online();
    unit.link.lose_answer_in.store(1, Ordering::SeqCst);
    let fault = unit.run(Request::create(account("Was it made?"))).expect_err("the answer is lost");
    assert_eq!(fault.code, code::UNREACHABLE);
    assert_eq!(unit.device.status().expect("status").unknown_writes, 1);
    unit.device.sync(&Silent).expect("refreshed");
    assert_eq!(unit.device.status().expect("status").unknown_writes, 0);
    unit.assert_same();
}

#[test]
fn an_operation_that_was_asked_for_in_vain_never_runs() {
    let world = World::new();
    let ask = |lookup| ExecuteRequest {
        operation: Uuid::from_u128(7),
        request: Request::create(account("Late")),
        tag: None,
        lookup,
    };
    for _ in 0..2 {
        let fault = world.service.execute(&world.ada, &ask(true)).expect_err("not applied");
        assert_eq!(fault.code, code::NOT_FOUND);
    }
    let fault = world.service.execute(&world.ada, &ask(false)).expect_err("it comes too late");
    assert_eq!(fault.code, code::INVALID_ARGUMENT);
}

#[test]
fn a_restored_server_is_offered_lost_entries_by_a_refresh() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    let id = unit.account("lost with the disk");
    unit.go_online();
    // The backup knows the device, and is another incarnation.
    let backup = World::new();
    backup.server.random().guid();
    let known = backup.device().device.status().expect("status").device;
    assert_eq!(unit.device.status().expect("status").device, known);
    let unit = backup.open(unit.pipeline.clone(), &backup.service);
    unit.device.sync(&Silent).expect("refreshed");
    assert!(backup.server_row("account", id).is_some());
    unit.assert_same();
}

#[test]
fn without_the_server_a_device_with_a_copy_goes_offline_and_one_without_does_not() {
    let world = World::new();
    let id = world.account("a");
    let unit = world.device();
    unit.link.down.store(true, Ordering::SeqCst);
    let fault = unit.device.go_offline(&Silent).expect_err("there is no copy yet");
    assert_eq!(fault.code, code::UNREACHABLE);
    unit.link.down.store(false, Ordering::SeqCst);
    unit.go_offline();
    unit.go_online();
    unit.link.down.store(true, Ordering::SeqCst);
    assert!(unit.device.go_offline(&Silent).expect("with the copy").copy_of.is_some());
    unit.run(rename(id, "b")).expect("work goes on");
    let fault = unit.device.go_online(&Silent).expect_err("no server");
    assert_eq!(fault.code, code::UNREACHABLE);
    assert_eq!(unit.device.state(), Some(DeviceState::GoingOnline));
    unit.run(rename(id, "c")).expect("work still goes on");
    unit.link.down.store(false, Ordering::SeqCst);
    assert_eq!(unit.go_online().applied, 2);
    unit.assert_same();
}

#[test]
fn without_the_privilege_nothing_comes_down() {
    let world = World::new();
    let mut world = world;
    world.ada.go_offline = false;
    let unit = world.device();
    let fault = unit.device.go_offline(&Silent).expect_err("no privilege");
    assert_eq!(fault.code, code::GO_OFFLINE_DENIED);
    assert_eq!(unit.device.state(), Some(DeviceState::Online));
}

#[test]
fn a_right_that_is_lost_offline_lets_work_be_played_back_and_takes_the_copy() {
    let mut world = World::new();
    let id = world.account("server");
    let unit = world.device();
    unit.go_offline();
    unit.run(rename(id, "device")).expect("renamed");
    world.ada.go_offline = false;
    let unit = world.open(unit.pipeline.clone(), &world.service);
    assert_eq!(unit.go_online().applied, 1);
    let server = world.server_row("account", id).expect("there");
    assert_eq!(server.text("name"), Some("device"));
    assert!(unit.row("account", id).is_none(), "the copy is gone");
    unit.link.down.store(true, Ordering::SeqCst);
    let fault = unit.device.go_offline(&Silent).expect_err("there is no copy to work on");
    assert_eq!(fault.code, code::UNREACHABLE);
    unit.link.down.store(false, Ordering::SeqCst);
    world.ada.go_offline = true;
    let unit = world.open(unit.pipeline.clone(), &world.service);
    unit.device.go_offline(&Silent).expect("the right is back");
    assert_eq!(unit.row("account", id).expect("here again").text("name"), Some("device"));
    unit.assert_same();
}

#[test]
fn states_of_entries_are_kept() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    unit.account("a");
    let state = || unit.device.entry(1).expect("the entry").row.state;
    assert_eq!(state(), EntryState::Pending);
    unit.go_online();
    assert_eq!(state(), EntryState::Applied);
    let outcome = unit.device.entry(1).expect("the entry").outcome.expect("an outcome");
    assert!(outcome.response.is_some() && !outcome.rows.is_empty());
}
