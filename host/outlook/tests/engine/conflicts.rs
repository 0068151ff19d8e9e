//! Conflicts one by one, through the public door: both values are kept, and the other one is taken on
//! both sides as an ordinary change, or not at all.

use super::support::{Client, DAY, MINUTE, NOW, Server, text, words};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::{Side, Word};
use offstage_outlook::{EntryId, ItemKind, Property as P, PropertyValue};

fn row(id: Uuid, columns: &[(&str, &str)]) -> Entity {
    let empty = Entity::with_id("contact", id);
    columns.iter().fold(empty, |row, (column, value)| row.with(*column, Value::text(*value)))
}

/// A contact of which both sides change `columns`; the CRM is later. Its item and record.
fn conflicts(
    server: &Server,
    client: &mut Client,
    outlook: &[(P, &str)],
    crm: &[(&str, &str)],
) -> (EntryId, Uuid) {
    let id = server.create(Entity::new("contact").with("lastname", Value::text("Lee")));
    client.sync();
    let items = client.items(ItemKind::Contact);
    let item = items.iter().find(|item| item.link.crm_id == Some(id)).expect("it came");
    let item = item.entry_id.clone();
    for (property, value) in outlook {
        client.edit(&item, *property, text(value));
    }
    server.later(MINUTE);
    server.update(row(id, crm));
    client.sync();
    (item, id)
}

/// The numbers of the conflicts, the oldest first.
fn noted(client: &mut Client) -> Vec<i64> {
    let notes = client.engine.cache().write(|tx| tx.notes(usize::MAX)).expect("notes");
    let conflicts = notes.iter().rev().filter(|note| note.json.contains("\"conflict\""));
    conflicts.map(|note| note.note_id).collect()
}

/// What both sides have; they must agree.
fn both(server: &Server, client: &mut Client, at: &(EntryId, Uuid), field: (P, &str)) -> String {
    let item = client.item(&at.0).expect("the item is there");
    let ours = item.properties.get(&field.0).and_then(PropertyValue::as_text).unwrap_or_default();
    let row = server.get("contact", at.1).expect("a row");
    assert_eq!(ours, row.text(field.1).unwrap_or_default(), "{field:?}");
    ours.to_owned()
}

const TITLE: (P, &str) = (P::JobTitle, "jobtitle");

#[test]
fn the_value_that_lost_is_taken_and_taken_back() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let ours = [(P::JobTitle, "Buyer"), (P::Nickname, "A")];
    let at = conflicts(&server, &mut client, &ours, &[("jobtitle", "CEO"), ("nickname", "B")]);
    let found = noted(&mut client);
    assert_eq!(found.len(), 2);
    assert_eq!(both(&server, &mut client, &at, TITLE), "CEO");
    let title = noted_of(&mut client, &found, "job-title");
    let report = client.engine.take(title, Side::Outlook).expect("taken");
    assert_eq!(words(&report), [Word::Merged]);
    assert!(report.pairs[0].reason.as_deref().is_some_and(|why| why.contains("Outlook")));
    assert_eq!(both(&server, &mut client, &at, TITLE), "Buyer");
    // The other conflict of the same pair is left as it was decided.
    assert_eq!(both(&server, &mut client, &at, (P::Nickname, "nickname")), "B");
    assert_eq!(words(&client.sync()), [], "both sides are in step");
    // Once more, it is there already; the other way round, it goes back.
    assert_eq!(words(&client.engine.take(title, Side::Outlook).expect("there")), [Word::Unchanged]);
    let back = client.engine.take(title, Side::Crm).expect("taken").run;
    assert_eq!(both(&server, &mut client, &at, TITLE), "CEO");
    // It was a run: it is undone as one, and among the runs.
    assert_eq!(client.engine.undo(back).expect("undone").left, Vec::<String>::new());
    assert_eq!(both(&server, &mut client, &at, TITLE), "Buyer");
}

/// The conflict about a field.
fn noted_of(client: &mut Client, numbers: &[i64], field: &str) -> i64 {
    let wanted = format!("\"field\":\"{field}\"");
    let mut of = |number: &i64| {
        let note = client.engine.cache().write(|tx| tx.note(*number)).expect("a note");
        note.is_some_and(|note| note.json.contains(&wanted))
    };
    numbers.iter().copied().find(|number| of(number)).expect("it is noted")
}

