//! The trust file through its public door: what it allows, and how it fails.

use offstage_model::Timestamp;
use offstage_policy::{Decision, PackageFacts, TrustFile};

/// An unsigned package, at some moment.
fn decide(trust: &TrustFile, id: &str, sha256: &str) -> Decision {
    let facts = PackageFacts { id, version: "1.0.0", sha256, signed: None };
    offstage_policy::decide(trust, &facts, Timestamp(0))
}

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn trust() -> TrustFile {
    let text = format!("# ours\n\n{}", TrustFile::pin_lines("a/b", HASH, "built here"));
    TrustFile::parse(&text, "trust.toml").expect("the lines are what the parser reads")
}

fn denial(trust: &TrustFile, package: &str, sha256: &str) -> (String, String) {
    match decide(trust, package, sha256) {
        Decision::Denied { reason, hint } => (reason, hint),
        Decision::Allowed { rule, .. } => panic!("{rule} allows {package}"),
    }
}

#[test]
fn a_pin_allows_one_package_with_one_hash_and_names_its_line() {
    for sha256 in [HASH.to_owned(), HASH.to_uppercase()] {
        let decision = decide(&trust(), "a/b", &sha256);
        let rule = "trust.toml:3".to_owned();
        assert_eq!(
            decision,
            Decision::Allowed { rule, reason: "built here".into(), publisher: None, until: None }
        );
        assert!(decision.is_allowed());
    }
}

#[test]
fn without_a_rule_nothing_is_allowed_and_the_denial_says_why() {
    let example = include_str!("../../../policies/trust.example.toml");
    let example = TrustFile::parse(example, "trust.example.toml").unwrap();
    let empty = TrustFile::parse("", "trust.toml").unwrap();
    let missing = TrustFile::missing("trust.toml");
    let cases = [
        (
            &TrustFile::default(),
            "a/b",
            HASH,
            "no trust file is set, so nothing is allowed".to_owned(),
        ),
        (
            &missing,
            "a/b",
            HASH,
            "there is no trust file 'trust.toml', so nothing is allowed".into(),
        ),
        (&empty, "a/b", HASH, "it is not signed, and no rule in 'trust.toml' allows it".into()),
        (
            &example,
            "a/b",
            HASH,
            "it is not signed, and no rule in 'trust.example.toml' allows it".into(),
        ),
        (&trust(), "a/c", HASH, "it is not signed, and no rule in 'trust.toml' allows it".into()),
        (&trust(), "A/B", HASH, "it is not signed, and no rule in 'trust.toml' allows it".into()),
        (
            &trust(),
            "a/b",
            OTHER,
            format!("its hash is {OTHER}, and trust.toml:3 allows another build of it"),
        ),
        (&trust(), "a/b", "", "its hash is , and trust.toml:3 allows another build of it".into()),
    ];
    for (trust, package, sha256, expected) in cases {
        assert_eq!(denial(trust, package, sha256).0, expected);
    }
}

#[test]
fn the_lines_of_a_hint_allow_the_package() {
    let (_, hint) = denial(&trust(), "a/b", OTHER);
    let (_, lines) = hint.split_once('\n').unwrap();
    let added = TrustFile::parse(lines, "trust.toml").unwrap();
    assert!(decide(&added, "a/b", OTHER).is_allowed());
}

#[test]
fn damaged_files_are_refused_with_the_line_and_a_hint() {
    let pin =
        |package: &str, sha256: &str, reason: &str| TrustFile::pin_lines(package, sha256, reason);
    let cases = [
        ("[[pin]\n".to_owned(), 1, "unclosed array table"),
        ("\n[[pins]]\n".into(), 2, "unknown field `pins`"),
        ("[[pin]]\npackage = \"a\"\n".into(), 1, "missing field `sha256`"),
        (format!("{}alow = true\n", pin("a", HASH, "r")), 5, "unknown field `alow`"),
        (pin("a/*", HASH, "r"), 2, "\"a/*\" is not a package id"),
        (pin("", HASH, "r"), 2, "\"\" is not a package id"),
        (pin("ex\u{430}mple/a", HASH, "r"), 2, "is not a package id"),
        (pin("a", "abc", "r"), 3, "\"abc\" is not a SHA-256 hash"),
        (pin("a", HASH, " "), 4, "the reason is empty"),
        (pin("a", HASH, "r").replace("\"a\"", "7"), 2, "invalid type: integer"),
        (format!("{0}{0}", pin("a", HASH, "r")), 5, "'a' is pinned to this hash twice"),
        (" ".repeat(offstage_policy::TRUST_FILE_BYTES_MAX + 1), 1, "at most 1048576 are allowed"),
    ];
    for (text, line, reason) in cases {
        let error = TrustFile::parse(&text, "trust.toml").unwrap_err();
        let shown = error.to_string();
        assert_eq!(error.line, line, "{shown}");
        assert!(shown.starts_with(&format!("trust.toml:{line}: ")), "{shown}");
        assert!(shown.contains(reason), "{shown}");
        assert!(!error.hint.is_empty());
    }
}

#[test]
fn atk_e01_a_trust_file_cut_off_at_any_byte_allows_nothing_more() {
    let text = TrustFile::pin_lines("a/b", HASH, "built here");
    for end in 0..text.len() - 2 {
        let Ok(trust) = TrustFile::parse(&text[..end], "trust.toml") else {
            continue;
        };
        assert!(!decide(&trust, "a/b", HASH).is_allowed(), "cut at {end}");
    }
}

#[test]
fn atk_e04_the_order_of_the_rules_does_not_matter() {
    let first = TrustFile::pin_lines("a/b", HASH, "one");
    let second = TrustFile::pin_lines("a/b", OTHER, "two");
    for text in [format!("{first}{second}"), format!("{second}{first}")] {
        let trust = TrustFile::parse(&text, "trust.toml").unwrap();
        assert!(decide(&trust, "a/b", HASH).is_allowed());
        assert!(decide(&trust, "a/b", OTHER).is_allowed());
        assert!(!decide(&trust, "a/c", OTHER).is_allowed());
    }
}
