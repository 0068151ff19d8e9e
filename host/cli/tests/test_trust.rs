//! Trust and policy through the program: a publisher signs, an operator allows, asks why, takes back.

mod common;

use common::{Done, Place};
use offstage_policy::PolicyFile;
use std::fs;
use std::path::Path;

const PACKAGE: &str = "samples/phone-numbers";

fn guest() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/phone_numbers.wasm").to_owned()
}

/// A server's directory with a signed package beside it; the package's file and the public key.
fn signed() -> (Place, String, String) {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    let key = place.file("acme", "");
    place.good(&["plugin", "keygen", &key, "--unencrypted"]);
    let package = place.file("signed.wasm", "");
    place.good(&["plugin", "sign", &guest(), "--key", &format!("{key}.key"), "--out", &package]);
    let text = fs::read_to_string(format!("{key}.pub")).expect("the public key");
    let public = text.lines().find(|line| line.starts_with("RW")).expect("a key").to_owned();
    (place, package, public)
}

fn trust(place: &Place, public: &str, more: &str) {
    let text = format!(
        "[[publisher]]\nname = \"acme\"\nkey = \"{public}\"\npackages = [\"samples/*\"]\n\
         reason = \"a contract\"\nceiling = [{{ table = \"contact\", verbs = [\"create\", \"update\"], \
         columns = [\"*\"] }}]\n{more}"
    );
    fs::write(place.path().join("trust.toml"), text).expect("it is written");
}

fn policy(place: &Place, rules: &str) {
    fs::write(place.path().join("policy.toml"), rules).expect("it is written");
}

#[track_caller]
fn refused(done: &Done, words: &[&str]) {
    assert_eq!(done.exit, 7, "{done:?}");
    for word in words {
        assert!(done.stdout.contains(word), "{word}: {}", done.stdout);
    }
}

#[test]
fn a_signed_package_runs_while_its_publisher_is_trusted() {
    let (place, package, public) = signed();
    // Nobody trusts the publisher yet.
    refused(&place.json(&["plugin", "add", &package]), &["trust.toml"]);
    trust(&place, &public, "");
    let added = place.good(&["plugin", "add", &package]);
    assert_eq!(added["package"]["id"], PACKAGE);

    // One other byte in it, and it is nobody's.
    let mut bytes = fs::read(&package).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let flipped = place.file("flipped.wasm", "");
    fs::write(&flipped, bytes).unwrap();
    let done = place.json(&["plugin", "add", &flipped]);
    assert_ne!(done.exit, 0, "{done:?}");

    // The key is revoked: from the next look on it does not run, and says why.
    let sha256 = added["package"]["sha256"].as_str().unwrap();
    for (what, more) in [
        ("key", format!("[[revoked]]\nkey = \"{public}\"\nreason = \"it was stolen\"\n")),
        ("content", format!("[[revoked]]\nsha256 = \"{sha256}\"\nreason = \"it was stolen\"\n")),
    ] {
        trust(&place, &public, &more);
        let status = place.json(&["status"]).stdout;
        assert!(status.contains("revoked") && status.contains("it was stolen"), "{what}: {status}");
        refused(&place.json(&["plugin", "add", &package]), &["revoked"]);
    }
    let minimum = "[[minimum]]\npackage = \"samples/*\"\nversion = \"9.0.0\"\nreason = \"old\"\n";
    trust(&place, &public, minimum);
    refused(&place.json(&["plugin", "add", &package]), &["9.0.0"]);
    trust(&place, &public, "");
    place.good(&["plugin", "add", &package]);
}

/// Attack D14: a revocation reaches a process that runs when it is told to read its files, and says
/// why from then on.
#[test]
fn atk_d14_a_revocation_is_read_by_the_process_that_runs() {
    let (place, package, public) = signed();
    trust(&place, &public, "");
    policy(
        &place,
        &PolicyFile::grant_lines(
            "samples/*",
            "a contract",
            &["{ table = \"contact\", verbs = [\"create\", \"update\"], columns = [\"*\"] }"
                .to_owned()],
        ),
    );
    let serving = place.serve(&["--dev"]);
    place.good(&["plugin", "add", &package]);
    let fax = || {
        let row = place.make(&["contact", "lastname=Lee", "fax=(425) 555-0199"]);
        place.good(&["get", "contact", &row])["attributes"]["fax"].clone()
    };
    assert_eq!(fax(), "+14255550199", "the step runs");

    trust(&place, &public, &format!("[[revoked]]\nkey = \"{public}\"\nreason = \"stolen\"\n"));
    assert_eq!(fax(), "+14255550199", "not before it is read");
    let in_force = || {
        let checked = place.json(&["policy", "check", &package]);
        assert_eq!(place.good(&["policy", "check"])["inForce"], checked.json()["inForce"]);
        checked.json()["inForce"].as_bool().expect("it says so")
    };
    assert!(!in_force(), "and what is only on the disk is said to be");
    assert!(place.run(&["policy", "check"]).stdout.contains("has not read these files yet"));
    assert_eq!(place.good(&["policy", "reload"])["skipped"][0]["package"], PACKAGE);
    assert!(in_force());
    assert_eq!(fax(), "(425) 555-0199", "it does not run any more");
    for shown in [
        &place.good(&["plugin", "list"])["skipped"][0]["reason"],
        &place.good(&["plugin", "show", PACKAGE])["skipped"]["reason"],
    ] {
        let reason = shown.as_str().expect("a reason");
        assert!(reason.contains("revoked") && reason.contains("stolen"), "{reason}");
    }
    for arguments in [&["plugin", "list"][..], &["plugin", "show", PACKAGE]] {
        let shown = place.run(arguments).stdout;
        assert!(shown.contains("revoked") && shown.contains("stolen"), "{shown}");
    }

    trust(&place, &public, "");
    place.good(&["policy", "reload"]);
    assert_eq!(fax(), "+14255550199", "it is taken back");
    drop(serving);
}

