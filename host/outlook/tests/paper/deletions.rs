//! "Deletion Rules", both ways, through the engine: what is deleted on one side, and what is left of
//! it on the other, at once and after later changes.

use super::Case;
use super::actions::{fields, table};
use super::support::{BOB, Client, DAY, MINUTE, NOW, Server, text};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::Place;
use offstage_outlook::{
    EntryId, ItemKind, LinkState, MailStore as _, Person, Property as P, PropertyValue as V,
};

pub(crate) const IN_OUTLOOK: [Case; 7] = [
    ("Contacts: deleted", || stays(ItemKind::Contact)),
    ("Contacts: untracked", || untracked_by_wish(ItemKind::Contact)),
    ("Appointments: open, in the future, owner or organizer", appointments_go),
    ("Appointments: otherwise", appointments_stay),
    ("Tasks", tasks),
    ("E-mails: deleted", || stays(ItemKind::Email)),
    ("E-mails: untracked", || untracked_by_wish(ItemKind::Email)),
];

pub(crate) const IN_CRM: [Case; 4] = [
    ("Contacts", contacts_in_crm),
    ("Appointments", appointments_in_crm),
    ("Tasks", tasks_in_crm),
    ("E-mails", emails_in_crm),
];

/// An item with its record.
struct World {
    server: Server,
    client: Client,
    kind: ItemKind,
    item: EntryId,
    record: Uuid,
}

impl World {
    fn tracked(kind: ItemKind, fields: &[(P, V)]) -> Self {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let item = client.make_tracked(kind, fields);
        client.sync();
        let record = client.record_of(&item).expect("tracked");
        Self { server, client, kind, item, record }
    }

    fn usual(kind: ItemKind) -> Self {
        Self::tracked(kind, &fields(kind))
    }

    /// An appointment that begins so many days from now.
    fn appointment(days: i64) -> Self {
        let time = |ms| V::Time(Timestamp(ms));
        let start = NOW + days * DAY;
        let (start, end) = (time(start), time(start + 30 * MINUTE));
        let fields = [(P::Subject, text("Review")), (P::Start, start), (P::End, end)];
        Self::tracked(ItemKind::Appointment, &fields)
    }

    fn set(&self, column: &str, value: Value) {
        self.server.update(Entity::with_id(table(self.kind), self.record).with(column, value));
    }

    fn has_record(&self) -> bool {
        self.server.get(table(self.kind), self.record).is_some()
    }

    fn delete_item(&mut self) {
        self.client.mail.delete(&self.item, None).expect("deleted");
        self.client.sync();
    }

    fn untrack(&mut self, delete: bool) {
        self.client.engine.untrack(&self.item, Place::Explorer, delete).expect("un-tracked");
        self.client.sync();
    }

    fn delete_record(&mut self) {
        self.server.delete(table(self.kind), self.record);
        self.client.sync();
    }

    fn item_state(&mut self) -> Option<Option<LinkState>> {
        Some(self.client.item(&self.item)?.link.state)
    }

    /// Linked = 0: a later change of the record does not bring the item back or change it, and the
    /// pair takes up again when the user tracks it.
    fn is_unlinked(&mut self) {
        let row = Entity::with_id(table(self.kind), self.record);
        let column = if self.kind == ItemKind::Email { "regardingobjectid" } else { "description" };
        let account = self.server.create(Entity::new("account").with("name", Value::text("C")));
        let value = match self.kind {
            ItemKind::Email => Value::reference("account", account),
            _ => Value::text("later"),
        };
        let before = self.client.items(self.kind);
        // A record that is over takes no changes, and one that is gone none either.
        let changed = self.server.execute(offstage_model::Request::update(row.with(column, value)));
        println!("changed later: {}", changed.is_ok());
        self.client.sync();
        assert_eq!(self.client.items(self.kind), before, "a later change stays in the CRM");
        let mapping = self.client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
        assert!(!mapping[0].linked);
    }

    /// The item that was un-linked is tracked again: the same record.
    fn tracks_again(&mut self) {
        let records = self.server.all(table(self.kind)).len();
        self.client.engine.track(&self.item, Place::Explorer, None).expect("tracked");
        self.client.sync();
        assert_eq!(self.item_state(), Some(Some(LinkState::Tracked)));
        assert_eq!(self.client.record_of(&self.item), Some(self.record));
        assert_eq!(self.server.all(table(self.kind)).len(), records, "no second record");
        let item = self.item.clone();
        if self.kind != ItemKind::Email {
            self.client.edit(&item, P::Body, text("again"));
            self.client.sync();
            let row = self.server.get(table(self.kind), self.record).expect("a row");
            assert_eq!(row.text("description"), Some("again"));
        }
    }
}

/// "will not be deleted in CRM at the next Outlook Sync".
fn stays(kind: ItemKind) {
    let mut world = World::usual(kind);
    world.delete_item();
    assert!(world.has_record());
    world.is_unlinked();
}

