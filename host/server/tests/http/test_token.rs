//! The token issuer: who gets a token, and which tokens are taken.

use crate::world::{ADMINISTRATOR, Counting, ORGANIZATION, SECRET, World};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use offstage_model::{Clock, Randomness, Uuid};
use offstage_replication::device_key::{ASSERTION_TYPE, DeviceKey};
use offstage_store::DeviceRow;
use serde_json::{Value as Json, json};

const DEVICE: Uuid = Uuid::from_u128(0xDE);

fn with_secret(secret: &str) -> String {
    let secret = secret.replace(' ', "+");
    format!("grant_type=client_credentials&client_id=admin&client_secret={secret}")
}

fn with_assertion(assertion: &str) -> String {
    let kind = ASSERTION_TYPE.replace(':', "%3A");
    format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
    )
}

fn token(world: &World) -> String {
    let reply = world.api.token(&with_secret(SECRET)).expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    let json = reply.json();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("Bearer"), &json!(3_600)));
    json["access_token"].as_str().unwrap().to_owned()
}

/// The key with which the server signs, as its store keeps it.
fn signing_secret(world: &World) -> Vec<u8> {
    let mut tx = world.store.read().unwrap();
    let secret: Option<String> = tx.get_setting("token.signing-secret").unwrap();
    hex::decode(secret.unwrap()).unwrap()
}

fn claims(world: &World) -> Json {
    let now_s = world.clock.now().0 / 1_000;
    json!({
        "iss": "offstage", "aud": ORGANIZATION, "sub": "client:admin", "jti": Uuid::from_u128(1),
        "iat": now_s, "nbf": now_s, "exp": now_s + 600,
    })
}

fn sign(claims: &Json, algorithm: Algorithm, secret: &[u8]) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn connect_device(world: &World, key: &DeviceKey) {
    let mut device = DeviceRow::new(DEVICE, ADMINISTRATOR, "laptop", world.clock.now());
    device.public_key = Some(hex::decode(key.public_key()).unwrap());
    let mut tx = world.store.write().unwrap();
    tx.put_device(&device).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_secret_gets_a_token_and_the_token_gets_in() {
    let world = World::guarded();
    let refused = world.api.get("WhoAmI").expect(401);
    assert!(refused.header("www-authenticate").starts_with("Bearer "));
    let api = world.api.bearer(&token(&world));
    assert_eq!(api.get("WhoAmI").expect(200).json()["UserId"], ADMINISTRATOR.to_string());
    world.api.with("authorization", "Basic YWRtaW46eA==").get("WhoAmI").expect(401);
}

#[test]
fn token_requests_that_are_refused() {
    let world = World::guarded();
    let cases = [
        (with_secret("wrong"), 401, "invalid_client"),
        (with_secret(SECRET).replace("id=admin", "id=nobody"), 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=admin".into(), 400, "invalid_request"),
        (format!("{}&client_id=x", with_secret(SECRET)), 400, "invalid_request"),
        ("grant_type=password&username=a".into(), 400, "unsupported_grant_type"),
        ("client_id=admin".into(), 400, "invalid_request"),
        ("grant_type=client_credentials&client_assertion=x".into(), 400, "invalid_request"),
        (with_assertion("x"), 401, "invalid_client"),
        (with_assertion("a.b.c"), 401, "invalid_client"),
    ];
    for (form, status, error) in cases {
        let reply = world.api.token(&form).expect(status);
        assert_eq!(reply.json()["error"], error, "{form}");
        assert!(!reply.text.contains(SECRET), "{form}");
    }
    world.api.send("POST", "/offstage/v1/token", &with_secret(SECRET)).expect(415);
    world.api.token(&"x".repeat(20_000)).expect(413);
}

#[test]
fn basic_credentials_get_a_token_too() {
    let world = World::guarded();
    // admin:s3cret of the administrator
    let basic = "Basic YWRtaW46czNjcmV0K29mK3RoZSthZG1pbmlzdHJhdG9y";
    let api = world.api.with("authorization", basic);
    api.token("grant_type=client_credentials").expect(200);
}

#[test]
fn tokens_that_are_refused() {
    let world = World::guarded();
    let secret = signing_secret(&world);
    let good = claims(&world);
    let hs256 = |claims: &Json| sign(claims, Algorithm::HS256, &secret);
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        hs256(&claims)
    };
    let with = |name: &str, value: Json| {
        let mut claims = good.clone();
        claims[name] = value;
        hs256(&claims)
    };
    world.api.bearer(&hs256(&good)).get("WhoAmI").expect(200);

    let now_s = world.clock.now().0 / 1_000;
    let parts: Vec<String> = hs256(&good).split('.').map(str::to_owned).collect();
    // {"alg":"none"} and {"alg":"None","typ":"JWT"}
    let none = ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0"];
    let key = DeviceKey::generate(&Counting::new());
    let public_key = hex::decode(key.public_key()).unwrap();
    let mut cases: Vec<(String, String)> = vec![
        ("empty".into(), String::new()),
        ("no token".into(), "abc".into()),
        ("changed".into(), format!("{}.{}x.{}", parts[0], parts[1], parts[2])),
        ("no signature".into(), format!("{}.{}.", parts[0], parts[1])),
        ("other algorithm".into(), sign(&good, Algorithm::HS384, &secret)),
        ("other secret".into(), sign(&good, Algorithm::HS256, &[0; 32])),
        ("public key as secret".into(), sign(&good, Algorithm::HS256, &public_key)),
        (
            "public key in hex as secret".into(),
            sign(&good, Algorithm::HS256, key.public_key().as_bytes()),
        ),
        ("expired".into(), with("exp", json!(now_s))),
        ("exp as text".into(), with("exp", json!((now_s + 600).to_string()))),
        ("exp as float".into(), with("exp", json!(1.0e300))),
        ("negative exp".into(), with("exp", json!(-1))),
        ("exp null".into(), with("exp", json!(null))),
        ("not yet".into(), with("nbf", json!(now_s + 60))),
        ("nbf as text".into(), with("nbf", json!("0"))),
        ("other issuer".into(), with("iss", json!("https://login.example"))),
        ("issuers as list".into(), with("iss", json!(["offstage", "x"]))),
        ("other audience".into(), with("aud", json!(Uuid::from_u128(5)))),
        ("unknown client".into(), with("sub", json!("client:nobody"))),
        ("unknown kind".into(), with("sub", json!("root:admin"))),
        ("unknown device".into(), with("sub", json!(format!("device:{DEVICE}")))),
        ("too long".into(), with("sub", json!("x".repeat(5_000)))),
    ];
    for name in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"] {
        cases.push((format!("without {name}"), without(name)));
    }
    for header in none {
        cases.push(("alg none".into(), format!("{header}.{}.", parts[1])));
        cases.push(("alg none, signed".into(), format!("{header}.{}.{}", parts[1], parts[2])));
    }
    for (name, token) in cases {
        let reply = world.api.bearer(&token).get("WhoAmI");
        assert_eq!(reply.status, 401, "{name}: {}", reply.text);
        assert_eq!(reply.json()["error"]["code"], "0x80040276", "{name}");
    }
}

