//! The double of Microsoft Graph behind a real socket of this machine.

use crate::graph_double::{BASE, Double};
use offstage_mailstores::http::{Http as _, HttpRequest};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Methods and headers that the double knows.
const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];
const HEADERS: [&str; 3] = ["authorization", "prefer", "if-match"];

/// Serves the double until the test ends; returns its address.
pub(crate) fn serve(double: &Double) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1.0", listener.local_addr().unwrap());
    let (double, here) = (double.clone(), url.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (double, here) = (double.clone(), here.clone());
            std::thread::spawn(move || answer(stream.unwrap(), double, &here));
        }
    });
    url
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, mut double: Double, here: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let answer = double.send(&request).unwrap();
        // Links lead to where the double is.
        let body = String::from_utf8(answer.body).unwrap().replace(BASE, here);
        let mut head = format!("HTTP/1.1 {} Status\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head +=
            &format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request; none when the client has gone.
fn read(reader: &mut BufReader<TcpStream>) -> Option<HttpRequest> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let method = METHODS.into_iter().find(|known| *known == method).expect("a known method");
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        if let Some(known) = HEADERS.into_iter().find(|known| *known == name) {
            headers.push((known, value.to_owned()));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let url = format!("{BASE}{}", path.strip_prefix("/v1.0").expect("below the version"));
    Some(HttpRequest { method, url, headers, body })
}
