//! The notes beside the paper's tables: what is not synchronised, and what has a rule of its own.

use super::Case;
use super::support::{BOB, Client, DAY, MINUTE, NOW, Server, text};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::Word;
use offstage_outlook::{EntryId, ItemKind, Property as P, PropertyValue as V};
use offstage_query::SqlValue;

pub(crate) const NOTES: [Case; 5] = [
    ("Tasks: fields that are not synchronized", || stay_out(ItemKind::Task, TASK)),
    ("Appointments: fields that are not synchronized", || stay_out(ItemKind::Appointment, EVENT)),
    ("Contacts: fields that are not synchronized", || stay_out(ItemKind::Contact, CONTACT)),
    ("A due time in CRM becomes the reminder in Outlook", due_time),
    ("An assigned contact leaves, unless it was tracked by hand", assigned),
];

/// Fields that the paper names, as properties of MS-OXPROPS that stand at a fixed tag.
const TASK: &[(&str, u32)] = &[("Privacy Flag", 0x0036_0003), ("Categories", 0x9000_101F)];
const EVENT: &[(&str, u32)] = &[("Privacy Flag", 0x0036_0003), ("Categories", 0x9000_101F)];
const CONTACT: &[(&str, u32)] = &[
    ("Other phone numbers: Home 2", 0x3A2F_001F),
    ("Other phone numbers: Callback", 0x3A02_001F),
    ("Office", 0x3A19_001F),
    ("Profession", 0x3A46_001F),
];

/// Such a field changes nothing of the record, and stays byte for byte when the record changes.
fn stay_out(kind: ItemKind, fields: &[(&str, u32)]) {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let item = client.make_tracked(kind, &super::actions::fields(kind));
    client.sync();
    let (table, record) = (super::actions::table(kind), client.record_of(&item).expect("tracked"));
    let before = server.get(table, record).expect("a row");
    let set = |client: &mut Client, item: &EntryId| {
        for (name, tag) in fields {
            let value = if tag & 0xFFFF == 0x0003 {
                SqlValue::Integer(2)
            } else {
                SqlValue::Text(format!("{name} \u{1}"))
            };
            client.mail.with(|store| store.set_raw(item, *tag, value)).expect("it is set");
        }
    };
    set(&mut client, &item);
    let raw = |client: &mut Client| {
        let all = client.mail.with(|store| store.raw(&item)).expect("properties");
        fields.iter().map(|(_, tag)| all.get(tag).cloned()).collect::<Vec<_>>()
    };
    let kept = raw(&mut client);
    assert!(kept.iter().all(Option::is_some));
    let report = client.sync();
    assert!(report.pairs.iter().all(|pair| pair.done == Word::Unchanged), "{report:#?}");
    assert_eq!(server.get(table, record).expect("a row").version, before.version);
    server.update(Entity::with_id(table, record).with("description", Value::text("changed")));
    client.sync();
    assert_eq!(client.item(&item).expect("there").properties[&P::Body], text("changed"));
    assert_eq!(raw(&mut client), kept, "{kind}");
    // The reminder of a task or an appointment is Outlook's own.
    if kind != ItemKind::Contact {
        let version = server.get(table, record).expect("a row").version;
        client.edit(&item, P::ReminderTime, V::Time(Timestamp(NOW + DAY)));
        client.sync();
        assert_eq!(server.get(table, record).expect("a row").version, version, "{kind}: reminder");
    }
}

/// "Reminder information is not synced from Outlook to CRM. However, when a task has due time set in
/// CRM, it will be synchronized to reminder time in Outlook."
fn due_time() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let nine = NOW - NOW % DAY + DAY + 9 * 60 * MINUTE;
    let task = Entity::new("task").with("subject", Value::text("Call"));
    let record = server.create(task.with("scheduledend", Value::DateTime(Timestamp(nine))));
    client.sync();
    let item = client.items(ItemKind::Task)[0].entry_id.clone();
    let reminder = |client: &mut Client| {
        client.item(&item).expect("there").properties.get(&P::ReminderTime).cloned()
    };
    assert_eq!(reminder(&mut client), Some(V::Time(Timestamp(nine))));
    client.edit(&item, P::ReminderTime, V::Time(Timestamp(nine + MINUTE)));
    client.sync();
    let row = server.get("task", record).expect("a row");
    assert_eq!(row.value("scheduledend"), &Value::DateTime(Timestamp(nine)));
    // The due time moves in the CRM, and the reminder with it.
    let later = Value::DateTime(Timestamp(nine + 60 * MINUTE));
    server.update(Entity::with_id("task", record).with("scheduledend", later));
    client.sync();
    assert_eq!(reminder(&mut client), Some(V::Time(Timestamp(nine + 60 * MINUTE))));
}

/// "PrepareSync will treat this as a delete action in Outlook. However ... will not remove them even
/// if the contact is re-assigned to another CRM user."
fn assigned() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let came = server.create(Entity::new("contact").with("lastname", Value::text("Came")));
    let item = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Tracked"))]);
    client.sync();
    let tracked = client.record_of(&item).expect("tracked");
    for id in [came, tracked] {
        let owner = Value::reference("systemuser", BOB);
        server.update(Entity::with_id("contact", id).with("ownerid", owner));
    }
    client.sync();
    let left: Vec<EntryId> =
        client.items(ItemKind::Contact).into_iter().map(|item| item.entry_id).collect();
    assert_eq!(left, std::slice::from_ref(&item));
    // What was tracked stays in step; what left was not deleted in the CRM.
    server.update(Entity::with_id("contact", tracked).with("jobtitle", Value::text("CEO")));
    client.sync();
    assert_eq!(client.item(&item).expect("there").properties[&P::JobTitle], text("CEO"));
    assert!(server.get("contact", came).is_some());
}