#[test]
fn a_token_ends_with_its_hour_and_with_its_principal() {
    let world = World::guarded();
    let api = world.api.bearer(&token(&world));
    world.clock.advance_s(3_599);
    api.get("WhoAmI").expect(200);
    world.clock.advance_s(1);
    api.get("WhoAmI").expect(401);

    let api = world.api.bearer(&token(&world));
    world.change_principal(|principal| principal.disabled = true);
    api.get("WhoAmI").expect(403);
    let refused = world.api.token(&with_secret(SECRET)).expect(403).json();
    assert_eq!(refused["error"], "unauthorized_client");
    world.change_principal(|principal| principal.disabled = false);
    api.get("WhoAmI").expect(200);
}

#[test]
fn the_signing_key_survives_a_restart_of_the_issuer() {
    let world = World::guarded();
    let first = signing_secret(&world);
    assert_eq!(first.len(), 32);
    let random = std::sync::Arc::new(Counting::new());
    offstage_server::Issuer::open(world.store.clone(), world.clock.clone(), random, ORGANIZATION)
        .map(drop)
        .unwrap();
    assert_eq!(signing_secret(&world), first);
}

#[test]
fn a_device_signs_in_with_its_key_once_per_assertion() {
    let world = World::guarded();
    let random = Counting::new();
    let key = DeviceKey::generate(&random);
    let assertion = |organization: Uuid| {
        key.client_assertion(DEVICE, organization, world.clock.now(), random.guid())
    };
    world.api.token(&with_assertion(&assertion(ORGANIZATION))).expect(401);
    connect_device(&world, &key);
    let used = assertion(ORGANIZATION);
    let reply = world.api.token(&with_assertion(&used)).expect(200).json();
    let api = world.api.bearer(reply["access_token"].as_str().unwrap());
    assert_eq!(api.get("WhoAmI").expect(200).json()["UserId"], ADMINISTRATOR.to_string());
    world.api.token(&with_assertion(&used)).expect(401);

    world.api.token(&with_assertion(&assertion(Uuid::from_u128(77)))).expect(401);
    let other = DeviceKey::generate(&random);
    let forged = other.client_assertion(DEVICE, ORGANIZATION, world.clock.now(), random.guid());
    world.api.token(&with_assertion(&forged)).expect(401);
    let late = assertion(ORGANIZATION);
    world.clock.advance_s(420);
    world.api.token(&with_assertion(&late)).expect(401);
}

#[test]
fn assertions_must_be_signed_by_the_pinned_algorithm_and_be_short_lived() {
    let world = World::guarded();
    let random = Counting::new();
    let key = DeviceKey::generate(&random);
    connect_device(&world, &key);
    let now_s = world.clock.now().0 / 1_000;
    let good = json!({
        "iss": DEVICE, "sub": DEVICE, "jti": random.guid(), "iat": now_s, "exp": now_s + 60,
        "aud": format!("urn:offstage:organization:{ORGANIZATION}"),
    });
    let public_key = hex::decode(key.public_key()).unwrap();
    let confused = sign(&good, Algorithm::HS256, &public_key);
    world.api.token(&with_assertion(&confused)).expect(401);

    let pkcs8 = EncodingKey::from_ed_der(&pkcs8_of(&key));
    let eddsa = |claims: &Json| encode(&Header::new(Algorithm::EdDSA), claims, &pkcs8).unwrap();
    let with = |name: &str, value: Json| {
        let mut claims = good.clone();
        claims["jti"] = json!(random.guid());
        claims[name] = value;
        eddsa(&claims)
    };
    let refused = [
        with("exp", json!(now_s + 301)),
        with("exp", json!((now_s + 60).to_string())),
        with("exp", json!(null)),
        with("iat", json!(now_s + 1_000)),
        with("iss", json!(Uuid::from_u128(1))),
        with("aud", json!("https://other.example")),
        with("jti", json!("not an id")),
    ];
    for assertion in refused {
        world.api.token(&with_assertion(&assertion)).expect(401);
    }
    world.api.token(&with_assertion(&eddsa(&good))).expect(200);
}

/// The DER inside the PEM.
fn pkcs8_of(key: &DeviceKey) -> Vec<u8> {
    use base64::Engine as _;
    let pem = key.to_pem();
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}
