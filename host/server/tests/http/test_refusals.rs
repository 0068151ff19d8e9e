//! What is refused, and how: never ignored, never a broken answer.

use crate::world::World;
use offstage_server::{Exposure, Server, ServerError};
use serde_json::json;

#[test]
fn refusals_have_a_status_a_code_and_a_message() {
    let world = World::dev();
    let cases = [
        ("GET", "acounts", "", 404, "segment 'acounts'"),
        ("GET", "accounts(x)", "", 400, "not a GUID"),
        ("GET", "accounts(name='A')", "", 400, "not an alternate key"),
        ("GET", "accounts?$select=nosuch", "", 400, "nosuch"),
        ("GET", "accounts?$filter=nosuch%20eq%201", "", 400, "nosuch"),
        ("GET", "accounts?$filter=name%20eq", "", 400, ""),
        ("GET", "accounts?$orderby=nosuch", "", 400, "nosuch"),
        ("GET", "accounts?$expand=primarycontactid", "", 501, "$expand"),
        ("GET", "accounts?$apply=x", "", 501, "$apply"),
        ("GET", "accounts?fetchXml=x", "", 501, "fetchXml"),
        ("GET", "accounts?$search=x", "", 400, "$search"),
        ("GET", "accounts?$top=x", "", 400, "$top"),
        ("GET", "accounts?$skiptoken=x", "", 400, "$skiptoken"),
        ("POST", "$batch", "{}", 501, "$batch"),
        ("PUT", "accounts", "{}", 405, "PUT"),
        ("POST", "accounts", "{\"name\": }", 400, "line 1 column 10"),
        ("POST", "accounts", "[]", 400, "JSON object"),
        ("POST", "accounts", "{\"name\": 5}", 400, "'account.name'"),
        ("POST", "accounts", "{\"revenue\": \"much\"}", 400, "'account.revenue'"),
        ("POST", "contacts", "{\"birthdate\": \"yesterday\"}", 400, "'contact.birthdate'"),
        ("POST", "accounts", "{\"industrycode\": 99}", 400, "99"),
        ("POST", "accounts?$filter=x", "{}", 501, "$filter"),
        ("POST", "EntityDefinitions", "{}", 501, "metadata"),
    ];
    for (method, path, body, status, text) in cases {
        let reply = world.api.send(method, path, body).expect(status);
        assert_eq!(reply.header("odata-version"), "4.0", "{method} {path}");
        let json = reply.json();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains(text), "{method} {path}: {message}");
        assert!(json["error"]["code"].as_str().unwrap().starts_with("0x8"), "{method} {path}");
    }
}

#[test]
fn headers_that_would_change_the_meaning_are_refused() {
    let world = World::dev();
    let cases = [
        ("mscrmcallerid", "00000000-0000-0000-0000-000000000001", 501),
        ("mscrm.bypasscustompluginexecution", "true", 501),
        ("mscrm.bypasscustompluginexecution", "false", 200),
        ("x-http-method", "DELETE", 501),
        ("prefer", "odata.track-changes", 501),
        ("prefer", "respond-async", 200),
        ("odata-maxversion", "3.0", 400),
        ("accept", "text/html", 406),
        ("accept", "application/json;odata.metadata=minimal", 200),
    ];
    for (name, value, status) in cases {
        world.api.with(name, value).get("accounts").expect(status);
    }
}

#[test]
fn bodies_have_a_type_and_a_limit() {
    let world = World::start(|app, _| app.limits.body_bytes_max = 1_000);
    let typed = |media: &str| world.api.with("content-type", media);
    typed("text/plain").send("POST", "accounts", "{\"name\": \"A\"}").expect(415);
    typed("application/json; charset=utf-8")
        .send("POST", "accounts", "{\"name\": \"A\"}")
        .expect(204);
    let large = json!({"description": "x".repeat(2_000)});
    let reply = world.api.post("accounts", large).expect(413).json();
    assert!(reply["error"]["message"].as_str().unwrap().contains("1000 bytes"), "{reply}");
    assert_eq!(world.api.get("accounts/$count").expect(200).text, "1");
}

#[test]
fn web_pages_do_not_reach_a_listener_for_this_machine() {
    let world = World::dev();
    world.api.with("origin", "https://evil.example").get("WhoAmI").expect(403);
    world.api.with("host", "evil.example").get("WhoAmI").expect(403);
    world.api.with("origin", &world.api.url).get("WhoAmI").expect(200);
    world.api.with("origin", "null").get("WhoAmI").expect(403);
}

#[test]
fn a_listener_for_this_machine_binds_to_loopback_only() {
    let everywhere = ([0, 0, 0, 0], 0).into();
    let refused = Server::bind(everywhere, Exposure::Loopback).unwrap_err();
    assert!(matches!(refused, ServerError::NotLoopback { .. }), "{refused}");
    assert!(Server::bind(everywhere, Exposure::Network).is_ok());
}

#[test]
fn what_is_not_there_says_so() {
    let world = World::dev();
    world.api.get("/").expect(404);
    world.api.get("/offstage/v1/execute").expect(405);
    world.api.post("/offstage/v1/control", json!({})).expect(404);
    let about = world.api.get("/offstage/v1/about").expect(200).json();
    assert_eq!(about["anyToken"], true);
}

#[test]
fn a_stopped_server_answers_no_more() {
    let world = World::dev();
    let url = world.api.url.clone();
    world.running.stop();
    let address = url.trim_start_matches("http://");
    assert!(std::net::TcpStream::connect(address).is_err());
}
