//! Undoing a run, through the public door: values, and whole items and records.

use super::support::{Client, DAY, MINUTE, NOW, Server, text, words};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::{
    ItemKind, ItemPatch, LinkProperties, LinkState, MailStore, Person, Property as P,
    PropertyValue as V, Regarding,
};

fn contact(first: &str, last: &str) -> Entity {
    Entity::new("contact").with("firstname", Value::text(first)).with("lastname", Value::text(last))
}

#[test]
fn a_run_is_undone_and_waits() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Ann", "Lee").with("jobtitle", Value::text("CTO")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.edit(&item, P::Nickname, text("A"));
    server.update(Entity::with_id("contact", id).with("jobtitle", Value::text("CEO")));
    let run = client.sync().run;
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(client.item(&item).expect("there").properties[&P::JobTitle], text("CTO"));
    assert_eq!(server.get("contact", id).expect("a row").text("nickname"), None);
    assert_eq!(words(&client.sync()), [], "an undone pair waits");
    assert!(client.engine.undo(run).is_err());
    client.engine.release(None).expect("released");
    let nickname = server.get("contact", id).expect("a row").text("nickname").map(str::to_owned);
    assert_eq!(nickname.as_deref(), Some("A"), "let go, the run happens again");
}

/// Of what the run wrote, somebody changed one field on each side: it stays, and the rest goes back.
#[test]
fn a_run_is_undone_as_far_as_nobody_changed_it_since() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let titles = |title: &str, department: &str| {
        let columns = [("jobtitle", title), ("department", department)];
        columns.map(|(column, value)| (column, Value::text(value)))
    };
    let with = |row: Entity, columns: [(&'static str, Value); 2]| {
        columns.into_iter().fold(row, |row, (column, value)| row.with(column, value))
    };
    let id = server.create(with(contact("Ann", "Lee"), titles("CTO", "IT")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.edit(&item, P::Nickname, text("A"));
    client.edit(&item, P::Spouse, text("Bo"));
    server.update(with(Entity::with_id("contact", id), titles("CEO", "Board")));
    let run = client.sync().run;
    client.edit(&item, P::JobTitle, text("mine"));
    server.update(Entity::with_id("contact", id).with("nickname", Value::text("theirs")));
    let about = Regarding { table: "account".into(), id: Uuid::from_u128(7) };
    let link = LinkProperties {
        regarding: Some(about.clone()),
        ..client.item(&item).expect("there").link
    };
    let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
    client.mail.update(&item, None, &patch).expect("the user says what it is about");
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left.len(), 2, "{report:#?}");
    for kept in ["job-title, what it is tied to stays", "nickname stays"] {
        assert!(report.left.iter().any(|left| left.contains(kept)), "{kept}: {report:#?}");
    }
    let there = client.item(&item).expect("there");
    assert_eq!(there.link.regarding, Some(about));
    assert_eq!(there.properties[&P::JobTitle], text("mine"));
    assert_eq!(there.properties[&P::Department], text("IT"), "what nobody changed went back");
    let row = server.get("contact", id).expect("a row");
    assert_eq!((row.text("nickname"), row.text("spousesname")), (Some("theirs"), None));
}

/// Whom a run invited or took off, it takes off or invites again.
#[test]
fn participants_go_back() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let people = |names: &[&str]| {
        let people = names.iter().map(|name| Person::new(*name, format!("{name}@x.example")));
        V::People(people.collect())
    };
    let item = client.make_tracked(
        ItemKind::Appointment,
        &[
            (P::Subject, text("meeting")),
            (P::Start, V::Time(Timestamp(NOW + DAY))),
            (P::End, V::Time(Timestamp(NOW + DAY + MINUTE))),
            (P::RequiredAttendees, people(&["eve", "joe"])),
        ],
    );
    client.sync();
    let record = client.record_of(&item).expect("it went");
    let invited = |server: &Server| {
        let rows = server.all("activityparty");
        let required = rows.iter().filter(|row| {
            row.value("participationtypemask").as_option() == Some(5)
                && row.value("activityid").as_reference().is_some_and(|a| a.id == record)
        });
        let mut names: Vec<_> =
            required.filter_map(|row| row.text("addressused").map(str::to_owned)).collect();
        names.sort();
        names
    };
    assert_eq!(invited(&server), ["eve@x.example", "joe@x.example"]);
    client.edit(&item, P::RequiredAttendees, people(&["joe", "kim"]));
    let run = client.sync().run;
    assert_eq!(invited(&server), ["joe@x.example", "kim@x.example"]);
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(invited(&server), ["eve@x.example", "joe@x.example"]);
    client.engine.drop_held(None).expect("dropped");
    // A deleted record comes back with them.
    let link = LinkProperties {
        state: Some(LinkState::Pending),
        ..client.item(&item).expect("there").link
    };
    let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
    client.mail.update(&item, None, &patch).expect("tracked again");
    client.sync();
    let before = invited(&server);
    assert_eq!(before.len(), 2);
    client.mail.delete(&item, None).expect("deleted");
    let run = client.sync().run;
    assert!(server.get("appointment", record).is_none());
    assert_eq!(invited(&server).len(), 0);
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(invited(&server), before);
}

#[test]
fn a_run_that_made_and_removed_items_and_records_is_undone() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let came = server.create(contact("Ann", "Lee"));
    let went = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Ray"))]);
    let run = client.sync().run;
    let record = client.record_of(&went).expect("it went");
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert!(client.items(ItemKind::Contact).iter().all(|item| item.entry_id == went));
    assert!(server.get("contact", came).is_some(), "what was there before the run stays");
    assert!(server.get("contact", record).is_none(), "what the run made is gone");
    assert!(client.item(&went).is_some(), "the user's own item stays");

    let server = Server::new();
    let mut client = Client::primary(&server);
    let open = server.create(Entity::new("task").with("subject", Value::text("open")));
    let shown = server.create(Entity::new("task").with("subject", Value::text("shown")));
    client.sync();
    let subject = |item: &offstage_outlook::Item| item.properties[&P::Subject].clone();
    let items = client.items(ItemKind::Task);
    let deleted = items.iter().find(|item| subject(item) == text("open")).expect("it came");
    client.mail.delete(&deleted.entry_id, None).expect("deleted");
    server.delete("task", shown);
    let run = client.sync().run;
    assert!(server.get("task", open).is_none(), "by the rule for open tasks");
    assert_eq!(client.items(ItemKind::Task).len(), 0);
    let report = client.engine.undo(run).expect("undone");
    let back: Vec<_> = client.items(ItemKind::Task).iter().map(subject).collect();
    assert_eq!(back, [text("shown")], "{report:#?}");
    let row = server.get("task", open).expect("the record is back");
    assert_eq!(row.text("subject"), Some("open"));
}
