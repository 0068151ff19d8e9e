//! `offstage plugin check`: what it says about packages that behave, and about packages that do not.
//!
//! Each case is a package of the test plug-in `script`, with steps, requests and a script of its own.
//! Needs the plug-ins of `cargo xtask guests`.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::{Done, Place, command, run};
use offstage_model::registration::{DECLARATIONS_SECTION, PackageDeclaration};
use offstage_sandbox::with_declarations;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn guest(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    target.unwrap_or_else(|| repository("target")).join("guests").join(name)
}

/// The plug-in `script` as another package: with these steps and requests instead of its own.
fn package(place: &Place, steps: &Json, requests: &Json) -> String {
    let mut component = std::fs::read(guest("script.wasm")).expect("`cargo xtask guests` made it");
    // A custom section of another name declares nothing.
    let name = DECLARATIONS_SECTION.as_bytes();
    let found: Vec<usize> = component
        .windows(name.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == name).then_some(at))
        .collect();
    for at in found {
        component[at..at + name.len()].copy_from_slice(b"undeclared-----------");
    }
    let declaration: PackageDeclaration = serde_json::from_value(json!({
        "package": "test/checked", "version": "1.0.0", "requests": requests,
        "types": [{ "type": "test.Script", "steps": steps }],
    }))
    .unwrap();
    let file = place.file("checked.wasm", "");
    std::fs::write(&file, with_declarations(&component, &declaration)).unwrap();
    file
}

/// A step for new contacts on both sides that runs `script`.
fn step(stage: u32, script: &str) -> Json {
    json!([{ "key": "checked", "message": "Create", "table": "contact", "stage": stage,
        "deployment": 2, "configuration": script }])
}

fn writes(table: &str, verbs: &[&str], columns: &[&str]) -> Json {
    json!({ "table": table, "verbs": verbs, "columns": columns, "reason": "a test" })
}

/// Runs a check without any data directory.
fn check(file: &str, options: &[&str]) -> Done {
    run(command().args(["--json", "plugin", "check", file]).args(options))
}

/// The severity of each area.
fn severities(report: &Json) -> Vec<(String, String)> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let judgements = report["judgements"].as_array().unwrap();
    judgements.iter().map(|one| (text(&one["area"]), text(&one["severity"]))).collect()
}

struct Case {
    name: &'static str,
    steps: Json,
    requests: Json,
    exit: i32,
    /// Areas that are not good, with their severity.
    notable: &'static [(&'static str, &'static str)],
    /// Places in the report and what is there.
    seen: &'static [(&'static str, &'static str)],
}

fn title() -> Json {
    json!([writes("contact", &["create"], &["jobtitle"])])
}

fn task() -> Json {
    json!([writes("task", &["create"], &["subject"])])
}

