//! What a policy file says beside its rules: directories, reasons, names; and what a denial calls
//! a policy that has no name.

use offstage_model::registration::{CapabilityDeclaration, PackageDeclaration};
use offstage_policy::{
    Capability, Holder, Limit, Permissions, PolicyDecision, PolicyFile, Publisher, TrustFile,
    grant_line,
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

/// A limit is the largest that is granted, within what the package asks for and its ceiling; the one
/// that decides is named, and of equal ones the first.
#[test]
fn a_limit_says_what_decides_it() {
    let rule = |value: Option<u64>| match value {
        Some(value) => format!("{{ limit = \"fuel\", value = {value} }}"),
        None => "{ message = \"WhoAmI\" }".to_owned(),
    };
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    for (grants, request, ceiling, value, source) in [
        ([None, None], None, None, 100, "default"),
        ([None, None], Some(90), None, 90, "the package asks for no more"),
        ([None, None], Some(200), Some(150), 100, "default"),
        ([Some(120), None], None, None, 120, "policy.toml:4"),
        ([Some(120), Some(130)], None, None, 130, "policy.toml:8"),
        ([Some(130), Some(120)], None, None, 130, "policy.toml:4"),
        ([Some(120), Some(120)], Some(120), Some(120), 120, "policy.toml:4"),
        ([Some(120), None], Some(110), Some(115), 110, "the package asks for no more"),
        ([Some(120), None], Some(110), Some(105), 105, "ceiling at trust.toml:6"),
    ] {
        let policy = grants.map(|grant| {
            let rule = rule(grant);
            format!("[[grant]]\npackage = \"*\"\nreason = \"r\"\nallow = [{rule}]\n")
        });
        let policy = PolicyFile::parse(&policy.concat(), "policy.toml").expect("a policy");
        let trust = format!(
            "[[publisher]]\nname = \"a\"\nkey = \"{key}\"\npackages = [\"acme/*\"]\nreason = \"r\"\n\
             ceiling = [{}]\n",
            rule(ceiling)
        );
        let trust = TrustFile::parse(&trust, "trust.toml").expect("a trust file");
        let ceiling = &trust.publisher("a").expect("it is there").ceiling;
        let request = CapabilityDeclaration {
            limit: request.map(|_| "fuel".into()),
            message: request.is_none().then(|| "WhoAmI".into()),
            value: request,
            reason: "a test".into(),
            ..CapabilityDeclaration::default()
        };
        let holder = Holder { package: "acme/x", publisher: Some("a"), ceiling: Some(ceiling) };
        let permissions = Permissions::new(&policy, &holder, [&request]).expect("permissions");
        let held = permissions.explain_limit(Limit::Fuel, 100);
        assert_eq!((held.value, held.source.to_string().as_str()), (value, source));
        assert_eq!(permissions.limit(Limit::Fuel, 100), value);
    }
}

/// What is written into a policy for a secret is where it may go: what the package asks for beside it.
#[test]
fn a_grant_of_a_requested_secret_writes_out_its_origins() {
    let request = |text: &str| -> CapabilityDeclaration {
        toml::from_str::<std::collections::BTreeMap<String, CapabilityDeclaration>>(text)
            .expect("it can be read")
            .remove("r")
            .expect("it is there")
    };
    let secret = request("r = { secret = \"s\" }");
    let named = request("r = { secret = \"s\", origins = [\"https://c.example.com\"] }");
    let http = |host: &str| request(&format!("r = {{ http = \"https://{host}.example.com\" }}"));
    let package = |requests: Vec<CapabilityDeclaration>| PackageDeclaration {
        package: "acme/x".into(),
        version: "1.0.0".into(),
        types: Vec::new(),
        requests,
    };
    let two = package(vec![http("b"), secret.clone(), http("a"), http("b")]);
    assert_eq!(
        grant_line(&two, &secret),
        r#"{ secret = "s", origins = ["https://a.example.com", "https://b.example.com"] }"#
    );
    assert_eq!(
        grant_line(&two, &named),
        r#"{ secret = "s", origins = ["https://c.example.com"] }"#,
        "what it says itself stays"
    );
    assert_eq!(grant_line(&two, &http("a")), r#"{ http = "https://a.example.com" }"#);
    assert_eq!(grant_line(&package(vec![secret.clone()]), &secret), r#"{ secret = "s" }"#);
}
