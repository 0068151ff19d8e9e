//! What waits for a person, and what a person makes of it: the real program, a server over HTTP.

mod common;

use common::{Done, Place, Serving};
use serde_json::{Value as Json, json};

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("no '{name}' in {json}"))
}

/// A server, and a device of it that synchronises.
fn pair() -> (Place, Serving, Place) {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    device.good(&["outlook", "client", "set", "primary"]);
    (server, serving, device)
}

fn rows(device: &Place, table: &str) -> Vec<Json> {
    let json = device.good(&["query", table]);
    json["rows"].as_array().cloned().unwrap_or_default()
}

fn held(device: &Place) -> Vec<Json> {
    let json = device.json(&["outlook", "held", "list"]).json();
    json["held"].as_array().cloned().unwrap_or_default()
}

fn sync(device: &Place) -> Done {
    device.json(&["outlook", "sync"])
}

#[test]
fn a_duplicate_is_tied_dropped_or_made_after_all() {
    let (_server, _serving, device) = pair();
    let record = device.make(&["contact", "firstname=Ann", "lastname=Lee"]);
    let track = |name: &str| {
        let made = device.good(&[
            "outlook",
            "item",
            "new",
            "contact",
            "first-name=Ann",
            "last-name=Lee",
            name,
        ]);
        let item = text(&made, "item").to_owned();
        let tracked = device.json(&["outlook", "track", &item]);
        assert_eq!(tracked.exit, 5, "it waits: {tracked:?}");
        let waiting = held(&device);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        assert_eq!(text(&waiting[0], "kind"), "duplicate");
        assert_eq!(text(&waiting[0], "item"), item);
        assert_eq!(rows(&device, "contact").len(), 1, "nothing was made");
        waiting[0]["pair"].to_string()
    };
    // It is the record that was found.
    let number = track("nickname=first");
    let report = device.good(&["outlook", "held", "tie", &number]);
    assert_eq!(text(&report["pairs"][0], "record"), record, "{report}");
    let row = device.good(&["get", "contact", &record]);
    assert_eq!(row["attributes"]["nickname"], "first", "{row}");
    let again = device.json(&["outlook", "held", "tie", &number]);
    assert_eq!(again.exit, 4, "nothing waits any more: {again:?}");
    // Another item cannot be tied to it too; nothing of that one goes anywhere, now and later.
    let number = track("nickname=second");
    let tied = device.json(&["outlook", "held", "tie", &number]);
    assert_ne!(tied.exit, 0, "{tied:?}");
    assert!(text(&tied.json()["error"], "hint").contains("held release"), "{tied:?}");
    assert_eq!(device.good(&["outlook", "held", "drop", &number]), json!({ "dropped": 1 }));
    assert!(held(&device).is_empty());
    for _ in 0..2 {
        sync(&device).good();
    }
    assert_eq!(rows(&device, "contact").len(), 1);
    // It is another person of that name.
    let number = track("nickname=third");
    let report = device.good(&["outlook", "held", "release", &number]);
    assert_eq!(text(&report["pairs"][0], "done"), "created-record", "{report}");
    assert_eq!(rows(&device, "contact").len(), 2);
}

