//! The process that has a data directory, and what another one could learn in its place.

mod common;

use common::{Place, Serving, command, run};
use serde_json::Value as Json;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const PASSWORD: &str = "correct horse battery staple";

/// Listens where a process that is gone did, answers everything with `answer`, and keeps what came.
fn listen_in_its_place(address: &str, answer: &'static str) -> Arc<Mutex<Vec<u8>>> {
    let listener = TcpListener::bind(address).expect("the port is free again");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            let mut buffer = [0; 65_536];
            // One read has the head, and the body of so small a request.
            let read = connection.read(&mut buffer).unwrap_or(0);
            kept.lock().expect("one writer").extend_from_slice(&buffer[..read]);
            drop(connection.write_all(answer.as_bytes()));
        }
    });
    heard
}

#[test]
fn a_program_on_the_port_of_a_host_that_is_gone_learns_neither_token_nor_command() {
    let server = Place::new();
    let serving = server.serve(&["--dev"]);
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 64\r\nconnection: close\r\n\r\n0000000000000000000000000000000000000000000000000000000000000000",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ] {
        let device = Place::new();
        device.good(&["connect", &serving.url]);
        let host = Serving::start(&device.path(), "host", &[]);
        // While it lives, commands are its business: the store is locked for everybody else.
        device.good(&["outlook", "client", "set", "primary", "--take-over"]);
        let running = std::fs::read_to_string(device.path().join("running.json")).expect("a file");
        let running: Json = serde_json::from_str(&running).expect("JSON");
        let address = host.url.trim_start_matches("http://").to_owned();
        drop(host);
        let heard = listen_in_its_place(&address, answer);

        let mut add = command();
        add.arg("--data").arg(device.path()).args(["--json", "outlook", "store", "add", "dav"]);
        add.args(["http://127.0.0.1:9/", "--user", "jo"]).env("OFFSTAGE_STORE_SECRET", PASSWORD);
        let done = run(&mut add);
        // It worked here, and came as far as the server that does not answer.
        assert_eq!(done.exit, 6, "{done:?}");
        assert!(done.json()["error"]["message"].to_string().contains("127.0.0.1:9"), "{done:?}");
        let heard = String::from_utf8_lossy(&heard.lock().expect("one writer")).into_owned();
        assert!(heard.contains("x-offstage-challenge"), "it was asked: {heard}");
        let token = running["token"].as_str().expect("a token");
        for secret in [PASSWORD, token, "127.0.0.1:9"] {
            assert!(!heard.contains(secret), "{secret}: {heard}");
        }
    }
}
