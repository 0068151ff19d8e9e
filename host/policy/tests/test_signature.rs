//! Publishers and signatures through the public door: what is accepted, and each way of failing.

use base64::Engine as _;
use minisign::KeyPair;
use offstage_model::Timestamp;
use offstage_policy::{Decision, PackageFacts, Signed, TrustFile, decide};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const MANIFEST: &[u8] = b"{\"package\":\"acme/sales\"}";
/// 2026-06-15, at noon.
const NOW: Timestamp = Timestamp(1_781_524_800_000);
const DAY_MS: i64 = 86_400_000;

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("a key")
}

fn sign(key: &KeyPair, content: &[u8]) -> String {
    let signature = minisign::sign(Some(&key.pk), &key.sk, content, Some("t"), Some("u"));
    signature.expect("a signature").into_string()
}

fn publisher(name: &str, key: &KeyPair, more: &str) -> String {
    format!(
        "[[publisher]]\nname = \"{name}\"\nkey = \"{}\"\npackages = [\"{name}/*\"]\n\
         reason = \"r\"\nceiling = []\n{more}\n",
        key.pk.to_base64()
    )
}

fn ask(trust: &str, id: &str, signature: &str, now: Timestamp) -> Decision {
    let trust = TrustFile::parse(trust, "trust.toml").expect("the trust file is valid");
    let signed = Some(Signed { manifest: MANIFEST, signature });
    decide(&trust, &PackageFacts { id, version: "1.2.0", sha256: HASH, signed }, now)
}

#[track_caller]
fn denied(decision: Decision) -> String {
    match decision {
        Decision::Denied { reason, hint } => {
            assert!(!hint.is_empty());
            reason
        }
        Decision::Allowed { rule, .. } => panic!("{rule} allows it"),
    }
}

#[test]
fn a_publisher_allows_what_it_signed_and_its_rule_is_named() {
    let key = key();
    let trust = format!("# ours\n{}", publisher("acme", &key, ""));
    let expected = Decision::Allowed {
        rule: "trust.toml:2".into(),
        reason: "r".into(),
        publisher: Some("acme".into()),
        until: None,
    };
    assert_eq!(ask(&trust, "acme/sales", &sign(&key, MANIFEST), NOW), expected);
}

/// Attack D01: everything that is not a signature of this content by this key.
#[test]
fn atk_d01_other_signatures_are_refused() {
    let (acme, other) = (key(), key());
    let trust = publisher("acme", &acme, "");
    let good = sign(&acme, MANIFEST);
    let cases = [
        ("another file's", sign(&acme, b"other"), "has signed this content"),
        ("an unknown key's", sign(&other, MANIFEST), "has signed this content"),
        ("none", String::new(), "its signature is damaged"),
        ("no minisign", "hello\nthere\n".into(), "its signature is damaged"),
    ];
    for (what, signature, reason) in cases {
        let shown = denied(ask(&trust, "acme/sales", &signature, NOW));
        assert!(shown.contains(reason), "{what}: {shown}");
    }
    for end in 0..good.trim_end().len() {
        denied(ask(&trust, "acme/sales", &good[..end], NOW));
    }
    // Another key's signature that names the trusted key.
    let forged = sign(&other, MANIFEST);
    let line = forged.lines().nth(1).expect("a signature line");
    let mut bytes = base64(line);
    bytes[2..10].copy_from_slice(&base64(&acme.pk.to_base64())[2..10]);
    let renamed = base64::engine::general_purpose::STANDARD.encode(&bytes);
    denied(ask(&trust, "acme/sales", &forged.replace(line, &renamed), NOW));
    assert!(ask(&trust, "acme/sales", &good, NOW).is_allowed());
}

