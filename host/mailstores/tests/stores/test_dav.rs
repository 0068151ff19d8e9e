//! CardDAV and CalDAV against a real Radicale, and against answers that a bad server could give.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::dav::multistatus::{Multistatus, MultistatusError};
use offstage_mailstores::dav::{DavOptions, DavStore};
use offstage_mailstores::http::{Credentials, Http, HttpAnswer, HttpFailure, HttpRequest};
use offstage_model::{Clock, Timestamp};
use offstage_outlook::{
    EntryId, Folder, ItemKind, ItemPatch, MailStore, MailStoreError, Presence, Property,
    PropertyValue, ScanMark,
};

use crate::servers::{Running, network, radicale};
use crate::suite;

pub(crate) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000)
    }
}

pub(crate) fn options(url: String) -> DavOptions {
    DavOptions {
        url,
        credentials: Credentials::Basic { user: "jo".to_owned(), password: "secret".to_owned() },
        home: Zone::named("Europe/Berlin").unwrap(),
        mail_attendees: false,
    }
}

pub(crate) fn connect(server: &Running) -> DavStore {
    DavStore::connect(network(), Box::new(Fixed), options(server.url())).unwrap()
}

fn folder(store: &mut DavStore, kind: ItemKind) -> Folder {
    store.folders().unwrap().into_iter().find(|folder| folder.kind == kind).unwrap()
}

#[test]
fn radicale_is_a_mail_store() {
    let Some(server) = radicale() else { return };
    let mut store = connect(&server);
    let kinds: Vec<_> = store.folders().unwrap().iter().map(|folder| folder.kind).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(store.capabilities().reports_deletions && !store.capabilities().sends_invitations);
    suite::check(&mut store);
}

#[test]
fn radicale_keeps_what_others_wrote() {
    let Some(server) = radicale() else { return };
    let card = include_bytes!("../corpus/outlook-30.vcf");
    let card = String::from_utf8(card.to_vec()).unwrap();
    // What another client wrote, as the server has it afterwards.
    let path = "/jo/contacts/other.vcf";
    let start =
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:other\r\nN:Anders;Maria;;;\r\nFN:Maria Anders\r\n";
    let body = format!(
        "{start}X-MS-IMADDRESS:mia@im.example\r\nCATEGORIES:a,b\r\nTITLE:Old\r\nEND:VCARD\r\n"
    );
    assert!(card.contains("X-MS-IMADDRESS"));
    assert_eq!(server.raw("PUT", path, &[("content-type", "text/vcard")], body.as_bytes()).0, 201);
    let before = String::from_utf8(server.raw("GET", path, &[], b"").1).unwrap();

    let mut store = connect(&server);
    let id = EntryId::new(path);
    let item = store.read(std::slice::from_ref(&id)).unwrap().remove(0).unwrap();
    let patch = ItemPatch {
        properties: [(Property::JobTitle, Some(PropertyValue::text("New")))].into(),
        link: None,
    };
    store.update(&id, Some(&item.change_key), &patch).unwrap();
    let after = String::from_utf8(server.raw("GET", path, &[], b"").1).unwrap();
    assert_eq!(after, before.replace("TITLE:Old", "TITLE:New"));

    // Somebody else writes meanwhile: nothing is written over.
    let item = store.read(std::slice::from_ref(&id)).unwrap().remove(0).unwrap();
    let theirs = after.replace("TITLE:New", "TITLE:Theirs");
    let status = server.raw("PUT", path, &[("content-type", "text/vcard")], theirs.as_bytes()).0;
    assert!(matches!(status, 201 | 204), "{status}");
    let result = store.update(&id, Some(&item.change_key), &patch);
    assert!(matches!(result, Err(MailStoreError::Conflict { .. })), "{result:?}");
}

#[test]
fn radicale_forgets_a_mark_and_everything_is_listed() {
    let Some(server) = radicale() else { return };
    let mut store = connect(&server);
    let made = store.create(&suite::sample(ItemKind::Contact, 1)).unwrap();
    let contacts = folder(&mut store, ItemKind::Contact);
    let foreign =
        ScanMark("http://radicale.org/ns/sync/0000000000000000000000000000000000".to_owned());
    let scan = store.scan(&contacts.id, Some(&foreign)).unwrap();
    assert!(scan.complete);
    assert_eq!(scan.rows.iter().map(|row| &row.entry_id).collect::<Vec<_>>(), [&made.entry_id]);
    let nothing = store.scan(&contacts.id, Some(&scan.mark)).unwrap();
    assert!(!nothing.complete && nothing.rows.is_empty() && nothing.removed.is_empty());
}

