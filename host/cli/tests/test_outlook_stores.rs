//! Mail stores as a person sets them up: the program, a server over HTTP, a real Radicale and a real
//! Dovecot.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail where they stand; a skipped test says so"
)]

mod common;
#[allow(dead_code, reason = "the tests of the stores themselves use the rest")]
#[path = "../../mailstores/tests/stores/dovecot.rs"]
mod dovecot;
#[path = "common/graph.rs"]
mod graph;
#[allow(dead_code, reason = "the tests of the stores themselves use the rest")]
#[path = "../../mailstores/tests/stores/graph_double.rs"]
mod graph_double;
#[allow(dead_code, reason = "the tests of the stores themselves use the rest")]
#[path = "../../mailstores/tests/stores/servers.rs"]
mod servers;

use common::{Place, Serving};
use serde_json::Value as Json;
use std::os::unix::fs::PermissionsExt as _;

const PASSWORD: &str = "secret";

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("no '{name}' in {json}"))
}

fn rows(place: &Place, arguments: &[&str]) -> usize {
    let json = place.good(arguments);
    json["rows"].as_array().map(Vec::len).unwrap_or_default()
}

/// A server, and a device of it.
fn pair() -> (Place, Serving, Place) {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    (server, serving, device)
}

/// The names of the objects of a collection.
fn objects(radicale: &servers::Running, collection: &str) -> Vec<String> {
    let (status, body) = radicale.raw("PROPFIND", collection, &[("depth", "1")], b"");
    assert_eq!(status, 207);
    let body = String::from_utf8(body).unwrap();
    let hrefs = body.split("<href>").skip(1).filter_map(|part| part.split("</href>").next());
    hrefs.filter(|href| !href.ends_with('/')).map(str::to_owned).collect()
}

