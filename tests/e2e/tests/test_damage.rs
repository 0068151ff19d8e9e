//! What goes wrong around the program: a server that dies, a key that is not the right one, damaged
//! files, a second process, a folder that cannot be written, metadata that moves. It says what is
//! wrong with the documented exit code, and goes on when the cause is gone.
#![expect(clippy::print_stderr, reason = "a campaign says what it reached")]
#![expect(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

use offstage_e2e::program::{Place, Serving, finish, free_address, guest, program};
use offstage_e2e::seeds::{Seeded, repeat, seeds};
use offstage_store::{Role, Store, StoreOptions};
use serde_json::{Value as Json, json};
use std::path::Path;

/// A server that takes any token, with one account and a plug-in, and a device of it.
struct Pair {
    server: Place,
    device: Place,
    serving: Option<Serving>,
    address: String,
    account: String,
}

impl Pair {
    fn new() -> Self {
        let (server, device) = (Place::new(), Place::new());
        let address = free_address().to_string();
        let serving = Some(Serving::start(&server, &["serve", "--dev", "--listen", &address]));
        let made = server.good(&["create", "account", "name=Alpine Bakery"]);
        let account = made["id"].as_str().unwrap().to_owned();
        let plugin = guest("phone_numbers");
        let plugin = plugin.to_str().unwrap();
        server.good(&[
            "policy",
            "trust",
            "pin",
            plugin,
            "--reason",
            "tests",
            "--grant",
            "requested",
        ]);
        server.good(&["plugin", "add", plugin]);
        device.good(&["connect", &format!("http://{address}")]);
        device.good(&[
            "policy",
            "trust",
            "pin",
            plugin,
            "--reason",
            "tests",
            "--grant",
            "requested",
        ]);
        Self { server, device, serving, address, account }
    }

    fn stop_server(&mut self) {
        drop(self.serving.take());
    }

    fn start_server(&mut self) {
        let serve = ["serve", "--dev", "--listen", &self.address];
        self.serving = Some(Serving::start(&self.server, &serve));
    }

    fn phone(&self, place: &Place) -> Json {
        place.good(&["get", "account", &self.account])["attributes"]["telephone1"].clone()
    }
}

