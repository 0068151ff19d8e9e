//! The engine through its public door, over the embedded mailbox and a real server: what goes where,
//! and what must not.

use super::support::{ADA, BOB, Client, DAY, MINUTE, NOW, Server, mailbox, text, words};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::{Place, RunState, Word};
use offstage_outlook::rules::{ClientRole, Settings};
use offstage_outlook::stores::embedded::Faults;
use offstage_outlook::{
    EntryId, ItemKind, LinkState, MailStore, Person, Property as P, PropertyValue as V, Regarding,
    Trigger,
};
use std::sync::atomic::Ordering;

fn contact(first: &str, last: &str) -> Entity {
    Entity::new("contact").with("firstname", Value::text(first)).with("lastname", Value::text(last))
}

fn time(ms: i64) -> Value {
    Value::DateTime(Timestamp(ms))
}

#[test]
fn records_of_the_user_come_to_outlook_and_items_go_to_the_crm() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Ann", "Lee").with("telephone1", Value::text("1")));
    server.create(contact("Not", "Mine").with("ownerid", Value::reference("systemuser", BOB)));
    let tracked = client.make_tracked(
        ItemKind::Contact,
        &[(P::FirstName, text("Bob")), (P::LastName, text("Ray"))],
    );
    client.make(ItemKind::Contact, &[(P::LastName, text("Private"))]);
    let report = client.sync();
    assert_eq!(report.count(Word::CreatedItem), 1, "{report:#?}");
    assert_eq!(report.count(Word::CreatedRecord), 1);
    let items = client.items(ItemKind::Contact);
    let ann = items.iter().find(|item| item.link.crm_id == Some(id)).expect("Ann came");
    assert_eq!(ann.properties[&P::BusinessTelephone], text("1"));
    assert_eq!(ann.link.state, Some(LinkState::Tracked));
    assert_eq!(ann.link.entry_id.as_ref(), Some(&ann.entry_id));
    let bob = client.record_of(&tracked).expect("Bob went");
    assert_eq!(server.get("contact", bob).expect("a row").text("lastname"), Some("Ray"));
    assert_eq!(items.len(), 3);
    // Nothing changed: nothing is done, not even the engine's own writes are seen as changes.
    let again = client.sync();
    assert_eq!(words(&again), [], "{again:#?}");
}

#[test]
fn columns_of_both_sides_survive_and_the_later_item_wins_the_rest() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("A", "B").with("jobtitle", Value::text("C")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    for (property, value) in [(P::FirstName, "A1"), (P::LastName, "B1"), (P::JobTitle, "C1")] {
        client.edit(&item, property, text(value));
    }
    server.later(MINUTE);
    server.update(contact("A2", "B2").clone().with("nickname", Value::text("N")).with_id_of(id));
    client.sync();
    let (item, row) =
        (client.item(&item).expect("it is there"), server.get("contact", id).expect("a row"));
    for (property, column, value) in [
        (P::FirstName, "firstname", "A2"),
        (P::LastName, "lastname", "B2"),
        (P::JobTitle, "jobtitle", "C1"),
        (P::Nickname, "nickname", "N"),
    ] {
        assert_eq!(item.properties[&property], text(value), "{property}");
        assert_eq!(row.text(column), Some(value), "{column}");
    }
    let notes = client.engine.cache().write(|tx| tx.notes(10)).expect("notes");
    assert_eq!(notes.iter().filter(|note| note.json.contains("\"conflict\"")).count(), 2);
}

trait WithId {
    fn with_id_of(self, id: offstage_model::Uuid) -> Self;
}

impl WithId for Entity {
    fn with_id_of(mut self, id: offstage_model::Uuid) -> Self {
        self.id = Some(id);
        self
    }
}

#[test]
fn what_is_not_understood_stays_byte_for_byte() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Lee"))]);
    let office = offstage_query::SqlValue::Text("Room \u{1} 7".into());
    client.mail.with(|store| store.set_raw(&id, 0x3A19_001F, office.clone())).expect("it is set");
    client.sync();
    let record = client.record_of(&id).expect("tracked");
    server.update(Entity::with_id("contact", record).with("firstname", Value::text("Ann")));
    client.sync();
    let raw = client.mail.with(|store| store.raw(&id)).expect("properties");
    assert_eq!(raw[&0x3A19_001F], office);
    assert_eq!(client.item(&id).expect("there").properties[&P::FirstName], text("Ann"));
}

