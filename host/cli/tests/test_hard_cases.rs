//! Hard cases of playback through the program alone: copies of a directory, backups, numbers that
//! only the server gives, tables and filters that come later.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::{Place, Serving};
use serde_json::Value as Json;
use std::path::Path;

/// A table whose rows the server numbers; the number is an alternate key.
const CASES: &str = r#"{"tables": [{"name": "incident", "set": "incidents", "primary_name": "title",
  "keys": [{"name": "incident_number", "columns": ["ticketnumber"]}],
  "columns": {"title": {"type": "string", "length": 200},
              "ticketnumber": {"type": "string", "length": 100, "autonumber": "CAS-{SEQNUM:5}"}}}]}"#;

fn pair() -> (Place, Serving, Place) {
    let (server, device) = (Place::new(), Place::new());
    let serving = server.serve(&["--dev"]);
    device.good(&["connect", &serving.url]);
    (server, serving, device)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn names(place: &Place, table: &str, column: &str) -> Vec<String> {
    let found = place.good(&["query", table, "--select", column, "--order", column]);
    let rows = found["rows"].as_array().unwrap_or_else(|| panic!("{found}")).clone();
    let name = |row: &Json| row["attributes"][column].as_str().unwrap_or("").to_owned();
    rows.iter().map(name).collect()
}

#[test]
fn a_copied_directory_is_never_merged_and_can_begin_anew() {
    let (server, _serving, device) = pair();
    device.good(&["go-offline"]);
    let clone = Place::new();
    copy(&device.path(), &clone.path());
    device.make(&["account", "name=original"]);
    clone.make(&["account", "name=copy"]);
    assert_eq!(device.good(&["go-online"])["counts"]["applied"], 1);

    let done = clone.json(&["go-online"]);
    assert_eq!(done.exit, 5, "{done:?}");
    assert_eq!(done.json()["error"]["symbol"], "DEVICE_FORKED", "{done:?}");
    assert_eq!(names(&server, "account", "name"), ["original"]);
    // Its entry stays readable, with everything.
    let entry = clone.good(&["journal", "show", "1"]);
    assert!(entry.to_string().contains("copy"), "{entry}");

    clone.good(&["connect", "--renew", "http://127.0.0.1:1"]);
    clone.good(&["go-offline"]);
    clone.make(&["account", "name=begun anew"]);
    assert_eq!(clone.good(&["go-online"])["counts"]["applied"], 1);
    assert_eq!(names(&server, "account", "name"), ["begun anew", "original"]);
    assert_eq!(clone.good(&["verify"])["same"], true);
}

#[test]
fn only_the_server_numbers_and_a_number_that_is_taken_is_parked() {
    let (server, device) = (Place::new(), Place::new());
    let serving = server.serve(&["--dev"]);
    server.good(&["table", "add", &server.file("cases.json", CASES)]);
    device.good(&["connect", &serving.url]);
    server.make(&["incident", "title=first"]);
    device.good(&["go-offline"]);
    let here = device.make(&["incident", "title=offline"]);
    let provisional = device.good(&["get", "incident", &here]);
    let number = provisional["attributes"]["ticketnumber"].as_str().unwrap().to_owned();
    assert!(number.starts_with("OFFLINE-") && number.ends_with("-1"), "{number}");
    device.make(&["incident", "title=by hand", "ticketnumber=CAS-00002"]);
    server.make(&["incident", "title=second"]);

    let done = device.json(&["go-online"]);
    assert_eq!(done.exit, 5, "{done:?}");
    assert_eq!(names(&server, "incident", "ticketnumber"), ["CAS-00001", "CAS-00002", "CAS-00003"]);
    // The pull brings the server's number in the place of the provisional one.
    let row = device.good(&["get", "incident", &here]);
    assert_eq!(row["attributes"]["ticketnumber"], "CAS-00003");
    // The parked entry shows what clashed, and keeps the user's values.
    let entry = device.good(&["journal", "show", "2"]);
    assert_eq!(entry["row"]["state"], "conflict", "{entry}");
    assert_eq!(entry["inTheWay"]["attributes"]["title"], "second", "{entry}");
    let shown = device.run(&["journal", "show", "2"]).stdout;
    assert!(shown.contains("by hand") && shown.contains("title=second"), "{shown}");
    assert!(shown.contains("the platform") && shown.contains("you"), "who set what: {shown}");
    device.good(&["journal", "edit", "2", "ticketnumber="]);
    assert_eq!(names(&server, "incident", "ticketnumber").last().unwrap(), "CAS-00004");
    assert_eq!(device.good(&["verify"])["same"], true);
}

#[test]
fn a_number_format_that_cannot_be_counted_is_refused() {
    let server = Place::new();
    let _serving = server.serve(&["--dev"]);
    let bad = CASES.replace("SEQNUM:5", "RANDSTRING:5");
    let done = server.json(&["table", "add", &server.file("bad.json", &bad)]);
    assert_eq!(done.exit, 2, "{done:?}");
    assert!(done.stdout.contains("SEQNUM"), "{done:?}");
}

#[test]
fn a_restored_server_gets_again_what_its_backup_lacks() {
    let (server, serving, device) = pair();
    device.good(&["go-offline"]);
    device.make(&["account", "name=before"]);
    device.good(&["go-online"]);
    // While the server runs.
    let backup = server.path().with_file_name("backup");
    server.good(&["backup", backup.to_str().unwrap()]);
    let again = server.json(&["backup", backup.to_str().unwrap()]);
    assert_eq!(again.exit, 2, "a backup never takes the place of something: {again:?}");
    device.good(&["go-offline"]);
    device.make(&["account", "name=after"]);
    device.good(&["go-online"]);
    let port = serving.url.rsplit(':').next().unwrap().to_owned();
    drop(serving);

    let restored = Place::new();
    restored.good(&["restore", backup.to_str().unwrap()]);
    let refused = restored.json(&["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    let _serving = restored.serve(&["--dev", "--listen", &format!("127.0.0.1:{port}")]);
    assert_eq!(names(&restored, "account", "name"), ["before"]);
    device.good(&["sync"]);
    assert_eq!(names(&restored, "account", "name"), ["after", "before"]);
    assert_eq!(device.good(&["verify"])["same"], true);
}

#[test]
fn a_restored_device_that_had_gone_on_is_refused() {
    let (server, _serving, device) = pair();
    device.good(&["go-offline"]);
    device.make(&["account", "name=one"]);
    let backup = device.path().with_file_name("backup");
    device.good(&["backup", backup.to_str().unwrap()]);
    device.make(&["account", "name=two"]);
    device.good(&["go-online"]);
    let restored = Place::new();
    restored.good(&["restore", backup.to_str().unwrap()]);
    restored.make(&["account", "name=another two"]);
    let done = restored.json(&["go-online"]);
    assert_eq!(done.exit, 5, "{done:?}");
    assert_eq!(done.json()["error"]["symbol"], "DEVICE_FORKED");
    assert_eq!(names(&server, "account", "name"), ["one", "two"]);
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().with_file_name("empty")).unwrap();
    let empty = place.path().with_file_name("empty");
    let done = place.json(&["restore", empty.to_str().unwrap()]);
    assert_eq!(done.exit, 2, "{done:?}");
    assert!(!place.path().exists(), "nothing is made of it");
}

#[test]
fn tables_and_filters_that_come_later_reach_devices() {
    let (server, _serving, device) = pair();
    server.good(&["table", "add", &server.file("cases.json", CASES)]);
    let incident = server.make(&["incident", "title=mine"]);
    device.good(&["go-offline"]);
    assert_eq!(device.good(&["get", "incident", &incident])["attributes"]["title"], "mine");
    device.good(&["go-online"]);

    // What an administrator takes for everybody cannot be given back by one device.
    let products = r#"{"tables": [{"name": "product", "set": "products", "ownership": "organization",
        "primary_name": "name", "columns": {"name": {"type": "string", "length": 100}}}]}"#;
    server.good(&["table", "add", &server.file("products.json", products)]);
    let product = server.make(&["product", "name=Flour"]);
    device.good(&["sync"]);
    assert_eq!(names(&device, "product", "name"), ["Flour"], "online: the server answers");
    server.good(&["filter", "add", "product", "--system"]);
    device.good(&["go-offline"]);
    assert_eq!(device.good(&["get", "product", &product])["attributes"]["name"], "Flour");
    device.good(&["go-online"]);
    let done = device.json(&["filter", "remove", "system-product"]);
    assert_eq!(done.exit, 7, "{done:?}");
    let taken = device.json(&["filter", "add", "product", "--name", "system-mine"]);
    assert_eq!(taken.exit, 2, "{taken:?}");
    // A default that was removed stays removed, and the others stay.
    device.good(&["filter", "remove", "default-incident"]);
    device.good(&["go-offline"]);
    assert_eq!(device.json(&["get", "incident", &incident]).exit, 4);
    assert_eq!(device.good(&["query", "product", "--count"])["count"], 1);
    device.good(&["go-online"]);
    server.good(&["filter", "remove", "system-product", "--system"]);
    device.good(&["go-offline"]);
    assert_eq!(device.json(&["get", "product", &product]).exit, 4);
}
