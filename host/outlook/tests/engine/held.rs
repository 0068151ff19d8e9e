//! What waits for a person: many deletions at once, refusals and duplicates, and what a person makes of
//! them.

use super::support::{BOB, Client, DAY, MINUTE, NOW, Server, text, words};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::Word;
use offstage_outlook::rules::{Quarantine, Settings};
use offstage_outlook::{
    ItemKind, ItemPatch, MailStore as _, Property as P, PropertyValue as V, Regarding, Trigger,
};
use std::sync::atomic::Ordering;

fn contact(first: &str, last: &str) -> Entity {
    Entity::new("contact").with("firstname", Value::text(first)).with("lastname", Value::text(last))
}

#[test]
fn many_deletions_wait_for_a_person() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let ids: Vec<_> = (0..11)
        .map(|n| server.create(Entity::new("task").with("subject", Value::text(format!("t{n}")))))
        .collect();
    client.sync();
    for item in client.items(ItemKind::Task) {
        client.mail.delete(&item.entry_id, None).expect("deleted");
    }
    let report = client.sync();
    assert_eq!(report.counts.held, 11);
    assert_eq!(server.all("task").len(), 11);
    // A person drops one and lets the rest go on.
    let held = client.engine.held().expect("held");
    assert!(held.iter().all(|h| h.kind == "deletions"));
    client.engine.drop_held(Some(held[0].pair)).expect("dropped");
    client.engine.release(None).expect("released");
    assert_eq!(server.all("task").len(), 1);
    assert!(ids.contains(&server.all("task")[0].id.expect("an id")));
}

#[test]
fn many_tasks_that_are_done_are_no_mass_deletion() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let task = |n: i32| Entity::new("task").with("subject", Value::text(format!("t{n}")));
    let ids: Vec<_> = (0..12).map(|n| server.create(task(n))).collect();
    client.sync();
    for id in &ids {
        server.update(Entity::with_id("task", *id).with("statecode", Value::Option(1)));
    }
    let report = client.sync();
    assert_eq!(report.counts.held, 0, "{report:#?}");
    let items = client.items(ItemKind::Task);
    assert!(items.iter().all(|item| item.properties[&P::TaskStatus] == V::Integer(2)));
    assert_eq!(items.len(), 12);
    // Twelve that are deleted wait.
    let ids: Vec<_> = (20..32).map(|n| server.create(task(n))).collect();
    client.sync();
    for id in &ids {
        server.delete("task", *id);
    }
    assert_eq!(client.sync().counts.held, 12);
    assert_eq!(client.items(ItemKind::Task).len(), 24);
}

#[test]
fn a_refused_change_waits_for_a_person_and_is_not_tried_again() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(Entity::new("task").with("subject", Value::text("t")));
    client.sync();
    let item = client.items(ItemKind::Task)[0].entry_id.clone();
    // What it is about does not exist: the CRM refuses.
    let mut patch = ItemPatch::default();
    let mut link = client.item(&item).expect("there").link;
    link.regarding = Some(Regarding { table: "account".into(), id: BOB });
    patch.link = Some(link);
    client.mail.update(&item, None, &patch).expect("marked");
    let report = client.sync();
    assert_eq!(words(&report), [Word::Held], "{report:#?}");
    assert_eq!(words(&client.sync()), []);
    assert_eq!(client.engine.held().expect("held")[0].kind, "refused");
    // A new change of the item is tried at once, with whatever the user made of it.
    let account = server.create(Entity::new("account").with("name", Value::text("C")));
    let mut link = client.item(&item).expect("there").link;
    link.regarding = Some(Regarding { table: "account".into(), id: account });
    client
        .mail
        .update(&item, None, &ItemPatch { link: Some(link), ..ItemPatch::default() })
        .expect("marked");
    client.sync();
    client.engine.release(None).expect("released");
    let row = server.get("task", id).expect("a row");
    assert_eq!(row.value("regardingobjectid").as_reference().map(|r| r.id), Some(account));
}

#[test]
fn a_record_that_is_over_refuses_and_the_change_waits() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let item = client.make_tracked(ItemKind::Task, &[(P::Subject, text("t"))]);
    client.sync();
    let record = client.record_of(&item).expect("tracked");
    server.update(Entity::with_id("task", record).with("statecode", Value::Option(1)));
    client.edit(&item, P::Subject, text("later"));
    client.sync();
    assert_eq!(client.engine.held().expect("held")[0].kind, "refused");
    // Opened again, it goes.
    server.update(Entity::with_id("task", record).with("statecode", Value::Option(0)));
    client.engine.release(None).expect("released");
    assert_eq!(server.get("task", record).expect("a row").text("subject"), Some("later"));
}