#[test]
fn appointments_keep_their_people_their_time_and_their_state() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = client.make_tracked(
        ItemKind::Appointment,
        &[
            (P::Subject, text("Review")),
            (P::Start, V::Time(Timestamp(NOW + DAY))),
            (P::End, V::Time(Timestamp(NOW + DAY + 90 * MINUTE))),
            (P::ShowTimeAs, V::Integer(3)),
            (P::Organizer, V::People(vec![Person::new("Ada", "ada@contoso.example")])),
            (
                P::RequiredAttendees,
                V::People(vec![
                    Person::new("Bob", "Bob@contoso.example"),
                    Person::new("Eve", "eve@elsewhere.example"),
                ]),
            ),
        ],
    );
    client.sync();
    let record = client.record_of(&id).expect("tracked");
    let row = server.get("appointment", record).expect("a row");
    assert_eq!(row.value("scheduleddurationminutes"), &Value::Integer(90));
    assert_eq!(
        (row.value("statecode"), row.value("statuscode")),
        (&Value::Option(3), &Value::Option(6))
    );
    let parties = server.all("activityparty");
    assert_eq!(parties.len(), 3);
    let bob =
        parties.iter().find(|p| p.text("addressused") == Some("bob@contoso.example")).expect("Bob");
    assert_eq!(bob.value("partyid").as_reference().map(|r| r.id), Some(BOB));
    // A party that goes in the CRM goes in Outlook: a change of a part is a change of the whole.
    let eve = parties
        .iter()
        .find(|p| p.text("addressused") == Some("eve@elsewhere.example"))
        .expect("Eve");
    server.delete("activityparty", eve.id.expect("an id"));
    client.sync();
    let item = client.item(&id).expect("there");
    assert_eq!(item.properties[&P::RequiredAttendees].people().len(), 1);
    assert_eq!(words(&client.sync()), []);
}

#[test]
fn an_attendee_gets_appointments_of_others() {
    let server = Server::new();
    let mut bob = Client::over(&server, mailbox(&server), BOB);
    bob.engine.register("bob", ClientRole::Primary, false).expect("registered");
    let row = Entity::new("appointment")
        .with("subject", Value::text("All hands"))
        .with("scheduledstart", time(NOW + DAY))
        .with("scheduledend", time(NOW + DAY + MINUTE));
    let id = server.create(row);
    assert_eq!(words(&bob.sync()), []);
    let party = server.create(
        Entity::new("activityparty")
            .with("activityid", Value::reference("appointment", id))
            .with("partyid", Value::reference("systemuser", BOB))
            .with("participationtypemask", Value::Option(6)),
    );
    assert_eq!(words(&bob.sync()), [Word::CreatedItem]);
    // Filter exit: not invited any more, and it is still to come.
    server.delete("activityparty", party);
    assert_eq!(words(&bob.sync()), [Word::DeletedItem]);
    assert!(server.get("appointment", id).is_some());
}

#[test]
fn whole_days_and_birthdays_do_not_shift_in_any_zone() {
    for zone in ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "UTC"] {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let settings = Settings { time_zone: zone.into(), ..Settings::default() };
        client.engine.set_settings(&settings).expect("settings");
        let day = jiff::civil::date(2027, 3, 28);
        let next = jiff::civil::date(2027, 3, 29);
        let event = client.make_tracked(
            ItemKind::Appointment,
            &[
                (P::Subject, text("Fair")),
                (P::AllDay, V::Boolean(true)),
                (P::Start, V::Date(day)),
                (P::End, V::Date(next)),
            ],
        );
        let person = client.make_tracked(
            ItemKind::Contact,
            &[(P::LastName, text("Lee")), (P::Birthday, V::Date(day))],
        );
        let task = client
            .make_tracked(ItemKind::Task, &[(P::Subject, text("Pay")), (P::DueDate, V::Date(day))]);
        client.sync();
        let row =
            server.get("contact", client.record_of(&person).expect("tracked")).expect("a row");
        assert_eq!(row.value("birthdate").to_string(), "2027-03-28T00:00:00Z", "{zone}");
        // The records change, and come back.
        for (table, item) in [("appointment", &event), ("contact", &person), ("task", &task)] {
            let id = client.record_of(item).expect("tracked");
            server.update(Entity::with_id(table, id).with("description", Value::text("seen")));
        }
        client.sync();
        let event = client.item(&event).expect("there");
        assert_eq!(event.properties[&P::Start], V::Date(day), "{zone}");
        assert_eq!(event.properties[&P::End], V::Date(next), "{zone}");
        assert_eq!(
            client.item(&person).expect("there").properties[&P::Birthday],
            V::Date(day),
            "{zone}"
        );
        assert_eq!(
            client.item(&task).expect("there").properties[&P::DueDate],
            V::Date(day),
            "{zone}"
        );
        assert_eq!(words(&client.sync()), [], "{zone}");
    }
}

