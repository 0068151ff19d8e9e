//! What a client is told about plug-ins that do not run: with each answer that went on without one,
//! and in the list.

use crate::world::{Api, SECRET, World, administrator};
use offstage_model::{Entity, Request, Value};
use offstage_pipeline::Pipeline;
use offstage_policy::{PolicyFile, TrustFile};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

const PACKAGE: &str = "samples/phone-numbers";
const LIST: &str = "/offstage/v1/plugins";
const SKIPPED: &str = "x-offstage-skipped-plugins";

fn guest() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/phone_numbers.wasm");
    std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}; run `cargo xtask guests` first"))
}

fn trust(pipeline: &Pipeline, more: &str) {
    let pin = TrustFile::pin_lines(PACKAGE, &hex::encode(Sha256::digest(guest())), "tests");
    pipeline.set_trust(TrustFile::parse(&(pin + more), "trust.toml").unwrap());
}

/// A server with a plug-in that runs on Create of contacts, and a client.
fn served() -> (World, Pipeline, Api) {
    let (world, pipeline) = World::with_pipeline();
    trust(&pipeline, "");
    let policy = include_str!("../../../../policies/tests.toml");
    pipeline.set_policy(PolicyFile::parse(policy, "policy.toml").unwrap());
    pipeline.register_package(&administrator(), &guest()).unwrap();
    let secret = SECRET.replace(' ', "%20");
    let form = format!("grant_type=client_credentials&client_id=admin&client_secret={secret}");
    let token =
        world.api.token(&form).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let api = world.api.bearer(&token);
    (world, pipeline, api)
}

fn listed(api: &Api) -> Json {
    let json = api.get(LIST).expect(200).json();
    let plugins = json["plugins"].as_array().unwrap();
    plugins.iter().find(|plugin| plugin["package"] == PACKAGE).unwrap().clone()
}

#[test]
fn an_answer_names_the_plug_ins_that_it_went_on_without() {
    let (_world, pipeline, api) = served();
    let create = |api: &Api| api.post("contacts", json!({ "lastname": "Lee" })).expect(204);
    assert!(!create(&api).has_header(SKIPPED), "the control");
    assert_eq!(listed(&api)["state"], "runs");
    let hash = hex::encode(Sha256::digest(guest()));
    trust(&pipeline, &format!("[[revoked]]\nsha256 = \"{hash}\"\nreason = \"a hole\"\n"));
    assert_eq!(create(&api).header(SKIPPED), PACKAGE);
    let contact = Entity::new("contact").with("lastname", Value::text("Diaz"));
    let request = serde_json::to_value(Request::create(contact)).unwrap();
    let executed = api.post("/offstage/v1/execute", request);
    assert_eq!(executed.expect(200).header(SKIPPED), PACKAGE);
    assert!(!api.get("accounts").expect(200).has_header(SKIPPED), "it has no step there");
    let plugin = listed(&api);
    assert_eq!((&plugin["state"], &plugin["steps"]), (&json!("skipped"), &json!(4)), "{plugin}");
    assert!(plugin["reason"].as_str().unwrap().contains("revoked by trust.toml:"), "{plugin}");
    assert!(plugin["hint"].is_string() && plugin["version"].is_string(), "{plugin}");

    trust(&pipeline, "");
    pipeline.set_package_enabled(&administrator(), PACKAGE, false).unwrap();
    assert_eq!(listed(&api)["state"], "disabled");
    assert!(!create(&api).has_header(SKIPPED), "somebody decided that");
}

/// Reasons name files of the server: they are for administrators.
#[test]
fn only_an_administrator_is_told_why() {
    let (world, pipeline, api) = served();
    pipeline.set_trust(TrustFile::missing("/srv/offstage/trust.toml"));
    world.api.get(LIST).expect(401);
    assert!(listed(&api)["reason"].as_str().unwrap().contains("/srv/offstage/trust.toml"));
    world.change_principal(|principal| principal.administrator = false);
    let reply = api.get(LIST).expect(200);
    assert!(!reply.text.contains("/srv"), "{}", reply.text);
    assert_eq!(listed(&api)["state"], "skipped");
}
