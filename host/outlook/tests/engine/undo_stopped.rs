//! An undoing that stops in the middle, or that somebody writes into: a repeat makes nothing twice,
//! and what was written meanwhile stays.

use super::support::{ADA, Client, DAY, MINUTE, NOW, Server, caller, text};
use offstage_model::{Entity, Request, Timestamp, Value};
use offstage_outlook::engine::{UNDO_CRASH_POINTS, set_crash_hook};
use offstage_outlook::{ItemKind, ItemPatch, MailStore as _, Property as P, PropertyValue as V};
use offstage_pipeline::CallOptions;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering;

fn task(subject: &str) -> Entity {
    Entity::new("task").with("subject", Value::text(subject))
}

/// A client of which a run has done everything that a run does; returns its number.
fn world(server: &Server) -> (Client, i64) {
    let mut client = Client::primary(server);
    let named = |name: &str| server.create(task(name));
    named("deleted in Outlook");
    let (gone, edited, both) = (named("deleted in the CRM"), named("edited"), named("both"));
    client.sync();
    for item in client.items(ItemKind::Task) {
        match item.properties[&P::Subject].as_text() {
            Some("deleted in Outlook") => client.mail.delete(&item.entry_id, None).expect("gone"),
            Some("edited" | "both") => client.edit(&item.entry_id, P::Body, text("of Outlook")),
            _ => {}
        }
    }
    server.delete("task", gone);
    let late = Value::Option(2);
    server.update(Entity::with_id("task", both).with("prioritycode", late.clone()));
    assert!(server.get("task", edited).is_some());
    named("came");
    client.make_tracked(ItemKind::Task, &[(P::Subject, text("went"))]);
    client.make_tracked(
        ItemKind::Appointment,
        &[
            (P::Subject, text("meeting")),
            (P::Start, V::Time(Timestamp(NOW + DAY))),
            (P::End, V::Time(Timestamp(NOW + DAY + MINUTE))),
        ],
    );
    let run = client.sync().run;
    (client, run)
}

/// What is there on both sides, by what people see.
fn seen(server: &Server, client: &mut Client) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for kind in [ItemKind::Task, ItemKind::Appointment] {
        for item in client.items(kind) {
            let shown = [P::Subject, P::Body, P::Importance]
                .map(|property| item.properties.get(&property).map(ToString::to_string));
            assert!(seen.insert(format!("item {shown:?}")), "twice: {shown:?}");
        }
    }
    for table in ["task", "appointment"] {
        for row in server.all(table) {
            let shown = ["subject", "description"].map(|column| row.text(column));
            let priority = row.value("prioritycode").as_option();
            assert!(seen.insert(format!("{table} {shown:?} {priority:?}")), "twice: {shown:?}");
        }
    }
    seen
}

/// Undoes until it is done, with stops at the places whose number `stops` names; returns the places.
fn undo(
    client: &mut Client,
    run: i64,
    stops: impl Fn(usize) -> bool + 'static,
) -> Vec<&'static str> {
    let places = Rc::new(RefCell::new(Vec::new()));
    let reached = Rc::clone(&places);
    set_crash_hook(Some(Box::new(move |place| {
        if !UNDO_CRASH_POINTS.contains(&place) {
            return false;
        }
        reached.borrow_mut().push(place);
        stops(reached.borrow().len())
    })));
    for _ in 0..40 {
        let before = places.borrow().len();
        if client.engine.undo(run).is_ok() {
            break;
        }
        // A run of the schedule comes in between.
        client.sync();
        assert!(places.borrow().len() > before, "it goes on");
    }
    set_crash_hook(None);
    places.take()
}

#[test]
fn a_stop_at_any_place_and_a_repeat_come_to_the_same() {
    let server = Server::new();
    let (mut client, run) = world(&server);
    let places = undo(&mut client, run, |_| false);
    let reached: BTreeSet<&str> = places.iter().copied().collect();
    assert_eq!(reached, UNDO_CRASH_POINTS.iter().copied().collect());
    let wanted = seen(&server, &mut client);
    // Both that were deleted are back on the side where the run took them away.
    assert_eq!(wanted.len(), 9, "{wanted:#?}");
    for stop in 1..=places.len() {
        let server = Server::new();
        let (mut client, run) = world(&server);
        undo(&mut client, run, move |number| number == stop);
        client = client.restart();
        assert!(client.engine.undo(run).is_err(), "it was undone");
        assert_eq!(seen(&server, &mut client), wanted, "stopped at {stop}, {}", places[stop - 1]);
        client.engine.release(None).expect("released");
        client.sync();
        client.sync();
        let left = seen(&server, &mut client);
        for name in ["deleted in Outlook", "deleted in the CRM", "came", "went", "meeting"] {
            let sides = left.iter().filter(|shown| shown.contains(name)).count();
            assert_eq!(sides, 2, "{name}, stopped at {stop}: {left:#?}");
        }
    }
}