#[test]
fn radicale_refuses_a_second_object_with_a_uid() {
    let Some(server) = radicale() else { return };
    let mut store = connect(&server);
    let new = suite::sample(ItemKind::Appointment, 1);
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20260101T000000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        new.transaction
    );
    let path = "/jo/calendar/elsewhere.ics";
    assert_eq!(
        server.raw("PUT", path, &[("content-type", "text/calendar")], body.as_bytes()).0,
        201
    );
    let result = store.create(&new);
    assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{result:?}");
}

#[test]
fn an_object_that_is_not_understood_is_reported_and_left() {
    let Some(server) = radicale() else { return };
    let body = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n\
                DTSTART;TZID=Nowhere/Land:20260101T100000\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let path = "/jo/calendar/u.ics";
    let status = server.raw("PUT", path, &[("content-type", "text/calendar")], body.as_bytes()).0;
    if status != 201 {
        println!("the server itself refuses an unknown zone ({status})");
        return;
    }
    let mut store = connect(&server);
    let id = EntryId::new(path);
    assert_eq!(store.read(std::slice::from_ref(&id)).unwrap(), [None]);
    assert!(store.left_alone()[0].reason.contains("Nowhere/Land"), "{:?}", store.left_alone());
    assert_eq!(store.presence(&[id]).unwrap(), [Presence::There]);
}

#[test]
fn wrong_credentials_need_attention() {
    let Some(server) = radicale() else { return };
    let mut options = options(server.url());
    options.credentials =
        Credentials::Basic { user: "jo".to_owned(), password: "wrong".to_owned() };
    let result = DavStore::connect(network(), Box::new(Fixed), options).err();
    assert!(matches!(result, Some(MailStoreError::NeedsAttention { .. })), "{result:?}");
}

/// A server that gives prepared answers, and remembers what it was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<HttpAnswer>>>,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Script {
    fn then(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let body = body.as_bytes().to_vec();
        self.answers.lock().unwrap().push_back(HttpAnswer { status, headers, body });
        self
    }
}

impl Http for Script {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        self.asked.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.ok_or_else(|| HttpFailure { url: request.url.clone(), reason: "silence".to_owned() })
    }
}

const CALENDAR: &str = r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><response><href>/cal/</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype><sync-token>t1</sync-token></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#;

/// The answer of a multiget that follows a listing.
fn objects(names: &[&str]) -> String {
    let one = |name: &&str| {
        format!(
            "<response><href>/cal/{name}.ics</href><propstat><prop><getetag>\"1\"</getetag>\
             <C:calendar-data>{MEETING}</C:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
        )
    };
    let all: String = names.iter().map(one).collect();
    format!(
        "<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\">{all}</multistatus>"
    )
}

fn scripted(script: &Script) -> DavStore {
    let options = options("http://127.0.0.1:1/cal/".to_owned());
    DavStore::connect(Box::new(script.clone()), Box::new(Fixed), options).unwrap()
}

fn connected(dav: &str) -> Script {
    Script::default().then(207, &[], CALENDAR).then(200, &[("dav", dav)], "")
}

const MEETING: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260101T100000Z\r\n\
    ORGANIZER:mailto:jo@example.org\r\nATTENDEE:mailto:kim@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn nobody_is_mailed_by_accident() {
    let script = connected("1, calendar-access, calendar-auto-schedule");
    let mut store = scripted(&script);
    assert!(store.capabilities().sends_invitations);
    let id = EntryId::new("/cal/u.ics");
    let patch = ItemPatch {
        properties: [(Property::Subject, Some(PropertyValue::text("New")))].into(),
        link: None,
    };
    let script =
        script.then(200, &[("etag", "\"1\"")], MEETING).then(200, &[("etag", "\"1\"")], MEETING);
    for result in [store.update(&id, None, &patch).map(|_| ()), store.delete(&id, None)] {
        assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{result:?}");
    }
    // A new event with attendees is made so that the server keeps out of it.
    let mut new = suite::sample(ItemKind::Appointment, 1);
    let people = vec![offstage_outlook::Person::new("Kim", "kim@example.org")];
    new.properties.insert(Property::RequiredAttendees, PropertyValue::People(people));
    let script = script.then(201, &[], "").then(404, &[], "");
    let _gone = store.create(&new);
    let asked = script.asked.lock().unwrap();
    let writes: Vec<_> =
        asked.iter().filter(|one| matches!(one.method, "PUT" | "DELETE" | "POST")).collect();
    assert_eq!(writes.len(), 1);
    let body = String::from_utf8_lossy(&writes[0].body).replace("\r\n ", "");
    assert!(body.contains("SCHEDULE-AGENT=CLIENT:mailto:kim@example.org"), "{body}");
    assert!(asked.iter().all(|one| !one.headers.iter().any(|(name, _)| name.contains("schedule"))));
}

