//! The sync endpoints as a device sees them; what the calls mean is tested with replication.

use crate::world::{ADMINISTRATOR, Api, Counting, ORGANIZATION, SECRET, World};
use offstage_model::{Clock, Fault, Randomness, Uuid, code};
use offstage_replication::device_key::{ASSERTION_TYPE, DeviceKey};
use serde_json::{Value as Json, json};

const DEVICE: Uuid = Uuid::from_u128(0xDE);

fn sign_in(api: &Api, form: &str) -> Api {
    let json = api.token(form).expect(200).json();
    api.bearer(json["access_token"].as_str().unwrap())
}

fn connect(key: &DeviceKey) -> Json {
    json!({ "protocol": 1, "device": DEVICE, "name": "laptop", "public_key": key.public_key() })
}

#[test]
fn a_device_connects_with_a_secret_and_comes_back_with_its_key() {
    let world = World::syncing();
    let random = Counting::new();
    let key = DeviceKey::generate(&random);
    let secret = SECRET.replace(' ', "+");
    let form = format!("grant_type=client_credentials&client_id=admin&client_secret={secret}");
    let api = sign_in(&world.api, &form);
    let answer = api.post("/offstage/v1/sync/connect", connect(&key)).expect(200).json();
    assert_eq!(answer["organization"]["id"], ORGANIZATION.to_string());
    assert_eq!(answer["user"]["user"], ADMINISTRATOR.to_string());

    let now = world.clock.now();
    let assertion = key.client_assertion(DEVICE, ORGANIZATION, now, random.guid());
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={ASSERTION_TYPE}\
         &client_assertion={assertion}"
    );
    let api = sign_in(&world.api, &form);
    let handshake = json!({
        "protocol": 1, "device": DEVICE, "epoch": answer["epoch"],
        "incarnation": answer["incarnation"], "metadata_version": 0, "device_time": now,
        "takes_data": true,
    });
    let answer = api
        .with("accept-encoding", "gzip")
        .post("/offstage/v1/sync/handshake", handshake)
        .expect(200);
    assert!(answer.json()["catalog"].is_object(), "the device has no metadata yet");
}

#[test]
fn faults_are_whole_model_documents() {
    let world = World::syncing();
    let signed_in = {
        let secret = SECRET.replace(' ', "+");
        let form = format!("grant_type=client_credentials&client_id=admin&client_secret={secret}");
        sign_in(&world.api, &form)
    };
    let cases = [
        (world.api.clone(), "connect", "{}", 401, code::UNAUTHORIZED),
        (world.api.bearer("abc"), "connect", "{}", 401, code::UNAUTHORIZED),
        (signed_in.clone(), "nosuch", "{}", 404, code::NOT_FOUND),
        (signed_in.clone(), "connect", "{", 400, code::INVALID_ARGUMENT),
        (signed_in, "connect", "{}", 400, code::INVALID_ARGUMENT),
    ];
    for (api, verb, body, status, code) in cases {
        let reply = api.send("POST", &format!("/offstage/v1/sync/{verb}"), body).expect(status);
        let fault: Fault = serde_json::from_value(reply.json()).unwrap();
        assert_eq!(fault.code, code, "{verb} {body}");
    }
}
