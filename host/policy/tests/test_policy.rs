//! What a package may do, through the public door: the three keys, denials, and how a policy file
//! fails. The cases are `policies/cases/*.toml`.

use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{
    Capability, CapabilitySet, Ceiling, Column, DenialCause, Holder, Limit, Permissions,
    PolicyDecision, PolicyFile, TrustFile, Verb,
};
use serde::Deserialize;
use std::path::Path;

/// One file of cases: the three keys, and what is asked of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// The holder.
    package: String,
    publisher: Option<String>,
    #[serde(default)]
    request: Vec<CapabilityDeclaration>,
    /// Text of a policy file.
    policy: String,
    /// Text of a trust file with the publisher.
    trust: Option<String>,
    ask: Vec<Ask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    kind: String,
    resource: String,
    /// `allowed`, or the cause of the denial.
    answer: String,
    /// The rule that decides, as `file:line` or in words.
    #[serde(default)]
    rule: Option<String>,
}

fn cases() -> Vec<(String, CaseFile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases");
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .expect("the cases are there")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let case = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_name().expect("a name").to_string_lossy().into_owned(), case)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(cases.len() >= 6, "only {} files of cases were found", cases.len());
    cases
}

fn permissions(name: &str, case: &CaseFile, policy: &str) -> Permissions {
    let policy = PolicyFile::parse(policy, "policy.toml").unwrap_or_else(|e| panic!("{name}: {e}"));
    let trust = case.trust.as_deref().unwrap_or_default();
    let trust = TrustFile::parse(trust, "trust.toml").unwrap_or_else(|e| panic!("{name}: {e}"));
    let publisher = case.publisher.as_deref();
    let ceiling = publisher.map(|p| &trust.publisher(p).expect("the publisher").ceiling);
    let holder = Holder { package: &case.package, publisher, ceiling };
    Permissions::new(&policy, &holder, &case.request).unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

fn answer(permissions: &Permissions, capability: &Capability<'_>) -> (String, String) {
    let allows = permissions.allows(capability);
    match permissions.decide(capability) {
        PolicyDecision::Allowed(rule) => {
            assert!(allows, "allows and decide differ on {capability}");
            ("allowed".into(), rule.place)
        }
        PolicyDecision::Denied(denial) => {
            assert!(!allows, "allows and decide differ on {capability}");
            assert_eq!(denial.capability, capability.to_string());
            (denial.cause.name().into(), denial.rule)
        }
    }
}

#[test]
fn every_case_has_its_answer() {
    let mut asked = 0;
    for (name, case) in cases() {
        let permissions = permissions(&name, &case, &case.policy);
        for ask in &case.ask {
            let capability = Capability::parse(&ask.kind, &ask.resource)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(capability.resource(), ask.resource, "{name}");
            let (given, rule) = answer(&permissions, &capability);
            assert_eq!(given, ask.answer, "{name}: {capability}");
            if let Some(expected) = &ask.rule {
                assert_eq!(&rule, expected, "{name}: {capability}");
            }
            asked += 1;
        }
    }
    assert!(asked >= 60, "only {asked} questions");
}

/// Attack E04: the order of entries has no effect, in any of many orders.
#[test]
fn atk_e04_shuffled_rules_decide_the_same() {
    let first = u64::from(std::process::id());
    let mut seed = first;
    for (name, case) in cases() {
        let mut entries: Vec<&str> = case.policy.split("\n\n").collect();
        let before = permissions(&name, &case, &case.policy);
        for turn in 0..50 {
            // Fisher and Yates, with a linear congruential generator: any order can come up.
            for last in (1..entries.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                entries.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
            }
            let after = permissions(&name, &case, &entries.join("\n\n"));
            for ask in &case.ask {
                let capability = Capability::parse(&ask.kind, &ask.resource).unwrap();
                let (before, after) = (before.allows(&capability), after.allows(&capability));
                assert_eq!(before, after, "seed {first}, {name}, turn {turn}: {capability}");
            }
        }
    }
}

/// The lines of a denial, added to the policy as they are, allow what was denied.
#[test]
fn the_lines_of_a_denial_are_what_was_missing() {
    let mut followed = 0;
    for (name, case) in cases() {
        let before = permissions(&name, &case, &case.policy);
        for ask in case.ask.iter().filter(|ask| ask.answer == "not-granted") {
            let capability = Capability::parse(&ask.kind, &ask.resource).unwrap();
            let PolicyDecision::Denied(denial) = before.decide(&capability) else {
                panic!("{name}: {capability} is allowed");
            };
            let (place, lines) = denial.remedy.split_once('\n').expect("lines to add");
            assert_eq!(place, "Add to policy.toml:", "{name}");
            let policy = format!("{}\n\n{lines}", case.policy);
            let (given, _) = answer(&permissions(&name, &case, &policy), &capability);
            // The ceiling may still be in the way; the grant is not.
            assert!(
                given == "allowed" || given == "above-ceiling",
                "{name}: {capability}: {given}"
            );
            followed += 1;
        }
    }
    assert!(followed >= 8, "only {followed} remedies were followed");
}

#[test]
fn atk_e01_without_a_policy_nothing_is_granted() {
    for (name, case) in cases() {
        for policy in [PolicyFile::default(), PolicyFile::missing("policy.toml")] {
            let holder = Holder { package: &case.package, publisher: None, ceiling: None };
            let permissions = Permissions::new(&policy, &holder, &case.request).unwrap();
            for ask in &case.ask {
                let capability = Capability::parse(&ask.kind, &ask.resource).unwrap();
                assert!(!permissions.allows(&capability), "{name}: {capability}");
            }
        }
    }
}

#[test]
fn atk_e01_a_policy_cut_off_at_any_byte_grants_nothing_more() {
    for (name, case) in cases() {
        let whole = permissions(&name, &case, &case.policy);
        // Cutting inside a deny entry makes the file unreadable, or takes a whole entry away.
        let denies = case.policy.contains("[[deny]]");
        for end in (0..case.policy.len()).filter(|end| case.policy.is_char_boundary(*end)) {
            let Ok(policy) = PolicyFile::parse(&case.policy[..end], "policy.toml") else {
                continue;
            };
            let holder = Holder { package: &case.package, publisher: None, ceiling: None };
            let cut = Permissions::new(&policy, &holder, &case.request).unwrap();
            for ask in case.ask.iter().filter(|ask| ask.answer == "not-granted" || !denies) {
                let capability = Capability::parse(&ask.kind, &ask.resource).unwrap();
                if case.publisher.is_none() && cut.allows(&capability) {
                    assert!(whole.allows(&capability), "{name}, cut at {end}: {capability}");
                }
            }
        }
    }
}

#[test]
fn atk_e02_what_is_not_a_policy_is_refused_with_its_line_and_a_hint() {
    let grant = |allow: &str| {
        format!("[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nallow = [\n  {allow},\n]\n")
    };
    let cases = [
        ("[[grants]]\n".to_owned(), 1, "unknown field `grants`"),
        ("[[grant]]\nreason = \"r\"\nallow = []\n".into(), 1, "neither package nor publisher"),
        ("[[grant]]\npackage = \"a/b\"\nreason = \" \"\nallow = []\n".into(), 3, "reason is empty"),
        (
            "[[grant]]\npackage = \"a*\"\nreason = \"r\"\nallow = []\n".into(),
            2,
            "names no packages",
        ),
        (
            "[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nalow = []\n".into(),
            4,
            "unknown field `alow`",
        ),
        (grant("{ tabel = \"contact\" }"), 5, "unknown field `tabel`"),
        (grant("{ }"), 5, "this one has 0"),
        (grant("{ table = \"a\", verbs = [\"read\"], message = \"b\" }"), 5, "this one has 2"),
        (grant("{ table = \"contact\" }"), 5, "needs 'verbs'"),
        (grant("{ table = \"contact\", verbs = [\"reed\"] }"), 5, "'reed' is none of create"),
        (grant("{ table = \"cont*\", verbs = [\"read\"] }"), 5, "\"cont*\" is not a table"),
        (grant("{ table = \"t\", verbs = [\"read\"], columns = [\"a b\"] }"), 5, "is not a column"),
        (grant("{ table = \"Contact\", verbs = [\"read\"] }"), 5, "\"Contact\" is not a table"),
        (
            grant("{ table = \"t\", verbs = [\"read\"], columns = [\"CreditLimit\"] }"),
            5,
            "is not a column",
        ),
        (grant("{ message = \"setstate\" }"), 5, "'setstate' is none of SetState"),
        (grant("{ message = \"A\", columns = [\"a\"] }"), 5, "'columns' does not belong"),
        (grant("{ message = \"A\", value = 3 }"), 5, "'value' does not belong"),
        (
            grant("{ message = \"A\", origins = [\"https://a.example.com\"] }"),
            5,
            "'origins' does not belong",
        ),
        (grant("{ secret = \"a\", origins = [\"a.example.com\"] }"), 5, "is not an HTTP origin"),
        (grant("{ message = \"A\", bytes_max = 3 }"), 5, "'bytes_max' does not belong"),
        (grant("{ message = \"A\", files_max = 3 }"), 5, "'files_max' does not belong"),
        (grant("{ message = \"A\", access = [\"read\"] }"), 5, "'access' does not belong"),
        (grant("{ message = \"A\", verbs = [\"read\"] }"), 5, "'verbs' does not belong"),
        (grant("{ impersonate = \"ada\" }"), 5, "\"ada\" is not a user id"),
        (grant("{ directory = \"d\" }"), 5, "needs 'access'"),
        (grant("{ directory = \"../d\", access = [\"read\"] }"), 5, "is not a directory name"),
        (grant("{ directory = \"d\", access = [\"x\"] }"), 5, "'x' is none of read, write"),
        (grant("{ http = \"https://127.0.0.1\" }"), 5, "is an address"),
        (grant("{ http = \"https://*.com\" }"), 5, "has a wildcard"),
        (grant("{ secret = \"\" }"), 5, "is not a name of a secret"),
        (grant("{ limit = \"fule\", value = 1 }"), 5, "'fule' is none of fuel"),
        (grant("{ limit = \"fuel\" }"), 5, "needs 'value'"),
        (
            "[[deny]]\npackage = \"*\"\nreason = \"r\"\ndeny = [{ limit = \"fuel\", value = 1 }]\n"
                .into(),
            4,
            "a limit cannot be denied",
        ),
        ("[[directory]]\nname = \"a\"\npath = \"srv\"\n".into(), 3, "is not an absolute path"),
        ("[[directory]]\nname = \"a\"\npath = \"/srv/../etc\"\n".into(), 3, "without '..'"),
        ("[[directory]]\nname = \"\"\npath = \"/srv\"\n".into(), 2, "is not a directory name"),
        (" ".repeat(offstage_policy::POLICY_FILE_BYTES_MAX + 1), 1, "at most 1048576 are allowed"),
    ];
    for (text, line, reason) in cases {
        check_refused(&text, line, reason);
    }
}

fn check_refused(text: &str, line: usize, reason: &str) {
    let error = PolicyFile::parse(text, "policy.toml").expect_err(reason);
    let shown = error.to_string();
    assert!(shown.contains(reason), "{shown}");
    assert_eq!(error.line, line, "{shown}");
    assert!(!error.hint.is_empty());
}

#[test]
fn atk_e02_bounds_of_registration_that_are_none_are_refused() {
    let cases = [
        (
            "[[registration]]\npackage = \"a/b\"\nreason = \"r\"\nstages = [20, 30]\n",
            4,
            "30 is no stage of steps",
        ),
        (
            "[[registration]]\npackage = \"a/b\"\nreason = \"r\"\nranks = [2, 1]\n",
            4,
            "no rank is in this range",
        ),
        (
            "[[registration]]\npackage = \"a/b\"\nreason = \"r\"\nrank = 2\n",
            4,
            "unknown field `rank`",
        ),
        ("[[registration]]\npackage = \"a/b\"\nreason = \"\"\n", 3, "reason is empty"),
        ("[[registration]]\npackage = \"a*\"\nreason = \"r\"\n", 2, "names no packages"),
    ];
    for (text, line, reason) in cases {
        check_refused(text, line, reason);
    }
}

/// Attack D07: what an update asks for in addition is nobody's grant yet, and the old grant stays.
#[test]
fn atk_d07_what_an_update_asks_for_in_addition_is_not_granted() {
    let policy = "[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nallow = [\n\
        { table = \"contact\", verbs = [\"read\"], columns = [\"fullname\"] },\n]\n";
    let policy = PolicyFile::parse(policy, "policy.toml").unwrap();
    let holder = Holder { package: "a/b", publisher: None, ceiling: None };
    let old =
        limits("table = \"contact\"\nverbs = [\"read\"]\ncolumns = [\"fullname\"]\nreason = \"r\"");
    let more =
        limits("table = \"*\"\nverbs = [\"read\", \"delete\"]\ncolumns = [\"*\"]\nreason = \"r\"");
    let name = Capability::column("contact", Verb::Read, "fullname");
    let asked = [
        Capability::column("contact", Verb::Read, "creditlimit"),
        Capability::column("account", Verb::Read, "name"),
        Capability::Table { table: "contact", verb: Verb::Delete, column: Column::Row },
    ];
    let before = Permissions::new(&policy, &holder, [&old]).unwrap();
    let after = Permissions::new(&policy, &holder, [&old, &more]).unwrap();
    assert!(before.allows(&name) && after.allows(&name));
    for capability in &asked {
        assert_eq!(answer(&before, capability).0, "not-requested", "{capability}");
        assert_eq!(answer(&after, capability).0, "not-granted", "{capability}");
    }
}

/// A denial by the ceiling names the file and the line that bounds the publisher.
#[test]
fn a_denial_by_the_ceiling_names_its_line() {
    let (name, case) = cases().into_iter().find(|(_, c)| c.publisher.is_some()).unwrap();
    let permissions = permissions(&name, &case, &case.policy);
    let capability = Capability::column("task", Verb::Create, "ownerid");
    let PolicyDecision::Denied(denial) = permissions.decide(&capability) else {
        panic!("the ceiling covers it");
    };
    assert_eq!((denial.cause, denial.rule.as_str()), (DenialCause::AboveCeiling, "trust.toml:6"));
    assert!(denial.remedy.contains("at trust.toml:6: { table"), "{}", denial.remedy);
}

#[test]
fn the_example_and_the_default_are_policies() {
    let example = include_str!("../../../policies/example.toml");
    let example = PolicyFile::parse(example, "example.toml").unwrap();
    assert_eq!((example.grants().len(), example.denies().len()), (2, 1));
    assert_eq!(example.directory("reports").unwrap().path, "/srv/offstage/reports");
    assert_eq!(example.directories().count(), 1);
    assert_eq!(
        example.registrations()[0].to_string(),
        "acme/*: messages Create, Update; tables contact, task; stages 20, 40; ranks 100 to 999"
    );
    let default = include_str!("../../../policies/default.toml");
    let default = PolicyFile::parse(default, "default.toml").unwrap();
    assert!(default.grants().is_empty() && !default.is_missing());
}

fn limits(text: &str) -> CapabilityDeclaration {
    toml::from_str(text).expect("a declaration")
}

#[test]
fn a_limit_is_what_was_granted_within_request_and_ceiling() {
    let granted = |value: u64| {
        let rule = format!("{{ limit = \"fuel\", value = {value} }}");
        PolicyFile::parse(&PolicyFile::grant_lines("a/b", "r", &[rule]), "p").unwrap()
    };
    let request = limits("limit = \"fuel\"\nvalue = 300\nreason = \"r\"");
    let ceiling =
        CapabilitySet::of_requests([&limits("limit = \"fuel\"\nvalue = 200\nreason = \"r\"")]);
    let ceiling = Ceiling { allows: ceiling.unwrap(), place: "t:1".into() };
    let holder = Holder { package: "a/b", publisher: None, ceiling: None };
    let bounded = Holder { ceiling: Some(&ceiling), ..holder };
    let none = PolicyFile::default();
    let cases: [(&PolicyFile, &Holder<'_>, &[CapabilityDeclaration], u64); 7] = [
        (&none, &holder, &[], 500),
        (&granted(900), &holder, &[], 900),
        (&granted(100), &holder, &[], 100),
        (&granted(900), &holder, std::slice::from_ref(&request), 300),
        (&none, &holder, std::slice::from_ref(&request), 300),
        (&granted(900), &bounded, std::slice::from_ref(&request), 200),
        (&none, &bounded, &[], 200),
    ];
    for (policy, holder, requests, expected) in cases {
        let permissions = Permissions::new(policy, holder, requests).unwrap();
        assert_eq!(permissions.limit(Limit::Fuel, 500), expected);
        assert_eq!(permissions.limit(Limit::MemoryBytes, 7), 7);
    }
}

#[test]
fn a_quota_is_the_strictest_of_the_three_keys() {
    let rule = |text: &str| {
        limits(&format!("directory = \"d\"\naccess = [\"write\"]\nreason = \"r\"\n{text}"))
    };
    let policy = "[[grant]]\npackage = \"a/b\"\nreason = \"r\"\nallow = [\n\
        { directory = \"d\", access = [\"write\"], bytes_max = 50, files_max = 9 },\n\
        { directory = \"d\", access = [\"read\"], bytes_max = 70, files_max = 8 },\n]\n";
    let policy = PolicyFile::parse(policy, "p").unwrap();
    let allows = CapabilitySet::of_requests([&rule("files_max = 3")]).unwrap();
    let ceiling = Ceiling { allows, place: "t:1".into() };
    let holder = Holder { package: "a/b", publisher: None, ceiling: None };
    let open = Permissions::new(&policy, &holder, &[rule("")]).unwrap();
    assert_eq!((open.quota("d").bytes_max, open.quota("d").files_max), (Some(70), Some(9)));
    assert_eq!(open.directories().collect::<Vec<_>>(), ["d"]);
    let holder = Holder { ceiling: Some(&ceiling), ..holder };
    let bound = Permissions::new(&policy, &holder, &[rule("bytes_max = 60")]).unwrap();
    assert_eq!((bound.quota("d").bytes_max, bound.quota("d").files_max), (Some(60), Some(3)));
    assert_eq!(bound.quota("other"), offstage_policy::Quota::default());
}

#[test]
fn a_request_needs_a_reason_and_a_form() {
    let holder = Holder { package: "a/b", publisher: None, ceiling: None };
    let good = limits("message = \"A\"\nreason = \"r\"");
    for bad in ["message = \"A\"", "message = \"A\"\nreason = \" \"", "reason = \"r\""] {
        let requests = [good.clone(), limits(bad)];
        let (index, _) = Permissions::new(&PolicyFile::default(), &holder, &requests).unwrap_err();
        assert_eq!(index, 1, "{bad}");
    }
}
