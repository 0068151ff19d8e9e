//! Users, their rights and their devices on a server that asks who they are.

mod common;

use common::{Place, Serving};
use serde_json::Value as Json;

/// Makes a device of a new user.
fn device_of(server: &Place, serving: &Serving, user: &[&str]) -> (Place, Json) {
    let mut add = vec!["user", "add"];
    add.extend(user);
    let user = server.good(&add);
    let device = Place::new();
    let (id, secret) = (user["clientId"].as_str(), user["clientSecret"].as_str());
    let (id, secret) = (id.unwrap_or_default(), secret.unwrap_or_default());
    device.good(&["connect", &serving.url, "--client-id", id, "--client-secret", secret]);
    (device, user)
}

#[test]
fn a_device_signs_in_with_its_own_key_and_its_user_owns_what_it_makes() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let (device, user) = device_of(&server, &serving, &["Rosa Alvarez"]);
    device.good(&["go-offline"]);
    let contact = device.make(&["contact", "lastname=Moreau"]);
    device.good(&["go-online"]);
    let row = server.good(&["get", "contact", &contact]);
    assert_eq!(row["attributes"]["ownerid"]["id"], user["id"]);
    // The secret was used once and is nowhere on the device.
    let secret = user["clientSecret"].as_str().unwrap();
    for entry in std::fs::read_dir(device.path()).unwrap().flatten() {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds the secret", entry.path().display());
    }
}

#[test]
fn without_the_right_nothing_comes_down() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let (device, _) = device_of(&server, &serving, &["Ben Okafor", "--no-go-offline"]);
    let done = device.json(&["go-offline"]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert_eq!(done.json()["error"]["symbol"], "GO_OFFLINE_DENIED");
    assert_eq!(device.good(&["status"])["state"], "online");
    // Online work is another right.
    device.make(&["contact", "lastname=Moreau"]);
}

#[test]
fn a_disabled_user_and_a_revoked_device_stay_out() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let (device, _) = device_of(&server, &serving, &["Rosa Alvarez"]);
    device.make(&["contact", "lastname=Moreau"]);
    server.good(&["user", "disable", "Rosa Alvarez"]);
    assert_eq!(device.json(&["create", "contact", "lastname=Xu"]).exit, 7);
    server.good(&["user", "enable", "Rosa Alvarez"]);
    device.make(&["contact", "lastname=Xu"]);
    let id = device.good(&["status"])["device"].as_str().unwrap().to_owned();
    server.good(&["device", "revoke", &id]);
    let done = device.json(&["create", "contact", "lastname=Zhou"]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert_eq!(server.good(&["query", "contact", "--count"])["count"], 2);
}

#[test]
fn only_administrators_change_the_server() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let (device, user) = device_of(&server, &serving, &["Rosa Alvarez"]);
    let user = user["id"].as_str().unwrap();
    let done = device.json(&["update", "systemuser", user, "fullname=Root"]);
    assert_eq!(done.exit, 7, "{done:?}");
    assert_eq!(server.good(&["user", "list"])["users"].as_array().unwrap().len(), 2);
}

#[test]
fn the_right_to_synchronise_to_outlook_is_given_and_taken() {
    let server = Place::new();
    let serving = server.serve(&[]);
    let (device, user) = device_of(&server, &serving, &["Rosa Alvarez", "--no-sync-to-outlook"]);
    device.make(&["contact", "lastname=Moreau"]);
    device.good(&["outlook", "client", "set", "primary"]);
    device.good(&["outlook", "sync"]);
    let items = || device.good(&["outlook", "item", "list"])["items"].as_array().unwrap().len();
    assert_eq!(items(), 0, "without prvSyncToOutlook nothing comes");
    let set = server.good(&["user", "set", "Rosa Alvarez", "--sync-to-outlook", "true"]);
    assert_eq!((&set["syncToOutlook"], &set["goOffline"]), (&true.into(), &true.into()));
    device.good(&["outlook", "sync"]);
    assert_eq!(items(), 1);
    // Taken by the user's id; what is there stays, and nothing more comes.
    let id = user["id"].as_str().unwrap();
    server.good(&["user", "set", id, "--sync-to-outlook", "false", "--go-offline", "false"]);
    device.make(&["contact", "lastname=Xu"]);
    device.good(&["outlook", "sync"]);
    assert_eq!(items(), 1);
    assert_eq!(device.json(&["go-offline"]).exit, 7);
    let users = server.good(&["user", "list"]);
    let own = users["users"].as_array().unwrap().iter().find(|user| user["id"] != id).unwrap();
    let own = own["id"].as_str().unwrap();
    let refused = server.json(&["user", "set", own, "--administrator", "false"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert_eq!(server.json(&["user", "set", "Nobody", "--go-offline", "true"]).exit, 4);
}
