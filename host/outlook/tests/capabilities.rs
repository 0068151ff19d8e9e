//! The engine over stores that can do less: the same story comes to the same end.

mod support;

use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::Place;
use offstage_outlook::original;
use offstage_outlook::rules::ClientRole;
use offstage_outlook::{
    Capabilities, Item, ItemKind, MailStore, Person, Property as P, PropertyValue as V, Regarding,
};
use support::{ADA, Client, DAY, MINUTE, NOW, Server, mailbox, text, words};

type Change = fn(&mut Capabilities);

/// What each store lacks.
const STORES: [(&str, Change); 9] = [
    ("nothing", |_| {}),
    ("custom properties", |c| c.custom_properties = false),
    ("conditional writes", |c| c.conditional_write = false),
    ("both", |c| {
        c.custom_properties = false;
        c.conditional_write = false;
    }),
    ("the form that was written", |c| c.rewrites = true),
    ("an answer that is what it stored", |c| {
        c.rewrites = true;
        c.answers_as_sent = true;
    }),
    ("quiet ties", |c| c.quiet_ties = false),
    ("all that a server of calendars lacks", |c| {
        c.rewrites = true;
        c.answers_as_sent = true;
        c.quiet_ties = false;
    }),
    ("quiet writing", |c| c.sends_invitations = true),
];

fn client(server: &Server, change: Change) -> Client {
    let mut mail = mailbox(server);
    mail.change_capabilities(change);
    let mut client = Client::over(server, mail, ADA);
    client.engine.register("desk", ClientRole::Primary, false).expect("registered");
    client
}

#[test]
fn the_same_story_over_every_store() {
    for (lacks, change) in STORES {
        let server = Server::new();
        let mut client = client(&server, change);
        let time = |ms| Value::DateTime(Timestamp(ms));
        let event = server.create(
            Entity::new("appointment")
                .with("subject", Value::text("Review"))
                .with("location", Value::text("Room 7"))
                .with("scheduledstart", time(NOW + DAY))
                .with("scheduledend", time(NOW + DAY + MINUTE)),
        );
        client.sync();
        let item = client.items(ItemKind::Appointment)[0].entry_id.clone();
        assert_eq!(words(&client.sync()), [], "lacks {lacks}: it rests");
        // Both sides change other columns.
        client.edit(&item, P::Subject, text("Review 2"));
        server.update(Entity::with_id("appointment", event).with("description", Value::text("d")));
        client.sync();
        let row = server.get("appointment", event).expect("a row");
        assert_eq!(row.text("subject"), Some("Review 2"), "lacks {lacks}");
        assert_eq!(row.text("location"), Some("Room 7"), "lacks {lacks}: what a store rewrites");
        let shown = client.item(&item).expect("there");
        assert_eq!(shown.properties[&P::Body], text("d"), "lacks {lacks}");
        // An item is tracked, with what it is about.
        let account = server.create(Entity::new("account").with("name", Value::text("Contoso")));
        let task = client.make(ItemKind::Task, &[(P::Subject, text("Call"))]);
        let about = Regarding { table: "account".into(), id: account };
        client.engine.track(&task, Place::Explorer, Some(about)).expect("tracked");
        let rows = server.all("task");
        assert_eq!(rows.len(), 1, "lacks {lacks}");
        let found = rows[0].value("regardingobjectid").as_reference().map(|r| r.id);
        assert_eq!(found, Some(account), "lacks {lacks}");
        client.engine.set_regarding(&task, Place::Explorer, None).expect("set");
        let row = server.get("task", rows[0].id.expect("an id")).expect("a row");
        assert!(row.value("regardingobjectid").is_null(), "lacks {lacks}");
        assert_eq!(words(&client.sync()), [], "lacks {lacks}: it rests again");
        // It is deleted in Outlook, and the rule says what that means.
        client.mail.delete(&task, None).expect("deleted");
        client.sync();
        client.sync();
        assert_eq!(server.all("task").len(), 0, "lacks {lacks}");
        assert_eq!(server.all("appointment").len(), 1, "lacks {lacks}");
        assert_eq!(client.items(ItemKind::Appointment).len(), 1, "lacks {lacks}");
    }
}

