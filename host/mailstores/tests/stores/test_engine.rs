//! The engine over every kind of mail store: one story, told by what each store says it can do.

use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::{Place, Report, RunState};
use offstage_outlook::rules::ClientRole;
use offstage_outlook::stores::embedded::EmbeddedStore;
use offstage_outlook::{
    Engine, EntryId, Item, ItemKind, ItemPatch, LinkState, MailStore, NewItem, Properties,
    Property, PropertyValue, Regarding, Trigger,
};
use serde_json::json;

use crate::dovecot::{self, Kind};
use crate::graph_double::Double;
use crate::servers::radicale;
use crate::support::{DAY, MINUTE, NOW, Server, engine_over, words};
use crate::{suite, test_dav, test_graph};

/// One store with its server and its engine.
struct Story<'a> {
    name: &'a str,
    server: &'a Server,
    engine: Engine,
    _folder: tempfile::TempDir,
}

/// What of a record is looked at: its table, the column of its name, and a column that Outlook has
/// as a property.
struct Shape {
    table: &'static str,
    name: (&'static str, Property),
    column: (&'static str, Property),
}

fn shape(kind: ItemKind) -> Shape {
    use Property as P;
    match kind {
        ItemKind::Contact => Shape {
            table: "contact",
            name: ("lastname", P::LastName),
            column: ("jobtitle", P::JobTitle),
        },
        ItemKind::Appointment => Shape {
            table: "appointment",
            name: ("subject", P::Subject),
            column: ("location", P::Location),
        },
        ItemKind::Task => {
            Shape { table: "task", name: ("subject", P::Subject), column: ("description", P::Body) }
        }
        ItemKind::Email => {
            Shape { table: "email", name: ("subject", P::Subject), column: ("subject", P::Subject) }
        }
    }
}

fn row(kind: ItemKind, name: &str) -> Entity {
    let shape = shape(kind);
    let row = Entity::new(shape.table).with(shape.name.0, Value::text(name));
    if kind != ItemKind::Appointment {
        return row;
    }
    row.with("scheduledstart", Value::DateTime(Timestamp(NOW + DAY)))
        .with("scheduledend", Value::DateTime(Timestamp(NOW + DAY + 30 * MINUTE)))
}

impl<'a> Story<'a> {
    fn new(name: &'a str, server: &'a Server, store: Box<dyn MailStore>) -> Self {
        let (engine, folder) = engine_over(server, store);
        Self { name, server, engine, _folder: folder }
    }

    #[track_caller]
    fn sync(&mut self) -> Report {
        let report = self.engine.synchronise(Trigger::Manual).unwrap();
        assert_eq!(report.state, RunState::Done, "{}: {report:#?}", self.name);
        report
    }

    #[track_caller]
    fn rests(&mut self, when: &str) {
        let report = self.sync();
        assert_eq!(words(&report), [], "{}: {when}: {report:#?}", self.name);
        assert!(self.engine.held().unwrap().is_empty(), "{}: {when}", self.name);
    }

    fn items(&mut self, kind: ItemKind) -> Vec<Item> {
        let store = self.engine.store();
        let mut items = Vec::new();
        for folder in store.folders().unwrap().into_iter().filter(|folder| folder.kind == kind) {
            let rows = store.scan(&folder.id, None).unwrap().rows;
            let ids: Vec<EntryId> = rows.into_iter().map(|row| row.entry_id).collect();
            items.extend(store.read(&ids).unwrap().into_iter().flatten());
        }
        items
    }

    fn item(&mut self, kind: ItemKind, name: &str) -> Option<Item> {
        let (_, property) = shape(kind).name;
        let wanted = PropertyValue::text(name);
        let mut items = self.items(kind).into_iter();
        items.find(|item| item.properties.get(&property) == Some(&wanted))
    }

    fn record(&self, kind: ItemKind, id: Uuid) -> Entity {
        self.server.get(shape(kind).table, id).unwrap()
    }

    /// Both ways, for a kind that the store holds and can be written to.
    fn both_ways(&mut self, kind: ItemKind) {
        let (name, shape) = (self.name, shape(kind));
        let (column, property) = shape.column;
        let first = self.server.create(row(kind, "First"));
        self.sync();
        let item = self.item(kind, "First").unwrap_or_else(|| panic!("{name}: no {kind}"));
        self.rests("a record came");

        // Each side changes something else.
        let change = PropertyValue::text("changed in Outlook");
        let patch = ItemPatch { properties: [(property, Some(change))].into(), link: None };
        self.engine.store().update(&item.entry_id, None, &patch).unwrap();
        self.server
            .update(Entity::with_id(shape.table, first).with(shape.name.0, Value::text("Renamed")));
        self.sync();
        let record = self.record(kind, first);
        assert_eq!(record.text(column), Some("changed in Outlook"), "{name}: {kind}");
        assert_eq!(record.text(shape.name.0), Some("Renamed"), "{name}: {kind}");
        assert!(self.item(kind, "Renamed").is_some(), "{name}: {kind}");
        self.rests("both sides changed");

        // An item is tracked, and deleted: the rule of its kind decides about the record.
        let account = self.server.create(Entity::new("account").with("name", Value::text("C")));
        let about = Regarding { table: "account".into(), id: account };
        let second = self.make(kind, "Second");
        let about = (kind != ItemKind::Contact).then_some(about);
        self.engine.track(&second, Place::Explorer, about.clone()).unwrap();
        let known = self.server.all(shape.table);
        let tracked = known.iter().find(|row| row.text(shape.name.0) == Some("Second"));
        let tracked = tracked.unwrap_or_else(|| panic!("{name}: {kind} was not tracked")).clone();
        if about.is_some() {
            let found = tracked.value("regardingobjectid").as_reference().map(|row| row.id);
            assert_eq!(found, Some(account), "{name}: {kind}");
        }
        self.rests("an item was tracked");
        self.engine.store().delete(&second, None).unwrap();
        self.sync();
        self.sync();
        let stays = self.server.get(shape.table, tracked.id.unwrap()).is_some();
        assert_eq!(stays, kind == ItemKind::Contact, "{name}: {kind}: deleted in Outlook");

        // The record goes: an own contact stays, what is open or to come goes along.
        self.server.delete(shape.table, first);
        self.sync();
        let stays = self.item(kind, "Renamed").is_some();
        assert_eq!(stays, kind == ItemKind::Contact, "{name}: {kind}: deleted in the CRM");
        self.rests("all is over");
    }

    /// A series in the hour that the change to summer time leaves out, with an exception behind it.
    fn series_across_the_gap(&mut self) {
        let name = self.name;
        let rule = "RRULE:FREQ=WEEKLY;BYDAY=SU\nEXDATE:20270404";
        let at = |text: &str| Value::DateTime(Timestamp::parse(text).unwrap());
        let id = self.server.create(
            Entity::new("appointment")
                .with("subject", Value::text("Night shift"))
                .with("scheduledstart", at("2027-03-21T01:30:00Z"))
                .with("scheduledend", at("2027-03-21T02:00:00Z"))
                .with("recurrencepattern", Value::text(rule))
                .with("timezonename", Value::text("Europe/Berlin")),
        );
        self.sync();
        let item = self.item(ItemKind::Appointment, "Night shift").unwrap();
        let text = |property| item.properties.get(&property).map(ToString::to_string);
        assert_eq!(text(Property::Recurrence).as_deref(), Some(rule), "{name}");
        self.rests("a series came");
        let place = Some(PropertyValue::text("Gate 2"));
        let patch = ItemPatch { properties: [(Property::Location, place)].into(), link: None };
        self.engine.store().update(&item.entry_id, None, &patch).unwrap();
        self.sync();
        let row = self.record(ItemKind::Appointment, id);
        assert_eq!(row.text("location"), Some("Gate 2"), "{name}");
        assert_eq!(row.text("recurrencepattern"), Some(rule), "{name}");
        assert_eq!(row.text("timezonename"), Some("Europe/Berlin"), "{name}");
        assert_eq!(row.value("scheduledstart"), &at("2027-03-21T01:30:00Z"), "{name}");
        self.rests("its place changed");
    }

    /// An item as a user makes it.
    fn make(&mut self, kind: ItemKind, subject: &str) -> EntryId {
        let mut properties: Properties =
            [(shape(kind).name.1, PropertyValue::text(subject))].into();
        if kind == ItemKind::Appointment {
            for (property, at) in
                [(Property::Start, NOW + 2 * DAY), (Property::End, NOW + 2 * DAY + 30 * MINUTE)]
            {
                properties.insert(property, PropertyValue::Time(Timestamp(at)));
            }
        }
        let new = NewItem { properties, link: Default::default(), ..suite::sample(kind, 77) };
        self.engine.store().create(&new).unwrap().entry_id
    }

    /// Records of a kind of which the store takes none stay out, and nothing waits for a person.
    fn stays_out(&mut self, kind: ItemKind) {
        self.server.create(row(kind, "Elsewhere"));
        let report = self.sync();
        assert_eq!(words(&report), [], "{}: {kind}: {report:#?}", self.name);
        assert!(self.item(kind, "Elsewhere").is_none(), "{}: {kind}", self.name);
        self.rests("records stay out");
    }

    /// An item of a store that is only read: it is tracked, and whatever happens to its record, it
    /// stays as it is.
    fn only_read(&mut self, item: &Item) {
        let (name, shape) = (self.name, shape(item.kind));
        self.engine.track(&item.entry_id, Place::Explorer, None).unwrap();
        let mut rows = self.server.all(shape.table).into_iter();
        let wanted = item.properties.get(&shape.name.1).map(ToString::to_string);
        let row = rows.find(|row| row.text(shape.name.0).map(str::to_owned) == wanted);
        let id = row.and_then(|row| row.id).unwrap_or_else(|| panic!("{name}: was not tracked"));
        self.rests("an item was tracked");
        let column = shape.column.0;
        self.server.update(Entity::with_id(shape.table, id).with(column, Value::text("new")));
        self.sync();
        assert_eq!(self.record(item.kind, id).text(column), Some("new"), "{name}");
        self.rests("the record changed");
        self.server.delete(shape.table, id);
        self.sync();
        let now = self.engine.store().read(std::slice::from_ref(&item.entry_id)).unwrap();
        assert_eq!(now[0].as_ref().map(|item| &item.properties), Some(&item.properties), "{name}");
        self.rests("the record is gone");
    }

    /// A message is tracked with what it is about, and un-tracked.
    fn message(&mut self, subject: &str) {
        let name = self.name;
        let item = self.item(ItemKind::Email, subject).unwrap_or_else(|| panic!("{name}"));
        let account = self.server.create(Entity::new("account").with("name", Value::text("M")));
        let about = Regarding { table: "account".into(), id: account };
        self.engine.track(&item.entry_id, Place::Explorer, Some(about)).unwrap();
        let mut rows = self.server.all("email").into_iter();
        let record = rows.find(|row| row.text("subject") == Some(subject)).unwrap();
        let found = record.value("regardingobjectid").as_reference().map(|row| row.id);
        assert_eq!(found, Some(account), "{name}");
        self.rests("a message was tracked");
        let id = record.id.unwrap();
        self.server.update(Entity::with_id("email", id).with("regardingobjectid", Value::Null));
        self.sync();
        let item = self.item(ItemKind::Email, subject).unwrap();
        if self.engine.store().capabilities().custom_properties {
            assert_eq!(item.link.regarding, None, "{name}");
        }
        self.rests("it is about nothing now");
        self.engine.untrack(&item.entry_id, Place::Explorer, false).unwrap();
        assert!(self.server.get("email", id).is_some(), "{name}: the record stays");
        self.rests("it was un-tracked");
    }

    /// What the store's capabilities ask for; `message` is the subject of a message in it.
    fn tell(mut self, message: Option<&str>) {
        let capabilities = self.engine.store().capabilities().clone();
        for kind in [ItemKind::Contact, ItemKind::Appointment, ItemKind::Task] {
            if capabilities.writes && capabilities.kinds.contains(&kind) {
                self.both_ways(kind);
            } else {
                self.stays_out(kind);
            }
        }
        if capabilities.writes && capabilities.kinds.contains(&ItemKind::Appointment) {
            self.series_across_the_gap();
        }
        if let Some(subject) = message {
            self.message(subject);
        }
    }
}

fn embedded(server: &Server) -> (EmbeddedStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::clone(&server.clock);
    let random = &crate::support::counting(7);
    let store = EmbeddedStore::open(&folder.path().join("mailbox.db"), clock, random).unwrap();
    (store, folder)
}

const LETTER: &str = "From: ann@example.com\r\nTo: ada@contoso.example\r\nSubject: Offer\r\n\
    Message-ID: <offer@example.com>\r\nDate: Wed, 25 Nov 2026 09:00:00 +0000\r\n\r\nHello.\r\n";

#[test]
fn the_embedded_mailbox() {
    let server = Server::new();
    let (mut store, _folder) = embedded(&server);
    let sent = PropertyValue::Time(Timestamp(NOW));
    let mut letter = suite::sample(ItemKind::Email, 99);
    letter.link = Default::default();
    letter.properties = [
        (Property::Subject, PropertyValue::text("Offer")),
        (Property::SentOn, sent),
        (Property::MessageId, PropertyValue::text("<offer@example.com>")),
    ]
    .into();
    store.create(&letter).unwrap();
    suite::check(&mut store);
    Story::new("embedded", &server, Box::new(store)).tell(Some("Offer"));
}

#[test]
fn card_and_calendar_servers() {
    let Some(radicale) = radicale() else { return };
    let server = Server::new();
    let store = test_dav::connect(&radicale);
    Story::new("dav", &server, Box::new(store)).tell(None);
}

#[test]
fn graph() {
    let server = Server::new();
    let double = Double::default();
    let letter = json!({
        "subject": "Offer", "isDraft": false, "sentDateTime": "2026-11-25T09:00:00Z",
        "receivedDateTime": "2026-11-25T09:00:00Z", "internetMessageId": "<offer@example.com>",
        "from": {"emailAddress": {"name": "Ann", "address": "ann@example.com"}},
        "toRecipients": [{"emailAddress": {"name": "Ada", "address": "ada@contoso.example"}}],
        "body": {"contentType": "text", "content": "Hello."},
    });
    {
        let mut state = double.0.lock().unwrap();
        state.put("/me/messages", "M=", letter);
        state.put("/me/mailFolders/inbox/messages", "M=", json!({"isDraft": false}));
    }
    let store = test_graph::connect(&double);
    Story::new("graph", &server, Box::new(store)).tell(Some("Offer"));
}

#[test]
fn imap() {
    let Some(dovecot) = dovecot::start(Kind::Usual) else { return };
    dovecot.deliver("INBOX", LETTER);
    let server = Server::new();
    let store = dovecot.store("ties.db");
    Story::new("imap", &server, Box::new(store)).tell(Some("Offer"));
}

#[test]
fn a_file_that_is_only_read() {
    let server = Server::new();
    let place = tempfile::tempdir().unwrap();
    let path = crate::test_pst::empty(place.path());
    let mut store = crate::test_pst::store(&path);
    suite::check_kinds(&mut store, &ItemKind::ALL);
    Story::new("pst", &server, Box::new(store)).tell(None);
    let Some(folder) = crate::test_pst::public() else { return };
    let server = Server::new();
    let mut store = crate::test_pst::store(&crate::test_pst::named(&folder, "_contacts.pst"));
    suite::check_kinds(&mut store, &ItemKind::ALL);
    let mut story = Story::new("pst", &server, Box::new(store));
    let item = story.items(ItemKind::Contact).remove(0);
    story.only_read(&item);
}

/// What a store cannot read is not deleted: the record stays, and a person is told.
#[test]
fn an_item_that_cannot_be_read_is_never_taken_for_deleted() {
    let Some(radicale) = radicale() else { return };
    let server = Server::new();
    let store = test_dav::connect(&radicale);
    let mut story = Story::new("dav", &server, Box::new(store));
    let id = server.create(row(ItemKind::Appointment, "Stays"));
    story.sync();
    let item = story.item(ItemKind::Appointment, "Stays").expect("it came");
    // Another client writes it with a zone that nobody knows.
    let path = item.entry_id.as_str();
    let (_, body) = radicale.raw("GET", path, &[], b"");
    let text = String::from_utf8(body).unwrap();
    let lines = text.lines().map(|line| match line.split_once(':') {
        Some((name, _)) if name.starts_with("DTSTART") => {
            "DTSTART;TZID=Nowhere/Land:20261126T100000".to_owned()
        }
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\r\n") + "\r\n";
    let kind = [("content-type", "text/calendar")];
    let status = radicale.raw("PUT", path, &kind, text.as_bytes()).0;
    if !(200..300).contains(&status) {
        println!("the server itself refuses an unknown zone ({status})");
        return;
    }
    // The record changes too, so that there is work for the pair.
    server.update(Entity::with_id("appointment", id).with("location", Value::text("Gate 2")));
    let report = story.engine.synchronise(Trigger::Manual).unwrap();
    assert_eq!(report.state, RunState::Done, "{report:#?}");
    assert!(server.get("appointment", id).is_some(), "{report:#?}");
    assert_eq!(radicale.raw("GET", path, &[], b"").0, 200);
    let held = story.engine.held().unwrap();
    assert_eq!(held.len(), 1, "{held:#?}");
    story.sync();
    assert!(server.get("appointment", id).is_some());
    assert_eq!(server.all("appointment").len(), 1);
}

/// The guide's table "When a store says no", across runs.
#[test]
fn a_store_that_asks_to_be_left_alone_is_left_alone() {
    let server = Server::new();
    let double = Double::default();
    let store = test_graph::connect(&double);
    let mut story = Story::new("graph", &server, Box::new(store));
    server.create(row(ItemKind::Contact, "Waits"));
    for status in [429, 503] {
        let header = vec![("retry-after".to_owned(), "90".to_owned())];
        double.0.lock().unwrap().faults.push_back((status, header));
        let report = story.engine.synchronise(Trigger::Manual).unwrap();
        assert!(matches!(report.state, RunState::Waiting(_)), "{report:?}");
        let asked = double.0.lock().unwrap().asked.len();
        let report = story.engine.synchronise(Trigger::Schedule).unwrap();
        let RunState::Waiting(reason) = &report.state else { panic!("{report:?}") };
        assert!(reason.contains("asks to wait"), "{reason}");
        assert!(story.engine.reach().is_err());
        assert_eq!(double.0.lock().unwrap().asked.len(), asked, "nothing was sent");
        server.later(91_000);
    }
    story.sync();
    assert!(story.item(ItemKind::Contact, "Waits").is_some());
    story.rests("it was left alone");
}

/// Over a store whose contents tables show no ties, what another machine did is seen when the item is
/// read: both have noted the wish before either has made the record.
#[test]
fn two_machines_of_a_roaming_profile_make_one_record() {
    let server = Server::new();
    let double = Double::default();
    let task = json!({ "title": "Call", "status": "notStarted", "importance": "normal" });
    double.0.lock().unwrap().put("/me/todo/lists/L1/tasks", "T=", task);
    let machine = |name: &str| {
        let store = Box::new(test_graph::connect(&double));
        let (mut engine, folder) = engine_over(&server, store);
        engine.register(name, ClientRole::Roaming, false).unwrap();
        (engine, folder)
    };
    let (mut one, _one) = machine("one");
    let (mut two, _two) = machine("two");
    let id = EntryId::new("task/T=");
    let mut item = one.store().read(std::slice::from_ref(&id)).unwrap().remove(0).unwrap();
    item.link.state = Some(LinkState::Pending);
    let patch = ItemPatch { link: Some(item.link), ..ItemPatch::default() };
    one.store().update(&id, None, &patch).unwrap();
    for engine in [&mut one, &mut two] {
        engine.plan_only().unwrap();
    }
    two.synchronise(Trigger::Manual).unwrap();
    let report = one.synchronise(Trigger::Manual).unwrap();
    assert_eq!(server.all("task").len(), 1, "{report:#?}");
    one.synchronise(Trigger::Manual).unwrap();
    let record = server.all("task")[0].id.unwrap();
    server.update(Entity::with_id("task", record).with("description", Value::text("seen")));
    let report = one.synchronise(Trigger::Manual).unwrap();
    let item = one.store().read(&[id]).unwrap().remove(0).unwrap();
    let body = item.properties.get(&Property::Body);
    assert_eq!(body, Some(&PropertyValue::text("seen")), "{report:#?}");
    assert_eq!(item.link.crm_id, Some(record));
}
