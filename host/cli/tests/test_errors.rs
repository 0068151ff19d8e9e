//! Wrong input: what the program says, and the code with which it ends.

mod common;

use common::Place;

const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn errors_of_a_server_have_the_documented_codes() {
    let place = Place::new();
    let _server = place.serve(&["--dev"]);
    let garbage = place.file("garbage.txt", "this is not it");
    let list = place.file("list.json", "[1, 2]");
    let filter = ["query", "account", "--filter", "name eq"];
    let missing = place.path().join("missing").to_str().unwrap().to_owned();
    let long = format!("accountnumber={}", "x".repeat(50));
    // The arguments, the exit code, and words of the message.
    let cases: &[(&[&str], i64, &str)] = &[
        (&["create", "unicorn", "name=x"], 4, "unicorn"),
        (&["get", "unicorn", NOBODY], 4, "unicorn"),
        (&["table", "show", "unicorn"], 4, "unicorn"),
        (&["query", "unicorn"], 4, "unicorn"),
        (&["create", "account", "horn=x"], 4, "horn"),
        (&["query", "account", "--select", "horn"], 4, "horn"),
        (&["query", "account", "--filter", "horn eq 1"], 4, "horn"),
        (&filter, 2, ""),
        (&["create", "account", "numberofemployees=many"], 2, "many"),
        (&["create", "account", "name=a", "name=b"], 2, "twice"),
        (&["create", "account", &long], 3, "longer"),
        (&["create", "account", "numberofemployees=-1"], 3, "numberofemployees"),
        (&["create", "account", "industrycode=99"], 3, "99"),
        (&["get", "account", "7"], 2, "row id"),
        (&["get", "account", NOBODY], 4, "Does Not Exist"),
        (&["update", "account", NOBODY, "name=x"], 4, "Does Not Exist"),
        (&["delete", "account", NOBODY], 4, "Does Not Exist"),
        (&["request", "NoSuchMessage"], 4, "NoSuchMessage"),
        (&["request", "Create", "--parameters", &garbage], 2, "does not hold parameters"),
        (&["request", "Create", "--parameters", &list], 2, "does not hold parameters"),
        (&["request", "Create", "--parameters", &missing], 4, "Cannot read"),
        (&["table", "add", &garbage], 2, "no definition file"),
        (&["plugin", "add", &garbage], 2, "not a plug-in"),
        (&["plugin", "show", "no/such"], 4, "no/such"),
        (&["plugin", "remove", "no/such"], 4, "no/such"),
        (&["step", "show", "no-such"], 4, "no-such"),
        (&["step", "disable", "no-such"], 4, "no-such"),
        (&["policy", "trust", "pin", &garbage, "--reason", "x"], 2, "not a plug-in"),
        (&["policy", "check", &garbage], 2, "not a plug-in"),
        (&["trace", "show", NOBODY], 4, NOBODY),
        (&["user", "disable", "Nobody"], 4, "Nobody"),
        (&["user", "disable", "Administrator"], 2, "cannot be disabled"),
        (&["device", "show", NOBODY], 4, NOBODY),
        // What only a device can do.
        (&["go-offline"], 2, "server's data directory"),
        (&["journal", "list"], 2, "server's data directory"),
        (&["verify"], 2, "server's data directory"),
    ];
    for (arguments, exit, words) in cases {
        let done = place.json(arguments);
        assert_eq!(i64::from(done.exit), *exit, "{arguments:?}: {done:?}");
        let error = &done.json()["error"];
        assert_eq!(error["exit"], *exit, "{arguments:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
}

#[test]
fn errors_for_people_have_a_hint_and_the_code() {
    let place = Place::new();
    let _server = place.serve(&["--dev"]);
    let done = place.run(&["get", "account", NOBODY]);
    assert_eq!(done.exit, 4);
    assert!(done.stdout.is_empty(), "{done:?}");
    assert!(done.stderr.contains("error: account With Id = "), "{done:?}");
    assert!(done.stderr.contains("code: 0x80040217"), "{done:?}");
    let done = place.run(&["create", "account", "nam=x"]);
    assert!(done.stderr.contains("hint: Did you mean 'name'?"), "{done:?}");
}

#[test]
fn a_directory_that_is_nothing_says_what_to_do() {
    let place = Place::new();
    for arguments in [&["status"][..], &["doctor"], &["create", "account"], &["host"]] {
        let done = place.run(arguments);
        assert_eq!(done.exit, 4, "{arguments:?}: {done:?}");
        assert!(done.stderr.contains("hint: `offstage serve`"), "{done:?}");
        assert!(!place.path().exists(), "{arguments:?} made a directory");
    }
}

#[test]
fn a_damaged_store_is_told_and_never_opened() {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    std::fs::write(place.path().join("store.db"), vec![7; 20_000]).unwrap();
    for wal in ["store.db-wal", "store.db-shm"] {
        drop(std::fs::remove_file(place.path().join(wal)));
    }
    let done = place.json(&["status"]);
    assert_eq!(done.exit, 1, "{done:?}");
    let message = done.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("store.db"), "{message}");
    let done = place.json(&["doctor"]);
    assert_eq!(done.exit, 5, "{done:?}");
    assert_eq!(done.json()["good"], false);
}

#[test]
fn a_damaged_trust_file_is_told() {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    std::fs::write(place.path().join("trust.toml"), "[[pin]]\npackag = 1\n").unwrap();
    let done = place.json(&["status"]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert!(done.json()["error"]["message"].as_str().unwrap().contains("trust.toml"));
}

#[test]
fn dev_is_for_this_machine_only() {
    let place = Place::new();
    let done = place.json(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(done.exit, 2, "{done:?}");
    assert!(!place.path().exists());
}

#[test]
fn a_second_server_on_the_directory_is_refused() {
    let place = Place::new();
    let _server = place.serve(&["--dev"]);
    let done = place.json(&["serve", "--dev"]);
    assert_eq!(done.exit, 1, "{done:?}");
    assert!(done.json()["error"]["message"].as_str().unwrap().contains("in use"), "{done:?}");
}

#[test]
fn connecting_needs_a_server_that_knows_the_user() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let device = Place::new();
    let cases: &[(&[&str], i32)] = &[
        (&["connect", "http://127.0.0.1:9"], 6),
        (&["connect", &serving.url], 7),
        (&["connect", &serving.url, "--client-id", "x", "--client-secret", "wrong"], 7),
    ];
    for (arguments, exit) in cases {
        let done = device.json(arguments);
        assert_eq!(done.exit, *exit, "{arguments:?}: {done:?}");
    }
    // Nothing is left that would stop a right attempt.
    let administrator = &serving.first["administrator"];
    let done = device.json(&[
        "connect",
        &serving.url,
        "--client-id",
        administrator["clientId"].as_str().unwrap(),
        "--client-secret",
        administrator["clientSecret"].as_str().unwrap(),
    ]);
    assert_eq!(done.exit, 0, "{done:?}");
    assert_eq!(done.json()["user"]["name"], "Administrator");
    let again = device.json(&["connect", &serving.url]);
    assert_eq!(again.exit, 2, "{again:?}");
}
