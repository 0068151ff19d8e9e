//! The notes beside the paper's tables: what is not synchronised, and what has a rule of its own.

use super::Case;
use super::support::{BOB, Client, DAY, MINUTE, NOW, Server, text};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::Word;
use offstage_outlook::property::PropertySet;
use offstage_outlook::{EntryId, ItemKind, Property as P, PropertyValue as V};
use offstage_query::SqlValue;

pub(crate) const NOTES: [Case; 5] = [
    ("Tasks: fields that are not synchronized", || stay_out(ItemKind::Task, TASK)),
    ("Appointments: fields that are not synchronized", || stay_out(ItemKind::Appointment, EVENT)),
    ("Contacts: fields that are not synchronized", || stay_out(ItemKind::Contact, CONTACT)),
    ("A due time in CRM becomes the reminder in Outlook", due_time),
    ("An assigned contact leaves, unless it was tracked by hand", assigned),
];

/// A field that the paper names, and a property of MS-OXPROPS that holds it.
type Field = (&'static str, Mapi);

enum Mapi {
    /// At a fixed tag.
    Tag(u32),
    /// Named, in a set, with its type.
    Lid(PropertySet, u32, u16),
}

use Mapi::{Lid, Tag};
const LONG: u16 = 0x0003;
const BOOLEAN: u16 = 0x000B;
const UNICODE: u16 = 0x001F;
const TIME: u16 = 0x0040;
const TEXTS: u16 = 0x101F;

/// "Reminder, Contacts, Categories, Privacy Flag, Date Completed, Total Work, Companies, Mileage, and
/// Billing Information."
const TASK: &[Field] = &[
    ("Reminder", Lid(PropertySet::Common, 0x8501, LONG)),
    ("Contacts", Lid(PropertySet::Common, 0x853A, TEXTS)),
    ("Categories", Tag(0x9000_101F)),
    ("Privacy Flag", Tag(0x0036_0003)),
    ("Privacy Flag: private", Lid(PropertySet::Common, 0x8506, BOOLEAN)),
    ("Date Completed", Lid(PropertySet::Task, 0x810F, TIME)),
    ("Total Work", Lid(PropertySet::Task, 0x8111, LONG)),
    ("Companies", Lid(PropertySet::Common, 0x8539, TEXTS)),
    ("Mileage", Lid(PropertySet::Common, 0x8534, UNICODE)),
    ("Billing Information", Lid(PropertySet::Common, 0x8535, UNICODE)),
];
/// "Label, Reminder, Contacts, Categories, Privacy Flag, and Importance Flag." The paper's own table
/// of appointments has Priority, which Outlook keeps as importance: the table stands, and the flag of
/// the note is read as PidTagPriority, the urgency with which a message is carried.
const EVENT: &[Field] = &[
    ("Label", Lid(PropertySet::Appointment, 0x8214, LONG)),
    ("Reminder", Lid(PropertySet::Common, 0x8501, LONG)),
    ("Contacts", Lid(PropertySet::Common, 0x853A, TEXTS)),
    ("Categories", Tag(0x9000_101F)),
    ("Privacy Flag", Tag(0x0036_0003)),
    ("Privacy Flag: private", Lid(PropertySet::Common, 0x8506, BOOLEAN)),
    ("Importance Flag", Tag(0x0026_0003)),
];
/// "Photo, IM Address, Other phone numbers, Office, Profession, NetMeeting Settings, Free/Busy Server
/// Settings."
const CONTACT: &[Field] = &[
    ("Photo", Lid(PropertySet::Address, 0x8015, BOOLEAN)),
    ("IM Address", Lid(PropertySet::Address, 0x8062, UNICODE)),
    ("Other phone numbers: Home 2", Tag(0x3A2F_001F)),
    ("Other phone numbers: Callback", Tag(0x3A02_001F)),
    ("Other phone numbers: Business 2", Tag(0x3A1B_001F)),
    ("Other phone numbers: Car", Tag(0x3A1E_001F)),
    ("Office", Tag(0x3A19_001F)),
    ("Profession", Tag(0x3A46_001F)),
    ("NetMeeting Settings", Lid(PropertySet::Appointment, 0x8242, UNICODE)),
    ("Free/Busy Server Settings", Lid(PropertySet::Address, 0x80D8, UNICODE)),
];

/// Such a field changes nothing of the record, and stays byte for byte when the record changes.
fn stay_out(kind: ItemKind, fields: &[Field]) {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let item = client.make_tracked(kind, &super::actions::fields(kind));
    client.sync();
    let (table, record) = (super::actions::table(kind), client.record_of(&item).expect("tracked"));
    let before = server.get(table, record).expect("a row");
    let mut tags = Vec::new();
    for (name, place) in fields {
        let tag = match place {
            Tag(tag) => *tag,
            Lid(set, lid, kind) => {
                let made = client.mail.with(|store| store.named_tag(set.guid(), *lid, *kind));
                made.expect("a tag")
            }
        };
        let value = match (tag & 0xFFFF) as u16 {
            LONG => SqlValue::Integer(2),
            BOOLEAN => SqlValue::Boolean(true),
            TIME => SqlValue::Integer(133_000_000_000_000_000),
            _ => SqlValue::Text(format!("{name} \u{1}")),
        };
        client.mail.with(|store| store.set_raw(&item, tag, value)).expect("it is set");
        tags.push(tag);
    }
    let raw = |client: &mut Client| {
        let all = client.mail.with(|store| store.raw(&item)).expect("properties");
        tags.iter().map(|tag| all.get(tag).cloned()).collect::<Vec<_>>()
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
