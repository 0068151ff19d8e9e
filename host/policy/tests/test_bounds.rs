//! How large files and lists may be: up to a bound everything counts, beyond it the whole file is
//! refused. Nothing is ever read in part.

use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{
    CapabilitySet, OutboundUrl, PINS_MAX, POLICY_FILE_BYTES_MAX, PolicyFile, TRUST_FILE_BYTES_MAX,
    TrustFile, URL_BYTES_MAX,
};

/// The most capabilities in one list.
const CAPABILITIES_MAX: usize = 1_000;
/// The most entries of one kind in a file.
const ENTRIES_MAX: usize = PINS_MAX;

fn policy(text: &str) -> Result<PolicyFile, String> {
    PolicyFile::parse(text, "policy.toml").map_err(|error| error.reason)
}

fn trust(text: &str) -> Result<TrustFile, String> {
    TrustFile::parse(text, "trust.toml").map_err(|error| error.reason)
}

#[test]
fn a_file_may_have_so_many_bytes() {
    let comment = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
    assert!(policy(&comment(POLICY_FILE_BYTES_MAX)).is_ok());
    let reason = policy(&comment(POLICY_FILE_BYTES_MAX + 1)).expect_err("it is too large");
    assert!(reason.contains(&format!("at most {POLICY_FILE_BYTES_MAX}")), "{reason}");
    assert!(trust(&comment(TRUST_FILE_BYTES_MAX)).is_ok());
    assert!(trust(&comment(TRUST_FILE_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_list_may_have_so_many_items() {
    let rules = |count: usize| {
        let rules: Vec<String> = (0..count).map(|n| format!("{{ secret = \"s{n}\" }}")).collect();
        policy(&PolicyFile::grant_lines("acme/x", "a test", &rules))
    };
    let granted = rules(CAPABILITIES_MAX).expect("so many are taken");
    let last = offstage_policy::Capability::Secret { name: "s999", to: None };
    assert!(granted.grants()[0].allow.covers(&last).is_some(), "the last one counts too");
    assert!(rules(CAPABILITIES_MAX + 1).is_err());
}

#[test]
fn a_file_may_have_so_many_entries() {
    let policies = [
        "[[grant]]\npackage=\"*\"\nreason=\"r\"\nallow=[]\n",
        "[[deny]]\npackage=\"*\"\nreason=\"r\"\ndeny=[]\n",
    ];
    for entry in policies {
        assert!(policy(&entry.repeat(ENTRIES_MAX)).is_ok(), "{entry}");
        assert!(policy(&entry.repeat(ENTRIES_MAX + 1)).is_err(), "{entry}");
    }
    let minimum = "[[minimum]]\npackage=\"*\"\nversion=\"1.0.0\"\nreason=\"r\"\n";
    assert!(trust(&minimum.repeat(ENTRIES_MAX)).is_ok());
    assert!(trust(&minimum.repeat(ENTRIES_MAX + 1)).is_err());
}

#[test]
fn a_url_may_have_so_many_bytes() {
    let start = "https://api.example.com/";
    for (bytes, is_url) in
        [(URL_BYTES_MAX - 1, true), (URL_BYTES_MAX, true), (URL_BYTES_MAX + 1, false)]
    {
        let url = format!("{start}{}", "a".repeat(bytes - start.len()));
        assert_eq!(OutboundUrl::parse(&url).is_ok(), is_url, "{bytes}");
    }
}

#[test]
fn a_set_is_empty_until_something_is_in_it() {
    assert!(CapabilitySet::default().is_empty());
    let limit = CapabilityDeclaration {
        limit: Some("fuel".into()),
        value: Some(1),
        reason: "a test".into(),
        ..CapabilityDeclaration::default()
    };
    let set = CapabilitySet::of_requests([&limit]).expect("a set");
    assert!(!set.is_empty(), "a limit is something");
}
