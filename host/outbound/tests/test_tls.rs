//! Requests over https to a real TLS server on this machine: whose name is checked, and whose
//! certificate. Without that, a secret goes to whoever answers.

use offstage_model::{HttpHeader, HttpRequest, Uuid};
use offstage_outbound::{
    Network, Outgoing, SecretError, SecretValue, Secrets, SendError, Sender, SenderLimits,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOST: &str = "hooks.example.com";
const SECRET: &str = "s3cr3t-token";

/// What a server shows.
struct Shown {
    /// The name in the certificate.
    name: &'static str,
    /// The last year in which it is valid.
    until: i32,
    /// Whether the one who vouches for it is known.
    is_vouched_for: bool,
}

/// A server that keeps what it was sent, and the certificate that vouches for it.
struct Server {
    address: SocketAddr,
    root: Vec<u8>,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(shown: &Shown) -> Self {
        let root_key = KeyPair::generate().expect("a key");
        let mut root = CertificateParams::new(Vec::new()).expect("parameters");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_der = root.self_signed(&root_key).expect("a certificate").der().to_vec();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![shown.name.to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(shown.until, 1, 1);
        let issuer = Issuer::new(root, root_key);
        let signed = match shown.is_vouched_for {
            true => params.signed_by(&key, &issuer),
            false => params.self_signed(&key),
        };
        let chain = vec![signed.expect("a certificate").der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config =
            ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
                .expect("the server's settings");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let (config, kept) = (Arc::new(config), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                // A client that does not believe the certificate ends it; that is the test.
                if let Ok(request) = answer(StreamOwned::new(connection, stream)) {
                    kept.lock().expect("no panic").push(request);
                }
            }
        });
        Self { address, root: root_der, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<String> {
    stream.sock.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut text, mut part) = (String::new(), [0; 4_096]);
    while !text.contains("\r\n\r\n") {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    Ok(text)
}

/// Every name leads to one server, and one certificate vouches for it.
struct OneServer {
    address: SocketAddr,
    root: Vec<u8>,
}

impl Network for OneServer {
    fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34)), port)])
    }

    fn route(&self, _address: SocketAddr) -> SocketAddr {
        self.address
    }

    fn root_certificates(&self) -> Option<Vec<Vec<u8>>> {
        (!self.root.is_empty()).then(|| vec![self.root.clone()])
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, _name: &str) -> Result<SecretValue, SecretError> {
        SecretValue::parse(SECRET)
    }
}

/// Sends a request with a secret; `root` is what the sender believes.
fn send(server: &Server, root: Vec<u8>) -> Result<u16, SendError> {
    let network = Arc::new(OneServer { address: server.address, root });
    let sender = Sender::new(network, Arc::new(OneSecret), SenderLimits::default());
    let request = HttpRequest {
        method: "GET".into(),
        url: format!("https://{HOST}/hook"),
        headers: vec![HttpHeader {
            name: "Authorization".into(),
            value: "Bearer ".into(),
            secret: Some("token".into()),
        }],
        body: Vec::new(),
    };
    let outgoing = Outgoing { id: Uuid::from_u128(7), request: &request };
    sender.send(&outgoing).map(|answer| answer.status)
}

#[test]
fn a_secret_arrives_over_https_at_the_server_of_that_name() {
    let server = Server::start(&Shown { name: HOST, until: 2_100, is_vouched_for: true });
    assert_eq!(send(&server, server.root.clone()).expect("it is sent"), 204);
    let received = server.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    assert!(request.starts_with("GET /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("Bearer {SECRET}\r\n")), "{request}");
}

/// Attack C11: whoever takes a name's place has no certificate for it.
#[test]
fn atk_c11_a_server_that_cannot_show_its_name_is_sent_nothing() {
    let good = || Shown { name: HOST, until: 2_100, is_vouched_for: true };
    let cases = [
        ("another name", Shown { name: "hooks.example.org", ..good() }),
        ("a name below", Shown { name: "a.hooks.example.com", ..good() }),
        ("out of date", Shown { until: 2_021, ..good() }),
        ("vouched for by itself", Shown { is_vouched_for: false, ..good() }),
    ];
    for (what, shown) in cases {
        let server = Server::start(&shown);
        match send(&server, server.root.clone()) {
            Err(SendError::Exchange(text)) => {
                assert!(text.contains("certificate"), "{what}: {text}")
            }
            other => panic!("{what}: {other:?}"),
        }
        assert!(server.received().is_empty(), "{what}");
    }
    // Nobody who is publicly known vouches for a certificate of this test.
    let server = Server::start(&good());
    assert!(matches!(send(&server, Vec::new()), Err(SendError::Exchange(_))));
    assert!(server.received().is_empty());
}
