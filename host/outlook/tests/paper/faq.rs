//! The questions of the paper and its answers.

use super::Case;
use super::support::{self, ADA, Client, MINUTE, NOW, Server, caller, mailbox, text, words};
use super::terms::{contact, prepared, same_online_and_offline};
use offstage_model::{Entity, Timestamp, Value, code};
use offstage_outlook::crm::OutlookService;
use offstage_outlook::crm::wire::PrepareRequest;
use offstage_outlook::engine::{Place, Word};
use offstage_outlook::rules::{ClientRole, Settings};
use offstage_outlook::{ItemKind, Property as P, PropertyValue as V, Trigger};

pub(crate) const QUESTIONS: [Case; 6] = [
    ("Is the Outlook synchronization process more efficient or stable?", efficient_and_stable),
    ("Is the PrepareSync process more efficient?", prepare_sync_is_incremental),
    ("Can synchronization occur without using Outlook?", without_outlook),
    ("How often does the synch to Outlook process occur?", how_often),
    ("Is the process the same for the online and offline versions?", same_online_and_offline),
    ("What are the effects of the privileges?", privileges),
];

/// "Processing the synchronization on the background thread ... performing a column level diff ...
/// avoiding the need to track MAPI notifications".
fn efficient_and_stable() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Lee").with("jobtitle", Value::text("CEO")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.edit(&item, P::Nickname, text("Annie"));
    // Every notification is lost.
    client.mail.with(|mail| drop(offstage_outlook::MailStore::notifications(mail)));
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| client.engine.synchronise(Trigger::Schedule).expect("a run"));
        // Meanwhile the host serves requests.
        server.create(contact("Other"));
        run.join().expect("it ends")
    });
    let pair = report.pairs.iter().find(|pair| pair.record == id).expect("it was seen");
    let written: Vec<_> =
        pair.fields.iter().filter(|f| f.winner.is_some()).map(|f| f.field).collect();
    assert_eq!(written, ["nickname"], "only what was modified is written");
}

/// "incremental PrepareSync is proportional to the data changes".
fn prepare_sync_is_incremental() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let ids: Vec<_> = (0..40).map(|n| server.create(contact(&format!("C{n}")))).collect();
    client.sync();
    assert_eq!(prepared(&server, &mut client), []);
    for id in &ids[..3] {
        server.update(Entity::with_id("contact", *id).with("jobtitle", Value::text("x")));
    }
    assert_eq!(prepared(&server, &mut client), [("contact".to_owned(), 3)]);
    let report = client.sync();
    assert_eq!((report.counts.rows_seen, report.pairs.len()), (3, 3));
}

/// "This is not currently supported": here it is, and what Outlook would ask in a dialog waits as an
/// entry that a person decides about.
fn without_outlook() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let bob = Value::reference("systemuser", support::BOB);
    let address = Value::text("ann@x.example");
    server.create(contact("Lee").with("emailaddress1", address).with("ownerid", bob));
    client.make_tracked(ItemKind::Contact, &[(P::Email1, text("ann@x.example"))]);
    assert_eq!(words(&client.sync()), [Word::Held], "detection of duplicates");
    let held = client.engine.held().expect("held");
    client.engine.tie_duplicate(held[0].pair).expect("a person decided");
    assert!(client.engine.held().expect("held").is_empty());
}

/// "By default ... at 15-minute intervals."
fn how_often() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    client.sync();
    assert!(!client.engine.is_due().expect("due"), "just done");
    server.later(14 * MINUTE);
    assert!(!client.engine.is_due().expect("due"), "after 14 minutes");
    server.later(MINUTE);
    assert!(client.engine.is_due().expect("due"), "after 15 minutes");
    let never = Settings { interval_minutes: 0, ..Settings::default() };
    client.engine.set_settings(&never).expect("settings");
    assert!(!client.engine.is_due().expect("due"), "switched off");
}

/// "What are the effects of the 'Sync to Outlook' and the 'Go Offline' privileges?"
fn privileges() {
    let server = Server::new();
    let tables = ["contact", "task", "appointment"];
    let time = |ms| Value::DateTime(Timestamp(ms));
    server.create(contact("Lee"));
    server.create(Entity::new("task").with("subject", Value::text("t")));
    server.create(
        Entity::new("appointment")
            .with("subject", Value::text("a"))
            .with("scheduledstart", time(NOW + 60 * MINUTE))
            .with("scheduledend", time(NOW + 90 * MINUTE)),
    );
    // Which privilege is taken away, and how many items come to Outlook.
    for (privilege, come) in [("prvSyncToOutlook", 0), ("prvGoOffline", 1)] {
        let mut user = caller(ADA, "ada");
        match privilege {
            "prvSyncToOutlook" => user.sync_to_outlook = false,
            _ => user.go_offline = false,
        }
        let mail = mailbox(&server);
        let (mut engine, _folder) = support::engine_as(&server, Box::new(mail.clone()), user);
        let mut client = Mailbox(mail);
        let letter = client.letter();
        engine.synchronise(Trigger::Manual).expect("a run");
        for (table, kind) in
            tables.iter().zip([ItemKind::Contact, ItemKind::Task, ItemKind::Appointment])
        {
            assert_eq!(client.count(kind), come, "without {privilege}: {table}");
        }
        // "no effect on ... e-mail tagging".
        let before = server.all("email").len();
        engine.track(&letter, Place::Explorer, None).expect("tracked");
        assert_eq!(server.all("email").len(), before + 1, "without {privilege}: e-mail");
    }
    // Without the right the server itself refuses, whatever a client says of itself.
    let mut user = caller(ADA, "ada");
    user.sync_to_outlook = false;
    let mut client = Client::over(&server, mailbox(&server), ADA);
    client.engine.register("third", ClientRole::Roaming, false).expect("registered");
    let known = client.engine.client().expect("a cache").expect("registered");
    let request = PrepareRequest { client: known.client, token: known.token };
    let refused = OutlookService::new(server.pipeline.clone()).prepare(&user, &request);
    assert_eq!(refused.expect_err("refused").code, code::PRIVILEGE_DENIED);
}

/// A mailbox without an engine of its own.
struct Mailbox(support::Shared);

impl Mailbox {
    fn letter(&mut self) -> offstage_outlook::EntryId {
        let properties = [(P::Subject, text("m")), (P::SentOn, V::Time(Timestamp(NOW)))];
        let new = offstage_outlook::NewItem {
            kind: ItemKind::Email,
            folder: None,
            properties: properties.into_iter().collect(),
            link: Default::default(),
            transaction: offstage_model::Uuid::nil(),
        };
        offstage_outlook::MailStore::create(&mut self.0, &new).expect("a letter").entry_id
    }

    fn count(&mut self, kind: ItemKind) -> usize {
        use offstage_outlook::MailStore as _;
        let folders = self.0.folders().expect("folders");
        let mine = folders.into_iter().filter(|folder| folder.kind == kind);
        mine.map(|folder| self.0.scan(&folder.id, None).expect("a scan").rows.len()).sum()
    }
}
