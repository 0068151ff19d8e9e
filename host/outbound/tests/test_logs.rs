//! What is logged while a request with a secret is sent: everything that any library says, and never
//! the value. A binary of its own, since a process has one log.

use offstage_model::{HttpHeader, HttpRequest, Uuid};
use offstage_outbound::{
    LOG_OFF, Network, Outgoing, SecretError, SecretValue, Secrets, Sender, SenderLimits,
};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

const SECRET: &str = "c4nary-0f-a-secret";

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Leads(SocketAddr);

impl Network for Leads {
    fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34)), port)])
    }

    fn route(&self, _address: SocketAddr) -> SocketAddr {
        self.0
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, _name: &str) -> Result<SecretValue, SecretError> {
        SecretValue::parse(SECRET)
    }
}

#[test]
fn atk_c14_no_log_has_the_value_of_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let filter = tracing_subscriber::EnvFilter::new("trace");
    tracing_subscriber::fmt()
        .with_env_filter(filter.add_directive(LOG_OFF.parse().expect("a directive")))
        .with_writer(move || writer.clone())
        .init();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let leads_to = listener.local_addr().expect("its address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
            text.push(char::from(byte[0]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the answer is taken");
        text
    });
    let request = HttpRequest {
        method: "GET".into(),
        url: "http://hooks.example.com/canary".into(),
        headers: vec![HttpHeader {
            name: "Authorization".into(),
            value: "Bearer ".into(),
            secret: Some("token".into()),
        }],
        body: Vec::new(),
    };
    let sender =
        Sender::new(Arc::new(Leads(leads_to)), Arc::new(OneSecret), SenderLimits::default());
    let outgoing = Outgoing { id: Uuid::from_u128(7), request: &request };
    assert_eq!(sender.send(&outgoing).expect("it is sent").status, 204);
    // Control: the value left, and the log has what the HTTP library says.
    assert!(server.join().expect("no panic").contains(SECRET));
    let text = log.text();
    assert!(text.contains("hooks.example.com"), "nothing was logged: {text}");
    // A dump of bytes has a few of them in a line.
    let parts = SECRET.as_bytes().windows(8).map(|part| std::str::from_utf8(part).expect("ASCII"));
    for part in parts {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert!(!format!("{outgoing:?} {request:?}").contains(SECRET));
}
