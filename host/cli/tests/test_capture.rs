//! Captures through the program: taken on a device and its server, carried to a third machine in a
//! file, replayed there, and the two runs side by side.
//!
//! Needs the plug-ins of `cargo xtask guests`.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::{Place, Serving};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn component(name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    let target = target.unwrap_or_else(|| repository("target"));
    target.join("guests").join(name).to_str().unwrap().to_owned()
}

const PACKAGES: [&str; 2] = ["account_rollup.wasm", "credit_rule.wasm"];

/// A server with two plug-ins and an account, and a device of it that is offline. Both capture.
fn pair() -> (Place, Serving, Place, String) {
    let (server, device) = (Place::new(), Place::new());
    let serving = server.serve(&["--dev"]);
    server.good(&[
        "table",
        "add",
        repository("sample-plugins/tables/sales.json").to_str().unwrap(),
    ]);
    device.good(&["connect", &serving.url]);
    for file in PACKAGES.map(component) {
        for place in [&server, &device] {
            place.good(&[
                "policy",
                "trust",
                "pin",
                &file,
                "--reason",
                "a test",
                "--grant",
                "requested",
            ]);
        }
        server.good(&["plugin", "add", &file]);
    }
    let account = server.make(&["account", "name=Alpine Bakery", "creditlimit=1000"]);
    device.good(&["go-offline"]);
    (server, serving, device, account)
}

fn captures(place: &Place, arguments: &[&str]) -> Vec<Json> {
    let mut all = vec!["capture", "list"];
    all.extend(arguments);
    place.good(&all)["captures"].as_array().unwrap().clone()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_else(|| panic!("{json}"))
}

#[test]
fn a_capture_replays_on_a_machine_that_has_nothing_but_the_file() {
    let (_server, _serving, device, account) = pair();
    assert_eq!(captures(&device, &[]), Vec::<Json>::new());
    device.good(&["capture", "all"]);
    let parent = format!("parentaccountid=account:{account}");
    device.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50", &parent]);
    let taken = captures(&device, &["--step", "rollup-on-create"]);
    assert_eq!(taken.len(), 1, "{taken:?}");
    let id = text(&taken[0]["id"]);
    assert_eq!((text(&taken[0]["place"]), &taken[0]["failed"]), ("offline", &Json::Bool(false)));

    // Where it was taken, by id.
    let before = device.good(&["query", "opportunity", "--count"]);
    let replay = device.good(&["replay", id]);
    for name in ["exact", "samePlugin", "sameOutcome", "sameFuel", "sameTrace"] {
        assert_eq!(replay[name], true, "{name}: {replay}");
    }
    assert_eq!(replay["fuel"], replay["recordedFuel"]);
    assert_eq!(device.good(&["query", "opportunity", "--count"]), before);
    let shown = device.run(&["replay", id]).stdout;
    assert!(shown.contains("Same calls, same result, same fuel"), "{shown}");
    assert!(device.run(&["capture", "show", id]).stdout.contains("RetrieveMultiple opportunity"));

    // Elsewhere, from the file: with a build given, or with what is registered there.
    let file = device.file("run.json", "");
    device.good(&["capture", "export", id, &file]);
    let nowhere = Place::new();
    let plugin = component("account_rollup.wasm");
    let replay = nowhere.good(&["replay", "--file", &file, "--with", &plugin]);
    assert_eq!(replay["exact"], true, "{replay}");
    let done = nowhere.json(&["replay", "--file", &file]);
    assert_eq!(done.exit, 4, "{done:?}");
    assert!(text(&done.json()["error"]["hint"]).contains("--with"));

    let other = Place::new();
    let _serving = other.serve(&["--dev"]);
    assert_eq!(other.good(&["capture", "import", &file])["added"], 1);
    assert_eq!(other.good(&["capture", "import", &file])["added"], 0, "twice is once");
    assert_eq!(captures(&other, &[])[0]["imported"], true);
    let replay = other.good(&["replay", id, "--with", &plugin]);
    assert_eq!(replay["exact"], true, "{replay}");
}

