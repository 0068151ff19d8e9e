//! Appendix A: the terms of the paper, each shown to be what it says. What the program does as a whole
//! is told by its own tests.

use super::Case;
use super::support::{ADA, Client, DAY, MINUTE, NOW, Server, caller, mailbox, text};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::convert::item_state;
use offstage_outlook::crm::OutlookService;
use offstage_outlook::crm::wire::{DataRequest, PostRequest, PrepareRequest};
use offstage_outlook::engine::{Place, RunState};
use offstage_outlook::mapping::of_kind;
use offstage_outlook::rules::ClientRole;
use offstage_outlook::{ItemKind, Property as P, PropertyValue as V, original};
use offstage_store::ChangeCode;
use std::sync::atomic::Ordering;

pub(crate) const TERMS: [Case; 13] = [
    ("GetSyncData", the_calls),
    ("IdMappingTable", the_tables),
    ("Offline synchronization", by_the_program),
    ("Online mode", same_online_and_offline),
    ("Online synchronization", by_the_program),
    ("OriginalXML", the_tables),
    ("Outlook synchronization", same_online_and_offline),
    ("OutlookSyncTable", the_tables),
    ("PostSync", the_calls),
    ("PrepareSync API", the_calls),
    ("Primary Client", primary_and_secondary),
    ("Secondary Client", primary_and_secondary),
    ("SyncEntry Table", the_calls),
];

/// GoOffline and GoOnline replicate rows of the store; the engine has no part in them. The program's
/// own test goes through both: this only holds that it is there.
fn by_the_program() {
    let source = include_str!("../../../cli/tests/test_outlook.rs");
    let test = "items_and_records_go_both_ways_wait_while_offline_and_catch_up";
    assert!(source.contains(&format!("#[test]\nfn {test}()")), "the test is there");
}

/// "Both the online and offline versions of the CRM Outlook Client support synchronizing CRM contacts
/// and CRM activities": a client that was offline meanwhile, where the server does not answer the
/// engine, ends as one that was online all the time, on both sides.
pub(crate) fn same_online_and_offline() {
    let ends = [false, true].map(|offline| {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let id = server.create(contact("Lee").with("jobtitle", Value::text("Clerk")));
        let task = server.create(Entity::new("task").with("subject", Value::text("Call")));
        client.sync();
        let item = client.items(ItemKind::Contact)[0].entry_id.clone();
        let call = client.items(ItemKind::Task)[0].entry_id.clone();
        client.link.down.store(offline, Ordering::SeqCst);
        client.edit(&item, P::Nickname, text("Annie"));
        client.edit(&item, P::JobTitle, text("Buyer"));
        let made = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Ray"))]);
        offstage_outlook::MailStore::delete(&mut client.mail, &call, None).expect("deleted");
        if offline {
            let waits = client.engine.synchronise(offstage_outlook::Trigger::Schedule);
            let state = waits.expect("a run").state;
            assert!(matches!(state, RunState::Waiting(_)), "Offline: it waits: {state:?}");
            assert!(server.get("task", task).is_some(), "Offline: nothing went");
        }
        server.later(MINUTE);
        server.update(Entity::with_id("contact", id).with("jobtitle", Value::text("CEO")));
        client.link.down.store(false, Ordering::SeqCst);
        server.later(DAY);
        for _ in 0..3 {
            client.sync();
        }
        let row = server.get("contact", id).expect("a row");
        let columns = ["lastname", "nickname", "jobtitle"].map(|c| row.text(c).map(str::to_owned));
        let contacts = server.all("contact").len();
        let state = item_state(of_kind(ItemKind::Contact), &client.item(&item).expect("there"));
        assert!(client.record_of(&made).is_some(), "what was made is tracked");
        let notes = client.engine.cache().write(|tx| tx.notes(100)).expect("notes").len();
        let tasks = (server.get("task", task).is_some(), client.items(ItemKind::Task).len());
        (columns, contacts, state, notes, tasks)
    });
    assert_eq!(ends[0], ends[1], "online all the time, and offline meanwhile");
    let [ref online, _] = ends;
    let wanted = ["Lee", "Annie", "CEO"].map(|value| Some(value.to_owned()));
    assert_eq!((&online.0, online.4), (&wanted, (false, 0)), "and it did synchronise");
}

pub(crate) fn contact(last: &str) -> Entity {
    Entity::new("contact").with("lastname", Value::text(last))
}

/// What PrepareSync says to a client: the table and how many of its rows changed.
pub(crate) fn prepared(server: &Server, client: &mut Client) -> Vec<(String, u64)> {
    let known = client.engine.client().expect("a cache").expect("registered");
    let request = PrepareRequest { client: known.client, token: known.token };
    let counts =
        OutlookService::new(server.pipeline.clone()).prepare(&caller(ADA, "ada"), &request);
    let counts = counts.expect("counts").into_iter();
    counts.filter(|c| c.upserts + c.removals > 0).map(|c| (c.table, c.upserts)).collect()
}

fn the_calls() {
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

fn the_tables() {
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

fn primary_and_secondary() {
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
