//! What the paper says beside its tables about the clients of one mailbox: drafts, secondary and
//! delegated clients, roaming profiles. Two engines work on one mailbox.

use super::Case;
use super::actions::{fields, table};
use super::support::{ADA, BOB, Client, MINUTE, NOW, Server, Shared, mailbox, text, words};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::engine::{Place, RunState};
use offstage_outlook::rules::{Cell, ClientRole};
use offstage_outlook::{
    EntryId, ItemKind, LinkState, MailStore as _, Property as P, PropertyValue as V, Trigger,
};
use std::sync::atomic::Ordering;

pub(crate) const PROSE: [Case; 5] = [
    ("Draft E-mails", drafts),
    ("Secondary/Delegated Client", secondary_and_delegate),
    ("Secondary/Delegated Client: the primary client is offline", primary_is_offline),
    ("Roaming profile", roaming),
    ("Delegated mailbox designated as primary", delegate_designates),
];

const NON_EMAIL: [ItemKind; 3] = [ItemKind::Contact, ItemKind::Task, ItemKind::Appointment];

fn client(server: &Server, mail: &Shared, user: offstage_model::Uuid, role: ClientRole) -> Client {
    let mut client = Client::over(server, mail.clone(), user);
    client.engine.register(role.name(), role, false).expect("registered");
    client
}

fn state(client: &mut Client, item: &EntryId) -> Option<LinkState> {
    client.item(item).expect("there").link.state
}

/// "After the user has sent a draft e-mail, it will be Tracked if the user has chosen to do so."
fn drafts() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let drafts = ["chosen", "not chosen"]
        .map(|subject| client.make(ItemKind::Email, &[(P::Subject, text(subject))]));
    let answer = client.engine.track(&drafts[0], Place::Inspector, None).expect("marked");
    assert_eq!(answer.when, Cell::OnSend);
    client.sync();
    assert_eq!(server.all("email").len(), 0, "Draft e-mails are never placed in CRM");
    for draft in &drafts {
        client.edit(draft, P::SentOn, V::Time(Timestamp(NOW)));
        client.engine.sent(draft).expect("sent");
    }
    client.sync();
    let subjects: Vec<_> =
        server.all("email").iter().map(|row| row.text("subject").map(str::to_owned)).collect();
    assert_eq!(subjects, [Some("chosen".to_owned())]);
}

/// "will never be immediately synced with CRM. These changes will be processed by the Primary
/// synchronizing client at its next manual/scheduled synchronization."
fn secondary_and_delegate() {
    for (role, user) in [(ClientRole::Secondary, ADA), (ClientRole::Delegate, BOB)] {
        for kind in NON_EMAIL {
            let server = Server::new();
            let mail = mailbox(&server);
            let mut desk = client(&server, &mail, ADA, ClientRole::Primary);
            let mut other = client(&server, &mail, user, role);
            let item = other.make(kind, &fields(kind));
            let answer = other.engine.track(&item, Place::Explorer, None).expect("marked");
            assert_eq!((answer.when, answer.report), (Cell::Next, None), "{role:?} {kind}");
            assert_eq!(state(&mut other, &item), Some(LinkState::Pending));
            other.sync();
            assert_eq!(server.all(table(kind)).len(), 0, "{role:?} {kind}: never by this client");
            desk.sync();
            assert_eq!(server.all(table(kind)).len(), 1, "{role:?} {kind}: promoted");
            assert_eq!(state(&mut desk, &item), Some(LinkState::Tracked));
            // A change of one of them, and one of both: one record, and nothing is lost.
            other.edit(&item, P::Body, text("by the other"));
            other.sync();
            desk.edit(&item, P::Importance, V::Integer(2));
            other.sync();
            desk.sync();
            let rows = server.all(table(kind));
            assert_eq!(rows.len(), 1, "no duplicate objects will be created on the server");
            let row = server.get(table(kind), rows[0].id.expect("an id")).expect("a row");
            assert_eq!(row.text("description"), Some("by the other"), "{role:?} {kind}");
            // What the other client cannot say is refused, not lost.
            let refused = other.engine.untrack(&item, Place::Explorer, true);
            assert!(refused.expect_err("refused").to_string().contains("another client"));
            other.engine.untrack(&item, Place::Explorer, false).expect("marked");
            desk.sync();
            assert_eq!(state(&mut desk, &item), Some(LinkState::WasTracked), "{role:?} {kind}");
        }
    }
}