#[test]
fn deletions_in_outlook_follow_the_rules_with_and_without_notifications() {
    for lost in [false, true] {
        let server = Server::new();
        let mut client = Client::primary(&server);
        if lost {
            client.mail.with(|store| store.set_faults(Faults::all_notifications_lost()));
        }
        let person = server.create(contact("Ann", "Lee"));
        let open = server.create(Entity::new("task").with("subject", Value::text("open")));
        client.sync();
        for kind in [ItemKind::Contact, ItemKind::Task] {
            let id = client.items(kind)[0].entry_id.clone();
            client.mail.delete(&id, None).expect("deleted");
        }
        // Without notifications the verification after the first run finds it.
        client.sync();
        client.sync();
        assert!(server.get("contact", person).is_some(), "a contact stays in the CRM");
        assert!(server.get("task", open).is_none(), "an open task goes (lost: {lost})");
        // Linked = 0: a later change does not make the item again.
        server.update(Entity::with_id("contact", person).with("jobtitle", Value::text("x")));
        client.sync();
        assert_eq!(client.items(ItemKind::Contact).len(), 0);
    }
}

#[test]
fn deletions_in_the_crm_follow_the_rules() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let own = server.create(contact("Own", "One"));
    let task = server.create(Entity::new("task").with("subject", Value::text("t")));
    let done = server.create(Entity::new("task").with("subject", Value::text("done")));
    let past = server.create(
        Entity::new("appointment")
            .with("subject", Value::text("past"))
            .with("scheduledstart", time(NOW - DAY))
            .with("scheduledend", time(NOW - DAY + MINUTE)),
    );
    let coming = server.create(
        Entity::new("appointment")
            .with("subject", Value::text("soon"))
            .with("scheduledstart", time(NOW + DAY))
            .with("scheduledend", time(NOW + DAY + MINUTE)),
    );
    client.sync();
    // Completed in the CRM: it leaves the filter, Outlook shows it as complete and keeps it.
    server.update(Entity::with_id("task", done).with("statecode", Value::Option(1)));
    client.sync();
    let items = client.items(ItemKind::Task);
    let kept = items.iter().find(|i| i.properties[&P::Subject] == text("done")).expect("kept");
    assert_eq!(kept.properties[&P::TaskStatus], V::Integer(2));
    assert_eq!(kept.link.state, Some(LinkState::WasTracked));
    for (table, id) in [
        ("contact", own),
        ("task", task),
        ("task", done),
        ("appointment", past),
        ("appointment", coming),
    ] {
        server.delete(table, id);
    }
    client.sync();
    assert_eq!(client.items(ItemKind::Contact).len(), 1, "the owner's contact is un-linked");
    assert_eq!(client.items(ItemKind::Task).len(), 1, "the open task goes");
    let left = client.items(ItemKind::Appointment);
    assert_eq!(left.len(), 1, "the coming one goes");
    assert_eq!(left[0].properties[&P::Subject], text("past"));
}

#[test]
fn a_change_is_kept_against_a_deletion() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let kept = server.create(Entity::new("task").with("subject", Value::text("kept in CRM")));
    let gone = server.create(Entity::new("task").with("subject", Value::text("kept in Outlook")));
    client.sync();
    let find = |client: &mut Client, record| {
        client
            .items(ItemKind::Task)
            .into_iter()
            .find(|i| i.link.crm_id == Some(record))
            .expect("an item")
            .entry_id
    };
    let (first, second) = (find(&mut client, kept), find(&mut client, gone));
    client.mail.delete(&first, None).expect("deleted");
    server.update(Entity::with_id("task", kept).with("description", Value::text("new")));
    client.edit(&second, P::Body, text("edited"));
    server.delete("task", gone);
    let report = client.sync();
    assert!(server.get("task", kept).is_some(), "{report:#?}");
    assert_eq!(client.items(ItemKind::Task).len(), 2, "{report:#?}");
    let notes = client.engine.cache().write(|tx| tx.notes(10)).expect("notes");
    assert_eq!(notes.iter().filter(|n| n.json.contains("delete-against-change")).count(), 2);
}

