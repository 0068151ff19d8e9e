//! Signed packages through registration and load, and the attacks on them by their ids.

mod support;

use offstage_model::{Entity, Request, Timestamp, Value};
use offstage_pipeline::facts;
use offstage_policy::{TrustFile, decide};
use offstage_sandbox::{PackageFile, SIGNATURE_COMMENT};
use support::signing::{key, signature, signed, trust};
use support::{World, guest};

fn is_allowed(trust: &TrustFile, bytes: &[u8]) -> bool {
    PackageFile::read(bytes)
        .is_ok_and(|file| decide(trust, &facts(&file), Timestamp(0)).is_allowed())
}

#[test]
fn a_signed_package_is_registered_runs_and_is_bounded_by_the_ceiling() {
    let key = key();
    let mut world = World::new();
    let package = signed(&key, &guest("phone_numbers"));
    for pipeline in [&world.server, &world.device] {
        pipeline.set_trust(trust(&key, ""));
    }
    let registered = world.server.register_package(&world.caller, &package).expect("it registers");
    // The hash is the component's: a pin of the same build names the same.
    let unsigned = PackageFile::read(&package).expect("a package").component.to_vec();
    assert_eq!(unsigned, guest("phone_numbers"));
    assert_eq!(registered.package.sha256, PackageFile::read(&unsigned).expect("it").sha256);
    world.sync();
    let contact = Entity::new("contact")
        .with("lastname", Value::text("Smith"))
        .with("telephone1", Value::text("(425) 555-0100"));
    let made = world.on_device(Request::create(contact)).expect("it runs on the device");
    let row = Request::retrieve("contact", made.id().expect("an id"), None);
    let row = world.on_device(row).expect("the row");
    assert_eq!(row.entity().expect("a row").text("telephone1"), Some("+14255550100"));
    assert!(world.play()[0].1.is_ok(), "the server's run agrees");
}

/// Attacks D01 and D05: not one byte of manifest, signature or framing can change, and bytes of the
/// component neither (every 997th is tried; the hash covers all).
#[test]
fn atk_d01_d05_no_byte_of_a_signed_package_can_change() {
    let key = key();
    let component = guest("phone_numbers");
    let package = signed(&key, &component);
    let trust = trust(&key, "");
    assert!(is_allowed(&trust, &package), "the control");
    let behind = component.len()..package.len();
    for at in (0..component.len()).step_by(997).chain(behind.clone()) {
        let mut flipped = package.clone();
        flipped[at] ^= 1;
        assert!(!is_allowed(&trust, &flipped), "byte {at} of {}", package.len());
    }
    for end in behind.step_by(13) {
        assert!(!is_allowed(&trust, &package[..end]), "cut at {end}");
    }
}

/// Attack D05: nothing may stand behind, between or twice; without its last sections the package is
/// unsigned and not allowed.
#[test]
fn atk_d05_sections_beside_manifest_and_signature_are_refused() {
    let key = key();
    let component = guest("phone_numbers");
    let manifest = PackageFile::read(&component).expect("a package").manifest();
    let good = signature(&key, &manifest);
    let trust = trust(&key, "");
    let section = [0, 2, 1, b'x'];
    let package = PackageFile::join(&component, &manifest, &good);
    let twice = PackageFile::join(&package, &manifest, &good);
    let behind = [package.as_slice(), &section].concat();
    let longer = [component.as_slice(), &section].concat();
    let inside = PackageFile::join(&longer, &manifest, &good);
    let comment = good.replace(SIGNATURE_COMMENT, "something else");
    let other_comment = PackageFile::join(&component, &manifest, &comment);
    let carriage = PackageFile::join(&component, &manifest, &good.replace('\n', "\r\n"));
    let cases: [(&str, &[u8]); 6] = [
        ("twice", &twice),
        ("behind", &behind),
        ("inside", &inside),
        ("comment", &other_comment),
        ("carriage returns", &carriage),
        ("unsigned", &component),
    ];
    for (what, bytes) in cases {
        assert!(!is_allowed(&trust, bytes), "{what}");
    }
}

/// Attack D02: a manifest that is signed, about another component or with other declarations.
#[test]
fn atk_d02_a_manifest_of_another_component_is_refused() {
    let key = key();
    let (one, other) = (guest("phone_numbers"), guest("credit_rule"));
    let manifest = PackageFile::read(&one).expect("a package").manifest();
    let swapped = PackageFile::join(&other, &manifest, &signature(&key, &manifest));
    let error = PackageFile::read(&swapped).expect_err("another component").to_string();
    assert!(error.contains("its manifest is about the content"), "{error}");
    let text = String::from_utf8(manifest.clone()).expect("JSON");
    for (from, to) in [
        ("samples/phone-numbers", "samples/other"),
        ("phone-on-contact-create", "phone-on-contact-make"),
        ("\"telephone1\"", "\"creditlimit\""),
        ("\"format\": 1", "\"format\": 2"),
        ("offstage:plugin/", "offstage:other/"),
        ("\"world\"", "\"worlds\""),
    ] {
        let changed = text.replace(from, to).into_bytes();
        assert_ne!(changed, manifest, "{from}");
        let package = PackageFile::join(&one, &changed, &signature(&key, &changed));
        assert!(PackageFile::read(&package).is_err(), "{from} -> {to}");
    }
}

/// Attack D14: what is revoked while the process runs is gone from the next call on.
#[test]
fn atk_d14_a_revocation_ends_a_package_at_once() {
    let key = key();
    let world = World::new();
    world.server.set_trust(trust(&key, ""));
    let package = signed(&key, &guest("phone_numbers"));
    let registered = world.server.register_package(&world.caller, &package).expect("it registers");
    let runs = || world.server.registry().expect("a registry").permissions("samples/phone-numbers");
    assert!(runs().is_some());
    let sha256 = &registered.package.sha256;
    let revoked = format!("[[revoked]]\nsha256 = \"{sha256}\"\nreason = \"a hole\"\n");
    world.server.set_trust(trust(&key, &revoked));
    assert!(runs().is_none());
    let registry = world.server.registry().expect("a registry");
    let skipped = registry.skipped.iter().find(|s| s.package == "samples/phone-numbers");
    let reason = &skipped.expect("it says so").reason;
    assert!(reason.contains("revoked by trust.toml:7: a hole"), "{reason}");
}

#[test]
fn a_key_that_stops_being_valid_ends_its_packages() {
    let key = key();
    let world = World::new();
    // The tests' clock stands in November 2026.
    world.server.set_trust(trust(&key, "valid_to = 2026-12-31\n"));
    let package = signed(&key, &guest("phone_numbers"));
    world.server.register_package(&world.caller, &package).expect("it registers");
    let runs = || world.server.registry().expect("a registry").permissions("samples/phone-numbers");
    assert!(runs().is_some());
    world.clock.0.fetch_add(60 * 86_400_000, std::sync::atomic::Ordering::Relaxed);
    assert!(runs().is_none());
}
