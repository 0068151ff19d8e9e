//! URLs of outbound requests: one form, read by everybody in the same way.

use offstage_policy::{OutboundUrl, UrlError};

#[test]
fn atk_c10_c11_the_corpus_of_urls_has_the_expected_verdicts() {
    let corpus = include_str!("data/urls.txt");
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let (verdict, text) = line.split_once(' ').expect("a verdict and a URL");
        let text: String = serde_json::from_str(text).expect("a JSON string");
        let allowed = match verdict {
            "allow" => true,
            "refuse" => false,
            other => panic!("'{other}' is no verdict"),
        };
        lines += 1;
        if OutboundUrl::parse(&text).is_ok() != allowed {
            wrong.push(format!("{verdict} {:?}", text.chars().take(80).collect::<String>()));
        }
    }
    assert!(lines >= 300, "{lines} URLs");
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_allowed_is_written_as_it_was_read() {
    let corpus = include_str!("data/urls.txt");
    for line in corpus.lines().filter(|line| line.starts_with("allow ")) {
        let text: String = serde_json::from_str(&line["allow ".len()..]).expect("a JSON string");
        let url = OutboundUrl::parse(&text).expect("it is allowed");
        let again = OutboundUrl::parse(&url.to_string()).expect("its own text is allowed");
        assert_eq!(url, again, "{text}");
        assert!(url.target().starts_with('/'), "{text}");
        assert!(text.ends_with(url.target().trim_start_matches('/')), "{text}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let cases = [
        ("https://user@example.com/", UrlError::User),
        ("https://example.com/#x", UrlError::Fragment),
        ("https://example.com/%zz", UrlError::Escape),
        ("https://example.com/%0d%0aHost:x", UrlError::Escape),
        ("https://example.com/%2E%2e/x", UrlError::Dots),
        ("https://example.com/a b", UrlError::Character(' ')),
        ("https://example.com\\x", UrlError::Character('\\')),
    ];
    for (text, expected) in cases {
        assert_eq!(OutboundUrl::parse(text), Err(expected), "{text}");
    }
}