#[test]
fn a_contact_that_exists_is_a_duplicate_and_waits() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let owner = Value::reference("systemuser", BOB);
    let there = server.create(
        contact("Ann", "Lee")
            .with("emailaddress1", Value::text("ann@x.example"))
            .with("ownerid", owner),
    );
    let item = client.make_tracked(
        ItemKind::Contact,
        &[(P::LastName, text("L")), (P::Email1, text("ANN@x.example"))],
    );
    assert_eq!(words(&client.sync()), [Word::Held]);
    let pair = client.engine.held().expect("held")[0].pair;
    client.engine.tie_duplicate(pair).expect("tied");
    assert_eq!(client.record_of(&item), Some(there));
    assert_eq!(server.all("contact").len(), 1);
    assert_eq!(client.item(&item).expect("there").properties[&P::FirstName], text("Ann"));
}

/// Duplicate UID: the same event twice, as some servers hand it out.
#[test]
fn an_event_that_is_there_twice_is_a_duplicate_and_waits() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let fields = [
        (P::Subject, text("Review")),
        (P::Start, V::Time(Timestamp(NOW + DAY))),
        (P::End, V::Time(Timestamp(NOW + DAY + MINUTE))),
        (P::GlobalObjectId, text("040000008200E00074C5B7101A82E008")),
    ];
    let first = client.make_tracked(ItemKind::Appointment, &fields);
    client.sync();
    let second = client.make_tracked(ItemKind::Appointment, &fields);
    assert_eq!(words(&client.sync()), [Word::Held]);
    assert_eq!(server.all("appointment").len(), 1);
    assert!(client.record_of(&first).is_some() && client.record_of(&second).is_none());
    // The record is taken: two items cannot have one.
    let taken = client.engine.held().expect("held")[0].pair;
    let refused = client.engine.tie_duplicate(taken).expect_err("refused").to_string();
    assert!(refused.contains("tied to another item"), "{refused}");
    assert_eq!(client.engine.held().expect("held").len(), 1, "it still waits");
    // A person says that they are two.
    let pair = client.engine.held().expect("held")[0].pair;
    client.engine.release(Some(pair)).expect("released");
    client.sync();
    assert_eq!(server.all("appointment").len(), 2);
}

/// How many of `deleted` tasks among `pairs` wait, for deletions on either side.
fn waits(quarantine: Quarantine, (deleted, pairs): (usize, usize)) -> [u64; 2] {
    [true, false].map(|in_outlook| {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let settings = Settings { quarantine, ..Settings::default() };
        client.engine.set_settings(&settings).expect("settings");
        let task = |n: usize| Entity::new("task").with("subject", Value::text(format!("t{n}")));
        let ids: Vec<_> = (0..pairs).map(|n| server.create(task(n))).collect();
        client.sync();
        if in_outlook {
            for item in client.items(ItemKind::Task).into_iter().take(deleted) {
                client.mail.delete(&item.entry_id, None).expect("deleted");
            }
        } else {
            for id in ids.into_iter().take(deleted) {
                server.delete("task", id);
            }
        }
        let held = client.sync().counts.held;
        let (left, kept) = (pairs - deleted, server.all("task").len());
        let whole = if in_outlook { kept } else { client.items(ItemKind::Task).len() };
        assert_eq!(whole, if held > 0 { pairs } else { left }, "all of them wait, or none");
        held
    })
}

/// Both numbers, and from how many pairs on the percentage counts, are settings.
#[test]
fn when_deletions_wait_is_a_setting() {
    let rule = |deletions_max, percent_max, percent_pairs_min| Quarantine {
        deletions_max,
        percent_max,
        percent_pairs_min,
    };
    let cases = [
        (rule(2, 100, 100), (2, 5), 0),
        (rule(2, 100, 100), (3, 5), 3),
        // 10 % of 20 are two.
        (rule(10, 10, 20), (2, 20), 0),
        (rule(10, 10, 20), (3, 20), 3),
        (rule(10, 10, 21), (3, 20), 0),
    ];
    for (quarantine, (deleted, pairs), held) in cases {
        let found = waits(quarantine, (deleted, pairs));
        assert_eq!(found, [held; 2], "{quarantine:?}: {deleted} of {pairs}");
    }
}

/// Items that are gone while their edits still waited count like any others.
#[test]
fn deletions_that_nobody_noted_are_counted_before_they_are_carried_out() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    for n in 0..12 {
        server.create(Entity::new("task").with("subject", Value::text(format!("t{n}"))));
    }
    client.sync();
    let items = client.items(ItemKind::Task);
    for item in &items {
        client.edit(&item.entry_id, P::Subject, text("edited"));
    }
    // The edits are noted and wait, because no record is written for now.
    client.link.refuse_writes.store(true, Ordering::SeqCst);
    drop(client.engine.synchronise(Trigger::Manual));
    client.link.refuse_writes.store(false, Ordering::SeqCst);
    for item in &items {
        client.mail.delete(&item.entry_id, None).expect("deleted");
    }
    client.mail.with(|store| store.notifications()).expect("they are lost");
    server.later(DAY);
    for _ in 0..3 {
        client.sync();
        server.later(DAY);
    }
    assert_eq!(server.all("task").len(), 12, "twelve deletions wait for a person");
    assert_eq!(client.engine.held().expect("held").len(), 12);
}