/// A write of nothing but OriginalXML is one that every other client of the mailbox hears of. Only
/// machines of a roaming profile need it, since each of them merges.
#[test]
fn where_ties_are_seen_the_base_goes_with_the_next_write() {
    for role in [ClientRole::Primary, ClientRole::Roaming] {
        let server = Server::new();
        let mut client = client(&server, |c| c.quiet_ties = false);
        client.engine.register("desk", role, true).expect("registered");
        let row = Entity::new("contact").with("lastname", Value::text("Lee"));
        let contact = server.create(row.with("jobtitle", Value::text("first")));
        client.sync();
        let item = client.items(ItemKind::Contact).remove(0).entry_id;
        client.edit(&item, P::JobTitle, text("second"));
        let edited = client.item(&item).expect("there").change_key;
        client.sync();
        assert_eq!(server.get("contact", contact).expect("a row").text("jobtitle"), Some("second"));
        let alone = role == ClientRole::Roaming;
        let now = client.item(&item).expect("there");
        assert_eq!(now.change_key != edited, alone, "{role:?}: written alone");
        let carried = if alone { "second" } else { "first" };
        assert_eq!(carried_title(&now), Some(text(carried)), "{role:?}");
        assert_eq!(words(&client.sync()), [], "{role:?}: it rests");
        // Only the record changes now, whatever the item carries.
        let row = Entity::with_id("contact", contact);
        server.update(row.with("jobtitle", Value::text("third")));
        let report = client.sync();
        let mut fields = report.pairs.iter().flat_map(|pair| &pair.fields);
        let title = fields.find(|field| field.field == P::JobTitle.name()).expect("it is planned");
        assert_eq!((title.base.as_deref(), title.conflict), (Some("second"), false), "{role:?}");
        let now = client.item(&item).expect("there");
        assert_eq!(now.properties[&P::JobTitle], text("third"), "{role:?}");
        assert_eq!(carried_title(&now), Some(text("third")), "{role:?}");
        assert_eq!(words(&client.sync()), [], "{role:?}: it rests again");
    }
}

fn carried_title(item: &Item) -> Option<V> {
    let xml = item.link.original_xml.as_deref()?;
    original::read(xml).expect("OriginalXML").state.get(P::JobTitle).cloned()
}

#[test]
fn nobody_is_mailed_by_accident() {
    let server = Server::new();
    let mut client = client(&server, |c| c.sends_invitations = true);
    let event = server.create(
        Entity::new("appointment")
            .with("subject", Value::text("Review"))
            .with("scheduledstart", Value::DateTime(Timestamp(NOW + DAY)))
            .with("scheduledend", Value::DateTime(Timestamp(NOW + DAY + MINUTE))),
    );
    server.create(
        Entity::new("activityparty")
            .with("activityid", Value::reference("appointment", event))
            .with("addressused", Value::text("eve@elsewhere.example"))
            .with("participationtypemask", Value::Option(5)),
    );
    client.sync();
    let item = client.items(ItemKind::Appointment).remove(0);
    assert!(!item.properties.contains_key(&P::RequiredAttendees), "{item:?}");
    // The item has none, and that is no wish to remove them from the record.
    client.edit(&item.entry_id, P::Location, text("Room 7"));
    client.sync();
    assert_eq!(server.all("activityparty").len(), 1);
    // With the user's wish they go out.
    let mut settings = client.engine.settings().expect("settings");
    settings.send_invitations = true;
    client.engine.set_settings(&settings).expect("settings");
    server.update(Entity::with_id("appointment", event).with("description", Value::text("d")));
    client.sync();
    let people =
        client.item(&item.entry_id).expect("there").properties[&P::RequiredAttendees].clone();
    assert_eq!(people, V::People(vec![Person::new("", "eve@elsewhere.example")]));
}

#[test]
fn a_repeating_appointment_keeps_its_rule_and_zone() {
    let server = Server::new();
    let mut client = client(&server, |_| {});
    let rule = "RRULE:FREQ=WEEKLY;BYDAY=TU\nEXDATE:20270330T080000Z";
    let item = client.make_tracked(
        ItemKind::Appointment,
        &[
            (P::Subject, text("Weekly")),
            (P::Start, V::Time(Timestamp(NOW + DAY))),
            (P::End, V::Time(Timestamp(NOW + DAY + 30 * MINUTE))),
            (P::Recurrence, text(rule)),
            (P::TimeZone, text("America/Los_Angeles")),
        ],
    );
    client.sync();
    let record = client.record_of(&item).expect("tracked");
    let row = server.get("appointment", record).expect("a row");
    assert_eq!(row.text("recurrencepattern"), Some(rule));
    assert_eq!(row.text("timezonename"), Some("America/Los_Angeles"));
    assert_eq!(row.value("instancetypecode"), &Value::Option(1));
    // The rule goes away in the CRM, and the group with it.
    server.update(Entity::with_id("appointment", record).with("recurrencepattern", Value::Null));
    client.sync();
    assert!(!client.item(&item).expect("there").properties.contains_key(&P::Recurrence));
    assert_eq!(words(&client.sync()), []);
}