/// Attack D04: keys for which anybody can make signatures are refused when the file is read.
#[test]
fn atk_d04_weak_keys_are_refused() {
    let points = [
        [0; 32].to_vec(),
        [[1].as_slice(), &[0; 31]].concat(),
        [[0xec].as_slice(), &[0xff; 30], &[0x7f]].concat(),
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    for point in points {
        let key = [b"Ed".as_slice(), &[7; 8], &point].concat();
        let key = base64::engine::general_purpose::STANDARD.encode(key);
        let text = format!(
            "[[publisher]]\nname = \"a\"\nkey = \"{key}\"\npackages = [\"a/*\"]\nreason = \"r\"\nceiling = []\n"
        );
        let error = TrustFile::parse(&text, "trust.toml").expect_err("a weak key");
        assert_eq!(error.line, 3, "{error}");
        assert!(
            error.reason.contains("weak") || error.reason.contains("not a minisign"),
            "{error}"
        );
    }
}

/// The places of key id and S in a signature's line, and of the secret key in a secret key's bytes.
const KEY_ID: std::ops::Range<usize> = 2..10;
const S: std::ops::Range<usize> = 42..74;
const SEED: std::ops::Range<usize> = 62..94;

/// A number below the order L of the group, little endian, and L: the same number to a verifier
/// that does not compare it with L (RFC 8032, 5.1 and 8.4).
fn plus_order(s: &mut [u8]) {
    let low: u128 = 27_742_317_777_372_353_535_851_937_790_883_648_493;
    let mut order = [0; 32];
    order[..16].copy_from_slice(&low.to_le_bytes());
    order[31] = 0x10;
    let mut carry = 0;
    for (byte, add) in s.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(carry, 0, "it still fits");
}

/// The lines of a signature with one part of it changed, and the global signature made again.
fn changed(key: &KeyPair, signature: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    use ed25519_dalek::{Signer as _, SigningKey};
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = signature.lines().collect();
    let mut bytes = base64(lines[1]);
    change(&mut bytes);
    let seed: [u8; 32] = key.sk.to_bytes()[SEED].try_into().expect("a seed");
    let comment = lines[2].trim_start_matches("trusted comment: ").as_bytes();
    let global = SigningKey::from_bytes(&seed).sign(&[&bytes[10..], comment].concat());
    [lines[0], &encode(&bytes), lines[2], &encode(&global.to_bytes())].join("\n")
}

/// Attack D04: one signature has no second form, neither of the content nor of the comment.
#[test]
fn atk_d04_a_signature_has_one_form() {
    let key = key();
    let trust = publisher("acme", &key, "");
    let signature = sign(&key, MANIFEST);
    let asked = |signature: &str| ask(&trust, "acme/sales", signature, NOW);
    // The control: making the global signature again is accepted.
    let same = changed(&key, &signature, |_| {});
    assert!(asked(&same).is_allowed());

    denied(asked(&changed(&key, &signature, |bytes| plus_order(&mut bytes[S]))));
    let line = signature.lines().nth(3).expect("the global signature");
    let mut bytes = base64(line);
    plus_order(&mut bytes[32..]);
    let line2 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    denied(asked(&signature.replace(line, &line2)));

    denied(asked(&changed(&key, &signature, |bytes| bytes[KEY_ID][0] ^= 1)));
    denied(asked(&signature.replace("trusted comment: t", "trusted comment: u")));
}

fn base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}

/// Attack D08: a trusted key signs its own prefixes only.
#[test]
fn atk_d08_a_publisher_cannot_sign_for_another() {
    let (acme, evil) = (key(), key());
    let trust = publisher("acme", &acme, "") + &publisher("evil", &evil, "");
    for id in ["acme/sales", "acme", "acme-evil/x", "evil", "evilx/y", "EVIL/x", "x/evil/y"] {
        let reason = denied(ask(&trust, id, &sign(&evil, MANIFEST), NOW));
        assert!(reason.contains("may sign evil/* only (trust.toml:"), "{id}: {reason}");
    }
    assert!(ask(&trust, "evil/x", &sign(&evil, MANIFEST), NOW).is_allowed());
}

/// Attack D14: a revoked key or content, and a version below the minimum, come before everything.
#[test]
fn atk_d14_revocations_and_minimum_versions_come_first() {
    let key = key();
    let signature = sign(&key, MANIFEST);
    let pin = TrustFile::pin_lines("acme/sales", HASH, "r");
    let trust = publisher("acme", &key, "");
    let revoked_key =
        format!("[[revoked]]\nkey = \"{}\"\nreason = \"stolen\"\n", key.pk.to_base64());
    let revoked_hash =
        format!("[[revoked]]\nsha256 = \"{}\"\nreason = \"a hole\"\n", HASH.to_uppercase());
    let minimum = |package: &str, version: &str| {
        format!("[[minimum]]\npackage = \"{package}\"\nversion = \"{version}\"\nreason = \"old\"\n")
    };
    let refused = [
        (format!("{trust}{revoked_key}"), "the key of 'acme' is revoked by trust.toml:8: stolen"),
        (format!("{trust}{revoked_hash}"), "its content is revoked by trust.toml:8: a hole"),
        (format!("{pin}{revoked_hash}"), "its content is revoked by trust.toml:5: a hole"),
        (format!("{trust}{}", minimum("acme/*", "1.2.1")), "trust.toml:8 asks for 1.2.1 or newer"),
        (format!("{pin}{}", minimum("*", "2.0.0")), "trust.toml:5 asks for 2.0.0 or newer: old"),
        (format!("{trust}{}", minimum("acme/sales", "1.3.0-rc.1")), "asks for 1.3.0-rc.1"),
    ];
    for (trust, expected) in refused {
        let reason = denied(ask(&trust, "acme/sales", &signature, NOW));
        assert!(reason.contains(expected), "{reason}");
    }
    let allowed = [
        format!("{trust}{}", minimum("acme/*", "1.2.0")),
        format!("{trust}{}", minimum("acme/other", "9.0.0")),
        // A pin of the content allows it whoever signed it.
        format!("{trust}{revoked_key}{pin}"),
    ];
    for trust in allowed {
        assert!(ask(&trust, "acme/sales", &signature, NOW).is_allowed(), "{trust}");
    }
    let trust = TrustFile::parse(&(pin + &minimum("*", "1.0.0")), "trust.toml").unwrap();
    let facts = PackageFacts { id: "acme/sales", version: "new", sha256: HASH, signed: None };
    assert!(denied(decide(&trust, &facts, NOW)).contains("can be compared"));
}

