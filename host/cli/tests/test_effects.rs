//! Files, outbound HTTP and secrets of plug-ins as an operator sees them, and damaged files of the
//! policy.

mod common;

use common::Place;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/script.wasm");

/// A server's directory whose process has ended again: nothing sends, and commands open it themselves.
fn server() -> Place {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    place
}

#[test]
fn secrets_are_set_from_standard_input_and_shown_by_name() {
    let place = server();
    let value = "v4lue-of-a-token";
    assert_eq!(place.json_with_input(&["secret", "set", "token"], &format!("{value}\n")).exit, 0);
    assert_eq!(place.good(&["secret", "list"])["secrets"], serde_json::json!(["token"]));
    let done = place.run(&["secret", "list"]);
    assert!(!done.stdout.contains(value) && !done.stderr.contains(value), "{done:?}");
    let file = place.path().join("secrets/token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), value);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    for (name, input) in [("../token", "x"), ("token", ""), ("token", "a\nb"), (".token", "x")] {
        let done = place.json_with_input(&["secret", "set", name], input);
        assert_eq!(done.exit, 2, "{name}: {done:?}");
    }
    place.good(&["secret", "remove", "token"]);
    assert_eq!(place.json(&["secret", "remove", "token"]).exit, 4);
    let nowhere = Place::new();
    assert_eq!(nowhere.json_with_input(&["secret", "set", "token"], "x").exit, 4);
}

#[test]
fn requests_of_plug_ins_are_listed_shown_and_decided() {
    let place = server();
    let pin = ["policy", "trust", "pin", SCRIPT, "--reason", "a test", "--grant", "requested"];
    place.good(&pin);
    place.good(&["plugin", "add", SCRIPT]);
    let script = "http-secret https://hooks.example.com/orders hooks-token";
    place.good(&["step", "set", "script-idle", "--configuration", script]);
    for _ in 0..2 {
        place.good(&["create", "letter", "subject=dear"]);
    }
    let listed = place.good(&["outbox", "list"]);
    let requests = listed["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "{listed}");
    assert_eq!((&requests[0]["state"], &requests[0]["method"]), (&"queued".into(), &"POST".into()));
    let id = requests[0]["id"].as_str().unwrap();
    let done = place.run(&["outbox", "show", id]);
    assert!(done.stdout.contains("Authorization: Bearer <secret hooks-token>"), "{done:?}");
    assert_eq!(place.good(&["outbox", "discard", id])["state"], "discarded");
    assert_eq!(place.json(&["outbox", "retry", id]).exit, 6, "it is done with");
    assert_eq!(place.good(&["outbox", "list", "--state", "queued"])["requests"][0]["attempts"], 0);
    let nobody = "00000000-0000-0000-0000-000000000001";
    for verb in ["show", "retry", "discard"] {
        assert_eq!(place.json(&["outbox", verb, nobody]).exit, 4, "{verb}");
    }
}

#[test]
fn the_doctor_names_directories_that_plug_ins_cannot_use() {
    let place = server();
    let usable = place.path().join("../reports");
    std::fs::create_dir(&usable).unwrap();
    let usable = usable.canonicalize().unwrap();
    let entry = |name: &str, path: &std::path::Path| {
        format!("[[directory]]\nname = \"{name}\"\npath = {path:?}\n")
    };
    let missing = usable.join("missing");
    let own = place.path().canonicalize().unwrap();
    let text = entry("good", &usable) + &entry("gone", &missing) + &entry("own", &own);
    std::fs::write(place.path().join("policy.toml"), text).unwrap();
    let done = place.json(&["doctor"]);
    assert_eq!(done.exit, 5, "{done:?}");
    let report = done.json();
    let of = |name: &str| {
        let checks = report["checks"].as_array().unwrap().clone();
        let quoted = format!("'{name}'");
        let found = checks.into_iter().find(|check| {
            check["check"] == "directories" && check["text"].as_str().unwrap().contains(&quoted)
        });
        let found = found.unwrap_or_else(|| panic!("{name}: {report}"));
        (found["good"].as_bool().unwrap(), found["text"].as_str().unwrap().to_owned())
    };
    assert!(of("good").0);
    assert!(!of("gone").0 && of("gone").1.contains("cannot be opened"), "{}", of("gone").1);
    // Attack C08: a grant never reaches the store, the policy or the keys.
    assert!(!of("own").0 && of("own").1.contains("overlaps"), "{}", of("own").1);
}

/// Attack E01: a policy or trust file that cannot be read, or is not whole, opens nothing; what was
/// valid before does not count any more.
#[test]
fn atk_e01_a_damaged_policy_or_trust_file_opens_nothing() {
    let place = server();
    let good = "[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nallow = [{ message = \"*\" }]\n";
    let policy = place.path().join("policy.toml");
    std::fs::write(&policy, good).unwrap();
    place.good(&["status"]);
    for name in ["policy.toml", "trust.toml"] {
        let path = place.path().join(name);
        for (what, bytes) in [
            ("cut off", b"[[grant]]\npackage = \"a/b\"\nreas".as_slice()),
            ("a typo", b"[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nalow = []\n"),
            ("no text", &[0xff, 0xfe, 0]),
        ] {
            std::fs::write(&path, bytes).unwrap();
            for arguments in [["status"].as_slice(), &["create", "account", "name=x"]] {
                let done = place.json(arguments);
                assert_ne!(done.exit, 0, "{name}, {what}, {arguments:?}: {done:?}");
                let message = done.json()["error"]["message"].to_string();
                assert!(message.contains(name), "{name}, {what}: {message}");
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
    place.good(&["status"]);
    assert_eq!(place.good(&["query", "account"])["rows"], serde_json::json!([]));
}
