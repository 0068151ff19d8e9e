//! What a policy file says beside its rules: directories, reasons, names; and what a denial calls
//! a policy that has no name.

use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{
    Capability, Holder, Permissions, PolicyDecision, PolicyFile, Publisher, TrustFile,
};

fn parse(text: &str) -> Result<PolicyFile, String> {
    PolicyFile::parse(text, "policy.toml").map_err(|error| error.to_string())
}

fn directory(name: &str, path: &str) -> String {
    format!("[[directory]]\nname = {name:?}\npath = {path:?}\n")
}

#[test]
fn directories_have_plain_names_and_whole_paths() {
    let cases = [
        (directory("reports", "/srv/reports"), None),
        (directory("a_b-c.d", "C:\\reports"), None),
        (directory("", "/srv"), Some("is not a directory name")),
        (directory("a b", "/srv"), Some("is not a directory name")),
        (directory("a/b", "/srv"), Some("is not a directory name")),
        (directory("reports", "srv/reports"), Some("is not an absolute path")),
        (directory("reports", "/srv/../etc"), Some("is not an absolute path")),
        (directory("reports", "C:\\a\\..\\b"), Some("is not an absolute path")),
        (directory("reports", "/a") + &directory("reports", "/b"), Some("is there twice")),
    ];
    for (text, expected) in cases {
        match (parse(&text), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(part)) => assert!(error.contains(part), "{text}: {error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        }
    }
}

#[test]
fn directories_can_be_put_elsewhere_and_nothing_else_changes() {
    let text = directory("reports", "/srv/reports") + &directory("notes", "/srv/notes");
    let policy = parse(&text).expect("a policy");
    let moved = policy.clone().with_directories_at(|name| format!("/tmp/{name}"));
    let paths: Vec<&str> = moved.directories().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/tmp/notes", "/tmp/reports"]);
    assert_eq!(moved.with_directories_at(|name| format!("/srv/{name}")), policy);
}

/// A rule keeps its own reason, or else that of its grant.
#[test]
fn the_nearest_reason_is_given() {
    let text = r#"
[[grant]]
package = "acme/x"
reason = "Contract."
allow = [ { secret = "a", reason = "For mail." }, { secret = "b" } ]
"#;
    let policy = parse(text).expect("a policy");
    let allow = &policy.grants()[0].allow;
    let reason = |name| {
        allow.covers(&Capability::Secret { name, to: None }).map(|rule| rule.reason.as_str())
    };
    assert_eq!((reason("a"), reason("b")), (Some("For mail."), Some("Contract.")));
}

#[test]
fn a_denial_names_the_file_to_add_to_or_says_that_it_has_no_name() {
    let request = CapabilityDeclaration {
        secret: Some("a".into()),
        reason: "a test".into(),
        ..CapabilityDeclaration::default()
    };
    for (file, named) in [("policy.toml", "policy.toml"), ("", "a policy file")] {
        let policy = PolicyFile::parse("", file).expect("an empty policy");
        let holder = Holder { package: "acme/x", publisher: None, ceiling: None };
        let permissions = Permissions::new(&policy, &holder, [&request]).expect("permissions");
        let question = Capability::Secret { name: "a", to: None };
        let PolicyDecision::Denied(denial) = permissions.decide(&question) else {
            panic!("nothing is granted");
        };
        assert!(denial.remedy.starts_with(&format!("Add to {named}:")), "{}", denial.remedy);
    }
}

#[test]
fn a_pin_names_one_package_by_an_id_that_is_not_too_long() {
    let pin = |id: &str| TrustFile::parse(&TrustFile::pin_lines(id, &"a".repeat(64), "r"), "t");
    for (id, is_id) in [
        ("acme/x".to_owned(), true),
        ("x".repeat(128), true),
        ("x".repeat(129), false),
        ("acme/*".to_owned(), false),
        (String::new(), false),
        ("\u{430}cme/x".to_owned(), false),
    ] {
        assert_eq!(pin(&id).is_ok(), is_id, "{id}");
    }
}

#[test]
fn a_hash_is_64_hex_digits() {
    let pin = |hash: &str| TrustFile::parse(&TrustFile::pin_lines("acme/x", hash, "r"), "t");
    for (hash, is_hash) in [
        ("a".repeat(64), true),
        ("A".repeat(64), true),
        ("g".repeat(64), false),
        ("a".repeat(63), false),
        ("a".repeat(65), false),
    ] {
        assert_eq!(pin(&hash).is_ok(), is_hash, "{hash}");
    }
}

/// A publisher without a name could not be granted anything by name.
#[test]
fn a_publisher_has_a_name() {
    let publisher = |name: &str| -> Result<Vec<Publisher>, String> {
        let text = format!(
            "[[publisher]]\nname = {name:?}\nkey = \"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"\n\
             packages = [\"acme/*\"]\nreason = \"r\"\nceiling = []\n"
        );
        let trust = TrustFile::parse(&text, "trust.toml").map_err(|error| error.to_string())?;
        Ok(trust.publishers().to_vec())
    };
    assert_eq!(publisher("acme").expect("a publisher")[0].name, "acme");
    for name in ["", " "] {
        assert!(publisher(name).is_err(), "{name:?}");
    }
}
