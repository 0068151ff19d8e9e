//! "Primary Client" and "Received/Sent E-mails": what a user does in the inspector and the explorer,
//! and when the server knows of it.

use super::Case;
use super::support::{ADA, Client, DAY, MINUTE, NOW, Server, mailbox, text};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::Place;
use offstage_outlook::rules::{Cell, ClientRole};
use offstage_outlook::{
    EntryId, ItemKind, LinkState, MailStore as _, Property as P, PropertyValue as V, Regarding,
};

pub(crate) const PRIMARY_CLIENT: [Case; 7] = [
    ("Track in Inspector", || each_kind(track_in_inspector)),
    ("Update in Inspector", || each_kind(update_in_inspector)),
    ("Un-track in Inspector", || each_kind(untrack_in_inspector)),
    ("Delete in Inspector", || each_kind(|pair| delete(pair, true))),
    ("Track in Explorer", || each_kind(track_in_explorer)),
    ("Set Regarding in Explorer", || each_kind(set_regarding_in_explorer)),
    ("Delete in Explorer", || each_kind(|pair| delete(pair, false))),
];

pub(crate) const RECEIVED_OR_SENT: [Case; 7] = [
    ("Track in Inspector", || each_mail(|mail| mail.tracked_at_once(Place::Inspector))),
    ("Update in Inspector", || each_mail(|mail| mail.about_at_once(Place::Inspector))),
    ("Un-track in Inspector", || each_mail(mail_untracked)),
    ("Delete in Inspector", || each_mail(|mail| mail_deleted(mail, true))),
    ("Track in Explorer", || each_mail(|mail| mail.tracked_at_once(Place::Explorer))),
    ("Set Regarding in Explorer", || each_mail(|mail| mail.about_at_once(Place::Explorer))),
    ("Delete in Explorer", || each_mail(|mail| mail_deleted(mail, false))),
];

/// An item of a kind that a user has made, as new as it can be.
pub(crate) fn fields(kind: ItemKind) -> Vec<(P, V)> {
    let time = |ms| V::Time(Timestamp(ms));
    match kind {
        ItemKind::Contact => vec![(P::LastName, text("Lee"))],
        ItemKind::Task => vec![(P::Subject, text("Call"))],
        ItemKind::Appointment => vec![
            (P::Subject, text("Review")),
            (P::Start, time(NOW + DAY)),
            (P::End, time(NOW + DAY + 30 * MINUTE)),
        ],
        ItemKind::Email => vec![(P::Subject, text("Offer")), (P::SentOn, time(NOW))],
    }
}

pub(crate) fn table(kind: ItemKind) -> &'static str {
    offstage_outlook::mapping::of_kind(kind).table
}

/// A client and an item in its mailbox.
struct World {
    server: Server,
    client: Client,
    kind: ItemKind,
    item: EntryId,
    account: Uuid,
}

impl World {
    fn new(kind: ItemKind, role: ClientRole) -> Self {
        let server = Server::new();
        let mut client = Client::over(&server, mailbox(&server), ADA);
        client.engine.register("desk", role, false).expect("registered");
        let account = server.create(Entity::new("account").with("name", Value::text("Contoso")));
        let item = client.make(kind, &fields(kind));
        Self { server, client, kind, item, account }
    }

    /// The same, with the item tracked.
    fn tracked(kind: ItemKind, role: ClientRole) -> Self {
        let mut world = Self::new(kind, role);
        world.client.engine.track(&world.item, Place::Explorer, None).expect("tracked");
        assert_eq!(world.records(), 1);
        world
    }

    fn records(&self) -> usize {
        self.server.all(table(self.kind)).len()
    }

    fn record(&self) -> Entity {
        let rows = self.server.all(table(self.kind));
        let id = rows.first().and_then(|row| row.id).expect("a record");
        self.server.get(table(self.kind), id).expect("a record")
    }

    fn about(&self) -> Regarding {
        Regarding { table: "account".into(), id: self.account }
    }

    fn is_about(&self) -> Option<Uuid> {
        self.record().value("regardingobjectid").as_reference().map(|row| row.id)
    }

    fn state(&mut self) -> Option<LinkState> {
        self.client.item(&self.item).expect("there").link.state
    }

    fn tracked_at_once(&mut self, place: Place) {
        self.client.engine.open_inspector(&self.item).expect("open");
        let answer = self.client.engine.track(&self.item, place, None).expect("tracked");
        assert_eq!((answer.when, self.records()), (Cell::Now, 1));
    }

    fn about_at_once(&mut self, place: Place) {
        self.client.engine.track(&self.item, Place::Explorer, None).expect("tracked");
        self.client.engine.open_inspector(&self.item).expect("open");
        let about = Some(self.about());
        let answer = self.client.engine.set_regarding(&self.item, place, about).expect("set");
        assert_eq!((answer.when, self.is_about()), (Cell::Now, Some(self.account)));
    }
}