#[test]
fn a_copy_is_no_second_item_of_its_record() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Ann", "Lee"));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    let copy = client.mail.with(|store| store.copy(&item)).expect("a copy").entry_id;
    client.edit(&copy, P::FirstName, text("Copy"));
    let report = client.sync();
    assert_eq!(report.count(Word::CopyFreed), 1);
    client.mail.delete(&copy, None).expect("deleted");
    client.sync();
    client.sync();
    assert_eq!(server.get("contact", id).expect("a row").text("firstname"), Some("Ann"));
    assert_eq!(client.item(&item).expect("there").link.crm_id, Some(id));
}

#[test]
fn a_moved_item_with_a_new_id_is_the_same_item() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let mail = client.make_tracked(
        ItemKind::Email,
        &[
            (P::Subject, text("Hi")),
            (P::SentOn, V::Time(Timestamp(NOW))),
            (P::MessageId, text("<1@x>")),
        ],
    );
    client.sync();
    let record = client.record_of(&mail).expect("tracked");
    let folders = client.mail.folders().expect("folders");
    let sent = folders.iter().find(|f| f.name == "Sent Items").expect("a folder").id.clone();
    let moved = client.mail.with(|store| store.move_to(&mail, &sent)).expect("moved");
    client.sync();
    client.sync();
    assert_eq!(client.record_of(&moved), Some(record));
    assert_eq!(server.all("email").len(), 1);
    let mapped = client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
    assert_eq!(mapped[0].entry_id.as_deref(), Some(moved.as_str()));
    assert!(mapped[0].linked);
}

#[test]
fn a_failing_mailbox_deletes_nothing_and_work_goes_on_later() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    server.create(Entity::new("task").with("subject", Value::text("t")));
    client.sync();
    client
        .mail
        .with(|store| store.set_faults(Faults { failing_percent: 100, ..Faults::default() }));
    let report = client.engine.synchronise(Trigger::Schedule).expect("a run");
    assert!(matches!(report.state, RunState::Waiting(_)), "{report:#?}");
    client.mail.with(|store| store.set_faults(Faults::default()));
    client.sync();
    assert_eq!(server.all("task").len(), 1);
    assert_eq!(client.items(ItemKind::Task).len(), 1);
}

#[test]
fn while_the_server_does_not_answer_changes_wait_and_catch_up() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    server.create(contact("Ann", "Lee"));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.link.down.store(true, Ordering::SeqCst);
    client.edit(&item, P::Nickname, text("A"));
    let report = client.engine.synchronise(Trigger::Schedule).expect("a run");
    assert!(matches!(report.state, RunState::Waiting(_)));
    client.link.down.store(false, Ordering::SeqCst);
    client.sync();
    assert_eq!(server.all("contact")[0].text("nickname"), Some("A"));
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Ann", "Lee"));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.edit(&item, P::Nickname, text("A"));
    server.update(Entity::with_id("contact", id).with("jobtitle", Value::text("CEO")));
    let before = client.item(&item);
    let report = client.engine.plan_only().expect("a plan");
    let fields: Vec<_> = report.pairs[0].fields.iter().map(|f| (f.field, f.winner)).collect();
    assert_eq!(fields, [("job-title", Some("crm")), ("nickname", Some("outlook"))]);
    assert_eq!(client.item(&item), before);
    assert_eq!(server.get("contact", id).expect("a row").text("nickname"), None);
    assert_eq!(words(&client.sync()), [Word::Merged]);
}

#[test]
fn without_the_privilege_only_mail_is_tracked() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    server.create(contact("Ann", "Lee"));
    let mut deprived = super::support::caller(ADA, "ada");
    deprived.sync_to_outlook = false;
    let service = offstage_outlook::crm::OutlookService::new(server.pipeline.clone());
    let id = client.engine.client().expect("a client").expect("registered");
    let request =
        offstage_outlook::crm::wire::PrepareRequest { client: id.client, token: id.token };
    assert_eq!(
        service.prepare(&deprived, &request).expect_err("refused").code,
        offstage_model::code::PRIVILEGE_DENIED
    );
}

