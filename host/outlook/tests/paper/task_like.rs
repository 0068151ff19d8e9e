//! Phone calls, letters and faxes, which are tasks in Outlook, from their making to their deletion
//! both ways; and the date of completion, which Outlook keeps and nobody exchanges.

use super::support::{Client, DAY, NOW, Server, text};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::{
    EntryId, ItemKind, LinkState, MailStore as _, Property as P, PropertyValue as V,
};
use offstage_query::SqlValue;

/// The table, its open status, and the one of an activity that is done.
const TABLES: [(&str, i32, i32); 3] = [("phonecall", 1, 2), ("letter", 1, 3), ("fax", 1, 2)];

fn day(text: &str) -> V {
    V::Date(text.parse().expect("a day"))
}

/// An activity of a table that came to Outlook as a task.
fn came(server: &Server, client: &mut Client, table: &str) -> (EntryId, Uuid) {
    let due = Value::DateTime(Timestamp::parse("2027-03-28T00:00:00Z").expect("a time"));
    let record = server.create(
        Entity::new(table)
            .with("subject", Value::text(table))
            .with("scheduledend", due)
            .with("prioritycode", Value::Option(2)),
    );
    client.sync();
    let items = client.items(ItemKind::Task);
    let item = items.iter().find(|item| item.link.crm_id == Some(record)).expect("it came");
    (item.entry_id.clone(), record)
}

#[test]
fn phone_calls_letters_and_faxes_come_change_and_are_completed() {
    for (table, open, done) in TABLES {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let (item, record) = came(&server, &mut client, table);
        let shown = client.item(&item).expect("there");
        assert_eq!(shown.properties[&P::Subject], text(table));
        assert_eq!(shown.properties[&P::DueDate], day("2027-03-28"), "{table}");
        assert_eq!(shown.properties[&P::Importance], V::Integer(2), "{table}");
        let row = || server.get(table, record).expect("a row");
        assert_eq!(row().value("statuscode"), &Value::Option(open), "{table}");
        // Each side changes something.
        client.edit(&item, P::Body, text("from Outlook"));
        server.update(Entity::with_id(table, record).with("subject", Value::text("renamed")));
        client.sync();
        assert_eq!(row().text("description"), Some("from Outlook"), "{table}");
        assert_eq!(client.item(&item).expect("there").properties[&P::Subject], text("renamed"));
        // A status that only a task has is no change of the record, and stays in Outlook.
        client.edit(&item, P::TaskStatus, V::Integer(1));
        client.sync();
        assert_eq!(row().value("statecode"), &Value::Option(0), "{table}");
        assert_eq!(client.item(&item).expect("there").properties[&P::TaskStatus], V::Integer(1));
        // Completed in Outlook.
        client.edit(&item, P::TaskStatus, V::Integer(2));
        client.sync();
        client.sync();
        assert_eq!(row().value("statecode"), &Value::Option(1), "{table}");
        assert_eq!(row().value("statuscode"), &Value::Option(done), "{table}");
        assert!(client.item(&item).is_some(), "{table}: what is done stays in Outlook");
        // Completed in the CRM.
        let (item, record) = came(&server, &mut client, table);
        server.update(Entity::with_id(table, record).with("statecode", Value::Option(1)));
        client.sync();
        let shown = client.item(&item).expect("there");
        assert_eq!(shown.properties[&P::TaskStatus], V::Integer(2), "{table}");
        assert_eq!(server.all("task").len(), 0, "no task was made of a {table}");
    }
}

#[test]
fn phone_calls_letters_and_faxes_are_deleted_by_the_rules_of_tasks() {
    for (table, ..) in TABLES {
        let server = Server::new();
        let mut client = Client::primary(&server);
        // Open ones go, whichever side deletes.
        let (item, record) = came(&server, &mut client, table);
        client.mail.delete(&item, None).expect("deleted");
        client.sync();
        assert!(server.get(table, record).is_none(), "{table}");
        let (item, record) = came(&server, &mut client, table);
        server.delete(table, record);
        client.sync();
        assert!(client.item(&item).is_none(), "{table}");
        // Completed ones stay on the other side.
        let (item, record) = came(&server, &mut client, table);
        client.edit(&item, P::TaskStatus, V::Integer(2));
        client.sync();
        client.mail.delete(&item, None).expect("deleted");
        client.sync();
        client.sync();
        assert!(server.get(table, record).is_some(), "{table}");
        let (item, record) = came(&server, &mut client, table);
        server.update(Entity::with_id(table, record).with("statecode", Value::Option(1)));
        client.sync();
        server.delete(table, record);
        client.sync();
        let left = client.item(&item).expect("it stays");
        assert_eq!(left.link.state, Some(LinkState::WasTracked), "{table}");
    }
}

/// The named property of the mailbox that holds a time: of such a task there is only Date Completed.
fn date_completed(client: &mut Client, item: &EntryId) -> Option<SqlValue> {
    let raw = client.mail.with(|store| store.raw(item)).expect("properties");
    let mut times = raw.iter().filter(|(tag, _)| **tag >= 0x8000_0000 && **tag & 0xFFFF == 0x0040);
    let found = times.next().map(|(_, value)| value.clone());
    assert!(times.next().is_none(), "{raw:?}");
    found
}

#[test]
fn the_date_of_completion_is_kept_in_outlook_and_never_exchanged() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let item = client.make_tracked(ItemKind::Task, &[(P::Subject, text("t"))]);
    client.sync();
    let record = client.record_of(&item).expect("tracked");
    assert_eq!(date_completed(&mut client, &item), None);
    // Completed in the CRM: Outlook has a date from then on.
    server.later(DAY);
    server.update(Entity::with_id("task", record).with("statecode", Value::Option(1)));
    client.sync();
    let date = date_completed(&mut client, &item).expect("completed");
    let SqlValue::Integer(ticks) = date else { panic!("{date:?}") };
    assert!(offstage_outlook::FileTime(ticks).timestamp() >= Timestamp(NOW + DAY));
    // Writing the same status again does not move it, and nothing of it goes to the record.
    server.later(DAY);
    let before = server.get("task", record).expect("a row").version;
    client.edit(&item, P::TaskStatus, V::Integer(2));
    client.sync();
    assert_eq!(date_completed(&mut client, &item), Some(SqlValue::Integer(ticks)));
    assert_eq!(server.get("task", record).expect("a row").version, before);
    let xml = client.item(&item).expect("there").link.original_xml;
    assert!(!xml.unwrap_or_default().contains("completed-on"), "it is in no exchange");
    // Opened again, there is none.
    client.edit(&item, P::TaskStatus, V::Integer(0));
    assert_eq!(date_completed(&mut client, &item), None);
}
