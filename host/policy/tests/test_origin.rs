//! Origins: what a rule may name, what it matches, and what is no host name (attack C11).

use offstage_policy::{Capability, Origin, OriginPattern};

#[test]
fn origins_are_read_and_written() {
    let cases = [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.Example.com:443", "https://api.example.com"),
        ("http://api.example.com:80", "http://api.example.com"),
        ("http://api.example.com:443", "http://api.example.com:443"),
        ("https://a-b.example.com:8443", "https://a-b.example.com:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ];
    for (text, written) in cases {
        assert_eq!(Origin::parse(text).unwrap().to_string(), written);
        assert_eq!(OriginPattern::parse(text).unwrap().to_string(), written);
    }
    let wild = OriginPattern::parse("https://*.Example.com:444").unwrap();
    assert_eq!(wild.to_string(), "https://*.example.com:444");
}

#[test]
fn atk_c11_addresses_and_the_machine_itself_are_no_origins() {
    let cases = [
        ("https://127.0.0.1", "is an address"),
        ("https://127.1", "is an address"),
        ("https://2130706433", "is an address"),
        ("https://0x7f000001", "is an address"),
        ("https://0x7f.0.0.0x1", "is an address"),
        ("https://0x", "is an address"),
        ("https://10.0.0.8:8080", "is an address"),
        ("https://a.1", "is an address"),
        ("https://[::1]", "is an address"),
        ("https://[::ffff:127.0.0.1]:80", "is an address"),
        ("https://localhost", "names the machine itself"),
        ("https://LOCALHOST:8443", "names the machine itself"),
        ("https://api.localhost", "names the machine itself"),
        ("https://crm", "one label only"),
        ("https://", "is not a host name"),
        ("https://.example.com", "is not a host name"),
        ("https://example.com.", "is not a host name"),
        ("https://exa mple.com", "is not a host name"),
        ("https://ex\u{430}mple.com", "is not a host name"),
        ("https://-a.example.com", "is not a host name"),
        ("https://a-.example.com", "is not a host name"),
        ("https://a_b.example.com", "is not a host name"),
        ("https://a%2eb.example.com", "is not a host name"),
        ("ftp://example.com", "neither 'https://' nor 'http://'"),
        ("HTTPS://example.com", "neither 'https://' nor 'http://'"),
        ("//example.com", "neither 'https://' nor 'http://'"),
        ("https://example.com/", "more than scheme, host and port"),
        ("https://example.com/a", "more than scheme, host and port"),
        ("https://example.com?a", "more than scheme, host and port"),
        ("https://example.com#a", "more than scheme, host and port"),
        ("https://user@example.com", "more than scheme, host and port"),
        ("https://example.com\\@evil.example", "more than scheme, host and port"),
        ("https://example.com:", "is not a port"),
        ("https://example.com:0", "is not a port"),
        ("https://example.com:+80", "is not a port"),
        ("https://example.com:65536", "is not a port"),
        ("https://example.com:80:80", "is not a port"),
    ];
    for (text, reason) in cases {
        let error = Origin::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
        let error = OriginPattern::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let long = format!("https://{}.example.com", "a".repeat(64));
    assert!(Origin::parse(&long).unwrap_err().to_string().contains("is not a host name"));
    let fits = format!("https://{}.example.com", "a".repeat(63));
    assert!(Origin::parse(&fits).is_ok());
    let label = "a".repeat(49);
    let name = |last: &str| format!("https://{label}.{label}.{label}.{label}.{label}.{last}");
    assert!(Origin::parse(&name("abc")).is_ok());
    assert!(Origin::parse(&name("abcd")).is_err());
}

#[test]
fn a_wildcard_is_the_first_of_three_labels_and_stands_for_at_least_one() {
    for text in [
        "https://*",
        "https://*.com",
        "https://a.*.com",
        "https://*.*.com",
        "https://*a.example.com",
    ] {
        let error = OriginPattern::parse(text).expect_err(text).to_string();
        assert!(error.contains("wildcard"), "{text}: {error}");
        assert!(Origin::parse(text).is_err());
    }
    let pattern = OriginPattern::parse("https://*.example.com").unwrap();
    let cases = [
        ("https://a.example.com", true),
        ("https://b.a.example.com", true),
        ("https://example.com", false),
        ("https://aexample.com", false),
        ("https://a.example.com.evil.org", false),
        ("https://a.example.org", false),
        ("http://a.example.com", false),
        ("https://a.example.com:444", false),
    ];
    for (text, expected) in cases {
        assert_eq!(pattern.matches(&Origin::parse(text).unwrap()), expected, "{text}");
    }
    let exact = OriginPattern::parse("https://example.com").unwrap();
    assert!(exact.matches(&Origin::parse("https://EXAMPLE.com").unwrap()));
    assert!(!exact.matches(&Origin::parse("https://a.example.com").unwrap()));
}

#[test]
fn questions_are_read_as_they_are_written() {
    for (kind, resource) in [
        ("table", "read"),
        ("table", "raed:contact"),
        ("file", "reports"),
        ("file", "execute:reports"),
        ("http", "https://127.0.0.1"),
        ("tables", "read:contact"),
    ] {
        assert!(Capability::parse(kind, resource).is_err(), "{kind} {resource}");
    }
}