/// "will be deleted in CRM at the next Outlook Sync if the user designates".
fn untracked_by_wish(kind: ItemKind) {
    let mut world = World::usual(kind);
    world.untrack(true);
    assert!(!world.has_record(), "designated");
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)), "the item stays");
    let mut world = World::usual(kind);
    world.untrack(false);
    assert!(world.has_record(), "not designated");
    world.is_unlinked();
    world.tracks_again();
}

fn appointments_go() {
    for untracked in [false, true] {
        let mut world = World::appointment(1);
        if untracked {
            world.untrack(false)
        } else {
            world.delete_item()
        }
        assert!(!world.has_record(), "the owner's, un-tracked: {untracked}");
        assert_eq!(world.item_state().is_some(), untracked);
        // The organizer who is not the owner.
        let mut world = World::appointment(1);
        let organizer = V::People(vec![Person::new("Ada", "ada@contoso.example")]);
        world.client.edit(&world.item.clone(), P::Organizer, organizer);
        world.client.sync();
        world.set("ownerid", Value::reference("systemuser", BOB));
        world.client.sync();
        if untracked {
            world.untrack(false)
        } else {
            world.delete_item()
        }
        assert!(!world.has_record(), "the organizer's, un-tracked: {untracked}");
    }
}

/// One of the three conditions fails.
fn appointments_stay() {
    type Change = fn(&World);
    let past: Change = |_| {};
    let closed: Change = |world| world.set("statecode", Value::Option(1));
    let of_others: Change = |world| world.set("ownerid", Value::reference("systemuser", BOB));
    let cases = [("in the past", -1, past), ("not open", 1, closed), ("of others", 1, of_others)];
    for (why, days, change) in cases {
        for untracked in [false, true] {
            println!("{why}, un-tracked: {untracked}");
            let mut world = World::appointment(days);
            change(&world);
            world.client.sync();
            if untracked {
                world.untrack(false)
            } else {
                world.delete_item()
            }
            assert!(world.has_record());
            assert_eq!(world.item_state().is_some(), untracked, "the item is as the user left it");
            world.is_unlinked();
            if untracked && why == "in the past" {
                world.tracks_again();
            }
        }
    }
}

/// "will be deleted in CRM at the next Outlook Sync if the Task is not completed".
fn tasks() {
    let mut world = World::usual(ItemKind::Task);
    world.delete_item();
    assert!(!world.has_record());
    for state in [1, 2] {
        let mut world = World::usual(ItemKind::Task);
        world.set("statecode", Value::Option(state));
        world.delete_item();
        assert!(world.has_record(), "state {state}");
        world.is_unlinked();
    }
    // Not in the paper: an un-tracked task stays, and can be tracked again.
    let mut world = World::usual(ItemKind::Task);
    world.untrack(true);
    assert!(world.has_record());
    world.is_unlinked();
    world.tracks_again();
}

/// "deleted in Outlook ... if the Outlook user is not the CRM Owner of the Contact. If the user is the
/// owner in CRM, then the Outlook contact will be unlinked".
fn contacts_in_crm() {
    let mut world = World::usual(ItemKind::Contact);
    world.delete_record();
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)), "the owner's");
    world.is_unlinked();
    // Tracked again, it is a contact in the CRM again.
    world.client.engine.track(&world.item, Place::Explorer, None).expect("tracked");
    assert_eq!(world.server.all("contact").len(), 1);

    // One that the user tracked, and somebody else owns now: it stays until it is deleted.
    let mut world = World::usual(ItemKind::Contact);
    world.set("ownerid", Value::reference("systemuser", BOB));
    world.client.sync();
    assert_eq!(world.item_state(), Some(Some(LinkState::Tracked)), "tracked by hand");
    world.delete_record();
    assert_eq!(world.item_state(), None, "not the owner's");
}

fn appointments_in_crm() {
    let mut world = World::appointment(1);
    world.delete_record();
    assert_eq!(world.item_state(), None, "it starts in the future");
    let mut world = World::appointment(-1);
    world.delete_record();
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)), "it is past");
    world.is_unlinked();
    // It has begun meanwhile: the time of the deletion counts.
    let mut world = World::appointment(1);
    world.server.later(2 * DAY);
    world.delete_record();
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)), "it is past by now");
}

fn tasks_in_crm() {
    let mut world = World::usual(ItemKind::Task);
    world.delete_record();
    assert_eq!(world.item_state(), None, "not completed");
    let mut world = World::usual(ItemKind::Task);
    world.client.edit(&world.item.clone(), P::TaskStatus, V::Integer(2));
    world.client.sync();
    world.delete_record();
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)), "completed");
    world.is_unlinked();
}

fn emails_in_crm() {
    let mut world = World::usual(ItemKind::Email);
    world.delete_record();
    assert_eq!(world.item_state(), Some(Some(LinkState::WasTracked)));
    world.is_unlinked();
}