#[test]
fn what_was_changed_since_on_either_side_is_not_overwritten() {
    for on_the_item in [true, false] {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let ours = [(P::JobTitle, "Buyer")];
        let at = conflicts(&server, &mut client, &ours, &[("jobtitle", "CEO")]);
        let note = noted(&mut client)[0];
        match on_the_item {
            true => client.edit(&at.0, P::JobTitle, text("Third")),
            false => server.update(row(at.1, &[("jobtitle", "Third")])),
        }
        let runs = client.engine.cache().write(|tx| tx.runs(100)).expect("runs").len();
        let refused = client.engine.take(note, Side::Outlook).expect_err("changed since");
        assert!(refused.to_string().contains("changed since"), "{refused}");
        let after = client.engine.cache().write(|tx| tx.runs(100)).expect("runs").len();
        assert_eq!(after, runs, "a refusal is no run");
        client.sync();
        assert_eq!(both(&server, &mut client, &at, TITLE), "Third", "{on_the_item}");
        assert!(client.engine.take(note, Side::Crm).is_err(), "now it is on both");
    }
}

#[test]
fn another_change_that_waits_goes_along_and_is_not_lost() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let at = conflicts(&server, &mut client, &[(P::JobTitle, "Buyer")], &[("jobtitle", "CEO")]);
    let note = noted(&mut client)[0];
    client.edit(&at.0, P::Nickname, text("N"));
    server.update(row(at.1, &[("department", "D")]));
    client.engine.take(note, Side::Outlook).expect("taken");
    client.sync();
    for (field, value) in
        [(TITLE, "Buyer"), ((P::Nickname, "nickname"), "N"), ((P::Department, "department"), "D")]
    {
        assert_eq!(both(&server, &mut client, &at, field), value);
    }
}

#[test]
fn a_take_that_is_broken_off_after_the_item_is_finished_by_the_next_run() {
    use std::sync::atomic::Ordering;
    let server = Server::new();
    let mut client = Client::primary(&server);
    let at = conflicts(&server, &mut client, &[(P::JobTitle, "Buyer")], &[("jobtitle", "CEO")]);
    let note = noted(&mut client)[0];
    client.link.refuse_writes.store(true, Ordering::SeqCst);
    let report = client.engine.take(note, Side::Outlook).expect("a report");
    assert!(matches!(report.state, offstage_outlook::engine::RunState::Waiting(_)), "{report:#?}");
    client.link.refuse_writes.store(false, Ordering::SeqCst);
    server.later(DAY);
    client.sync();
    assert_eq!(both(&server, &mut client, &at, TITLE), "Buyer");
}

#[test]
fn fields_that_are_decided_together_are_taken_together() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let start = |ms| Value::DateTime(Timestamp(NOW - NOW % DAY + ms));
    let times = |from: i64| {
        Entity::new("appointment")
            .with("scheduledstart", start(from))
            .with("scheduledend", start(from + DAY / 24))
    };
    let id = server.create(times(DAY).with("subject", Value::text("Meet")));
    client.sync();
    let item = client.items(ItemKind::Appointment)[0].entry_id.clone();
    let time = |ms| PropertyValue::Time(Timestamp(NOW - NOW % DAY + ms));
    client.edit(&item, P::Start, time(2 * DAY));
    client.edit(&item, P::End, time(2 * DAY + DAY / 12));
    server.later(MINUTE);
    server.update(Entity { id: Some(id), ..times(3 * DAY) });
    client.sync();
    let found = noted(&mut client);
    assert_eq!(found.len(), 1, "one decision is one conflict");
    client.engine.take(found[0], Side::Outlook).expect("taken");
    let row = server.get("appointment", id).expect("a row");
    assert_eq!(row.value("scheduledstart"), &start(2 * DAY));
    assert_eq!(
        row.value("scheduledend"),
        &start(2 * DAY + DAY / 12),
        "the end goes with the start"
    );
    let item = client.item(&item).expect("there");
    assert_eq!(item.properties[&P::Start], time(2 * DAY));
    assert_eq!(words(&client.sync()), []);
}

#[test]
fn what_is_no_conflict_of_a_tied_pair_is_refused() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let at = conflicts(&server, &mut client, &[(P::JobTitle, "Buyer")], &[("jobtitle", "CEO")]);
    let note = noted(&mut client)[0];
    client
        .engine
        .cache()
        .write(|tx| {
            tx.add_note(Timestamp(NOW), None, r#"{"kind":"conflict","text":"of an older version"}"#)
        })
        .expect("a note");
    let refusals = [(4_711, "no conflict 4711"), (note + 1, "no conflict")];
    for (number, word) in refusals {
        let refused = client.engine.take(number, Side::Crm).expect_err("refused");
        assert!(refused.to_string().contains(word), "{refused}");
    }
    // Nothing is tied any more.
    offstage_outlook::MailStore::delete(&mut client.mail, &at.0, None).expect("deleted");
    client.sync();
    let refused = client.engine.take(note, Side::Outlook).expect_err("refused");
    assert!(refused.to_string().contains("not tied"), "{refused}");
}
