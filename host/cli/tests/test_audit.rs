//! Plug-ins that misbehave, as an operator sees it: suspended and resumed on each side, and in an
//! audit file that has a bound.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::Place;
use serde_json::Value as Json;
use std::fs;

const HOSTILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/hostile.wasm");
const PACKAGE: &str = "tests/hostile";
/// A file that is full; it is the audit's own limit.
const FULL: usize = 16 << 20;

/// The records of an audit file of a data directory.
fn audit(place: &Place, file: &str) -> Vec<Json> {
    let text = fs::read_to_string(place.path().join(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(place: &Place) -> Vec<String> {
    let records = audit(place, "audit.jsonl");
    records.iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect()
}

fn trust(place: &Place) {
    place.good(&["policy", "trust", "pin", HOSTILE, "--reason", "a test"]);
}

/// Makes the plug-in trap in a row until it is suspended, and lets it run again.
fn suspend_and_resume(place: &Place) {
    let attack =
        |what: &str| place.json(&["create", "account", "name=a", &format!("description={what}")]);
    for _ in 0..5 {
        assert_eq!(attack("panic").exit, 3);
    }
    assert_eq!(
        events(place),
        ["violation"; 5].into_iter().chain(["suspension"]).collect::<Vec<_>>()
    );
    let done = attack("nothing");
    assert!(done.stdout.contains("0x8f00000e") && done.stdout.contains(PACKAGE), "{done:?}");
    let status = place.run(&["status"]);
    assert!(status.stdout.contains(&format!("offstage plugin resume {PACKAGE}")), "{status:?}");
    let shown = place.run(&["plugin", "show", PACKAGE]);
    assert!(shown.stdout.contains("the sandbox ended 5 runs in a row"), "{shown:?}");
    assert!(shown.stdout.contains("hostile-attack: it trapped: wasm trap:"), "{shown:?}");

    assert_eq!(place.good(&["plugin", "resume", PACKAGE])["wasSuspended"], true);
    assert_eq!(attack("nothing").exit, 0, "it runs again");
    assert_eq!(place.good(&["plugin", "resume", PACKAGE])["wasSuspended"], false);
    let records = audit(place, "audit.jsonl");
    let [.., suspension, resumption] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&suspension["runs"], &suspension["package"]), (&5.into(), &PACKAGE.into()));
    assert_eq!(resumption["event"], "resumption");
    assert!(resumption["user"].as_str().is_some_and(|user| user.len() == 36), "{resumption}");
    let done = place.json(&["plugin", "resume", "tests/nobody"]);
    assert_eq!(done.exit, 4, "{done:?}");
}

#[test]
fn a_plug_in_is_suspended_and_resumed_on_a_server_and_on_a_device() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    trust(&server);
    server.good(&["plugin", "add", HOSTILE]);
    let device = Place::new();
    device.good(&["connect", &serving.url]);
    trust(&device);
    device.good(&["go-offline"]);
    suspend_and_resume(&device);
    assert_eq!(events(&server), Vec::<String>::new(), "each side counts for itself");
    suspend_and_resume(&server);
}

#[test]
fn a_package_that_is_refused_or_skipped_is_in_the_audit() {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    assert_eq!(place.json(&["plugin", "add", HOSTILE]).exit, 7);
    let records = audit(&place, "audit.jsonl");
    let [refusal] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&refusal["event"], &refusal["package"]), (&"refusal".into(), &PACKAGE.into()));
    assert!(refusal["reason"].as_str().unwrap().contains("trust.toml"), "{refusal}");
    trust(&place);
    let added = place.good(&["plugin", "add", HOSTILE]);
    assert_eq!(events(&place), ["refusal"]);

    fs::remove_file(place.path().join("trust.toml")).unwrap();
    let serving = place.serve(&["--dev"]);
    // By the process that serves, and by the command itself.
    let told = |name: &str| {
        let done = place.json(&["create", "account", name]);
        assert_eq!(done.exit, 0, "{done:?}");
        done.stderr
            .contains("'tests/hostile' does not run where this ran, which went on without it")
    };
    assert!(told("name=a") && told("name=b"));
    drop(serving);
    let records = audit(&place, "audit.jsonl");
    let [_, skip] = records.as_slice() else { panic!("one line in a process: {records:?}") };
    assert_eq!((&skip["event"], &skip["sha256"]), (&"skip".into(), &added["package"]["sha256"]));
    assert!(skip["remedy"].as_str().unwrap().contains("[[pin]]"), "{skip}");
    // Each request that went on without it is in the trace.
    let traces = place.good(&["trace", "list", "--step", "hostile-attack"]);
    let traces = traces["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 2, "{traces:?}");
    let shown = place.run(&["trace", "show", traces[0]["id"].as_str().unwrap()]);
    let text = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["the step was skipped", PACKAGE, "hostile-attack", "does not run here"] {
        assert!(text.contains(word), "{word}: {shown:?}");
    }
}

/// The file never grows beyond its bound by more than a record, and one older file is kept: by
/// commands that write one record each as well as by a process that goes on.
#[test]
fn the_audit_has_a_bound() {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    let (file, older) = (place.path().join("audit.jsonl"), place.path().join("audit.1.jsonl"));
    let refuse = || assert_eq!(place.json(&["plugin", "add", HOSTILE]).exit, 7);
    let full = |mark: char| {
        let line = format!("{{\"event\":\"{mark}\"}}\n");
        fs::write(&file, line.repeat(FULL / line.len() + 1)).unwrap();
    };
    full('a');
    refuse();
    assert_eq!(events(&place), ["refusal"]);
    assert_eq!(audit(&place, "audit.1.jsonl")[0]["event"], "a");
    refuse();
    assert_eq!(events(&place), ["refusal"; 2], "it is not full yet");

    let serving = place.serve(&["--dev"]);
    refuse();
    full('b');
    refuse();
    refuse();
    drop(serving);
    assert_eq!(events(&place), ["refusal"; 2]);
    assert_eq!(audit(&place, "audit.1.jsonl")[0]["event"], "b", "in place of the one before");
    let bytes: u64 = [&file, &older].iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes < 2 * FULL as u64, "{bytes} bytes");
    let names = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let kept = names.filter(|name| name.to_string_lossy().starts_with("audit")).count();
    assert_eq!(kept, 2, "there is no third file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