#[test]
fn answers_have_the_class_that_decides_what_is_next() {
    type Check = fn(&MailStoreError) -> bool;
    let cases: [(u16, &str, Check); 9] = [
        (401, "", |e| matches!(e, MailStoreError::NeedsAttention { .. })),
        (403, "", |e| matches!(e, MailStoreError::Refused { .. })),
        (404, "", |e| matches!(e, MailStoreError::Gone { .. })),
        (410, "", |e| matches!(e, MailStoreError::Gone { .. })),
        (409, "", |e| matches!(e, MailStoreError::Refused { .. })),
        (412, "", |e| matches!(e, MailStoreError::Conflict { .. })),
        (
            429,
            "7",
            |e| matches!(e, MailStoreError::Throttled { retry_after, .. } if retry_after.as_secs() == 7),
        ),
        (
            503,
            "",
            |e| matches!(e, MailStoreError::Throttled { retry_after, .. } if retry_after.as_secs() == 60),
        ),
        (507, "", |e| matches!(e, MailStoreError::NeedsAttention { .. })),
    ];
    for (status, wait, check) in cases {
        let plain = MEETING.replace("ATTENDEE", "X-ATTENDEE");
        let script = connected("1").then(200, &[("etag", "\"1\"")], &plain).then(
            status,
            &[("retry-after", wait)],
            "",
        );
        let mut store = scripted(&script);
        let patch = ItemPatch {
            properties: [(Property::Subject, Some(PropertyValue::text("New")))].into(),
            link: None,
        };
        let error = store.update(&EntryId::new("/cal/u.ics"), None, &patch).unwrap_err();
        assert!(check(&error), "{status}: {error:?}");
        let asked = script.asked.lock().unwrap();
        let put = asked.last().unwrap();
        assert!(put.headers.contains(&("if-match", "\"1\"".to_owned())), "{put:?}");
    }
}

#[test]
fn a_forgotten_token_in_every_dialect_lists_everything() {
    let body = "<D:error xmlns:D=\"DAV:\"><D:valid-sync-token/></D:error>";
    let listing = "<multistatus xmlns=\"DAV:\"><response><href>/cal/a.ics</href><propstat><prop>\
        <getetag>\"1\"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response>\
        <sync-token>t2</sync-token></multistatus>";
    for (status, body) in [(403, body), (409, body), (412, body), (410, "")] {
        let script = connected("1").then(status, &[], body).then(207, &[], listing).then(
            207,
            &[],
            &objects(&["a"]),
        );
        let mut store = scripted(&script);
        let cal = folder(&mut store, ItemKind::Appointment);
        let scan = store.scan(&cal.id, Some(&ScanMark("old".to_owned()))).unwrap();
        assert!(scan.complete && scan.rows.len() == 1 && scan.mark.0 == "t2", "{status}");
    }
    // Another refusal is none: nothing is taken for deleted.
    let script = connected("1").then(403, &[], "");
    let mut store = scripted(&script);
    let cal = folder(&mut store, ItemKind::Appointment);
    assert!(store.scan(&cal.id, Some(&ScanMark("old".to_owned()))).is_err());
}

