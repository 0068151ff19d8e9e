//! One request against a fake resolver and a hostile server on loopback.
//!
//! Names resolve to public addresses, as the rule wants; the test's network leads those to its own
//! server. The rule itself is never weaker than in production.

use offstage_model::{HttpHeader, HttpRequest, Uuid};
use offstage_outbound::{
    Answer, Network, Outgoing, SecretError, SecretValue, Secrets, SendError, Sender, SenderLimits,
};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34));
const SECRET: &str = "s3cr3t-value";

/// A server that answers as the path says, and keeps what it was sent.
struct Hostile {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    // A client that hangs up is what some of the tests want.
                    drop(answer(stream, &kept));
                });
            }
        });
        Self { address, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("\r\n\r\n") && stream.read(&mut byte)? == 1 {
        text.push(char::from(byte[0]));
    }
    let length = text
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(text + &String::from_utf8_lossy(&body))
}

fn answer(mut stream: TcpStream, kept: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let request = read_request(&mut stream)?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().expect("no panic").push(request);
    if let Some(status) = path.strip_prefix("/redirect/") {
        let head = format!(
            "HTTP/1.1 {status} Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
        );
        return stream.write_all(head.as_bytes());
    }
    match path.as_str() {
        "/cookie" => stream.write_all(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 0\r\n\r\n",
        ),
        "/busy" => {
            stream.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        }
        "/drip" => loop {
            stream.write_all(b"H")?;
            std::thread::sleep(Duration::from_millis(20));
        },
        "/headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream
                    .write_all(b"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")?;
            }
        }
        "/body" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 4_096])?;
            }
        }
        "/bomb" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")?;
            stream.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
        }
        "/garbage" => stream.write_all(&[0, 159, 146, 150, 13, 10, 13, 10, 0xff]),
        "/silent" => {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        "/close" => Ok(()),
        _ => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"),
    }
}

/// A network whose names resolve to what the test says, one answer after the other.
struct FakeNetwork {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    resolved: AtomicUsize,
    leads_to: SocketAddr,
}

impl Network for FakeNetwork {
    fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        self.resolved.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().expect("no panic");
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(answer.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn route(&self, _address: SocketAddr) -> SocketAddr {
        self.leads_to
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &str) -> Result<SecretValue, SecretError> {
        match name {
            "token" => SecretValue::parse(SECRET),
            _ => Err(SecretError::Unset(name.to_owned())),
        }
    }
}

fn limits() -> SenderLimits {
    SenderLimits {
        connect_time: Duration::from_secs(2),
        total_time: Duration::from_millis(700),
        answer_head_bytes: 16 << 10,
    }
}

struct Set {
    server: Hostile,
    network: Arc<FakeNetwork>,
    sender: Sender,
}

fn set(answers: &[&[IpAddr]]) -> Set {
    let server = Hostile::start();
    let network = Arc::new(FakeNetwork {
        answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
        resolved: AtomicUsize::new(0),
        leads_to: server.address,
    });
    let sender = Sender::new(Arc::clone(&network) as _, Arc::new(OneSecret), limits());
    Set { server, network, sender }
}

fn post(path: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        url: format!("http://hooks.example.com{path}"),
        headers: vec![
            HttpHeader {
                name: "Content-Type".into(),
                value: "application/json".into(),
                secret: None,
            },
            HttpHeader {
                name: "Authorization".into(),
                value: "Bearer ".into(),
                secret: Some("token".into()),
            },
        ],
        body: br#"{"number":1}"#.to_vec(),
    }
}

fn send(set: &Set, request: &HttpRequest) -> Result<Answer, SendError> {
    set.sender.send(&Outgoing { id: Uuid::from_u128(7), request })
}

#[test]
fn atk_c14_a_request_arrives_as_it_was_asked_for_and_nothing_of_the_machine_with_it() {
    let set = set(&[&[PUBLIC]]);
    let answer = send(&set, &post("/hook?x=1")).expect("it is sent");
    assert_eq!(answer, Answer { status: 204, retry_after: None });
    let received = set.server.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    let lower = request.to_ascii_lowercase();
    assert!(request.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(lower.contains("\r\nhost: hooks.example.com\r\n"), "{request}");
    assert!(request.contains(&format!("Bearer {SECRET}\r\n")), "{request}");
    assert!(lower.contains(&format!("idempotency-key: {}\r\n", Uuid::from_u128(7))), "{request}");
    assert!(request.ends_with("{\"number\":1}"), "{request}");
    for ambient in ["cookie", "proxy", "via:", "referer", "accept-encoding", "x-forwarded"] {
        assert!(!lower.contains(ambient), "{request}");
    }
}

/// Set in the process that has what a machine may have lying around.
const PLANTED: &str = "OFFSTAGE_TEST_PLANTED";

/// Proxies in the environment, credentials in the home directory and a cookie of an answer before:
/// none of it is used. The environment belongs to the process, so the test runs itself in another.
#[test]
fn atk_c14_nothing_that_lies_around_on_the_machine_is_used() {
    if std::env::var_os(PLANTED).is_some() {
        let set = set(&[&[PUBLIC]]);
        send(&set, &post("/cookie")).expect("it is sent");
        let mut request = post("/hook");
        request.headers.clear();
        send(&set, &request).expect("it is sent");
        let received = set.server.received();
        let lower = received.last().expect("a request").to_ascii_lowercase();
        assert!(!lower.contains("cookie") && !lower.contains("authorization"), "{lower}");
        return;
    }
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    proxy.set_nonblocking(true).expect("a listener");
    let url = format!("http://{}", proxy.local_addr().expect("an address"));
    let home = tempfile::tempdir().expect("a folder");
    let netrc =
        "default login ada password hunter22\nmachine hooks.example.com login a password b\n";
    std::fs::write(home.path().join(".netrc"), netrc).expect("a file");
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "atk_c14_nothing_that_lies_around_on_the_machine_is_used"]);
    child.env(PLANTED, "1").env("HOME", home.path()).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_ascii_lowercase(), &url);
    }
    let done = child.output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn every_method_is_sent() {
    let set = set(&[&[PUBLIC]]);
    for method in ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"] {
        let mut request = HttpRequest { method: method.into(), ..post("/any") };
        if matches!(method, "GET" | "HEAD" | "DELETE") {
            request.body.clear();
        }
        assert_eq!(send(&set, &request).expect(method).status, 204, "{method}");
    }
    assert_eq!(set.server.received().len(), 6);
}