#[expect(clippy::too_many_lines, reason = "cases are data")]
fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "clean: both runs set the same value",
            steps: step(20, "set jobtitle s:Boss"),
            requests: title(),
            exit: 0,
            notable: &[],
            seen: &[
                ("/effects/0/verdict", "\"paired\""),
                ("/effects/0/column", "\"jobtitle\""),
                ("/repetition/runs", "6"),
                ("/repetition/exact", "6"),
                ("/capabilities/0/unused", "[]"),
                ("/modes/0/mode", "\"reconcile\""),
                ("/modes/0/paired", "3"),
            ],
        },
        Case {
            name: "unguarded: both runs make a task, kept once; classic would keep both",
            steps: step(40, "create task subject=s:Call"),
            requests: task(),
            exit: 0,
            notable: &[],
            seen: &[
                ("/modes/0/paired", "3"),
                ("/modes/0/twice", "0"),
                ("/modes/3/mode", "\"classic\""),
                ("/modes/3/twice", "3"),
            ],
        },
        Case {
            name: "only offline: it asks for the flag and returns",
            steps: step(40, "return-if playback\ncreate task subject=s:Call"),
            requests: task(),
            exit: 0,
            notable: &[("Both runs", "note")],
            seen: &[
                ("/effects/0/verdict", "\"carried_over\""),
                ("/effects/0/count", "3"),
                ("/modes/1/mode", "\"authoritative\""),
                ("/modes/1/dropped", "3"),
            ],
        },
        Case {
            name: "only offline without asking for the flag: the server's run decided otherwise",
            steps: step(40, "return-if server\ncreate task subject=s:Call"),
            requests: task(),
            exit: 5,
            notable: &[("Both runs", "look")],
            seen: &[("/effects/0/verdict", "\"dropped\"")],
        },
        Case {
            name: "it refuses in playback what it took offline",
            steps: step(20, "return-if offline\nthrow no"),
            requests: json!([]),
            exit: 5,
            notable: &[("Both runs", "look")],
            seen: &[("/requests/0/playback", "\"not-applied\"")],
        },
        Case {
            name: "it refuses everything offline: no second run was seen",
            steps: step(20, "throw no"),
            requests: json!([]),
            exit: 5,
            notable: &[("Both runs", "look")],
            seen: &[("/steps/0/runsPlayback", "0")],
        },
        Case {
            name: "only on the server: people offline do not see what will be",
            steps: step(40, "return-if offline\ncreate task subject=s:Call"),
            requests: task(),
            exit: 5,
            notable: &[("Both runs", "look")],
            seen: &[("/effects/0/verdict", "\"added_by_server\"")],
        },
        Case {
            name: "the machine's clock in data: the runs differ",
            steps: step(20, "set jobtitle s:{server-now}"),
            requests: title(),
            exit: 5,
            notable: &[("Determinism", "look"), ("Both runs", "look")],
            seen: &[
                ("/sources/0/source", "\"server-now\""),
                ("/sources/0/what", "\"Target.jobtitle\""),
                ("/effects/0/verdict", "\"differs\""),
            ],
        },
        Case {
            name: "times and random numbers of the operation in data: the runs agree",
            steps: step(40, "create task subject=s:{now}-{random}"),
            requests: task(),
            exit: 0,
            notable: &[("Determinism", "note")],
            seen: &[
                ("/sources/0/source", "\"now\""),
                ("/sources/1/source", "\"random\""),
                ("/sources/1/what", "\"Create task.subject\""),
                ("/effects/0/verdict", "\"paired\""),
            ],
        },
        Case {
            name: "it asks for more than it uses",
            steps: step(20, "set jobtitle s:Boss"),
            requests: json!([
                writes("contact", &["create"], &["jobtitle", "department"]),
                writes("account", &["delete"], &[]),
            ]),
            exit: 5,
            notable: &[("Capabilities", "look")],
            seen: &[
                ("/capabilities/0/used", "true"),
                ("/capabilities/0/unused", "[\"create:contact.department\"]"),
                ("/capabilities/1/used", "false"),
            ],
        },
        Case {
            name: "it uses more than it asks for",
            steps: step(40, "catch create task subject=s:Call"),
            requests: json!([]),
            exit: 7,
            notable: &[("Capabilities", "denied")],
            seen: &[
                ("/denials/0/capability", "\"table create:task\""),
                ("/denials/0/cause", "\"not-requested\""),
                ("/denials/0/step", "\"checked\""),
                ("/denials/0/count", "3"),
            ],
        },
        Case {
            name: "files and HTTP: written and queued, and no host is asked",
            steps: step(
                40,
                "write reports {id}.txt at-{server-now}\nhttp POST https://hooks.example.com hi",
            ),
            requests: json!([
                { "directory": "reports", "access": ["read", "write"], "reason": "a test" },
                { "http": "https://hooks.example.com", "reason": "a test" },
            ]),
            exit: 5,
            notable: &[("Determinism", "look"), ("Capabilities", "look")],
            seen: &[
                ("/sources/0/what", "\"files of 'reports'\""),
                ("/capabilities/0/unused", "[\"read:reports\"]"),
                ("/capabilities/1/unused", "[]"),
                ("/requests/0/server", "\"applied\""),
                ("/denials", "[]"),
            ],
        },
        Case {
            name: "it never ends",
            steps: step(20, "loop"),
            requests: json!([]),
            exit: 3,
            notable: &[("Behaviour", "hostile"), ("Cost", "look")],
            seen: &[
                ("/violations/0/ended", "\"out-of-fuel\""),
                ("/violations/0/place", "\"offline\""),
                ("/violations/0/count", "3"),
                ("/modes", "[]"),
            ],
        },
    ]
}

#[test]
fn each_kind_of_package_is_judged_by_what_it_does() {
    for Case { name, steps, requests, exit, notable, seen } in cases() {
        let place = Place::new();
        let done = check(&package(&place, &steps, &requests), &[]);
        assert_eq!(done.exit, exit, "{name}: {done:?}");
        let report = done.json();
        for (at, expected) in seen {
            let found = report.pointer(at).unwrap_or(&Json::Null).to_string();
            assert_eq!(found, *expected, "{name}: {at} of {report:#}");
        }
        let judged = severities(&report);
        let found: Vec<(&str, &str)> = judged
            .iter()
            .filter(|(_, severity)| severity != "good")
            .map(|(area, severity)| (area.as_str(), severity.as_str()))
            .collect();
        for one in notable {
            assert!(found.contains(one), "{name}: {one:?} is not in {found:?}");
        }
        if exit == 0 {
            assert_eq!(found, notable, "{name}: {:#}", report["judgements"]);
        }
    }
}

#[test]
fn a_reviewer_reads_words_and_tables_without_a_terminal() {
    let place = Place::new();
    let file = package(&place, &step(40, "create task subject=s:Call"), &json!([]));
    let done = run(command().args(["plugin", "check", &file]));
    assert_eq!(done.exit, 7, "{done:?}");
    for part in [
        "test/checked 1.0.0",
        "denied   Capabilities      It tried what it may not do: table create:task.",
        "good     Behaviour",
        "Create contact, all columns",
        "refused by checked",
        "What would allow it",
    ] {
        assert!(done.stdout.contains(part), "no '{part}' in:\n{}", done.stdout);
    }
    assert!(!done.stdout.contains('\u{1b}'), "colours without a terminal: {}", done.stdout);
    assert!(!place.path().exists(), "no data directory is made");
}

