//! Requests of packages: as questions that all have to be allowed, and as the rules that an operator
//! would write; and what rules and packages may be named.

use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{
    Capability, Holder, Origin, OriginPattern, PackagePattern, Permissions, PolicyFile, questions,
    rule_line,
};

fn declaration(text: &str) -> CapabilityDeclaration {
    #[derive(serde::Deserialize)]
    struct Form {
        rule: CapabilityDeclaration,
    }
    let form: Form = toml::from_str(&format!("rule = {text}")).expect("the case is TOML");
    form.rule
}

/// A request, the rule that grants it, and the questions that it is about.
const CASES: [(&str, &str, &[&str]); 13] = [
    (
        r#"{ table = "task", verbs = ["create", "delete"], columns = ["subject", "*"], reason = "r" }"#,
        r#"{ table = "task", verbs = ["create", "delete"], columns = ["subject", "*"] }"#,
        &["table create:task.subject", "table create:task.*", "table delete:task"],
    ),
    (
        r#"{ table = "task", verbs = ["read"] }"#,
        r#"{ table = "task", verbs = ["read"] }"#,
        &["table read:task"],
    ),
    (
        r#"{ table = "*", verbs = ["delete"] }"#,
        r#"{ table = "*", verbs = ["delete"] }"#,
        &["table delete:*"],
    ),
    (r#"{ message = "SetState" }"#, r#"{ message = "SetState" }"#, &["message SetState"]),
    (r#"{ message = "*" }"#, r#"{ message = "*" }"#, &["message *"]),
    (
        r#"{ impersonate = "00000000-0000-0000-0000-000000000007" }"#,
        r#"{ impersonate = "00000000-0000-0000-0000-000000000007" }"#,
        &["impersonate 00000000-0000-0000-0000-000000000007"],
    ),
    (
        r#"{ directory = "reports", access = ["read", "write"], bytes_max = 10, files_max = 2 }"#,
        r#"{ directory = "reports", access = ["read", "write"], bytes_max = 10, files_max = 2 }"#,
        &["file read:reports", "file write:reports"],
    ),
    (
        r#"{ directory = "reports", access = ["read"] }"#,
        r#"{ directory = "reports", access = ["read"] }"#,
        &["file read:reports"],
    ),
    (
        r#"{ http = "https://api.example.com" }"#,
        r#"{ http = "https://api.example.com" }"#,
        &["http https://api.example.com"],
    ),
    (
        r#"{ http = "https://*.example.com:444" }"#,
        r#"{ http = "https://*.example.com:444" }"#,
        &["http https://*.example.com:444"],
    ),
    (r#"{ secret = "smtp" }"#, r#"{ secret = "smtp" }"#, &["secret smtp"]),
    (
        r#"{ secret = "smtp", origins = ["https://a.example.com", "https://b.example.com:444"] }"#,
        r#"{ secret = "smtp", origins = ["https://a.example.com", "https://b.example.com:444"] }"#,
        &["secret smtp@https://a.example.com", "secret smtp@https://b.example.com:444"],
    ),
    (r#"{ limit = "fuel", value = 5 }"#, r#"{ limit = "fuel", value = 5 }"#, &[]),
];

#[test]
fn a_request_is_its_questions_and_its_rule() {
    for (text, rule, expected) in CASES {
        let request = declaration(text);
        assert_eq!(rule_line(&request), rule, "{text}");
        let asked = questions(&request).unwrap_or_else(|e| panic!("{text}: {e}"));
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        assert_eq!(asked, expected, "{text}");
    }
    assert!(questions(&declaration(r#"{ table = "task" }"#)).is_err(), "no verbs");
}

/// The kinds in the words of questions are those that `policy explain` reads.
#[test]
fn a_question_is_read_back_from_its_words() {
    for text in CASES.iter().flat_map(|(_, _, questions)| *questions) {
        let (kind, resource) = text.split_once(' ').expect("two words");
        assert!(Capability::KINDS.contains(&kind), "{text}");
        if !resource.starts_with("https://*") {
            let capability = Capability::parse(kind, resource).expect("it is a question");
            assert_eq!((capability.kind(), capability.to_string().as_str()), (kind, *text));
        }
    }
}

/// A rule for the whole is one answer; a rule for a part is another.
#[test]
fn a_wildcard_is_granted_by_a_wildcard_only() {
    let cases = [
        (r#"{ http = "https://*.example.com" }"#, r#"{ http = "https://*.example.com" }"#, true),
        (r#"{ http = "https://*.example.com" }"#, r#"{ http = "https://a.example.com" }"#, false),
        (r#"{ message = "*" }"#, r#"{ message = "Win" }"#, false),
        (r#"{ message = "Win" }"#, r#"{ message = "*" }"#, true),
    ];
    for (request, grant, allowed) in cases {
        let mut request = declaration(request);
        request.reason = "a test".into();
        let grant = PolicyFile::grant_lines("acme/x", "a test", &[grant.to_owned()]);
        let policy = PolicyFile::parse(&grant, "policy.toml").expect("a policy");
        let holder = Holder { package: "acme/x", publisher: None, ceiling: None };
        let permissions = Permissions::new(&policy, &holder, [&request]).expect("permissions");
        assert_eq!(permissions.package(), "acme/x");
        for question in questions(&request).expect("questions") {
            assert_eq!(permissions.allows(&question), allowed, "{question} by {grant}");
        }
    }
}

#[test]
fn a_pattern_is_about_the_packages_below_it_and_no_others() {
    let cases = [
        ("acme/*", "acme/x", true),
        ("acme/*", "acme/x/y", true),
        ("acme/*", "acme/", false),
        ("acme/*", "acme", false),
        ("acme/*", "acme-evil/x", false),
        ("acme/x", "acme/x", true),
        ("acme/x", "acme/xy", false),
        ("*", "anything", true),
    ];
    for (pattern, package, expected) in cases {
        let parsed = PackagePattern::parse(pattern).expect("a pattern");
        assert_eq!(parsed.matches(package), expected, "{pattern} {package}");
        assert_eq!(parsed.to_string(), pattern);
    }
    for text in ["", "/*", "a*", "*/x", "a/**", "ä/*", "a b"] {
        assert_eq!(PackagePattern::parse(text), None, "{text:?} is no pattern");
    }
}

#[test]
fn a_name_may_be_long_but_not_longer() {
    let of_length =
        |bytes: usize| declaration(&format!("{{ secret = \"{}\" }}", "x".repeat(bytes)));
    for (bytes, is_name) in [(1, true), (127, true), (128, true), (129, false), (10_000, false)] {
        assert_eq!(questions(&of_length(bytes)).is_ok(), is_name, "{bytes}");
    }
}

#[test]
fn a_missing_policy_is_empty_and_says_that_it_is_missing() {
    let missing = PolicyFile::missing("policy.toml");
    assert!(missing.is_missing());
    assert_eq!(missing.file(), "policy.toml");
    assert!(missing.grants().is_empty() && missing.denies().is_empty());
    assert!(!PolicyFile::parse("", "policy.toml").expect("an empty policy").is_missing());
}

/// An error repeats what somebody else wrote: short, and without what moves a cursor.
#[test]
fn errors_show_texts_of_others_safely() {
    let long = format!("https://{}\u{1b}[31m.example.com", "x".repeat(200));
    let errors = [
        Origin::parse(&long).expect_err("no host").to_string(),
        OriginPattern::parse("https://a.*.\u{7}com").expect_err("no pattern").to_string(),
    ];
    assert!(errors[0].contains(&"x".repeat(80)), "{}", errors[0]);
    assert!(errors[1].contains("a.*.?com"), "{}", errors[1]);
    for error in errors {
        assert!(error.chars().count() < 200 && !error.contains('\u{1b}'), "{error}");
    }
}