/// A person lets the pairs go on without a repeat: nothing that the run found is taken away.
#[test]
fn a_stop_without_a_repeat_takes_nothing_away() {
    for stop in 1.. {
        let server = Server::new();
        let (mut client, run) = world(&server);
        let reached = Rc::new(RefCell::new(0));
        let count = Rc::clone(&reached);
        set_crash_hook(Some(Box::new(move |place| {
            *count.borrow_mut() += usize::from(UNDO_CRASH_POINTS.contains(&place));
            *count.borrow() == stop
        })));
        let ended = client.engine.undo(run);
        set_crash_hook(None);
        if ended.is_ok() {
            assert!(stop > 12, "{stop} places");
            break;
        }
        client.engine.release(None).expect("released");
        client.sync();
        client.sync();
        let left = seen(&server, &mut client);
        for name in ["came", "went", "meeting", "edited", "both"] {
            let sides = left.iter().filter(|shown| shown.contains(&format!("{name}\""))).count();
            assert_eq!(sides, 2, "{name}, stopped at {stop}: {left:#?}");
        }
    }
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    let server = Server::new();
    let (mut client, run) = world(&server);
    undo(&mut client, run, |_| false);
    let wanted = seen(&server, &mut client);
    let mut lost = 0;
    for call in 1.. {
        let server = Server::new();
        let (mut client, run) = world(&server);
        client.link.lose_answer_in.store(call, Ordering::SeqCst);
        let first = client.engine.undo(run);
        client.link.lose_answer_in.store(0, Ordering::SeqCst);
        if first.is_ok() {
            break;
        }
        lost += 1;
        client.engine.undo(run).expect("a repeat undoes it");
        assert_eq!(seen(&server, &mut client), wanted, "without the answer to call {call}");
    }
    assert!(lost >= 5, "{lost} calls");
}

/// Somebody writes between the look and the deletion: it is refused, and the pair is as it was.
#[test]
fn what_is_written_in_between_is_not_deleted() {
    for in_outlook in [true, false] {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let (item, record) = if in_outlook {
            let record = server.create(task("one"));
            client.sync();
            (client.items(ItemKind::Task)[0].entry_id.clone(), record)
        } else {
            let item = client.make_tracked(ItemKind::Task, &[(P::Subject, text("one"))]);
            client.sync();
            let record = client.record_of(&item).expect("it went");
            (item, record)
        };
        let (mut mail, pipeline) = (client.mail.clone(), server.pipeline.clone());
        let id = item.clone();
        set_crash_hook(Some(Box::new(move |place| {
            if place == "undo.parted" && in_outlook {
                let mut patch = ItemPatch::default();
                patch.properties.insert(P::Body, Some(text("mine")));
                mail.update(&id, None, &patch).expect("an edit");
            } else if place == "undo.parted" {
                let row = Entity::with_id("task", record).with("description", Value::text("mine"));
                let by = caller(ADA, "ada");
                let options = CallOptions::default();
                pipeline.execute(&by, Request::update(row), options).expect("an edit");
            }
            false
        })));
        let report = client.engine.undo(1).expect("undone");
        set_crash_hook(None);
        assert_eq!((report.undone, report.left.len()), (0, 1), "{report:#?}");
        client.engine.release(None).expect("released");
        client.sync();
        let there = client.item(&item).expect("the item is there");
        assert_eq!(there.properties[&P::Body], text("mine"));
        assert_eq!(there.link.crm_id, Some(record), "tied again");
        let row = server.get("task", record).expect("the record is there");
        assert_eq!(row.text("description"), Some("mine"));
        assert_eq!((client.items(ItemKind::Task).len(), server.all("task").len()), (1, 1));
    }
}