#[test]
fn the_samples_of_this_repository_are_checked_with_their_tables() {
    let tables = repository("sample-plugins/tables/sales.json");
    let tables = tables.to_str().unwrap();
    for name in ["follow_up_task", "phone_numbers", "duplicate_guard", "account_rollup"] {
        let file = guest(&format!("{name}.wasm"));
        let done = check(file.to_str().unwrap(), &["--tables", tables]);
        let report = done.json();
        assert_eq!(report["violations"], json!([]), "{name}: {report:#}");
        assert_eq!(report["denials"], json!([]), "{name}: {report:#}");
        let (runs, exact) = (&report["repetition"]["runs"], &report["repetition"]["exact"]);
        assert!(runs == exact && runs.as_u64().unwrap() > 0, "{name}: {report:#}");
        let ran = report["steps"].as_array().unwrap().iter().all(|step| {
            ["runsOffline", "runsPlayback", "runsOnline"].iter().any(|at| step[at] != 0)
        });
        assert!(ran, "{name}: {:#}", report["steps"]);
    }
}

#[test]
fn a_sample_from_a_file_takes_the_place_of_the_one_from_metadata() {
    let place = Place::new();
    let script = "create task subject=s:{target:jobtitle}";
    let file = package(&place, &step(40, script), &task());
    let sample = json!({
        "rows": [{ "name": "alpine", "table": "account", "columns": { "name": "Alpine", "revenue": 12.5 } }],
        "requests": [
            { "create": "contact", "columns": { "lastname": "Lee", "jobtitle": "Buyer",
                "parentcustomerid": "account:$alpine" } },
            { "update": "account", "row": "alpine", "columns": { "revenue": null } },
            { "delete": "account", "row": "alpine" },
        ],
    });
    let path = place.file("sample.json", &sample.to_string());
    let report = check(&file, &["--sample", &path]).good();
    let names: Vec<&str> = report["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["1. Create contact", "2. Update account", "3. Delete account"]);
    assert_eq!(report["requests"][0]["server"], "applied", "{report:#}");
    assert_eq!(report["steps"][0]["runsOffline"], 1, "{report:#}");
}

#[test]
fn a_policy_decides_in_place_of_the_requests() {
    let place = Place::new();
    let file = package(&place, &step(20, "set jobtitle s:Boss"), &title());
    let policy = place.file("policy.toml", "");
    let done = check(&file, &["--policy", &policy]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert_eq!(done.json()["denials"][0]["cause"], "not-granted");
}

#[test]
fn what_cannot_be_checked_is_one_clear_error() {
    let place = Place::new();
    let file = package(&place, &step(20, "set jobtitle s:Boss"), &title());
    let text = place.file("text.json", "hello");
    let unknown =
        place.file("unknown.json", r#"{"requests": [{"update": "contact", "row": "nobody"}]}"#);
    let nothing = place.file("nothing.json", r#"{"requests": [{"row": "nobody"}]}"#);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["/nonexistent/x.wasm"], 4, "x.wasm"),
        (&[&text], 2, "is not a plug-in"),
        (&[&file, "--sample", &text], 2, "is no sample"),
        (&[&file, "--sample", &unknown], 2, "there is no row 'nobody'"),
        (&[&file, "--sample", &nothing], 2, "exactly one of create, update, delete"),
        (&[&file, "--tables", &text], 2, "is no file of tables"),
    ];
    for (arguments, exit, message) in cases {
        let done = run(command().args(["--json", "plugin", "check"]).args(arguments));
        assert_eq!(done.exit, exit, "{arguments:?}: {done:?}");
        assert!(done.stdout.contains(message), "{arguments:?}: {done:?}");
    }
}

/// A request that no policy could grant ends the check before anything runs, and is named.
#[test]
fn a_request_that_cannot_be_granted_is_refused() {
    let place = Place::new();
    let requests = |origin: &str| json!([{ "http": origin, "reason": "a test" }]);
    let steps = json!([{ "key": "checked", "message": "Create", "table": "letter", "stage": 40 }]);
    let file = package(&place, &steps, &requests("https://127.0.0.1"));
    let done = place.json(&["plugin", "check", &file]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert!(done.stdout.contains("cannot be granted"), "{done:?}");
    assert!(done.stdout.contains("127.0.0.1") && done.stdout.contains("address"), "{done:?}");
    let file = package(&place, &steps, &requests("https://hooks.example.com"));
    let done = place.json(&["plugin", "check", &file]);
    assert_eq!(done.exit, 5, "the control: it is checked, and never used what it asks for");
}
