//! Requests at their bounds and beyond them, before any grant is asked.

use super::{HEADER_BYTES_MAX, HEADERS_MAX, METHODS, RESERVED_HEADERS, check};
use offstage_model::{HttpHeader, HttpRequest};

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader { name: name.into(), value: value.into(), secret: None }
}

fn request(method: &str, headers: Vec<HttpHeader>, body: &[u8]) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        url: "https://hooks.example.com/".into(),
        headers,
        body: body.to_vec(),
    }
}

#[track_caller]
fn refused(request: &HttpRequest, reason: &str) {
    let fault = check(request).expect_err(reason);
    assert!(fault.message.contains(reason), "{request:?}: {fault}");
}

fn post(headers: Vec<HttpHeader>) -> HttpRequest {
    request("POST", headers, b"x")
}

#[test]
fn methods_are_those_of_the_list_and_bodies_come_with_some() {
    for (method, takes_body) in METHODS {
        check(&request(method, Vec::new(), b"")).expect(method);
        assert_eq!(check(&request(method, Vec::new(), b"x")).is_ok(), takes_body, "{method}");
    }
    for method in ["", "get", "CONNECT", "TRACE", "OPTIONS", "GET ", "GET\r\nX: y"] {
        refused(&request(method, Vec::new(), b""), "The method is none of");
    }
}

/// Attack C13: nothing in a name or a value ends a line, or is read differently by two programs.
#[test]
fn atk_c13_a_header_holds_no_line_end_and_nothing_that_is_not_seen() {
    let odd = ["\r\nX: y", "\n", "\r", "\0", "\t", "\u{b}", "\u{7f}", "\u{85}", "é", "\u{2028}"];
    for part in odd {
        for value in [part.to_owned(), format!("a{part}"), format!("a{part}b")] {
            refused(&post(vec![header("X-Note", &value)]), "has a value that is none");
            refused(&post(vec![header(&value, "v")]), "A header's name is not one");
        }
    }
    for name in ["", " ", "a b", "a:", ":a", "(a)", "a,b", "a;b", "\"a\"", "a/b", "a@b", "[a]"] {
        refused(&post(vec![header(name, "v")]), "A header's name is not one");
    }
    check(&post(vec![header("X!#$%&'*+-.^_`|~09az", " !\"~ {}"), header("x", "")])).expect("fine");
}

/// Attack C13: how a request is framed, and what it says about its sender, is the sender's.
#[test]
fn atk_c13_headers_of_the_sender_are_not_a_plug_in_s() {
    let more = ["proxy-authorization", "proxy-connection", "proxy-"];
    for name in RESERVED_HEADERS.iter().copied().chain(more) {
        let mixed: String = name
            .char_indices()
            .map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c })
            .collect();
        for name in [name.to_owned(), name.to_ascii_uppercase(), mixed] {
            refused(&post(vec![header("x", "y"), header(&name, "1")]), "is the sender's to set");
        }
    }
    for framing in ["host", "content-length", "transfer-encoding", "connection", "cookie", "te"] {
        assert!(RESERVED_HEADERS.contains(&framing), "{framing}");
    }
    for own in ["authorization", "content-type", "x-proxy-", "hosted"] {
        check(&post(vec![header(own, "v")])).expect(own);
    }
}

/// Attack C13: a flood of headers.
#[test]
fn atk_c13_headers_are_few_and_small() {
    let many = |count: usize| (0..count).map(|i| header(&format!("x{i}"), "v")).collect();
    check(&post(many(HEADERS_MAX))).expect("as many as there may be");
    refused(&post(many(HEADERS_MAX + 1)), "at most 32 headers");
    // Two names of one byte and their values.
    let large = |more: usize| {
        let half = HEADER_BYTES_MAX / 2 - 1;
        vec![header("a", &"v".repeat(half)), header("b", &"v".repeat(half + more))]
    };
    check(&post(large(0))).expect("as many bytes as there may be");
    refused(&post(large(1)), "with 16384 bytes");
}