/// A change of which the server says no more is not passed over: the mark stays where it is. What it
/// does not show to this user is left alone, and said.
#[test]
fn an_object_that_is_listed_and_not_given_is_not_passed_over() {
    let listing = r#"<multistatus xmlns="DAV:"><response><href>/cal/one.ics</href><propstat><prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response><response><href>/cal/tw%6F.ics</href><propstat><prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response><sync-token>t2</sync-token></multistatus>"#;
    let two = |status: &str| {
        let one = objects(&["one"]);
        let failed = format!(
            "<response><href>/cal/two.ics</href><status>HTTP/1.1 {status}</status></response></multistatus>"
        );
        one.replace("</multistatus>", &failed)
    };
    let scan = |objects: &str| {
        let script = connected("1").then(207, &[], listing).then(207, &[], objects);
        let mut store = scripted(&script);
        let folder = folder(&mut store, ItemKind::Appointment);
        let scan = store.scan(&folder.id, Some(&ScanMark("t1".to_owned())));
        (scan.map(|scan| scan.rows.len()), store.left_alone().len())
    };
    let (both, left) = scan(&objects(&["one", "two"]));
    assert_eq!((both.unwrap(), left), (2, 0));
    assert_eq!(scan(&two("404 Not Found")).0.unwrap(), 1, "deleted since");
    let (rows, left) = scan(&two("403 Forbidden"));
    assert_eq!((rows.unwrap(), left), (1, 1));
    for objects in [two("500 Oops"), two("429 Slow"), two("507 Full"), objects(&["one"])] {
        let result = scan(&objects).0;
        assert!(matches!(result, Err(MailStoreError::Transient { .. })), "{result:?}");
    }
}

#[test]
fn a_long_answer_in_parts_is_read_to_its_end() {
    let part = |name: &str, token: &str, cut: bool| {
        let cut = if cut {
            "<response><href>/cal/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>"
        } else {
            ""
        };
        format!(
            "<multistatus xmlns=\"DAV:\"><response><href>/cal/{name}.ics</href><propstat><prop><getetag>\"1\"\
             </getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response>{cut}\
             <response><href>/cal/gone-{name}.ics</href><status>HTTP/1.1 404 Not Found</status></response>\
             <sync-token>{token}</sync-token></multistatus>"
        )
    };
    let script = connected("1")
        .then(207, &[], &part("a", "t2", true))
        .then(207, &[], &part("b", "t3", false))
        .then(207, &[], &objects(&["a", "b"]));
    let mut store = scripted(&script);
    let cal = folder(&mut store, ItemKind::Appointment);
    let scan = store.scan(&cal.id, Some(&ScanMark("t1".to_owned()))).unwrap();
    assert_eq!((scan.rows.len(), scan.removed.len(), scan.mark.0.as_str()), (2, 2, "t3"));
}

#[test]
fn credentials_stay_with_their_server() {
    for target in
        ["http://127.0.0.1:2/cal/", "//elsewhere.example/cal/", "https://elsewhere.example/"]
    {
        let script = Script::default().then(301, &[("location", target)], "");
        let result = DavStore::connect(
            Box::new(script.clone()),
            Box::new(Fixed),
            options("http://127.0.0.1:1/cal/".to_owned()),
        );
        assert!(matches!(result.err(), Some(MailStoreError::NeedsAttention { .. })), "{target}");
        assert_eq!(script.asked.lock().unwrap().len(), 1, "{target}");
    }
    // Not in the clear, but to this machine.
    let open = options("http://mail.example/".to_owned());
    let result = DavStore::connect(Box::new(Script::default()), Box::new(Fixed), open).err();
    assert!(matches!(result, Some(MailStoreError::NeedsAttention { .. })), "{result:?}");
    assert!(!format!("{:?}", options(String::new())).contains("secret"));
}

#[test]
fn a_listing_that_is_broken_is_no_listing() {
    let whole = "<multistatus xmlns=\"DAV:\"><response><href>/a</href></response></multistatus>";
    let parse = |text: &str| Multistatus::parse(text.as_bytes(), "http://127.0.0.1:1");
    assert_eq!(parse(whole).unwrap().responses[0].href, "/a");
    for cut in 1..whole.len() {
        assert!(parse(&whole[..cut]).is_err(), "{}", &whole[..cut]);
    }
    let bomb = "<!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><multistatus xmlns=\"DAV:\">&b;</multistatus>";
    assert!(matches!(parse(bomb), Err(MultistatusError::Xml { .. })));
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    assert!(matches!(parse(&deep), Err(MultistatusError::Xml { .. })));
    for href in ["http://elsewhere/a", "//elsewhere/a", "a", "/a b", ""] {
        let text = whole.replace("/a<", &format!("{href}<"));
        assert!(matches!(parse(&text), Err(MultistatusError::Foreign { .. })), "{href}");
    }
    assert!(matches!(parse("<html/>"), Err(MultistatusError::Other { .. })));
}