#[test]
fn a_kind_that_is_switched_off_is_ignored_and_can_still_be_promoted() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    server.create(contact("Ann", "Lee"));
    client.sync();
    let off = Settings { contacts: false, ..Settings::default() };
    client.engine.set_settings(&off).expect("settings");
    server.create(contact("Bob", "Ray"));
    let item: EntryId = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Own"))]);
    client.sync();
    assert_eq!(client.items(ItemKind::Contact).len(), 2, "what came before stays");
    assert!(client.record_of(&item).is_some());
    client.engine.set_settings(&Settings::default()).expect("settings");
    client.sync();
    assert_eq!(client.items(ItemKind::Contact).len(), 3);
}

#[test]
fn a_clock_that_is_a_day_off_does_not_decide_who_was_later() {
    for offset in [-DAY, DAY] {
        let server = Server::new();
        let mut client = Client::with_clock_off(&server, offset);
        let id = server.create(contact("A", "B"));
        client.sync();
        let item = client.items(ItemKind::Contact)[0].entry_id.clone();
        // Outlook first, the CRM an hour later: the CRM stands, whatever the clocks say.
        client.edit(&item, P::FirstName, text("Outlook"));
        for clock in [&server.clock, client.clock()] {
            clock.0.fetch_add(60 * MINUTE, Ordering::SeqCst);
        }
        server.update(Entity::with_id("contact", id).with("firstname", Value::text("CRM")));
        client.sync();
        let row = server.get("contact", id).expect("a row");
        assert_eq!(row.text("firstname"), Some("CRM"), "{offset}");
        assert_eq!(client.item(&item).expect("there").properties[&P::FirstName], text("CRM"));
    }
}

#[test]
fn what_a_tracked_mail_is_about_goes_both_ways() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let fields = [(P::Subject, text("Hi")), (P::SentOn, V::Time(Timestamp(NOW)))];
    let mail = client.make_tracked(ItemKind::Email, &fields);
    client.sync();
    let record = client.record_of(&mail).expect("tracked");
    let accounts = ["One", "Two"]
        .map(|name| server.create(Entity::new("account").with("name", Value::text(name))));
    let about = Regarding { table: "account".into(), id: accounts[0] };
    client.engine.set_regarding(&mail, Place::Explorer, Some(about)).expect("set");
    let row = server.get("email", record).expect("a row");
    assert_eq!(row.value("regardingobjectid").as_reference().map(|r| r.id), Some(accounts[0]));
    let two = Value::reference("account", accounts[1]);
    server.update(Entity::with_id("email", record).with("regardingobjectid", two));
    client.sync();
    let about = client.item(&mail).expect("there").link.regarding.expect("it is about something");
    assert_eq!(about.id, accounts[1]);
    // Deleted in the CRM, the mail stays.
    server.delete("email", record);
    client.sync();
    assert_eq!(client.item(&mail).expect("there").link.state, Some(LinkState::WasTracked));
}

/// In a kind whose changes are not asked for, nobody notes that the record was changed.
#[test]
fn a_deletion_never_takes_away_a_change_that_was_not_noted() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let row = Entity::new("task").with("subject", Value::text("one"));
    let (changed, same) = (server.create(row.clone()), server.create(row));
    client.sync();
    let settings = Settings { tasks: false, ..Settings::default() };
    client.engine.set_settings(&settings).expect("settings");
    server.update(Entity::with_id("task", changed).with("description", Value::text("new")));
    for item in client.items(ItemKind::Task) {
        client.mail.delete(&item.entry_id, None).expect("deleted");
    }
    client.sync();
    client.sync();
    let row = server.get("task", changed).expect("the record and its change are kept");
    assert_eq!(row.text("description"), Some("new"));
    assert!(server.get("task", same).is_none(), "the other one goes");
}

#[test]
fn neither_single_items_nor_the_clock_put_the_schedule_off() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    client.sync();
    for _ in 0..3 {
        server.later(5 * MINUTE);
        client.engine.synchronise(Trigger::Immediate).expect("a run");
    }
    assert!(client.engine.is_due().expect("due"), "after 15 minutes of single items");
    client.engine.synchronise(Trigger::Schedule).expect("a run");
    assert!(!client.engine.is_due().expect("due"), "just done");
    server.later(-DAY);
    assert!(client.engine.is_due().expect("due"), "the clock was set back");
}
