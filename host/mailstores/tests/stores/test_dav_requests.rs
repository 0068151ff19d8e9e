//! How many requests a synchronisation costs a real Radicale. A count is no timing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use offstage_mailstores::dav::DavStore;
use offstage_mailstores::http::{Http, HttpAnswer, HttpFailure, HttpRequest, Network};
use offstage_model::{Entity, Uuid, Value};
use offstage_outlook::engine::{Report, RunState, Word};
use offstage_outlook::{
    Engine, EntryId, ItemKind, ItemPatch, MailStore, Property, PropertyValue, Trigger,
};

use crate::servers::{network, radicale};
use crate::support::{Server, engine_over, words};
use crate::test_dav::{Fixed, connect, options};

/// Changes on each side; all of them are one chunk.
const CHANGES: usize = 20;

type Methods = Arc<Mutex<BTreeMap<&'static str, usize>>>;

struct Counted {
    network: Box<Network>,
    methods: Methods,
}

impl Http for Counted {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        *self.methods.lock().unwrap().entry(request.method).or_default() += 1;
        self.network.send(request)
    }
}

/// A run and what it asked the server.
fn run(engine: &mut Engine, methods: &Methods) -> (Report, BTreeMap<&'static str, usize>) {
    methods.lock().unwrap().clear();
    let report = engine.synchronise(Trigger::Manual).unwrap();
    assert_eq!(report.state, RunState::Done, "{report:#?}");
    (report, methods.lock().unwrap().clone())
}

#[test]
fn a_change_costs_at_most_one_write_and_nothing_is_read_one_by_one() {
    let Some(radicale) = radicale() else { return };
    let (server, methods) = (Server::new(), Methods::default());
    let http = Counted { network: network(), methods: Arc::clone(&methods) };
    let store =
        DavStore::connect(Box::new(http), Box::new(Fixed), options(radicale.url())).unwrap();
    let (mut engine, _folder) = engine_over(&server, Box::new(store));
    let contact = |number| {
        let row = Entity::new("contact").with("firstname", Value::text("Ann"));
        server.create(row.with("lastname", Value::text(format!("Lee{number}"))))
    };
    let ids: Vec<Uuid> = (0..CHANGES * 2).map(contact).collect();

    // An upload: a listing of each of the three collections, one reading again, one look for items.
    let (report, asked) = run(&mut engine, &methods);
    assert_eq!(report.count(Word::CreatedItem), CHANGES * 2);
    assert_eq!(asked, BTreeMap::from([("PUT", CHANGES * 2), ("REPORT", 5)]));

    // What was written is seen once more, in one reading, and is no change.
    let (report, asked) = run(&mut engine, &methods);
    assert_eq!(words(&report), []);
    assert_eq!(asked, BTreeMap::from([("REPORT", 5)]));
    let (_, asked) = run(&mut engine, &methods);
    assert_eq!(asked, BTreeMap::from([("REPORT", 4)]));

    // Changes on each side: one write for each that comes from the CRM, none for the others.
    let mut other = connect(&radicale);
    let contacts = other.folders().unwrap().into_iter().find(|one| one.kind == ItemKind::Contact);
    let rows = other.scan(&contacts.unwrap().id, None).unwrap().rows;
    let items: Vec<EntryId> = rows.into_iter().map(|row| row.entry_id).collect();
    let items = other.read(&items).unwrap().into_iter().flatten();
    let mut edited = Vec::new();
    for item in items.filter(|item| ids[..CHANGES].contains(&item.link.crm_id.unwrap())) {
        let title = Some(PropertyValue::text("by another client"));
        let patch = ItemPatch { properties: [(Property::JobTitle, title)].into(), link: None };
        other.update(&item.entry_id, Some(&item.change_key), &patch).unwrap();
        edited.push(item.entry_id);
    }
    assert_eq!(edited.len(), CHANGES);
    for id in &ids[CHANGES..] {
        let row = Entity::with_id("contact", *id);
        server.update(row.with("jobtitle", Value::text("by the CRM")));
    }
    let (report, asked) = run(&mut engine, &methods);
    assert_eq!(report.count(Word::Merged), CHANGES * 2, "{:?}", words(&report));
    assert_eq!(asked, BTreeMap::from([("PUT", CHANGES), ("REPORT", 7)]));
    for (number, id) in ids.iter().enumerate() {
        let title = if number < CHANGES { "by another client" } else { "by the CRM" };
        assert_eq!(server.get("contact", *id).unwrap().text("jobtitle"), Some(title));
    }
    let (report, _) = run(&mut engine, &methods);
    assert_eq!(words(&report), [], "it rests");
}