#[test]
fn the_policy_is_asked_explained_compared_and_read_again() {
    let (place, package, public) = signed();
    trust(&place, &public, "");
    let grant = |columns: &str| {
        format!(
            "[[grant]]\npublisher = \"acme\"\nreason = \"a contract\"\nallow = [{{ table = \
             \"contact\", verbs = [\"create\", \"update\"], columns = [{columns}] }}]\n"
        )
    };
    let (narrow, wide) = (grant("\"mobilephone\""), grant("\"*\""));
    policy(&place, &narrow);
    place.good(&["plugin", "add", &package]);
    let serving = place.serve(&["--dev"]);

    let explained = |column: &str| {
        let resource = format!("create:contact.{column}");
        place.json(&["policy", "explain", PACKAGE, "table", &resource])
    };
    let done = explained("mobilephone");
    assert_eq!((done.exit, done.json()["allowed"].as_bool()), (0, Some(true)), "{done:?}");
    assert!(done.stdout.contains("policy.toml:4"), "{done:?}");
    refused(&explained("fax"), &["not-granted"]);
    refused(&explained("governmentid"), &["not-requested"]);
    let done = place.json(&["policy", "explain", PACKAGE, "table", "create:account.fax"]);
    refused(&done, &["not-granted"]);

    // Denied at work: the request fails, and the audit has a line with what is missing.
    let create = ["create", "contact", "lastname=Lee", "fax=(425) 555-0199"];
    refused(&place.json(&create), &["create:contact.fax"]);
    let audit = fs::read_to_string(place.path().join("audit.jsonl")).unwrap();
    let denial = audit.lines().find(|line| line.contains("create:contact.fax")).unwrap();
    let denial: serde_json::Value = serde_json::from_str(denial).unwrap();
    assert_eq!(
        (denial["event"].as_str(), denial["package"].as_str()),
        (Some("denial"), Some(PACKAGE))
    );

    // What a change would change; then it is made, and read by the process that runs.
    let (old, new) = (place.file("old.toml", &narrow), place.file("new.toml", &wide));
    let diff = place.json(&["policy", "diff", &old, &new]).stdout;
    assert!(diff.contains("contact"), "{diff}");
    policy(&place, &wide);
    assert_eq!(place.json(&create).exit, 7, "not before it is read");
    place.good(&["policy", "reload"]);
    let row = place.make(&create[1..]);
    assert_eq!(place.good(&["get", "contact", &row])["attributes"]["fax"], "+14255550199");

    // A file with an error leaves what is in force.
    policy(&place, "[[grant]]\npackge = \"acme/x\"\n");
    let done = place.json(&["policy", "reload"]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert!(done.stdout.contains("policy.toml:") && done.stdout.contains("packge"), "{done:?}");
    place.make(&create[1..]);
    drop(serving);
    assert!(Path::new(&package).exists());
}

/// `plugin show` has every limit with its value and what decides it.
#[test]
fn each_limit_of_a_package_is_shown_with_its_origin() {
    let (place, package, public) = signed();
    trust(&place, &public, "");
    let text = fs::read_to_string(place.path().join("trust.toml")).unwrap();
    let bounded = "ceiling = [{ limit = \"organization_calls\", value = 50 }, { limit = \"fuel\", value = 9000000 }, ";
    fs::write(place.path().join("trust.toml"), text.replace("ceiling = [", bounded)).unwrap();
    policy(
        &place,
        "[[grant]]\npackage = \"*\"\nreason = \"a test\"\nallow = [\n\
         { limit = \"fuel\", value = 8000000 },\n{ limit = \"organization_calls\", value = 60 },\n\
         { limit = \"memory_bytes\", value = 999999999999 },\n]\n",
    );
    place.good(&["plugin", "add", &package]);
    let shown = place.good(&["plugin", "show", PACKAGE]);
    let limits = shown["limits"].as_array().unwrap();
    let of = |name: &str| {
        let limit =
            limits.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{name}"));
        (limit["value"].as_u64().unwrap(), limit["source"].as_str().unwrap().to_owned())
    };
    let (value, source) = of("fuel");
    assert!(value == 8_000_000 && source.ends_with("policy.toml:5"), "{value} {source}");
    let (value, source) = of("organization_calls");
    assert_eq!(value, 50);
    assert!(source.starts_with("ceiling at") && source.ends_with("trust.toml:6"), "{source}");
    let (value, source) = of("memory_bytes");
    assert_eq!(value, 64 << 20);
    assert!(source.starts_with("the most that there is") && source.contains("policy.toml:7"));
    assert_eq!(of("trace_bytes"), (65_536, "default".into()));
    assert_eq!(of("wall_time_ms"), (120_000, "default".into()));
    assert_eq!(of("rows_per_query"), (5_000, "default".into()));
    assert_eq!(of("stack_bytes"), (524_288, "fixed".into()));
    assert_eq!(of("depth"), (8, "fixed".into()));
    for name in
        ["operation_calls", "capability_calls", "trace_calls", "transfer_bytes", "instance_reuse"]
    {
        assert_eq!(of(name).1, "default", "{name}");
    }
    for name in ["memories", "tables", "table_elements", "instances"] {
        assert_eq!(of(name).1, "fixed", "{name}");
    }
    let done = place.run(&["plugin", "show", PACKAGE]);
    assert!(
        done.stdout.contains("Limit of each run") && done.stdout.contains("8,000,000"),
        "{done:?}"
    );
}
