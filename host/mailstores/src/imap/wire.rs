//! The connection under the protocol: TCP with or without TLS, and a meter that ends an answer which
//! is too large or takes too long.
//!
//! Never speaks IMAP. Without TLS it connects to loopback addresses only.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::settings::{ImapLimits, ImapSettings, Security};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the connection failed: {0}")]
    Network(#[source] io::Error),
    #[error("{host} is no address of this machine, and a connection without TLS goes nowhere else")]
    PlainToElsewhere { host: String },
    #[error("'{host}' is no name that a certificate can show")]
    Name { host: String },
    #[error("the authorities in {file} cannot be read: {reason}")]
    Authorities { file: String, reason: String },
    #[error("the server's certificate or its TLS is not accepted: {0}")]
    Tls(#[source] io::Error),
}

/// An answer is larger than the limit.
#[derive(Debug, thiserror::Error)]
#[error("the server answers more than {limit} bytes to one command")]
pub(super) struct AnswerTooLarge {
    limit: u64,
}

/// How much an answer may still bring, and how long. Shared with the stream, which the IMAP client
/// owns.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    limits: ImapLimits,
    bytes_left: AtomicU64,
    ends_ms: AtomicU64,
}

impl Meter {
    fn new(limits: ImapLimits) -> Self {
        let meter = Self {
            started: Instant::now(),
            limits,
            bytes_left: AtomicU64::new(0),
            ends_ms: AtomicU64::new(0),
        };
        meter.next_command();
        meter
    }

    /// The next command may have an answer of its own.
    pub(super) fn next_command(&self) {
        let ends = self.started.elapsed().saturating_add(self.limits.answer_time_max);
        self.bytes_left.store(self.limits.answer_bytes_max, Ordering::Relaxed);
        self.ends_ms.store(ends.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<u64> {
        if self.started.elapsed().as_millis() > u128::from(self.ends_ms.load(Ordering::Relaxed)) {
            let text = "the server takes too long to answer";
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        match self.bytes_left.load(Ordering::Relaxed) {
            0 => Err(io::Error::other(AnswerTooLarge { limit: self.limits.answer_bytes_max })),
            left => Ok(left),
        }
    }
}

/// A connection with a meter.
pub(super) struct Wire {
    inner: Inner,
    meter: Arc<Meter>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects to the server of an account.
    pub(super) fn open(settings: &ImapSettings) -> Result<(Self, Arc<Meter>), WireError> {
        let inner = match &settings.security {
            Security::PlainToLoopback => Inner::Plain(tcp(settings)?),
            Security::Tls { ca_file } => {
                let config = config(ca_file.as_deref())?;
                let host = settings.host.clone();
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| WireError::Name { host })?;
                let client = ClientConnection::new(Arc::new(config), name)
                    .map_err(|error| WireError::Tls(io::Error::other(error)))?;
                let mut stream = StreamOwned::new(client, tcp(settings)?);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock).map_err(tls_or_network)?;
                }
                Inner::Tls(Box::new(stream))
            }
        };
        let meter = Arc::new(Meter::new(settings.limits));
        Ok((Self { inner, meter: Arc::clone(&meter) }, meter))
    }
}

fn tls_or_network(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::InvalidData => WireError::Tls(error),
        _ => WireError::Network(error),
    }
}

fn tcp(settings: &ImapSettings) -> Result<TcpStream, WireError> {
    let addresses = (settings.host.as_str(), settings.port).to_socket_addrs();
    let plain = settings.security == Security::PlainToLoopback;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.map_err(WireError::Network)? {
        if plain && !address.ip().is_loopback() {
            return Err(WireError::PlainToElsewhere { host: settings.host.clone() });
        }
        match connected(&address, &settings.limits) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(WireError::Network(last))
}

fn connected(address: &std::net::SocketAddr, limits: &ImapLimits) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, limits.silence_max)?;
    stream.set_read_timeout(Some(limits.silence_max))?;
    stream.set_write_timeout(Some(limits.silence_max))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn config(ca_file: Option<&std::path::Path>) -> Result<ClientConfig, WireError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let failed = |reason: String| WireError::Authorities {
                file: file.display().to_string(),
                reason,
            };
            let found = CertificateDer::pem_file_iter(file).map_err(|e| failed(e.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| failed(e.to_string()))?;
                roots.add(certificate).map_err(|e| failed(e.to_string()))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| WireError::Tls(io::Error::other(error)))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.meter.check()?).unwrap_or(usize::MAX);
        let part = buffer.len().min(left);
        let read = match &mut self.inner {
            Inner::Plain(stream) => stream.read(&mut buffer[..part]),
            Inner::Tls(stream) => stream.read(&mut buffer[..part]),
        }?;
        self.meter.bytes_left.fetch_sub(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.inner {
            Inner::Plain(stream) => stream.write(bytes),
            Inner::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Inner::Plain(stream) => stream.flush(),
            Inner::Tls(stream) => stream.flush(),
        }
    }
}