#[test]
fn atk_c11_one_address_that_is_not_public_spoils_the_name() {
    for inner in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1"] {
        let inner: IpAddr = inner.parse().expect("an address");
        for answer in [vec![inner], vec![PUBLIC, inner], vec![inner, PUBLIC]] {
            let set = set(&[&answer]);
            match send(&set, &post("/hook")) {
                Err(SendError::NotPublic { address, .. }) => assert_eq!(address, inner),
                other => panic!("{answer:?}: {other:?}"),
            }
            assert!(set.server.received().is_empty(), "nothing left the host");
        }
    }
}

#[test]
fn atk_c11_a_name_is_resolved_once_so_it_cannot_be_bound_anew() {
    let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
    let set = set(&[&[PUBLIC], &[loopback]]);
    send(&set, &post("/hook")).expect("the address that was looked at is used");
    assert_eq!(set.network.resolved.load(Ordering::Relaxed), 1);
    // The next request looks again, and sees what the name has become.
    assert!(matches!(send(&set, &post("/hook")), Err(SendError::NotPublic { .. })));
    assert_eq!(set.server.received().len(), 1);
}

#[test]
fn atk_c10_redirects_are_answers_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let set = set(&[&[PUBLIC]]);
        let answer = send(&set, &post(&format!("/redirect/{status}"))).expect("an answer");
        assert_eq!(answer.status, status);
        assert_eq!(set.server.received().len(), 1, "{status}");
        assert_eq!(set.network.resolved.load(Ordering::Relaxed), 1, "{status}");
    }
}

#[test]
fn atk_c13_a_hostile_answer_ends_within_its_limits() {
    let set = set(&[&[PUBLIC]]);
    for path in ["/drip", "/headers", "/garbage", "/close", "/silent"] {
        let started = Instant::now();
        let result = send(&set, &post(path));
        assert!(matches!(result, Err(SendError::Exchange(_))), "{path}: {result:?}");
        assert!(result.expect_err(path).is_transient(), "{path}");
        // Not how fast it is, but that it ends: without limits it never would.
        assert!(started.elapsed() < Duration::from_secs(20), "{path}");
    }
}

/// A name server that says nothing.
struct Silent;

impl Network for Silent {
    fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        std::thread::sleep(Duration::from_secs(60));
        Ok(vec![SocketAddr::new(PUBLIC, 80)])
    }
}

#[test]
fn atk_c13_a_name_that_nobody_answers_for_ends_within_its_limits() {
    let started = Instant::now();
    let sender = Sender::new(Arc::new(Silent), Arc::new(OneSecret), limits());
    let request = post("/hook");
    match sender.send(&Outgoing { id: Uuid::from_u128(7), request: &request }) {
        Err(error @ SendError::Name { .. }) => assert!(error.is_transient(), "{error}"),
        other => panic!("{other:?}"),
    }
    // Not how fast it is, but that it does not wait for the name server.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn atk_c13_the_body_of_an_answer_is_never_read() {
    let set = set(&[&[PUBLIC]]);
    for path in ["/body", "/bomb"] {
        assert_eq!(send(&set, &post(path)).expect(path).status, 200, "{path}");
    }
}

#[test]
fn a_busy_receiver_says_when_to_come_again() {
    let set = set(&[&[PUBLIC]]);
    let answer = send(&set, &post("/busy")).expect("an answer");
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(answer, Answer { status: 503, retry_after });
}

#[test]
fn a_secret_that_is_not_set_stops_the_request() {
    let set = set(&[&[PUBLIC]]);
    let mut request = post("/hook");
    request.headers[1].secret = Some("other".into());
    match send(&set, &request) {
        Err(error @ SendError::Secret(_)) => assert!(!error.is_transient()),
        other => panic!("{other:?}"),
    }
    assert!(set.server.received().is_empty());
}

#[test]
fn atk_c11_an_address_is_never_a_host() {
    let set = set(&[&[PUBLIC]]);
    for url in ["http://127.0.0.1/x", "http://[::1]/x", "http://localhost/x", "http://2130706433/"]
    {
        let request = HttpRequest { url: url.into(), ..post("/") };
        assert!(matches!(send(&set, &request), Err(SendError::Url(_))), "{url}");
    }
    assert_eq!(set.network.resolved.load(Ordering::Relaxed), 0);
}