#[test]
fn a_refused_run_is_captured_although_it_was_rolled_back() {
    let (server, _serving, device, account) = pair();
    server.good(&["capture", "on-error", "--keep", "3"]);
    let parent = format!("parentaccountid=account:{account}");
    device.make(&["opportunity", "name=Pumps", "estimatedvalue=5000", &parent]);
    device.make(&["opportunity", "name=Valves", "estimatedvalue=5", &parent]);
    assert_eq!(device.json(&["go-online"]).exit, 5, "the first one is refused");
    let taken = captures(&server, &[]);
    assert_eq!(taken.len(), 1, "only what failed: {taken:?}");
    assert_eq!(text(&taken[0]["step"]), "credit-on-create");
    assert_eq!((text(&taken[0]["place"]), &taken[0]["failed"]), ("playback", &Json::Bool(true)));
    let id = text(&taken[0]["id"]);
    assert_eq!(server.good(&["replay", id])["exact"], true);

    // A build that asks something else: the rollup has no such type, so it never asks.
    let done = server.json(&["replay", id, "--with", &component("account_rollup.wasm")]);
    assert_eq!(done.exit, 5, "{done:?}");
    let replay = done.json();
    assert_eq!(replay["divergence"]["call"], 1, "{replay}");
    assert!(text(&replay["divergence"]["expected"]["text"]).starts_with("Retrieve account("));
    assert_eq!(replay["divergence"]["got"], Json::Null);

    // Bounded: the oldest go.
    for _ in 0..4 {
        let done =
            server.json(&["create", "opportunity", "name=x", "estimatedvalue=9000", &parent]);
        assert_eq!(done.exit, 3, "{done:?}");
    }
    let taken = captures(&server, &[]);
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|capture| text(&capture["place"]) == "online"), "{taken:?}");
    // The setting outlives the process.
    drop(_serving);
    assert_eq!(server.good(&["capture", "list"])["policy"]["mode"], "on-error");
    server.good(&["capture", "off"]);
    assert_eq!(
        server.json(&["create", "opportunity", "name=x", "estimatedvalue=9000", &parent]).exit,
        3
    );
    assert_eq!(captures(&server, &[]), taken);
}

#[test]
fn the_offline_and_the_playback_run_stand_side_by_side_from_a_file_of_the_other_side() {
    let (server, _serving, device, account) = pair();
    for place in [&server, &device] {
        place.good(&["capture", "step", "rollup-on-create"]);
    }
    let parent = format!("parentaccountid=account:{account}");
    // What others did meanwhile makes the second run count two.
    device.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50", &parent]);
    server.make(&["opportunity", "name=Valves", "estimatedvalue=7", &parent]);
    device.good(&["go-online"]);
    let operation = captures(&device, &[])[0]["operation"].as_str().unwrap().to_owned();
    let done = device.json(&["replay", "--pair", &operation]);
    assert_eq!(done.exit, 4, "{done:?}");
    let file = server.file("server.json", "");
    assert_eq!(server.good(&["capture", "export", &operation, &file])["captures"], 1);
    let done = device.json(&["replay", "--pair", &operation, "--file", &file]);
    assert_eq!(done.exit, 5, "the runs differ: {done:?}");
    let pairs = done.json();
    assert_eq!(pairs["different"], 1, "{pairs}");
    let pair = &pairs["pairs"][0];
    assert_eq!(text(&pair["step"]), "rollup-on-create");
    let differs: Vec<&str> =
        pair["context"].as_array().unwrap().iter().map(|d| text(&d["what"])).collect();
    for name in ["is_executing_offline", "is_offline_playback"] {
        assert!(differs.contains(&name), "{differs:?}");
    }
    let first = pair["firstDifference"].as_u64().unwrap() as usize;
    let call = &pair["calls"][first];
    assert!(call["offline"]["call"]["execute"].is_object(), "{call}");
    let shown = device.run(&["replay", "--pair", &operation, "--file", &file]).stdout;
    for part in
        ["Step rollup-on-create", "Playback", "≈", "First difference", "did not do the same"]
    {
        assert!(shown.contains(part), "no '{part}' in:\n{shown}");
    }
}

#[test]
fn runs_that_did_the_same_are_no_difference() {
    let (server, _serving, device, _account) = pair();
    for place in [&server, &device] {
        place.good(&["capture", "step", "rollup-on-create"]);
    }
    // Without an account there is nothing to count in either run.
    device.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50"]);
    device.good(&["go-online"]);
    let operation = captures(&device, &[])[0]["operation"].as_str().unwrap().to_owned();
    let file = server.file("server.json", "");
    server.good(&["capture", "export", &operation, &file]);
    let pairs = device.good(&["replay", "--pair", &operation, "--file", &file]);
    assert_eq!((&pairs["different"], pairs["pairs"].as_array().unwrap().len()), (&0.into(), 1));
}

#[test]
fn bad_files_and_ids_are_one_clear_error() {
    let place = Place::new();
    let _serving = place.serve(&["--dev"]);
    let id = "00000000-0000-0000-0000-000000000007";
    for (name, content) in [("text.txt", "hello"), ("other.json", "{}"), ("list.json", "[1]")] {
        let file = place.file(name, content);
        let done = place.json(&["capture", "import", &file]);
        assert_eq!(done.exit, 2, "{done:?}");
        assert!(text(&done.json()["error"]["message"]).contains(name), "{done:?}");
    }
    let cases: [(&[&str], i32); 6] = [
        (&["capture", "show", id], 4),
        (&["capture", "show", "nonsense"], 2),
        (&["capture", "export", id, "/nonexistent/x"], 4),
        (&["capture", "import", "/nonexistent/x"], 4),
        (&["capture", "step", "no-such-step"], 4),
        (&["replay", id], 4),
    ];
    for (arguments, exit) in cases {
        assert_eq!(place.json(arguments).exit, exit, "{arguments:?}");
    }
    for wrong in
        [&["replay"][..], &["replay", id, "--break", "x"], &["replay", id, "--pair", "--gdb"]]
    {
        assert_eq!(place.json(wrong).exit, 2, "{wrong:?}");
    }
}
