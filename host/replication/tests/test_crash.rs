//! Work that stops at any named place goes on from there, with the same end.
#![cfg(feature = "crash-points")]

mod support;

use offstage_model::Request;
use offstage_replication::{CRASH_POINTS, DeviceState, Silent, set_crash_hook};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use support::{Unit, World, rename};

/// Stops once, at `name`.
fn stop_at(name: &'static str) -> Rc<Cell<bool>> {
    let stopped = Rc::new(Cell::new(false));
    let seen = Rc::clone(&stopped);
    set_crash_hook(Some(Box::new(move |place| place == name && !seen.replace(true))));
    stopped
}

/// Forgets everything in memory and opens the same store again.
fn restarted(world: &World, unit: Unit) -> Unit {
    set_crash_hook(None);
    let pipeline = unit.pipeline.clone();
    drop(unit);
    world.open(pipeline, &world.service)
}

fn until_online(unit: &Unit) {
    while unit.device.state() != Some(DeviceState::Online) {
        unit.device.go_online(&Silent).expect("it goes on");
    }
}

#[test]
fn going_offline_resumes_at_every_place() {
    for place in CRASH_POINTS.iter().filter(|p| p.starts_with("offline.")) {
        let world = World::new();
        for n in 0..7 {
            world.account(&format!("a{n}"));
        }
        let mut unit = world.device();
        let stopped = stop_at(place);
        unit.device.go_offline(&Silent).expect_err(place);
        assert!(stopped.get(), "{place} was not met");
        unit = restarted(&world, unit);
        assert_eq!(unit.device.state(), Some(DeviceState::GoingOffline), "{place}");
        world.account("made meanwhile");
        unit.go_offline();
        unit.assert_same();
    }
}

#[test]
fn going_online_resumes_at_every_place_and_plays_nothing_twice() {
    for place in CRASH_POINTS.iter().filter(|p| p.starts_with("online.")) {
        let world = World::new();
        let old = world.account("old");
        let mut unit = world.device();
        unit.go_offline();
        unit.account("new");
        unit.run(rename(old, "renamed")).expect("updated");
        world.account("made meanwhile");
        let stopped = stop_at(place);
        unit.device.go_online(&Silent).expect_err(place);
        assert!(stopped.get(), "{place} was not met");
        unit = restarted(&world, unit);
        assert_eq!(unit.device.state(), Some(DeviceState::GoingOnline), "{place}");
        let late = unit.account("made while going online");
        until_online(&unit);
        let counts = unit.device.status().expect("status").journal;
        assert_eq!((counts.applied, counts.open()), (3, 0), "{place}");
        assert!(world.server_row("account", late).is_some());
        unit.assert_same();
    }
}

#[test]
fn an_answer_that_is_lost_at_any_call_changes_nothing() {
    for lost in 1..12 {
        let world = World::new();
        let old = world.account("old");
        let unit = world.device();
        unit.go_offline();
        unit.account("new");
        unit.run(rename(old, "renamed")).expect("updated");
        unit.run(Request::delete("account", old)).expect("deleted");
        unit.link.lose_answer_in.store(lost, Ordering::SeqCst);
        // Whether this call or a later one meets the loss does not matter.
        drop(unit.device.go_online(&Silent));
        unit.link.lose_answer_in.store(0, Ordering::SeqCst);
        until_online(&unit);
        let counts = unit.device.status().expect("status").journal;
        assert_eq!((counts.applied, counts.open()), (3, 0), "answer {lost}");
        unit.assert_same();
    }
}
