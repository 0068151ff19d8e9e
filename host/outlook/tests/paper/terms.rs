//! Appendix A and the frequently asked questions of the paper, row by row: each case names its row.
//! The rows about GoOffline and GoOnline are told by the program itself (`host/cli/tests`).

mod support;

use offstage_model::{Entity, Timestamp, Value, code};
use offstage_outlook::convert::item_state;
use offstage_outlook::crm::OutlookService;
use offstage_outlook::crm::wire::{DataRequest, PostRequest, PrepareRequest};
use offstage_outlook::engine::{Place, Word};
use offstage_outlook::mapping::of_kind;
use offstage_outlook::rules::{ClientRole, Settings};
use offstage_outlook::{ItemKind, Property as P, PropertyValue as V, Trigger, original};
use offstage_store::ChangeCode;
use support::{ADA, Client, MINUTE, NOW, Server, caller, mailbox, text, words};

fn contact(last: &str) -> Entity {
    Entity::new("contact").with("lastname", Value::text(last))
}

/// What PrepareSync says to a client: the table and how many of its rows changed.
fn prepared(server: &Server, client: &mut Client) -> Vec<(String, u64)> {
    let known = client.engine.client().expect("a cache").expect("registered");
    let request = PrepareRequest { client: known.client, token: known.token };
    let counts =
        OutlookService::new(server.pipeline.clone()).prepare(&caller(ADA, "ada"), &request);
    let counts = counts.expect("counts").into_iter();
    counts.filter(|c| c.upserts + c.removals > 0).map(|c| (c.table, c.upserts)).collect()
}

#[test]
fn appendix_a_prepare_sync_get_sync_data_post_sync_and_sync_entries() {
    let server = Server::new();
    let service = OutlookService::new(server.pipeline.clone());
    let ada = caller(ADA, "ada");
    let mut client = Client::primary(&server);
    let mut other = Client::over(&server, mailbox(&server), ADA);
    other.engine.register("roaming", ClientRole::Roaming, false).expect("registered");
    server.create(contact("One"));
    server.create(contact("Two"));
    server.create(Entity::new("task").with("subject", Value::text("t")));
    let all = [("contact".to_owned(), 2), ("task".to_owned(), 1)];

    // "PrepareSync API: ... returns information about the number of records to be synchronized, on a
    // per entity basis" (JSON, where the paper has XML).
    assert_eq!(prepared(&server, &mut client), all, "PrepareSync API");

    // "GetSyncData: ... returns the data for the items to be synced by the client": ids and
    // timestamps.
    let known = client.engine.client().expect("a cache").expect("registered");
    let (id, token) = (known.client, known.token);
    let data = DataRequest { client: id, token: token.clone(), after: 0, limit: 100 };
    let data = service.data(&ada, &data).expect("data");
    assert_eq!(data.rows.len(), 3, "GetSyncData");
    assert!(data.rows.iter().all(|row| row.modified.is_some() && row.version > 0), "GetSyncData");

    // "PostSync: ... indicates that the item has been successfully synchronized to the client."
    let post = PostRequest { client: id, token, through: data.through };
    let answer = service.post(&ada, &post).expect("posted");
    let request = PrepareRequest { client: id, token: answer.token };
    let left = service.prepare(&ada, &request).expect("counts");
    assert_eq!(left.iter().map(|count| count.upserts).sum::<u64>(), 0, "PostSync");

    // "SyncEntry Table: ... maintains all the information about replication data for a
    // subscription": what one client has taken, the other one still gets.
    assert_eq!(prepared(&server, &mut other), all, "SyncEntry Table");
}

#[test]
fn appendix_a_the_tables_of_the_cache_and_original_xml() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    server.create(contact("Lee"));
    client.sync();
    let item = client.items(ItemKind::Contact).remove(0);

    // "OriginalXML: The XML that records the last synced state of the item in Outlook."
    let xml = item.link.original_xml.clone().expect("OriginalXML");
    let synced = original::read(&xml).expect("OriginalXML").state;
    let now = item_state(of_kind(ItemKind::Contact), &item);
    assert_eq!(synced.get(P::LastName), now.get(P::LastName), "OriginalXML");

    // "OutlookSyncTable: ... keeps track of all changes that occurred in Outlook", until they are
    // synchronised.
    client.edit(&item.entry_id, P::JobTitle, text("CEO"));
    client.engine.plan_only().expect("a plan");
    let changes = client.engine.cache().write(|tx| tx.changes()).expect("changes");
    assert_eq!(changes.len(), 1, "OutlookSyncTable");
    assert_eq!(changes[0].outlook, ChangeCode::Update, "OutlookSyncTable");
    client.sync();
    assert!(client.engine.cache().write(|tx| tx.changes()).expect("changes").is_empty());

    // "IdMappingTable: ... keeps track of the ID's for synced items and is used to determine
    // deletions".
    let mappings = client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
    assert_eq!(mappings[0].entry_id.as_deref(), Some(item.entry_id.as_str()), "IdMappingTable");
    offstage_outlook::MailStore::delete(&mut client.mail, &item.entry_id, None).expect("deleted");
    client.mail.with(|mail| drop(offstage_outlook::MailStore::notifications(mail)));
    client.sync();
    let changes = client.engine.cache().write(|tx| tx.changes()).expect("changes");
    assert_eq!(changes[0].outlook, ChangeCode::Delete, "IdMappingTable, OutlookSyncTable");
    client.sync();
    let mappings = client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
    assert!(!mappings[0].linked, "a deleted contact is un-linked");
}

#[test]
fn appendix_a_primary_and_secondary_client() {
    let server = Server::new();
    let mail = mailbox(&server);
    let mut desk = Client::over(&server, mail.clone(), ADA);
    desk.engine.register("desk", ClientRole::Primary, false).expect("registered");
    let mut laptop = Client::over(&server, mail, ADA);
    // "Primary Client: ... allows for only one primary client."
    let refused = laptop.engine.register("laptop", ClientRole::Primary, false);
    assert!(refused.expect_err("one").to_string().contains("desk"), "Primary Client");
    // "... the synchronizing client runs automatic synchronization": the other one does not.
    laptop.engine.register("laptop", ClientRole::Secondary, false).expect("registered");
    assert!(desk.engine.is_due().expect("due"), "Primary Client");
    assert!(!laptop.engine.is_due().expect("due"), "Secondary Client");
    // "Secondary Client: A computer in addition ... on which that user receives e-mail."
    let fields = [(P::Subject, text("m")), (P::SentOn, V::Time(Timestamp(NOW)))];
    let letter = laptop.make(ItemKind::Email, &fields);
    laptop.engine.track(&letter, Place::Explorer, None).expect("tracked");
    assert_eq!(server.all("email").len(), 1, "Secondary Client");
}

/// "Processing the synchronization on the background thread ... performing a column level diff ...
/// avoiding the need to track MAPI notifications".
#[test]
fn faq_is_it_more_efficient_or_stable() {
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
#[test]
fn faq_is_prepare_sync_more_efficient() {
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
#[test]
fn faq_can_it_occur_without_using_outlook() {
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
#[test]
fn faq_how_often_does_it_occur() {
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
#[test]
fn faq_privileges() {
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
