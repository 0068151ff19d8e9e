//! The connection under the protocol: TCP with or without TLS, and a meter that ends an answer which
//! is too large or takes too long.
//!
//! Never speaks IMAP. Without TLS it connects to loopback addresses only.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

    /// The time that is left.
    fn time_left(&self) -> io::Result<Duration> {
        let ends = Duration::from_millis(self.ends_ms.load(Ordering::Relaxed));
        match ends.checked_sub(self.started.elapsed()) {
            Some(left) if left >= Duration::from_millis(1) => Ok(left),
            _ => {
                let text = "the server takes too long to answer";
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    fn bytes_left(&self) -> io::Result<u64> {
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
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A socket that looks at the time before every exchange: TLS asks it as often as it takes to have a
/// whole record, which a server may send byte by byte.
struct Socket {
    stream: TcpStream,
    meter: Arc<Meter>,
}

impl Socket {
    fn patience(&self) -> io::Result<Option<Duration>> {
        Ok(Some(self.meter.time_left()?.min(self.meter.limits.silence_max)))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.patience()?)?;
        // A wait that ended because the exchange did is told as that.
        self.stream.read(buffer).map_err(|error| self.meter.time_left().err().unwrap_or(error))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.patience()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Wire {
    /// Connects to the server of an account.
    pub(super) fn open(settings: &ImapSettings) -> Result<(Self, Arc<Meter>), WireError> {
        let meter = Arc::new(Meter::new(settings.limits));
        let socket = || {
            let stream = tcp(settings)?;
            // Connecting has a limit of its own.
            meter.next_command();
            Ok::<_, WireError>(Socket { stream, meter: Arc::clone(&meter) })
        };
        let inner = match &settings.security {
            Security::PlainToLoopback => Inner::Plain(socket()?),
            Security::Tls { ca_file } => {
                let config = config(ca_file.as_deref())?;
                let host = settings.host.clone();
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| WireError::Name { host })?;
                let client = ClientConnection::new(Arc::new(config), name)
                    .map_err(|error| WireError::Tls(io::Error::other(error)))?;
                let mut stream = StreamOwned::new(client, socket()?);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock).map_err(tls_or_network)?;
                }
                Inner::Tls(Box::new(stream))
            }
        };
        // The greeting is an answer too.
        meter.next_command();
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
        let left = usize::try_from(self.meter.bytes_left()?).unwrap_or(usize::MAX);
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