fn each_kind(case: impl Fn(ItemKind)) {
    for kind in [ItemKind::Contact, ItemKind::Task, ItemKind::Appointment] {
        println!("a {kind}");
        case(kind);
    }
}

/// "does not depend on the client type (i.e. primary versus secondary)".
fn each_mail(case: impl Fn(&mut World)) {
    for role in ClientRole::ALL {
        println!("{role:?}");
        case(&mut World::new(ItemKind::Email, role));
    }
}

/// "after user saves" in this table, "On Item Close" in Appendix B: the appendix stands.
fn track_in_inspector(kind: ItemKind) {
    let mut world = World::new(kind, ClientRole::Primary);
    let item = world.item.clone();
    world.client.engine.open_inspector(&item).expect("open");
    let answer = world.client.engine.track(&item, Place::Inspector, None).expect("tracked");
    assert_eq!(answer.when, Cell::OnClose);
    world.client.engine.save_inspector(&item).expect("saved");
    assert_eq!(world.records(), 0);
    world.client.engine.close_inspector(&item).expect("closed");
    assert_eq!(world.records(), 1);
}

fn update_in_inspector(kind: ItemKind) {
    let mut world = World::tracked(kind, ClientRole::Primary);
    let item = world.item.clone();
    world.client.engine.open_inspector(&item).expect("open");
    world.client.edit(&item, P::Body, text("edited"));
    let saved = world.client.engine.save_inspector(&item).expect("saved");
    assert_eq!((saved.when, world.record().text("description")), (Cell::OnClose, None));
    world.client.engine.close_inspector(&item).expect("closed");
    assert_eq!(world.record().text("description"), Some("edited"));
}

fn untrack_in_inspector(kind: ItemKind) {
    let mut world = World::tracked(kind, ClientRole::Primary);
    let item = world.item.clone();
    world.client.engine.open_inspector(&item).expect("open");
    let answer = world.client.engine.untrack(&item, Place::Inspector, true).expect("un-tracked");
    assert_eq!((answer.when, world.records()), (Cell::OnClose, 1));
    assert_eq!(world.state(), Some(LinkState::Tracked));
    world.client.engine.close_inspector(&item).expect("closed");
    assert_eq!(world.state(), Some(LinkState::WasTracked));
    // "according to the Deletion Rules": a task that is un-tracked stays.
    assert_eq!(world.records(), usize::from(kind == ItemKind::Task));
}

fn delete(kind: ItemKind, in_inspector: bool) {
    let mut world = World::tracked(kind, ClientRole::Primary);
    let item = world.item.clone();
    if in_inspector {
        world.client.engine.open_inspector(&item).expect("open");
    }
    world.client.mail.delete(&item, None).expect("deleted");
    if in_inspector {
        // The item is gone, and closing its form says so.
        assert!(world.client.engine.close_inspector(&item).is_err());
    }
    assert_eq!(world.records(), 1, "not before the next synchronisation");
    world.client.sync();
    assert_eq!(world.records(), usize::from(kind == ItemKind::Contact));
}

fn track_in_explorer(kind: ItemKind) {
    let mut world = World::new(kind, ClientRole::Primary);
    let item = world.item.clone();
    let answer = world.client.engine.track(&item, Place::Explorer, None).expect("tracked");
    assert_eq!((answer.when, world.records()), (Cell::Now, 1));
}

fn set_regarding_in_explorer(kind: ItemKind) {
    let mut world = World::tracked(kind, ClientRole::Primary);
    let (item, about) = (world.item.clone(), world.about());
    if kind == ItemKind::Contact {
        // A contact is about nothing; its other changes go with it, at once.
        world.client.edit(&item, P::Body, text("edited"));
    }
    let answer =
        world.client.engine.set_regarding(&item, Place::Explorer, Some(about)).expect("set");
    assert_eq!(answer.when, Cell::Now);
    if kind == ItemKind::Contact {
        assert_eq!(world.record().text("description"), Some("edited"));
    } else {
        assert_eq!(world.is_about(), Some(world.account));
    }
}

fn mail_untracked(world: &mut World) {
    world.client.engine.track(&world.item, Place::Explorer, None).expect("tracked");
    world.client.engine.open_inspector(&world.item).expect("open");
    let answer = world.client.engine.untrack(&world.item, Place::Inspector, false);
    assert_eq!(answer.expect("un-tracked").when, Cell::Now);
    assert_eq!(world.state(), Some(LinkState::WasTracked));
    assert_eq!(world.records(), 1, "it was not designated for deletion");
}

fn mail_deleted(world: &mut World, in_inspector: bool) {
    let item = world.item.clone();
    world.client.engine.track(&item, Place::Explorer, None).expect("tracked");
    if in_inspector {
        world.client.engine.open_inspector(&item).expect("open");
    }
    world.client.mail.delete(&item, None).expect("deleted");
    world.client.sync();
    world.client.sync();
    assert_eq!(world.records(), 1, "a deleted e-mail stays in the CRM");
    let mapping = world.client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
    assert!(!mapping[0].linked);
}