#[test]
fn a_key_counts_from_its_first_day_to_the_end_of_its_last() {
    let key = key();
    let signature = sign(&key, MANIFEST);
    let trust = publisher("acme", &key, "valid_from = 2026-06-15\nvalid_to = 2026-06-16\n");
    let first = Timestamp(NOW.0 - DAY_MS / 2);
    let end = Timestamp(first.0 + 2 * DAY_MS);
    let at = |time: i64| ask(&trust, "acme/sales", &signature, Timestamp(time));
    assert!(denied(at(first.0 - 1)).contains("not valid yet (trust.toml:1)"));
    assert!(at(first.0).is_allowed() && at(end.0 - 1).is_allowed());
    assert!(denied(at(end.0)).contains("not valid any more (trust.toml:1)"));
    match at(first.0) {
        Decision::Allowed { until, .. } => assert_eq!(until, Some(end)),
        Decision::Denied { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn without_a_trust_file_a_signature_allows_nothing() {
    let key = key();
    let signature = sign(&key, MANIFEST);
    let signed = Some(Signed { manifest: MANIFEST, signature: &signature });
    let facts = PackageFacts { id: "acme/sales", version: "1.0.0", sha256: HASH, signed };
    for trust in [TrustFile::default(), TrustFile::missing("trust.toml")] {
        denied(decide(&trust, &facts, NOW));
    }
}

#[test]
fn damaged_entries_are_refused_with_their_line() {
    let key = key();
    let entry = publisher("acme", &key, "");
    let twice = format!("{entry}{}", entry.replace("\"acme\"", "\"acne\""));
    let cases = [
        (entry.replace("acme\"", "a b\""), 2, "is not a publisher's name"),
        (entry.replace(&key.pk.to_base64(), "RWabc"), 3, "not a minisign public key"),
        (entry.replace("\"acme/*\"", ""), 4, "may sign no package"),
        (entry.replace("acme/*", "*"), 4, "no package that a key may sign"),
        (entry.replace("acme/*", "ac*"), 4, "no package that a key may sign"),
        (entry.replace("\"r\"", "\" \""), 5, "the reason is empty"),
        (entry.replace("ceiling = []\n", ""), 1, "missing field `ceiling`"),
        (format!("{entry}valid_from = 2026-01-02T00:00:00Z\n"), 8, "is not a day"),
        (
            format!("{entry}valid_from = 2026-01-02\nvalid_to = 2026-01-01\n"),
            1,
            "stops being valid",
        ),
        (twice, 8, "or its key is there twice"),
        (entry.clone() + &entry.replace("acme/*", "b/*"), 8, "is there twice"),
        ("[[revoked]]\nreason = \"r\"\n".into(), 1, "either key or sha256"),
        (format!("[[revoked]]\nsha256 = \"{HASH}\"\nreason = \"\"\n"), 3, "the reason is empty"),
        (
            "[[minimum]]\npackage = \"a/b\"\nversion = \"1\"\nreason = \"r\"\n".into(),
            3,
            "is not a version",
        ),
        (
            "[[minimum]]\npackage = \"a b\"\nversion = \"1.0.0\"\nreason = \"r\"\n".into(),
            2,
            "names no packages",
        ),
    ];
    for (text, line, reason) in cases {
        let error = TrustFile::parse(&text, "trust.toml").expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.line, line, "{error}");
    }
}