/// Changes the bytes of the only package in a store, behind the program's back.
fn damage_package(data: &Path, role: Role) {
    let store = Store::open(&data.join("store.db"), &StoreOptions::new(role)).unwrap();
    let mut tx = store.write().unwrap();
    let package = tx.packages().unwrap().remove(0);
    let mut bytes = tx.package_bytes(&package.id).unwrap().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    tx.put_package(&package, &bytes).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_server_that_dies_is_unreachable_and_work_goes_on_when_it_is_back() {
    let mut pair = Pair::new();
    let account = pair.account.clone();
    let online = ["update", "account", &account, "telephone1=206 555 0101"];
    pair.device.good(&online);
    pair.stop_server();
    let done = pair.device.run(&online);
    assert_eq!(done.exit, Some(6), "{done:?}");
    assert_eq!(done.json()["error"]["symbol"], "UNREACHABLE");
    assert_eq!(pair.device.run(&["go-offline"]).exit, Some(6), "it was never offline before");
    assert_eq!(pair.device.run(&["verify"]).exit, Some(6));
    pair.start_server();
    pair.device.good(&["go-offline"]);
    pair.device.good(&["update", "account", &pair.account, "telephone1=206 555 0102"]);
    pair.stop_server();
    let done = pair.device.run(&["go-online"]);
    assert_eq!(done.exit, Some(6), "{done:?}");
    assert_eq!(pair.device.good(&["status"])["state"], "going-online");
    pair.device.good(&["update", "account", &pair.account, "fax=206 555 0103"]);
    pair.start_server();
    assert_eq!(pair.device.good(&["go-online"])["counts"]["applied"], 2);
    assert_eq!(pair.phone(&pair.server), "+12065550102");
    assert_eq!(pair.device.good(&["verify"])["same"], true);
}

#[test]
fn another_key_than_the_device_s_is_denied_and_consumes_nothing() {
    let (server, device, other) = (Place::new(), Place::new(), Place::new());
    let serving = Serving::start(&server, &["serve"]);
    let first = &serving.first["administrator"];
    let (id, secret) =
        (first["clientId"].as_str().unwrap(), first["clientSecret"].as_str().unwrap());
    for place in [&device, &other] {
        place.good(&["connect", &serving.url, "--client-id", id, "--client-secret", secret]);
    }
    device.good(&["go-offline"]);
    device.good(&["create", "account", "name=made offline"]);
    let key = device.data().join("device.key");
    let own = std::fs::read(&key).unwrap();
    std::fs::copy(other.data().join("device.key"), &key).unwrap();
    let done = device.run(&["go-online"]);
    assert_eq!(done.exit, Some(7), "{done:?}");
    assert_eq!(server.good(&["query", "account", "--count"])["count"], 0);
    std::fs::write(&key, "no key at all").unwrap();
    let done = device.run(&["go-online"]);
    assert_eq!(done.exit, Some(2), "{done:?}");
    std::fs::write(&key, own).unwrap();
    assert_eq!(device.good(&["go-online"])["counts"]["applied"], 1);
    assert_eq!(server.good(&["query", "account", "--count"])["count"], 1);
}

#[test]
fn a_damaged_store_never_gives_wrong_rows_or_a_panic() {
    let mut pair = Pair::new();
    pair.device.good(&["go-offline"]);
    for number in 0..20 {
        pair.device.good(&["create", "contact", &format!("lastname=person {number}")]);
    }
    pair.stop_server();
    let path = pair.device.data().join("store.db");
    for wal in ["store.db-wal", "store.db-shm"] {
        assert!(!pair.device.data().join(wal).exists(), "the last command left {wal}");
    }
    let whole = std::fs::read(&path).unwrap();
    let right = pair.device.good(&["query", "contact"]);
    assert_eq!(pair.device.good(&["doctor"])["good"], true);
    let seeds = seeds(25);
    let mut noticed = 0;
    for &seed in &seeds {
        let mut numbers = Seeded::new(seed, 70);
        let mut bytes = whole.clone();
        if numbers.chance(300) {
            bytes.truncate(numbers.index(bytes.len()));
        } else {
            for _ in 0..=numbers.below(4) {
                let at = numbers.index(bytes.len());
                bytes[at] ^= 1 << numbers.below(8);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let repeat = repeat(seed, "a_damaged_store_never_gives_wrong_rows_or_a_panic");
        let doctor = pair.device.run(&["doctor"]);
        assert!(matches!(doctor.exit, Some(0 | 1 | 5)), "seed {seed}: {doctor:?}\n{repeat}");
        for command in [&["status"][..], &["query", "contact"], &["journal", "list"]] {
            let done = pair.device.run(command);
            assert!(matches!(done.exit, Some(0..=7)), "seed {seed}: {done:?}\n{repeat}");
            assert!(!done.stderr.contains("panicked"), "seed {seed}: {done:?}\n{repeat}");
            // What the doctor calls whole must be whole.
            if command[0] == "query" && doctor.exit == Some(0) {
                assert_eq!(done.json(), right, "seed {seed}\n{repeat}");
            }
        }
        noticed += u64::from(doctor.exit != Some(0));
        for wal in ["store.db-wal", "store.db-shm"] {
            drop(std::fs::remove_file(pair.device.data().join(wal)));
        }
    }
    eprintln!("{noticed} of {} damages were noticed by the doctor", seeds.len());
    std::fs::write(&path, &whole).unwrap();
    pair.start_server();
    assert_eq!(pair.device.good(&["go-online"])["counts"]["applied"], 20);
}

#[test]
fn a_damaged_package_on_the_server_refuses_until_somebody_decides() {
    let mut pair = Pair::new();
    pair.device.good(&["go-offline"]);
    pair.device.good(&["update", "account", &pair.account, "telephone1=206 555 0102"]);
    pair.stop_server();
    damage_package(&pair.server.data(), Role::Server);
    pair.start_server();
    let status = pair.server.good(&["status"]);
    let reason = status["skipped"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("hash"), "{status}");
    assert_eq!(pair.server.run(&["doctor"]).exit, Some(5));
    // Its damaged code never runs, and the rule that it holds is not passed by.
    let update = ["update", "account", &pair.account, "telephone1=206 555 0101"];
    let refused = pair.server.run(&update);
    assert_eq!(refused.exit, Some(1), "{refused:?}");
    assert!(refused.message().contains("phone-numbers"), "{refused:?}");
    // Playback waits: nothing is consumed.
    assert_eq!(pair.device.run(&["go-online"]).exit, Some(1));
    assert_eq!(pair.device.good(&["status"])["journal"]["applied"], 0);
    pair.server.good(&["plugin", "disable", "samples/phone-numbers"]);
    pair.server.good(&update);
    assert_eq!(pair.phone(&pair.server), "206 555 0101");
    pair.server.good(&["plugin", "enable", "samples/phone-numbers"]);
    let plugin = guest("phone_numbers");
    pair.server.good(&["plugin", "add", plugin.to_str().unwrap()]);
    pair.server.good(&["update", "account", &pair.account, "telephone1=206 555 0101"]);
    assert_eq!(pair.phone(&pair.server), "+12065550101");
    assert_eq!(pair.device.good(&["go-online"])["counts"]["applied"], 1);
}

#[test]
fn a_damaged_package_on_a_device_is_fetched_again() {
    let pair = Pair::new();
    pair.device.good(&["go-offline"]);
    damage_package(&pair.device.data(), Role::Device);
    let status = pair.device.good(&["status"]);
    pair.device.good(&["go-online"]);
    let report = pair.device.good(&["go-offline"]);
    assert_eq!(report["skipped"], json!([]), "{status}");
    pair.device.good(&["update", "account", &pair.account, "telephone1=206 555 0101"]);
    assert_eq!(pair.phone(&pair.device), "+12065550101");
    assert_eq!(pair.device.good(&["doctor"])["good"], true);
}

#[test]
fn a_second_process_on_a_directory_is_refused_and_disturbs_nobody() {
    let pair = Pair::new();
    pair.device.good(&["go-offline"]);
    let mut host = Serving::start(&pair.device, &["host"]);
    let second = pair.device.run(&["host"]);
    assert_eq!(second.exit, Some(1), "{second:?}");
    assert!(second.message().contains("in use"), "{second:?}");
    // Without the notice, a command does not find the host, and must not get past its lock.
    let notice = pair.device.data().join("running.json");
    let text = std::fs::read_to_string(&notice).unwrap();
    std::fs::remove_file(&notice).unwrap();
    let done = pair.device.run(&["create", "contact", "lastname=nobody"]);
    assert_eq!(done.exit, Some(1), "{done:?}");
    assert!(done.message().contains("in use"), "{done:?}");
    // A notice with another token opens nothing.
    let mut wrong: Json = serde_json::from_str(&text).unwrap();
    wrong["token"] = json!("0".repeat(64));
    std::fs::write(&notice, wrong.to_string()).unwrap();
    let done = pair.device.run(&["create", "contact", "lastname=nobody"]);
    assert_eq!(done.exit, Some(1), "{done:?}");
    std::fs::write(&notice, text).unwrap();
    pair.device.good(&["create", "contact", "lastname=somebody"]);
    assert!(host.is_alive());
    host.kill();
    assert_eq!(pair.device.good(&["go-online"])["counts"]["applied"], 1);
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_told() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let pair = Pair::new();
    pair.device.good(&["go-offline"]);
    let data = pair.device.data();
    let folder = pair.device.folder();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // Root may write anywhere, so somebody else tries then; with a copy of the program, because
    // the place of this one may be closed to them.
    let is_root = rustix::process::geteuid().is_root();
    let copy = folder.join("offstage");
    if is_root {
        std::fs::copy(program(), &copy).unwrap();
        mode(folder, 0o755);
        for entry in std::fs::read_dir(&data).unwrap() {
            chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for entry in std::fs::read_dir(data.join("compiled")).unwrap() {
            chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let own = pair.device.command(arguments);
        if !is_root {
            return finish(own);
        }
        let mut theirs = std::process::Command::new(&copy);
        theirs.args(own.get_args()).env("HOME", folder).current_dir(folder);
        finish({
            theirs.uid(NOBODY).gid(NOBODY);
            theirs
        })
    };
    let works = run(&["status"]);
    assert_eq!(works.exit, Some(0), "{works:?}");
    for (path, closed, open) in
        [(data.join("store.db"), 0o400, 0o600), (data.clone(), 0o500, 0o700)]
    {
        mode(&path, closed);
        let done = run(&["create", "contact", "lastname=nobody"]);
        mode(&path, open);
        assert_eq!(done.exit, Some(1), "{}: {done:?}", path.display());
        assert!(!done.message().is_empty(), "{done:?}");
        assert!(done.message().contains("data"), "{done:?}");
        let again = run(&["create", "contact", "lastname=somebody"]);
        assert_eq!(again.exit, Some(0), "{}: {again:?}", path.display());
    }
    assert_eq!(run(&["query", "contact", "--count"]).json()["count"], 2);
    let done = run(&["go-online"]);
    assert_eq!(done.json()["counts"]["applied"], 2, "{done:?}");
}

#[test]
fn metadata_that_moves_while_a_device_is_offline_is_followed() {
    let pair = Pair::new();
    pair.device.good(&["go-offline"]);
    pair.device.good(&["update", "account", &pair.account, "telephone1=206 555 0101"]);
    let moved = json!({
        "tables": [{"name": "visit", "set": "visits", "label": "Visit", "primary_name": "name",
                    "columns": {"name": {"type": "string", "length": 100}}}],
        "extend": [{"table": "account", "columns": {
            "loyalty": {"type": "string", "length": 20}, "visits": {"type": "integer", "min": 0}}}],
    });
    let moved = pair.server.file("moved.json", &moved.to_string());
    pair.server.good(&["table", "add", &moved]);
    pair.server.good(&["update", "account", &pair.account, "loyalty=gold", "visits=3"]);
    pair.server.good(&["create", "visit", "name=first"]);
    // Unknown here until the device has heard of it.
    assert_eq!(pair.device.run(&["get", "visit", &pair.account]).exit, Some(4));
    let report = pair.device.good(&["go-online"]);
    assert_eq!(report["counts"]["applied"], 1);
    let row = pair.server.good(&["get", "account", &pair.account])["attributes"].clone();
    assert_eq!(row["telephone1"], "+12065550101");
    assert_eq!(row["loyalty"], "gold");
    // What a device takes is decided when it connects; a new table is asked for.
    pair.device.good(&["filter", "add", "visit"]);
    pair.device.good(&["go-offline"]);
    let row = pair.device.good(&["get", "account", &pair.account])["attributes"].clone();
    assert_eq!((&row["loyalty"], &row["visits"]), (&json!("gold"), &json!(3)));
    assert_eq!(pair.device.good(&["query", "visit", "--count"])["count"], 1);
    pair.device.good(&["update", "account", &pair.account, "visits=4"]);
    assert_eq!(pair.device.good(&["go-online"])["counts"]["applied"], 1);
    let row = pair.server.good(&["get", "account", &pair.account])["attributes"].clone();
    assert_eq!(row["visits"], 4);
    assert_eq!(pair.device.good(&["verify"])["same"], true);
}