/// "any changes made to these entities will not be replicated in CRM until the primary client is
/// online and performs its first synchronization."
fn primary_is_offline() {
    let server = Server::new();
    let mail = mailbox(&server);
    let mut desk = client(&server, &mail, ADA, ClientRole::Primary);
    let mut laptop = client(&server, &mail, ADA, ClientRole::Secondary);
    let item = laptop.make(ItemKind::Task, &fields(ItemKind::Task));
    laptop.engine.track(&item, Place::Explorer, None).expect("marked");
    desk.link.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let report = desk.engine.synchronise(Trigger::Schedule).expect("a run");
        assert!(matches!(report.state, RunState::Waiting(_)), "{report:#?}");
        laptop.sync();
    }
    assert_eq!(server.all("task").len(), 0);
    desk.link.down.store(false, Ordering::SeqCst);
    desk.sync();
    assert_eq!(server.all("task").len(), 1);
}

/// "all machine acts as if these were primary clients": nothing is doubled and nothing is lost,
/// whichever of them is first, and also when one of them has only looked.
fn roaming() {
    let server = Server::new();
    let mail = mailbox(&server);
    let mut one = client(&server, &mail, ADA, ClientRole::Roaming);
    let mut two = client(&server, &mail, ADA, ClientRole::Roaming);
    for kind in NON_EMAIL {
        let item = one.make_tracked(kind, &fields(kind));
        // Both have seen the mark before either has made a record of it.
        one.engine.plan_only().expect("a plan");
        two.engine.plan_only().expect("a plan");
        two.sync();
        one.sync();
        two.sync();
        assert_eq!(server.all(table(kind)).len(), 1, "{kind}: from Outlook");
        let record = one.record_of(&item).expect("tracked");
        // From the CRM, with both of them told of it.
        let subject = if kind == ItemKind::Contact { "lastname" } else { "subject" };
        server.create(
            Entity::new(table(kind))
                .with(subject, Value::text("from the CRM"))
                .with("description", Value::text(kind.name())),
        );
        one.engine.plan_only().expect("a plan");
        two.engine.plan_only().expect("a plan");
        one.sync();
        two.sync();
        assert_eq!(one.items(kind).len(), 2, "{kind}: from the CRM");
        // Each machine changes something, and both have it.
        one.edit(&item, P::Body, text("one"));
        one.sync();
        two.edit(&item, P::Importance, V::Integer(2));
        two.sync();
        server.later(MINUTE);
        server.update(Entity::with_id(table(kind), record).with("description", Value::text("two")));
        two.sync();
        one.sync();
        assert_eq!(one.item(&item).expect("there").properties[&P::Body], text("two"), "{kind}");
        assert_eq!(server.all(table(kind)).len(), 2, "{kind}");
        assert_eq!(one.items(kind).len(), 2, "{kind}");
        // Deleted by one of them: by the rule, once.
        one.mail.delete(&item, None).expect("deleted");
        // One of them has the notification, the other one misses the item after its run.
        for _ in 0..2 {
            one.sync();
            two.sync();
        }
        let left = if kind == ItemKind::Contact { 2 } else { 1 };
        assert_eq!(server.all(table(kind)).len(), left, "{kind}: deleted");
        assert_eq!(one.items(kind).len(), 1, "{kind}: not made again");
        assert_eq!((words(&one.sync()), words(&two.sync())), (vec![], vec![]), "{kind}: it rests");
        assert!(one.engine.held().expect("held").is_empty(), "{kind}");
        assert!(two.engine.held().expect("held").is_empty(), "{kind}");
    }
}

/// "limited synchronization abilities for those users who have not designated the shared mailbox as
/// 'primary'": one who has, synchronises it.
fn delegate_designates() {
    let server = Server::new();
    let mail = mailbox(&server);
    let mut bob = client(&server, &mail, BOB, ClientRole::Delegate);
    let item = bob.make(ItemKind::Task, &fields(ItemKind::Task));
    bob.engine.track(&item, Place::Explorer, None).expect("marked");
    bob.sync();
    assert_eq!((server.all("task").len(), bob.engine.is_due().expect("due")), (0, false));
    server.later(15 * MINUTE);
    bob.engine.register("bob", ClientRole::Primary, false).expect("designated");
    assert!(bob.engine.is_due().expect("due"), "it runs by the schedule");
    bob.sync();
    let rows = server.all("task");
    assert_eq!(rows.len(), 1);
    let row = server.get("task", rows[0].id.expect("an id")).expect("a row");
    assert_eq!(row.value("ownerid").as_reference().map(|owner| owner.id), Some(BOB));
    // The records of the one who designated it come to the shared mailbox.
    let owner = Value::reference("systemuser", BOB);
    server
        .create(Entity::new("contact").with("lastname", Value::text("Ray")).with("ownerid", owner));
    bob.sync();
    assert_eq!(bob.items(ItemKind::Contact).len(), 1);
}
