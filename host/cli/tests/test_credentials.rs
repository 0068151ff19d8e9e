//! Credentials stay where they belong: whatever a log shows, and whatever is kept.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::{Place, Serving, command, run};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The files below a folder that hold a part of a text, by name. A dump of bytes, and a page of a
/// database, may hold it in pieces.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let parts: Vec<&[u8]> = text.as_bytes().windows(12).collect();
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(12).any(|window| parts.contains(&window))
    };
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).into_iter().filter(holds).map(name).collect()
}

/// Attack J05: no token and no secret is in a log at its loudest, a trace, the journal, a capture, or
/// any other file than the one that is there for it.
#[test]
fn atk_j05_no_credential_is_in_a_log_or_in_another_file_than_its_own() {
    let logs = tempfile::tempdir().unwrap();
    let log = |name: &str| fs::File::create(logs.path().join(name)).unwrap();
    let (server, device) = (Place::new(), Place::new());
    let serving = Serving::logging(&server.path(), "serve", &[], log("server"));
    let user = server.good(&["user", "add", "Rosa Diaz"]);
    let text = |name: &str| user[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("clientId"), text("clientSecret"));
    let on_device = |arguments: &[&str]| {
        let mut command = command();
        command.arg("--data").arg(device.path()).arg("--json").args(arguments);
        let done = run(command.env("OFFSTAGE_LOG", "trace"));
        assert_eq!(done.exit, 0, "{arguments:?}: {}", done.stdout);
        fs::write(logs.path().join(arguments[0]), &done.stderr).unwrap();
        done
    };
    on_device(&["connect", &serving.url, "--client-id", &id, "--client-secret", &secret]);
    on_device(&["go-offline"]);
    on_device(&["create", "account", "name=a"]);
    on_device(&["go-online"]);
    drop(serving);

    let key = fs::read_to_string(device.path().join("device.key")).unwrap();
    let key =
        key.lines().find(|line| line.len() > 40 && !line.starts_with('-')).unwrap().to_owned();
    assert_eq!(holding(&device.path(), &key), ["device.key"], "also the control");
    for folder in [logs.path(), &server.path()] {
        assert_eq!(holding(folder, &key), Vec::<String>::new(), "the key of the device");
    }
    for folder in [logs.path(), &server.path(), &device.path()] {
        assert_eq!(holding(folder, &secret), Vec::<String>::new(), "the client's secret");
    }
    // Tokens are made at each contact; all begin alike.
    for path in files(logs.path()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("eyJ0"), "a token is in the log of {}", path.display());
    }
    let loud = fs::read_to_string(logs.path().join("connect")).unwrap();
    assert!(loud.contains("TRACE") && loud.contains("/offstage/v1/token"), "nothing was logged");
}
