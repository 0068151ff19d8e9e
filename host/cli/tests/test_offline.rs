//! A device from connect to going online again, through the program alone.

mod common;

use common::{Place, Serving};

/// A server with an account, and a device of it.
fn pair() -> (Place, Serving, Place, String) {
    let (server, device) = (Place::new(), Place::new());
    let serving = server.serve(&["--dev", "--organization", "Northgate"]);
    let account = server.make(&["account", "name=Alpine Bakery", "telephone1=1"]);
    let status = device.good(&["connect", &serving.url, "--name", "laptop"]);
    assert_eq!(status["state"], "online");
    assert_eq!(status["organization"]["name"], "Northgate");
    (server, serving, device, account)
}

#[test]
fn what_is_done_offline_is_on_the_server_exactly_once() {
    let (server, _serving, device, account) = pair();
    let report = device.good(&["go-offline"]);
    assert_eq!(report["state"], "offline");
    assert_eq!(device.good(&["get", "account", &account])["attributes"]["name"], "Alpine Bakery");

    let parent = format!("parentcustomerid=account:{account}");
    let contact = device.make(&["contact", "lastname=Alvarez", "birthdate=1990-02-28", &parent]);
    device.good(&["update", "account", &account, "telephone1=2", "industrycode=Technology"]);
    device.good(&["update", "contact", &contact, "firstname=Rosa"]);
    let status = device.good(&["status"]);
    assert_eq!(status["journal"]["pending"], 3);
    let journal = device.good(&["journal", "list"]);
    let states: Vec<&str> = journal["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["pending"; 3]);
    // The server has nothing of it yet.
    assert_eq!(server.json(&["get", "contact", &contact]).exit, 4);

    let report = device.good(&["go-online"]);
    assert_eq!(report["counts"]["applied"], 3);
    let row = server.good(&["get", "contact", &contact]);
    assert_eq!(row["attributes"]["firstname"], "Rosa");
    assert_eq!(row["attributes"]["parentcustomerid"]["id"], account.as_str());
    let row = server.good(&["get", "account", &account]);
    assert_eq!(row["attributes"]["telephone1"], "2");
    assert_eq!(row["attributes"]["industrycode"], 11);
    assert_eq!(server.good(&["query", "contact", "--count"])["count"], 1);
    assert_eq!(device.good(&["verify"])["same"], true);
    assert_eq!(device.good(&["doctor"])["good"], true);
    let devices = server.good(&["device", "list"]);
    assert_eq!(devices["devices"][0]["lastSequence"], 3);
}

#[test]
fn the_later_value_stands_and_the_other_one_is_kept() {
    let (server, _serving, device, account) = pair();
    device.good(&["go-offline"]);
    device.good(&["update", "account", &account, "telephone1=device"]);
    std::thread::sleep(std::time::Duration::from_millis(20));
    server.good(&["update", "account", &account, "telephone1=server", "fax=3"]);
    assert_eq!(device.json(&["go-online"]).exit, 0);
    let row = server.good(&["get", "account", &account]);
    assert_eq!(row["attributes"]["telephone1"], "server");
    assert_eq!(row["attributes"]["fax"], "3");
    for place in [&server, &device] {
        let conflict = &place.good(&["conflicts", "list"])["conflicts"][0];
        assert_eq!(conflict["column"], "telephone1", "{conflict}");
        assert_eq!(conflict["client"], "device");
        assert_eq!(conflict["server"], "server");
    }
    assert_eq!(device.good(&["verify"])["same"], true);

    // The other value can be taken, from either side, as an ordinary change.
    let phone = || server.good(&["get", "account", &account])["attributes"]["telephone1"].clone();
    for (place, side) in [(&device, "device"), (&server, "server"), (&server, "device")] {
        let resolve = ["conflicts", "resolve", "1", "--take", side];
        assert_eq!(place.good(&resolve)["changed"].as_array().map(Vec::len), Some(1));
        assert_eq!(phone(), side);
        assert_eq!(place.good(&resolve)["changed"].as_array().map(Vec::len), Some(0));
    }
    let column = |name| ["conflicts", "resolve", "1", "--take", "server", "--columns", name];
    assert_eq!(device.json(&column("fax")).exit, 4);
    assert_eq!(device.json(&column("unicorn")).exit, 4);
    assert_eq!(device.json(&["conflicts", "resolve", "2", "--take", "server"]).exit, 4);
    assert_eq!(device.json(&["conflicts", "resolve", "1"]).exit, 2);
    let other = "00000000-0000-0000-0000-000000000001";
    let resolve = ["conflicts", "resolve", "1", "--take", "server", "--device", other];
    assert_eq!(server.json(&resolve).exit, 4);
    assert_eq!(phone(), "device");
}

/// A device that begins a new epoch has the numbers of its entries again. A conflict of the old one
/// is about another row, and about a state that was replaced meanwhile.
#[test]
fn a_conflict_of_an_old_epoch_is_not_resolved_with_that_of_a_new_one() {
    let (server, _serving, device, first) = pair();
    let second = server.make(&["account", "name=Second", "telephone1=1"]);
    for (account, value) in [(&first, "a"), (&second, "b")] {
        device.good(&["go-offline"]);
        device.good(&["update", "account", account, &format!("telephone1=device-{value}")]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        server.good(&["update", "account", account, &format!("telephone1=server-{value}")]);
        assert_eq!(device.json(&["go-online"]).exit, 0);
        device.good(&["connect", "--renew", "http://127.0.0.1:1"]);
    }
    let listed = server.good(&["conflicts", "list"]);
    let found: Vec<_> = listed["conflicts"].as_array().unwrap().iter().collect();
    let numbers: Vec<_> = found.iter().map(|c| (&c["entry"], &c["epoch"])).collect();
    assert_eq!(numbers.len(), 2, "{listed}");
    assert_eq!(numbers[0].0, numbers[1].0, "the same number: {listed}");
    let epoch = |account: &str| {
        let one = found.iter().find(|c| c["row"] == account).unwrap();
        one["epoch"].to_string()
    };
    let (old, new) = (epoch(&first), epoch(&second));
    assert_ne!(old, new);
    // The first row has another state by now.
    server.good(&["update", "account", &first, "telephone1=since"]);
    let phone = |id: &str| server.good(&["get", "account", id])["attributes"]["telephone1"].clone();
    let resolve = ["conflicts", "resolve", "1", "--take", "device"];
    let refused = server.json(&resolve);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert_eq!((phone(&first), phone(&second)), ("since".into(), "server-b".into()));
    let of = |epoch: &str| server.json(&[&resolve[..], &["--epoch", epoch]].concat());
    assert_eq!(of(&new).exit, 0);
    assert_eq!((phone(&first), phone(&second)), ("since".into(), "device-b".into()));
    assert_eq!(of("99").exit, 4);
}

#[test]
fn an_entry_that_the_server_refuses_waits_for_a_decision() {
    let (server, _serving, device, account) = pair();
    device.good(&["go-offline"]);
    device.good(&["update", "account", &account, "telephone1=5"]);
    device.make(&["contact", "lastname=Alvarez"]);
    server.good(&["delete", "account", &account]);
    let done = device.json(&["go-online"]);
    assert_eq!(done.exit, 5, "{done:?}");
    let report = done.json();
    assert_eq!(report["counts"]["applied"], 1);
    let entry = report["attention"][0]["entry"].as_u64().unwrap().to_string();
    assert_eq!(report["attention"][0]["state"], "conflict");
    assert_eq!(device.json(&["status"]).exit, 5);
    let shown = device.run(&["journal", "show", &entry]);
    assert!(shown.stdout.contains("telephone1"), "{shown:?}");
    assert_eq!(device.good(&["journal", "discard", &entry])["withdrawn"][0], 1);
    device.good(&["sync"]);
    assert_eq!(device.good(&["status"])["attention"], 0);
    assert_eq!(device.good(&["verify"])["same"], true);
}

#[test]
fn a_server_that_is_gone_is_unreachable_and_offline_work_goes_on() {
    let (_server, serving, device, account) = pair();
    device.good(&["go-offline"]);
    drop(serving);
    device.good(&["update", "account", &account, "telephone1=9"]);
    let done = device.json(&["go-online"]);
    assert_eq!(done.exit, 6, "{done:?}");
    assert_eq!(done.json()["error"]["symbol"], "UNREACHABLE");
    // Still usable, and nothing is lost.
    assert_eq!(device.good(&["get", "account", &account])["attributes"]["telephone1"], "9");
    assert_eq!(device.good(&["status"])["journal"]["pending"], 1);
}

#[test]
fn a_command_that_waits_goes_on_when_the_server_answers() {
    let (server, serving, device, account) = pair();
    device.good(&["go-offline"]);
    device.good(&["update", "account", &account, "telephone1=9"]);
    let port = serving.url.rsplit_once(':').unwrap().1.to_owned();
    drop(serving);
    let done = device.run(&["go-online", "--wait=5"]);
    assert_eq!(done.exit, 6, "{done:?}");
    assert!(done.stderr.contains("trying again in 1 s"), "{done:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| device.json(&["go-online", "--wait"]));
        let _serving = server.serve(&["--dev", "--listen", &format!("127.0.0.1:{port}")]);
        let done = waiting.join().unwrap();
        assert_eq!(done.exit, 0, "{done:?}");
        assert_eq!(done.json()["counts"]["applied"], 1);
        // The server is there again, so this is no older copy.
        assert!(device.good(&["go-offline", "--wait"])["copyOf"].is_null());
    });
    // What is refused is not waited for.
    assert_eq!(device.json(&["sync", "--wait"]).exit, 6);
}

#[test]
fn commands_reach_the_host_that_has_the_directory() {
    let (_server, _serving, device, account) = pair();
    let host = Serving::start(&device.path(), "host", &["--listen", "127.0.0.1:0"]);
    let done = device.json(&["go-offline"]);
    assert_eq!(done.exit, 0, "{done:?}");
    device.good(&["update", "account", &account, "telephone1=7"]);
    assert_eq!(device.good(&["status"])["state"], "offline");
    assert_eq!(device.json(&["get", "unicorn", &account]).exit, 4);
    // The host dies; its file is stale, and the command opens the directory itself.
    drop(host);
    assert!(device.path().join("running.json").exists());
    assert_eq!(device.good(&["status"])["journal"]["pending"], 1);
    assert_eq!(device.good(&["go-online"])["counts"]["applied"], 1);
}

#[test]
fn a_device_that_is_online_knows_tables_that_were_added_later() {
    let (server, _serving, device, account) = pair();
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-plugins/tables/sales.json");
    server.good(&["table", "add", tables]);
    let parent = format!("parentaccountid=account:{account}");
    let deal = device.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50", &parent]);
    assert_eq!(server.good(&["get", "opportunity", &deal])["attributes"]["estimatedvalue"], "12.5");
    assert_eq!(device.json(&["query", "unicorn"]).exit, 4);
    let found = device.good(&["query", "opportunity", "--filter", "estimatedvalue gt 12"]);
    assert_eq!(found["rows"][0]["id"], deal.as_str());
}

#[test]
fn a_directory_of_a_device_has_no_server_commands() {
    let (_server, _serving, device, _) = pair();
    for arguments in [&["user", "list"][..], &["device", "list"], &["user", "add", "Eve"]] {
        let done = device.json(arguments);
        assert_eq!(done.exit, 2, "{arguments:?}: {done:?}");
    }
    assert_eq!(device.json(&["serve"]).exit, 2);
}

#[cfg(unix)]
#[test]
fn secrets_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (server, _serving, device, _) = pair();
    let _host = Serving::start(&device.path(), "host", &[]);
    let mode = |path: std::path::PathBuf| {
        std::fs::metadata(&path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(device.path()), 0o700);
    for name in ["device.key", "running.json", "api-token", "compiled.key"] {
        assert_eq!(mode(device.path().join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(server.path().join("running.json")), 0o600);
}
