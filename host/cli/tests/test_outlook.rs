//! The mailbox and the records of its user, as a person works with them: real processes, a server
//! over HTTP.

mod common;

use common::Place;
use serde_json::Value as Json;

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("no '{name}' in {json}"))
}

#[test]
fn items_and_records_go_both_ways_wait_while_offline_and_catch_up() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    let client = device.good(&["outlook", "client", "set", "primary", "--name", "desk"]);
    assert_eq!(client["client"]["role"], "primary");
    let record = device.make(&["contact", "firstname=Ann", "lastname=Lee"]);
    let report = device.good(&["outlook", "sync"]);
    assert_eq!(report["pairs"][0]["done"], "created-item", "{report}");
    let items = device.good(&["outlook", "item", "list", "contact"]);
    let item = text(&items["items"][0], "item").to_owned();

    // The plan, field by field, before anything is written.
    device.good(&["outlook", "item", "edit", &item, "nickname=Annie"]);
    device.good(&["update", "contact", &record, "jobtitle=CEO"]);
    let plan = device.good(&["outlook", "sync", "--dry-run"]);
    let fields = plan["pairs"][0]["fields"].as_array().unwrap();
    let fields: Vec<_> = fields.iter().map(|f| (text(f, "field"), text(f, "winner"))).collect();
    assert_eq!(fields, [("job-title", "crm"), ("nickname", "outlook")]);
    let run = device.good(&["outlook", "sync"])["run"].to_string();
    let row = device.good(&["get", "contact", &record]);
    assert_eq!(row["attributes"]["nickname"], "Annie", "{row}");

    // Offline the engine waits; what is played back reaches Outlook. Appendix A of the paper:
    // "Offline synchronization", "Online mode", "Online synchronization", "Outlook synchronization";
    // its questions: the same for a client with and without an offline copy.
    device.good(&["go-offline"]);
    device.good(&["update", "contact", &record, "department=Sales"]);
    let waits = device.json(&["outlook", "sync"]);
    assert_eq!(waits.exit, 6, "{waits:?}");
    device.good(&["go-online"]);
    device.good(&["outlook", "sync"]);
    let shown = device.good(&["outlook", "item", "show", &item]);
    assert_eq!(shown["properties"]["department"], "Sales", "{shown}");

    // A run is taken back, and its pairs wait for a person.
    let undone = device.good(&["outlook", "undo", &run]);
    assert_eq!(undone["undone"], 2, "{undone}");
    let held = device.json(&["outlook", "held", "list"]).good();
    assert_eq!(held["held"][0]["kind"], "undone");
    let status = device.good(&["outlook", "status"]);
    assert_eq!(status["held"], 1, "{status}");
}

#[test]
fn the_inspector_synchronises_when_it_closes_and_mail_when_it_is_sent() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    // Without a role there is no engine, and the hint says what to do.
    let early = device.json(&["outlook", "sync"]);
    assert_ne!(early.exit, 0);
    assert!(text(&early.json()["error"], "hint").contains("client set primary"), "{early:?}");
    device.good(&["outlook", "client", "set", "primary"]);
    let made =
        device.good(&["outlook", "item", "new", "task", "subject=Call", "due-date=2027-03-28"]);
    let task = text(&made, "item").to_owned();
    device.good(&["outlook", "open", &task]);
    let tracked = device.good(&["outlook", "track", &task, "--in", "inspector"]);
    assert_eq!((text(&tracked, "when"), &tracked["report"]), ("on-close", &Json::Null));
    device.good(&["outlook", "close", &task]);
    let rows = device.good(&["query", "task", "--select", "subject,scheduledend"]);
    assert_eq!(rows["rows"].as_array().map(Vec::len).unwrap_or_default(), 1, "{rows}");
    let made =
        device.good(&["outlook", "item", "new", "email", "subject=Hi", "to=Ann <ann@x.example>"]);
    let mail = text(&made, "item").to_owned();
    assert_eq!(text(&device.good(&["outlook", "track", &mail]), "when"), "not-applicable");
    device.good(&["outlook", "track", &mail, "--in", "inspector"]);
    device.good(&["outlook", "item", "send", &mail]);
    let rows = device.good(&["query", "email", "--select", "subject,torecipients"]);
    assert_eq!(rows["rows"].as_array().map(Vec::len).unwrap_or_default(), 1, "{rows}");
    let wrong = device.json(&["outlook", "item", "new", "task", "colour=red"]);
    assert_eq!(wrong.exit, 2, "{wrong:?}");
}

/// Sends a request to the local API of a host, as a program does.
fn post(url: &str, token: &str, body: &str) -> (u16, Json) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent
        .post(url)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .send(body)
        .expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().expect("JSON"))
}

