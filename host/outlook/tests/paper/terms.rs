//! Appendix A: the terms of the paper, each shown to be what it says. What the program does as a whole
//! is told by its own tests.

use super::Case;
use super::support::{ADA, Client, NOW, Server, caller, mailbox, text};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::convert::item_state;
use offstage_outlook::crm::OutlookService;
use offstage_outlook::crm::wire::{DataRequest, PostRequest, PrepareRequest};
use offstage_outlook::engine::Place;
use offstage_outlook::mapping::of_kind;
use offstage_outlook::rules::ClientRole;
use offstage_outlook::{ItemKind, Property as P, PropertyValue as V, original};
use offstage_store::ChangeCode;

pub(crate) const TERMS: [Case; 13] = [
    ("GetSyncData", the_calls),
    ("IdMappingTable", the_tables),
    ("Offline synchronization", by_the_program),
    ("Online mode", by_the_program),
    ("Online synchronization", by_the_program),
    ("OriginalXML", the_tables),
    ("Outlook synchronization", by_the_program),
    ("OutlookSyncTable", the_tables),
    ("PostSync", the_calls),
    ("PrepareSync API", the_calls),
    ("Primary Client", primary_and_secondary),
    ("Secondary Client", primary_and_secondary),
    ("SyncEntry Table", the_calls),
];

/// GoOffline, GoOnline and the state in between are the program's: its test tells them.
pub(crate) fn by_the_program() {
    let source = include_str!("../../../cli/tests/test_outlook.rs");
    let test = "items_and_records_go_both_ways_wait_while_offline_and_catch_up";
    assert!(source.contains(&format!("#[test]\nfn {test}()")), "the test is there");
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
