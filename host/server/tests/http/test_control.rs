//! The door for the CLI: its own token, this machine only, JSON lines.

use crate::world::World;
use offstage_server::{Control, ControlDoor};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Says every number up to the one it is given.
struct Counter;

impl Control for Counter {
    fn run(&self, command: Json, progress: &dyn Fn(Json)) -> Json {
        let count = command["count"].as_u64().unwrap_or_default();
        (0..count).for_each(|n| progress(json!(n)));
        json!({ "counted": count })
    }
}

#[test]
fn a_command_streams_its_progress_and_then_its_result() {
    let world = World::start(|app, issuer| {
        app.authority = issuer;
        app.control = Some(ControlDoor::new(Arc::new(Counter), "control token"));
    });
    let path = "/offstage/v1/control";
    world.api.post(path, json!({"count": 1})).expect(401);
    world.api.bearer("another").post(path, json!({"count": 1})).expect(401);
    let api = world.api.bearer("control token");
    api.get("WhoAmI").expect(401);
    api.send("POST", path, "{").expect(400);
    // More lines than the stream holds: the command waits for its reader.
    let reply = api.post(path, json!({"count": 1_000})).expect(200);
    let lines: Vec<Json> = reply.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 1_001);
    assert_eq!(lines[0], json!({"progress": 0}));
    assert_eq!(lines[1_000], json!({"result": {"counted": 1_000}}));
}

/// Attack J14: commands about plug-ins come through the door for the CLI only, and no token of a user
/// opens it, be it an administrator's. What the Web API has about plug-ins can only be read.
#[test]
fn atk_j14_no_user_token_opens_the_door_for_commands() {
    let world = World::start(|app, issuer| {
        app.authority = issuer;
        app.control = Some(ControlDoor::new(Arc::new(Counter), "control token"));
    });
    let secret = crate::world::SECRET.replace(' ', "%20");
    let form = format!("grant_type=client_credentials&client_id=admin&client_secret={secret}");
    let reply = world.api.token(&form).expect(200).json();
    let api = world.api.bearer(reply["access_token"].as_str().unwrap());
    api.get("WhoAmI").expect(200);
    api.post("/offstage/v1/control", json!({ "count": 1 })).expect(401);
    for (method, body) in [("POST", "{}"), ("PUT", "{}"), ("PATCH", "{}"), ("DELETE", "")] {
        api.send(method, "/offstage/v1/plugins", body).expect(405);
    }
}