#[test]
fn programs_act_in_the_mailbox_over_http() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    device.good(&["outlook", "client", "set", "primary"]);
    let host = common::Serving::start(&device.path(), "host", &[]);
    let token = std::fs::read_to_string(device.path().join("api-token")).expect("a token");
    let token = token.trim();
    let call = |verb: &str, body: &str| {
        post(&format!("{}/offstage/v1/mailbox/{verb}", host.url), token, body)
    };
    let (status, made) =
        call("item", r#"{ "new": { "kind": "task", "values": ["subject=Call"] } }"#);
    assert_eq!(status, 200, "{made}");
    let item = text(&made, "item").to_owned();
    let named = format!(r#"{{ "item": "{item}" }}"#);
    assert_eq!(call("open", &named).0, 200);
    let (_, tracked) = call("track", &format!(r#"{{ "item": "{item}", "in": "inspector" }}"#));
    assert_eq!(text(&tracked, "when"), "on-close", "{tracked}");
    assert_eq!(call("close", &named).0, 200);
    let rows = device.good(&["query", "task", "--select", "subject"]);
    assert_eq!(rows["rows"].as_array().map(Vec::len).unwrap_or_default(), 1, "{rows}");
    let (status, report) = call("sync", r#"{ "dryRun": true }"#);
    assert_eq!((status, &report["pairs"]), (200, &serde_json::json!([])), "{report}");
    assert_eq!(call("status", "{}").1["pairs"], 1);
    let (status, notes) = call("notes", r#"{ "list": { "conflicts": true } }"#);
    assert_eq!((status, &notes["notes"]), (200, &serde_json::json!([])), "{notes}");
    // What goes wrong: the status, and a word about it.
    let cases = [
        ("track", r#"{ "item": "nowhere" }"#, 404, "nowhere"),
        ("track", "{}", 400, "item"),
        ("track", r#"{ "item": "x", "colour": 1 }"#, 400, "colour"),
        ("notes", r#"{ "take": { "note": 4711, "side": "crm" } }"#, 404, "4711"),
        ("store", r#""list""#, 404, "store"),
        ("settings", r#""show""#, 404, "settings"),
        ("sync", "no JSON", 400, "JSON"),
    ];
    for (verb, body, wanted, word) in cases {
        let (status, fault) = call(verb, body);
        assert_eq!(status, wanted, "{verb} {body}: {fault}");
        assert!(text(&fault, "message").contains(word), "{verb} {body}: {fault}");
    }
    let url = format!("{}/offstage/v1/mailbox/status", host.url);
    assert_eq!(post(&url, "not the token", "{}").0, 401);
    let elsewhere = format!("{}/offstage/v1/mailbox/status", serving.url);
    assert_eq!(post(&elsewhere, "anything", "{}").0, 404, "a server has no mailbox");
}

/// Waits until the mailbox shows something; nobody types `outlook sync`.
fn wait_for(device: &Place, what: &str, shown: impl Fn(&Json) -> bool) {
    let mut last = Json::Null;
    for _ in 0..600 {
        last = device.good(&["outlook", "item", "list", "contact"]);
        if shown(&last) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("{what}: {last}");
}

/// The runs of a schedule, the latest first.
fn scheduled(device: &Place) -> Vec<Json> {
    let status = device.good(&["outlook", "status"]);
    let runs = status["runs"].as_array().cloned().unwrap_or_default();
    runs.into_iter().filter(|run| run["trigger"] == "schedule").collect()
}

#[test]
fn the_schedule_of_a_host_works_by_itself_waits_while_offline_and_catches_up() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    device.good(&["outlook", "client", "set", "primary"]);
    device.good(&["outlook", "settings", "set", "--interval", "1"]);
    let record = device.make(&["contact", "firstname=Ann", "lastname=Lee"]);
    let _host = common::Serving::start(&device.path(), "host", &[]);
    wait_for(&device, "the first run", |list| {
        list["items"].as_array().is_some_and(|items| items.len() == 1)
    });
    let item = device.good(&["outlook", "item", "list", "contact"]);
    let item = text(&item["items"][0], "item").to_owned();
    let runs = scheduled(&device).len();
    assert!(runs > 0);

    // Offline, longer than the interval: no run, not even one that fails.
    device.good(&["go-offline"]);
    let before = scheduled(&device).len();
    device.good(&["update", "contact", &record, "lastname=Leigh"]);
    std::thread::sleep(std::time::Duration::from_secs(75));
    assert_eq!(scheduled(&device).len(), before, "it waits while offline");
    let shown = device.good(&["outlook", "item", "show", &item]);
    assert_eq!(shown["properties"]["last-name"], "Lee", "{shown}");

    // What is played back reaches the mailbox.
    device.good(&["go-online"]);
    wait_for(&device, "after going online", |_| {
        device.good(&["outlook", "item", "show", &item])["properties"]["last-name"] == "Leigh"
    });
    assert!(scheduled(&device).len() > before);
}