#[test]
fn many_deletions_wait_and_happen_or_not() {
    let (_server, _serving, device) = pair();
    device.good(&["outlook", "settings", "set", "--deletions-max", "1"]);
    let delete_all = |names: &[&str]| {
        for name in names {
            device.make(&["task", &format!("subject={name}")]);
        }
        sync(&device).good();
        let items = device.good(&["outlook", "item", "list", "task"]);
        for item in items["items"].as_array().expect("items") {
            device.good(&["outlook", "item", "delete", text(item, "item")]);
        }
        let waits = sync(&device);
        assert_eq!(waits.exit, 5, "{waits:?}");
        let waiting = held(&device);
        assert_eq!(waiting.len(), names.len(), "{waiting:?}");
        assert!(waiting.iter().all(|one| text(one, "kind") == "deletions"), "{waiting:?}");
        let status = device.good(&["outlook", "status"]);
        assert_eq!(status["held"], names.len(), "{status}");
        assert_eq!(rows(&device, "task").len(), names.len());
    };
    delete_all(&["One", "Two"]);
    // Everything at once is asked for by name.
    assert_eq!(device.json(&["outlook", "held", "release"]).exit, 2);
    assert_eq!(device.json(&["outlook", "held", "release", "1", "--all"]).exit, 2);
    let report = device.good(&["outlook", "held", "release", "--all"]);
    assert_eq!(report["pairs"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(rows(&device, "task").len(), 0);
    delete_all(&["Three", "Four"]);
    assert_eq!(device.good(&["outlook", "held", "drop", "--all"])["dropped"], 2);
    sync(&device).good();
    assert_eq!(rows(&device, "task").len(), 2, "the records stay");
    assert!(held(&device).is_empty());
}

#[test]
fn a_conflict_is_planned_field_by_field_decided_and_noted() {
    let (_server, _serving, device) = pair();
    let record = device.make(&["contact", "lastname=Lee", "jobtitle=Clerk"]);
    sync(&device).good();
    let items = device.good(&["outlook", "item", "list", "contact"]);
    let item = text(&items["items"][0], "item").to_owned();
    device.good(&["outlook", "item", "edit", &item, "job-title=Buyer"]);
    device.good(&["update", "contact", &record, "jobtitle=CEO"]);
    let plan = device.good(&["outlook", "sync", "--dry-run"]);
    let field = &plan["pairs"][0]["fields"][0];
    let values = ["field", "base", "outlook", "crm", "winner"].map(|name| text(field, name));
    assert_eq!(values, ["job-title", "Clerk", "Buyer", "CEO", "crm"], "{plan}");
    assert_eq!((&field["conflict"], &plan["dry_run"]), (&json!(true), &json!(true)), "{plan}");
    let shown = device.good(&["outlook", "item", "show", &item]);
    assert_eq!(shown["properties"]["job-title"], "Buyer", "a plan writes nothing");
    sync(&device).good();
    let shown = device.good(&["outlook", "item", "show", &item]);
    assert_eq!(shown["properties"]["job-title"], "CEO");
    let status = device.good(&["outlook", "status"]);
    let notes = status["notes"].as_array().expect("notes");
    assert!(notes.iter().any(|note| note.to_string().contains("Buyer")), "{status}");
    assert_eq!((&status["pairs"], &status["client"]["role"]), (&json!(1), &json!("primary")));
    assert_eq!(status["runs"].as_array().map(Vec::len), Some(2), "a plan is no run: {status}");
}

#[test]
fn conflicts_are_listed_with_both_values_and_the_other_one_is_taken() {
    let (_server, _serving, device) = pair();
    let record = device.make(&["contact", "lastname=Lee", "jobtitle=Clerk"]);
    sync(&device).good();
    let items = device.good(&["outlook", "item", "list", "contact"]);
    let item = text(&items["items"][0], "item").to_owned();
    device.good(&["outlook", "item", "edit", &item, "job-title=Buyer"]);
    device.good(&["update", "contact", &record, "jobtitle=CEO"]);
    sync(&device).good();
    let listed = device.good(&["outlook", "notes", "list", "--conflicts"]);
    let conflict = &listed["notes"][0];
    let values = ["field", "base", "outlook", "crm"].map(|name| text(&conflict["fields"][0], name));
    assert_eq!(values, ["job-title", "Clerk", "Buyer", "CEO"], "{listed}");
    assert_eq!((text(conflict, "stood"), text(conflict, "record")), ("crm", &*record), "{listed}");
    let shown = device.run(&["outlook", "notes", "list", "--conflicts"]);
    assert!(shown.stdout.contains("Buyer") && shown.stdout.contains("CEO"), "{shown:?}");
    let number = conflict["note"].to_string();
    let report = device.good(&["outlook", "notes", "take", &number, "outlook"]);
    assert_eq!(text(&report["pairs"][0], "done"), "merged", "{report}");
    let row = device.good(&["get", "contact", &record]);
    assert_eq!(row["attributes"]["jobtitle"], "Buyer", "{row}");
    let all = device.good(&["outlook", "notes", "list"]);
    assert_eq!(text(&all["notes"][0], "kind"), "taken", "{all}");
    assert_eq!(all["notes"].as_array().map(Vec::len), Some(2), "{all}");
    device.good(&["update", "contact", &record, "jobtitle=CFO"]);
    let refused = device.json(&["outlook", "notes", "take", &number, "crm"]);
    assert_ne!(refused.exit, 0, "{refused:?}");
    assert!(text(&refused.json()["error"], "message").contains("changed since"), "{refused:?}");
    let missing = device.json(&["outlook", "notes", "take", "4711", "crm"]);
    assert_eq!(missing.exit, 4, "{missing:?}");
}

#[test]
fn saving_in_the_inspector_waits_for_its_closing_and_mail_does_not() {
    let (_server, _serving, device) = pair();
    let made = device.good(&["outlook", "item", "new", "task", "subject=Call"]);
    let task = text(&made, "item").to_owned();
    device.good(&["outlook", "track", &task]);
    device.good(&["outlook", "open", &task]);
    device.good(&["outlook", "item", "edit", &task, "subject=Call back"]);
    let saved = device.good(&["outlook", "save", &task]);
    assert_eq!((text(&saved, "when"), &saved["report"]), ("on-close", &Json::Null));
    assert_eq!(text(&rows(&device, "task")[0]["attributes"], "subject"), "Call");
    device.good(&["outlook", "close", &task]);
    assert_eq!(text(&rows(&device, "task")[0]["attributes"], "subject"), "Call back");

    let made =
        device.good(&["outlook", "item", "new", "email", "subject=Hi", "to=Ann <ann@x.example>"]);
    let mail = text(&made, "item").to_owned();
    device.good(&["outlook", "item", "send", &mail]);
    device.good(&["outlook", "track", &mail]);
    device.good(&["outlook", "open", &mail]);
    let saved = device.good(&["outlook", "save", &mail]);
    assert_eq!(text(&saved, "when"), "now", "{saved}");
}
