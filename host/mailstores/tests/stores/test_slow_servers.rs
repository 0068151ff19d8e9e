//! Servers that never end: they are never silent for long, and each exchange ends all the same.
//!
//! Without the limit of a whole exchange these tests do not fail, they hang, and the runner ends them.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use offstage_mailstores::http::{Http as _, HttpRequest, Network};
use offstage_mailstores::imap::{ImapLimits, ImapSettings, ImapStore, Security};
use offstage_outlook::{MailStore as _, MailStoreError};

/// How often something comes: well below any limit of silence.
const DRIP: Duration = Duration::from_millis(20);
/// The limit of an exchange in these tests.
const LIMIT: Duration = Duration::from_millis(500);

/// The beginning of a TLS record of 16 KiB.
const TLS_RECORD: &[u8] = b"\x16\x03\x03\x40\x00";

/// Answers each connection with a beginning, and then with one byte after the other for ever.
fn dripping(beginning: &'static [u8], byte: u8) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut connection = connection;
                let mut sent = connection.write_all(beginning);
                while sent.is_ok() {
                    std::thread::sleep(DRIP);
                    sent = connection.write_all(&[byte]);
                }
            });
        }
    });
    port
}

#[test]
fn http_ends_whatever_part_of_an_answer_has_no_end() {
    let cases: [(&str, &[u8], u8); 4] = [
        ("http", b"", b'x'),
        ("http", b"HTTP/1.1 200 OK\r\nx-long: ", b'x'),
        ("http", b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b'x'),
        ("https", TLS_RECORD, 0),
    ];
    for (scheme, beginning, byte) in cases {
        let port = dripping(beginning, byte);
        let url = format!("{scheme}://127.0.0.1:{port}/");
        let request = HttpRequest { method: "GET", url, headers: Vec::new(), body: Vec::new() };
        let answer = Network::new(LIMIT, LIMIT).send(&request);
        let said = String::from_utf8_lossy(beginning);
        assert!(answer.is_err(), "{scheme} {said}: {answer:?}");
    }
}

#[test]
fn imap_ends_a_handshake_and_an_answer_that_have_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Security::Tls { ca_file: None };
    let cases: [(Security, &[u8], u8); 3] = [
        (tls, TLS_RECORD, 0),
        (Security::PlainToLoopback, b"", b'x'),
        (Security::PlainToLoopback, b"* OK ready\r\n* CAPABILITY IMAP4rev1 ", b'x'),
    ];
    for (security, beginning, byte) in cases {
        let settings = ImapSettings {
            host: "127.0.0.1".to_owned(),
            port: dripping(beginning, byte),
            security: security.clone(),
            user: "ada".to_owned(),
            password: "secret".to_owned(),
            folders: Vec::new(),
            keywords: true,
            limits: ImapLimits { answer_time_max: LIMIT, ..ImapLimits::default() },
        };
        let mut store = ImapStore::open(settings, &folder.path().join("ties.db")).unwrap();
        let error = store.folders().unwrap_err();
        let MailStoreError::Transient { detail, .. } = &error else { panic!("{error:?}") };
        assert!(detail.contains("takes too long"), "{security:?}: {detail}");
    }
}