#[test]
fn a_card_and_calendar_server_is_added_synchronised_both_ways_and_removed() {
    let Some(radicale) = servers::radicale() else { return };
    let (_server, _serving, device) = pair();
    let secret = device.file("password", &format!("{PASSWORD}\n"));
    let url = radicale.url();
    let add = ["outlook", "store", "add", "dav", &url, "--user", "jo", "--secret-file", &secret];
    let mut with_zone = add.to_vec();
    with_zone.extend(["--time-zone", "Europe/Berlin"]);
    let added = device.good(&with_zone);
    let kinds: Vec<&str> =
        added["folders"].as_array().unwrap().iter().map(|folder| text(folder, "kind")).collect();
    assert_eq!(kinds.len(), 3, "{added}");
    let settings = device.good(&["outlook", "settings", "show"]);
    assert_eq!(text(&settings, "time_zone"), "Europe/Berlin");

    // From the CRM to the server, and back with a change that somebody else makes there.
    device.good(&["outlook", "client", "set", "primary"]);
    let record = device.make(&["contact", "firstname=Ann", "lastname=Lee"]);
    let report = device.good(&["outlook", "sync"]);
    assert_eq!(text(&report["pairs"][0], "done"), "created-item", "{report}");
    let cards = objects(&radicale, "/jo/contacts/");
    assert_eq!(cards.len(), 1, "{cards:?}");
    let (_, card) = radicale.raw("GET", &cards[0], &[], b"");
    let card = String::from_utf8(card).unwrap();
    let changed = card.replace("END:VCARD", "TITLE:Head of sales\r\nX-OTHER:kept\r\nEND:VCARD");
    let (status, _) =
        radicale.raw("PUT", &cards[0], &[("content-type", "text/vcard")], changed.as_bytes());
    assert!(status < 300, "{status}");
    device.good(&["update", "contact", &record, "nickname=Annie"]);
    device.good(&["outlook", "sync"]);
    let row = device.good(&["get", "contact", &record]);
    assert_eq!(row["attributes"]["jobtitle"], "Head of sales", "{row}");
    let (_, card) = radicale.raw("GET", &cards[0], &[], b"");
    let card = String::from_utf8(card).unwrap();
    assert!(card.contains("NICKNAME:Annie") && card.contains("X-OTHER:kept"), "{card}");

    // An event of the server is tracked, and goes with its record.
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:e1\r\n\
                 DTSTAMP:20261125T090000Z\r\nDTSTART:20270328T090000Z\r\nDTEND:20270328T100000Z\r\n\
                 SUMMARY:Review\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let (status, _) = radicale.raw(
        "PUT",
        "/jo/calendar/e1.ics",
        &[("content-type", "text/calendar")],
        event.as_bytes(),
    );
    assert!(status < 300, "{status}");
    let items = device.good(&["outlook", "item", "list", "appointment"]);
    let item = text(&items["items"][0], "item").to_owned();
    device.good(&["outlook", "track", &item]);
    let found = device.good(&["query", "appointment", "--select", "subject,scheduledstart"]);
    assert_eq!(found["rows"][0]["attributes"]["subject"], "Review", "{found}");

    // Removed: the password goes, items and records stay; added again, nothing comes twice.
    let folder = device.path().join("outlook-stores/dav");
    let mode = std::fs::metadata(folder.join("secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    device.good(&["outlook", "store", "remove", "dav"]);
    assert!(!folder.exists());
    assert_eq!(text(&device.good(&["outlook", "status"]), "store"), "embedded");
    assert_eq!(objects(&radicale, "/jo/contacts/").len(), 1);
    device.good(&add);
    device.good(&["outlook", "client", "set", "primary", "--take-over"]);
    device.good(&["outlook", "sync"]);
    assert_eq!(objects(&radicale, "/jo/contacts/").len(), 1);
    assert_eq!(objects(&radicale, "/jo/calendar/").len(), 1);
    assert_eq!(rows(&device, &["query", "contact", "--select", "lastname"]), 1);
    assert_eq!(rows(&device, &["query", "appointment", "--select", "subject"]), 1);
    let quiet = device.good(&["outlook", "sync"]);
    assert_eq!(quiet["pairs"].as_array().map(Vec::len), Some(0), "{quiet}");
}

#[test]
fn what_is_wrong_with_a_store_is_told_before_it_is_kept() {
    let Some(radicale) = servers::radicale() else { return };
    let (_server, _serving, device) = pair();
    let right = device.file("right", PASSWORD);
    let wrong = device.file("wrong", "something else");
    let empty = device.file("empty", "\n");
    let url = radicale.url();
    let (lost, missing) = (format!("{url}/jo/lost/"), format!("{url}/../etc/"));
    let nobody = format!("http://127.0.0.1:{}/", servers::free_port());
    let file = device.file("not.pst", "this is no PST file");
    // What is typed after `store add`; the exit code; what the message or the hint says.
    let cases: [(&[&str], i32, &str); 14] = [
        (&["dav", &url, "--user", "jo", "--secret-file", &wrong], 2, "credentials"),
        (&["dav", &url, "--user", "jo"], 2, "--secret-file"),
        (&["dav", &url, "--secret-file", &right], 2, "--user NAME"),
        (&["dav", &url, "--user", "jo", "--secret-file", &empty], 2, "is empty"),
        (&["dav", &url, "--user", "jo", "--secret-file", "/no/such/file"], 4, "/no/such/file"),
        (&["dav", &lost, "--user", "jo", "--secret-file", &right], 2, "/jo/lost/"),
        (&["dav", &missing, "--user", "jo", "--secret-file", &right], 2, "etc"),
        (&["dav", &nobody, "--user", "jo", "--secret-file", &right], 6, "does not answer"),
        (&["dav", "http://dav.example.org/", "--user", "jo", "--secret-file", &right], 2, "https"),
        (&["dav", "dav.example.org", "--user", "jo", "--secret-file", &right], 2, "https://"),
        (&["dav", &url, "--name", "a/b"], 2, "letters, digits and hyphens"),
        (&["dav", &url, "--time-zone", "Mars/Base"], 2, "Europe/Berlin"),
        (&["graph", "https://127.0.0.1:9/v1.0", "--secret-file", &right], 6, "does not answer"),
        (&["pst", &file], 2, "not.pst"),
    ];
    for (arguments, exit, says) in cases {
        let mut all = vec!["outlook", "store", "add"];
        all.extend(arguments);
        let done = device.json(&all);
        assert_eq!(done.exit, exit, "{arguments:?}: {done:?}");
        let error = &done.json()["error"];
        let said = format!("{} {}", text(error, "message"), error["hint"]);
        assert!(said.contains(says), "{arguments:?}: {error}");
        assert!(error["hint"].is_string() || exit == 4, "{arguments:?}: {error}");
        assert!(!done.stdout.contains("something else"), "{arguments:?}");
    }
    let stores = device.good(&["outlook", "store", "list"]);
    assert_eq!(stores["stores"].as_array().map(Vec::len), Some(1), "{stores}");
    assert_eq!(stores["stores"][0]["inUse"], true);
    let lost = device.json(&["outlook", "store", "show", "lost"]);
    assert_eq!(lost.exit, 4, "{lost:?}");

    // Another secret is tried before it counts.
    let secret =
        |file: &str| device.json(&["outlook", "store", "secret", "dav", "--secret-file", file]);
    device.good(&["outlook", "store", "add", "dav", &url, "--user", "jo", "--secret-file", &right]);
    let refused = secret(&wrong);
    assert_eq!(refused.exit, 2, "{refused:?}");
    device.good(&["outlook", "store", "show", "dav"]);
    secret(&right).good();

    // A server that is gone later: the run waits, and nothing is a deletion.
    device.good(&["outlook", "client", "set", "primary"]);
    device.make(&["contact", "lastname=Lee"]);
    device.good(&["outlook", "sync"]);
    drop(radicale);
    let waits = device.json(&["outlook", "sync"]);
    assert_eq!(waits.exit, 6, "{waits:?}");
    assert_eq!(device.json(&["outlook", "status"]).good()["pairs"], 1);
    assert_eq!(rows(&device, &["query", "contact", "--select", "lastname"]), 1);
}

#[test]
fn graph_is_added_with_a_token_and_synchronised_both_ways() {
    let double = graph_double::Double::default();
    let url = graph::serve(&double);
    let (_server, _serving, device) = pair();
    let token = device.file("token", "token-1");
    device.good(&["outlook", "store", "add", "graph", &url, "--secret-file", &token]);
    device.good(&["outlook", "client", "set", "primary"]);
    let record = device.make(&["contact", "firstname=Ann", "lastname=Lee"]);
    let start = "scheduledstart=2027-03-28T09:00:00Z";
    device.make(&["appointment", "subject=Review", start, "scheduledend=2027-03-28T10:00:00Z"]);
    device.good(&["outlook", "sync"]);
    let items = device.good(&["outlook", "item", "list"]);
    assert_eq!(items["items"].as_array().map(Vec::len), Some(2), "{items}");
    // Somebody changes the contact in Outlook.
    let contacts = device.good(&["outlook", "item", "list", "contact"]);
    let item = text(&contacts["items"][0], "item");
    let id = item.strip_prefix("contact/").unwrap();
    {
        let mut state = double.0.lock().unwrap();
        let mut contact = state.item("/me/contacts", id);
        contact["jobTitle"] = "Head of sales".into();
        state.put("/me/contacts", id, contact);
    }
    device.good(&["outlook", "sync"]);
    let row = device.good(&["get", "contact", &record]);
    assert_eq!(row["attributes"]["jobtitle"], "Head of sales", "{row}");
    // It asks to be left alone, and is.
    let later = vec![("retry-after".to_owned(), "60".to_owned())];
    double.0.lock().unwrap().faults.push_back((429, later));
    let waits = device.json(&["outlook", "sync"]);
    assert_eq!(waits.exit, 6, "{waits:?}");
    let asked = double.0.lock().unwrap().asked.len();
    let waits = device.json(&["outlook", "sync"]);
    assert_eq!(waits.exit, 6, "{waits:?}");
    assert_eq!(double.0.lock().unwrap().asked.len(), asked, "nothing was sent");
}

#[test]
fn mail_of_an_imap_server_is_tracked() {
    let Some(server) = dovecot::start(dovecot::Kind::Usual) else { return };
    server.deliver(
        "INBOX",
        "From: Ann <ann@example.com>\r\nTo: ada@example.com\r\nSubject: Offer\r\n\
         Message-ID: <offer@example.com>\r\nDate: Wed, 25 Nov 2026 09:00:00 +0000\r\n\r\nHello.\r\n",
    );
    let (_server, _serving, device) = pair();
    let secret = device.file("password", dovecot::PASSWORD);
    let wrong = device.file("wrong", "not it");
    let place = format!("127.0.0.1:{}", server.port);
    let add = ["outlook", "store", "add", "imap", &place, "--user", "ada", "--plain"];
    let with = |file: &str, more: &[&str]| {
        let mut all = add.to_vec();
        all.extend(["--secret-file", file]);
        all.extend(more);
        device.json(&all)
    };
    let refused = with(&wrong, &[]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(text(&refused.json()["error"], "hint").contains("password"), "{refused:?}");
    let lost = with(&secret, &["--folder", "Lost"]);
    assert_eq!(lost.exit, 2, "{lost:?}");
    assert!(text(&lost.json()["error"], "message").contains("'Lost'"), "{lost:?}");
    let added = with(&secret, &["--name", "mail"]).good();
    assert_eq!(added["folders"][0]["kind"], "email", "{added}");

    device.good(&["outlook", "client", "set", "primary"]);
    let items = device.good(&["outlook", "item", "list"]);
    let item = text(&items["items"][0], "item").to_owned();
    device.good(&["outlook", "track", &item]);
    let found = device.good(&["query", "email", "--select", "subject"]);
    assert_eq!(found["rows"][0]["attributes"]["subject"], "Offer", "{found}");
    // A message is only read.
    let edit = device.json(&["outlook", "item", "edit", &item, "subject=Other"]);
    assert_eq!(edit.exit, 2, "{edit:?}");
    let moved = device.json(&["outlook", "item", "move", &item, "Sent"]);
    assert_eq!(moved.exit, 2, "{moved:?}");
    device.good(&["outlook", "untrack", &item]);
    assert_eq!(device.good(&["outlook", "status"])["pairs"], 0);
    // What takes part is changed, the ties stay; what does not work is not kept.
    device.good(&["outlook", "track", &item]);
    let set = |more: &[&str]| {
        let mut all = vec!["outlook", "store", "set", "mail"];
        all.extend(more);
        device.json(&all)
    };
    let lost = set(&["--folder", "Lost"]);
    assert_eq!(lost.exit, 2, "{lost:?}");
    let hint = text(&lost.json()["error"], "hint").to_owned();
    assert!(hint.contains("offstage outlook store set NAME --folder"), "{hint}");
    let names = |shown: &Json| {
        let folders = shown["folders"].as_array().unwrap().iter();
        folders.map(|folder| text(folder, "name").to_owned()).collect::<Vec<_>>()
    };
    let shown = set(&["--folder", "INBOX", "--folder", "Drafts", "--keywords", "false"]).good();
    assert_eq!(names(&shown), ["INBOX", "Drafts"]);
    assert_eq!(names(&device.good(&["outlook", "store", "show", "mail"])), ["INBOX", "Drafts"]);
    assert_eq!(device.good(&["outlook", "status"])["pairs"], 1, "the tie stayed");
    assert!(names(&set(&["--usual-folders"]).good()).contains(&"INBOX".to_owned()));
    let both = set(&["--usual-folders", "--folder", "INBOX"]);
    assert_eq!(both.exit, 2, "{both:?}");
    device.good(&["outlook", "untrack", &item]);
    // Back to the mailbox of the directory.
    device.good(&["outlook", "store", "use", "embedded"]);
    let items = device.good(&["outlook", "item", "list"]);
    assert_eq!(items["items"].as_array().map(Vec::len), Some(0), "{items}");
}

#[test]
fn a_pst_file_is_imported_once() {
    let (_server, _serving, device) = pair();
    let empty = device.path().with_file_name("empty.pst");
    let packed = include_bytes!("../../mailstores/tests/corpus/Empty.pst.gz");
    let mut file = std::fs::File::create(&empty).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut file).unwrap();
    let empty = empty.to_str().unwrap().to_owned();
    let report = device.good(&["outlook", "import", &empty]);
    assert_eq!(report["items"], serde_json::json!({}), "{report}");
    let none = device.json(&["outlook", "import", "/no/such.pst"]);
    assert_eq!(none.exit, 2, "{none:?}");

    let public = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/pst");
    let Ok(files) = std::fs::read_dir(public) else {
        println!("SKIPPED: no public PST files at {public}");
        return;
    };
    let mut total = 0;
    for file in files {
        let path = file.unwrap().path();
        let path = path.to_str().unwrap();
        let first = device.good(&["outlook", "import", path]);
        let again = device.good(&["outlook", "import", path]);
        let count = |json: &Json| -> u64 {
            json.as_object().unwrap().values().filter_map(Json::as_u64).sum()
        };
        assert_eq!(count(&again["new"]), 0, "{path}: {again}");
        assert_eq!(first["items"], again["items"], "{path}");
        total += count(&first["new"]);
    }
    let items = device.good(&["outlook", "item", "list"]);
    assert_eq!(items["items"].as_array().map(|all| all.len() as u64), Some(total));
    assert!(total > 0);
    // As a store of its own the file is only read.
    let file = format!("{public}/emk_cceff7e3_sample2.pst");
    let added = device.good(&["outlook", "store", "add", "pst", &file]);
    assert!(!added["capabilities"].to_string().contains("written"), "{added}");
    let elsewhere = device.json(&["outlook", "import", &file]);
    assert_eq!(elsewhere.exit, 2, "{elsewhere:?}");
    println!("imported {total} items of public PST files, each once");
}

#[test]
fn what_is_not_understood_is_shown_by_the_run_and_the_status() {
    let double = graph_double::Double::default();
    let url = graph::serve(&double);
    let (_server, _serving, device) = pair();
    let token = device.file("token", "token-1");
    device.good(&["outlook", "store", "add", "graph", &url, "--secret-file", &token]);
    device.good(&["outlook", "client", "set", "primary"]);
    let odd = serde_json::json!({
        "subject": "Odd", "isAllDay": false,
        "start": {"dateTime": "2027-03-15T22:00:00", "timeZone": "Nowhere/Land"},
        "end": {"dateTime": "2027-03-15T22:30:00", "timeZone": "UTC"},
    });
    double.0.lock().unwrap().put("/me/events", "E=", odd);
    let report = device.good(&["outlook", "sync"]);
    assert_eq!(report["left_alone"][0]["item"], "event/E=", "{report}");
    let told = device.run(&["outlook", "sync"]);
    assert!(told.stdout.contains("1 item is left alone"), "{told:?}");
    // Another process knows it too.
    let status = device.good(&["outlook", "status"]);
    assert_eq!(status["left_alone"][0]["item"], "event/E=", "{status}");
    assert!(text(&status["left_alone"][0], "reason").contains("Nowhere/Land"), "{status}");
    let settings = device.good(&[
        "outlook",
        "settings",
        "set",
        "--deletions-max",
        "20",
        "--deletions-percent-max",
        "7",
        "--deletions-percent-pairs-min",
        "50",
    ]);
    let wanted =
        serde_json::json!({ "deletions_max": 20, "percent_max": 7, "percent_pairs_min": 50 });
    assert_eq!(settings["quarantine"], wanted);
    let shown = device.run(&["outlook", "settings", "show"]);
    assert!(shown.stdout.contains("more than 20, or 7 % of 50 pairs or more"), "{shown:?}");
}
