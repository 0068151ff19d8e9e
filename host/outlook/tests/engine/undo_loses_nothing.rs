//! Undoing a run takes nothing away that was there before it or that somebody changed since, also
//! when a person lets the pairs go on or drops them, and when it was stopped in the middle.

use super::support::{Client, DAY, MINUTE, NOW, Server, text};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::{EntryId, ItemKind, MailStore as _, Property as P, PropertyValue as V};

const KINDS: [(ItemKind, &str); 3] = [
    (ItemKind::Task, "task"),
    (ItemKind::Appointment, "appointment"),
    (ItemKind::Contact, "contact"),
];

/// What a person makes of the pairs that wait.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Release,
    Drop,
}

/// A row whose deletion the rules pass on: open, in the future.
fn row(table: &str, name: &str) -> Entity {
    let time = |at| Value::DateTime(Timestamp(at));
    match table {
        "contact" => Entity::new(table).with("lastname", Value::text(name)),
        "task" => Entity::new(table).with("subject", Value::text(name)),
        _ => Entity::new(table)
            .with("subject", Value::text(name))
            .with("scheduledstart", time(NOW + 30 * DAY))
            .with("scheduledend", time(NOW + 30 * DAY + MINUTE)),
    }
}

fn fields(kind: ItemKind, name: &str) -> Vec<(P, V)> {
    match kind {
        ItemKind::Contact => vec![(P::LastName, text(name))],
        ItemKind::Task => vec![(P::Subject, text(name))],
        _ => vec![
            (P::Subject, text(name)),
            (P::Start, V::Time(Timestamp(NOW + 30 * DAY))),
            (P::End, V::Time(Timestamp(NOW + 30 * DAY + MINUTE))),
        ],
    }
}

/// The field that names a thing, on both sides.
fn name_of(kind: ItemKind) -> (P, &'static str) {
    if kind == ItemKind::Contact { (P::LastName, "lastname") } else { (P::Subject, "subject") }
}

fn decide(client: &mut Client, then: Then, sync_first: bool) {
    if sync_first {
        client.sync();
    }
    match then {
        Then::Release => drop(client.engine.release(None).expect("released")),
        Then::Drop => drop(client.engine.drop_held(None).expect("dropped")),
    }
    client.sync();
    client.sync();
    assert!(client.engine.held().expect("held").is_empty());
}

fn every_way(test: impl Fn((ItemKind, &'static str), Then, bool)) {
    for kind in KINDS {
        for then in [Then::Release, Then::Drop] {
            for sync_first in [false, true] {
                test(kind, then, sync_first);
            }
        }
    }
}

#[test]
fn the_records_of_items_that_came_stay() {
    every_way(|(kind, table), then, sync_first| {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let id = server.create(row(table, "came"));
        let run = client.sync().run;
        assert_eq!(client.items(kind).len(), 1);
        let report = client.engine.undo(run).expect("undone");
        assert_eq!((report.undone, report.left), (1, Vec::new()));
        assert_eq!(client.items(kind).len(), 0);
        decide(&mut client, then, sync_first);
        let what = format!("{table}, {then:?}, {sync_first}");
        assert!(server.get(table, id).is_some(), "{what}");
        let back = usize::from(then == Then::Release);
        assert_eq!(client.items(kind).len(), back, "{what}");
    });
}

#[test]
fn the_items_of_records_that_went_up_stay() {
    every_way(|(kind, table), then, sync_first| {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let item = client.make_tracked(kind, &fields(kind, "went"));
        let run = client.sync().run;
        assert_eq!(server.all(table).len(), 1);
        let report = client.engine.undo(run).expect("undone");
        assert_eq!(report.left, Vec::<String>::new());
        assert_eq!(server.all(table).len(), 0);
        decide(&mut client, then, sync_first);
        let what = format!("{table}, {then:?}, {sync_first}");
        let kept = client.item(&item).unwrap_or_else(|| panic!("the user's own item: {what}"));
        let rows = server.all(table);
        assert_eq!(rows.len(), usize::from(then == Then::Release), "{what}");
        let tied = kept.link.crm_id.filter(|_| kept.link.state.is_some());
        assert_eq!(tied, rows.first().and_then(|row| row.id), "{what}");
    });
}

/// A run that passed deletions on: what it took is back, and stays.
#[test]
fn what_a_run_deleted_is_back_for_good() {
    every_way(|(kind, table), then, sync_first| {
        for in_outlook in [true, false] {
            let server = Server::new();
            let mut client = Client::primary(&server);
            let id = server.create(row(table, "both"));
            client.sync();
            let item = client.items(kind)[0].entry_id.clone();
            if in_outlook {
                client.mail.delete(&item, None).expect("deleted");
            } else {
                server.delete(table, id);
            }
            let run = client.sync().run;
            if kind == ItemKind::Contact {
                // No deletion of an own contact is passed on.
                continue;
            }
            assert_eq!((server.all(table).len(), client.items(kind).len()), (0, 0));
            client.engine.undo(run).expect("undone");
            decide(&mut client, then, sync_first);
            let found = (server.all(table).len(), client.items(kind).len());
            let one_side = if in_outlook { (1, 0) } else { (0, 1) };
            let wanted = if then == Then::Release { (1, 1) } else { one_side };
            assert_eq!(found, wanted, "{table}, {then:?}, {sync_first}, {in_outlook}");
        }
    });
}

/// Somebody changed what the run made, in a field that the run wrote or in one that it did not: the
/// whole of it stays.
#[test]
fn what_was_changed_since_it_was_made_stays() {
    for (kind, table) in KINDS {
        let (property, column) = name_of(kind);
        for (touched, own) in [(P::Body, "description"), (property, column)] {
            for seen in [false, true] {
                let server = Server::new();
                let mut client = Client::primary(&server);
                let came = server.create(row(table, "came"));
                let went = client.make_tracked(kind, &fields(kind, "went"));
                let run = client.sync().run;
                let record = client.record_of(&went).expect("it went");
                let item = tied_to(&mut client, kind, came);
                client.edit(&item, touched, text("mine"));
                server.update(Entity::with_id(table, record).with(own, Value::text("theirs")));
                if seen {
                    client.sync();
                }
                let report = client.engine.undo(run).expect("undone");
                let what = format!("{table}, {own}, {seen}: {report:#?}");
                assert_eq!((report.undone, report.left.len()), (0, 2), "{what}");
                assert!(report.left.iter().all(|left| left.contains("changed since")), "{what}");
                let kept = client.item(&item).expect("the changed item stays");
                assert_eq!(kept.properties[&touched], text("mine"), "{what}");
                let kept = server.get(table, record).expect("the changed record stays");
                assert_eq!(kept.text(own), Some("theirs"), "{what}");
            }
        }
    }
}

fn tied_to(client: &mut Client, kind: ItemKind, record: Uuid) -> EntryId {
    let items = client.items(kind);
    let found = items.into_iter().find(|item| item.link.crm_id == Some(record));
    found.expect("it came").entry_id
}
