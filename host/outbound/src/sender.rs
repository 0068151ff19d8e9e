//! Sends one request: resolves its host once, looks at every address, and connects to one of those.
//!
//! Never reads the body of an answer: nobody is waiting for it. Never follows a redirect.

use crate::address::is_public;
use crate::network::Network;
use crate::secrets::{SecretError, Secrets};
use offstage_model::{HttpRequest, Uuid};
use offstage_policy::{OutboundUrl, UrlError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{self, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, NextTimeout, RustlsConnector, TcpConnector};

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Limits of one request.
#[derive(Clone, Debug)]
pub struct SenderLimits {
    /// The longest wait for a connection. Default 10 s.
    pub connect_time: Duration,
    /// The longest time for all of it, names included. Default 30 s.
    pub total_time: Duration,
    /// The largest head of an answer, in bytes. Default 64 KiB.
    pub answer_head_bytes: usize,
}

impl Default for SenderLimits {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(10),
            total_time: Duration::from_secs(30),
            answer_head_bytes: 64 << 10,
        }
    }
}

/// A request as it leaves.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The idempotency key.
    pub id: Uuid,
    /// What the plug-in asked for.
    pub request: &'a HttpRequest,
}

/// What the receiver said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The URL is not one that requests go to.
    #[error("the URL is not usable: {0}")]
    Url(#[from] UrlError),
    /// A secret has no value here.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A header that HTTP does not allow.
    #[error("a header is not usable")]
    Header(#[source] http::Error),
    /// The name is not known.
    #[error("the name '{host}' is not known: {source}")]
    Name {
        /// The host.
        host: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The name leads to an address that is not public.
    #[error("the name '{host}' leads to {address}, which is not on the public internet")]
    NotPublic {
        /// The host.
        host: String,
        /// The address.
        address: std::net::IpAddr,
    },
    /// The exchange failed.
    #[error("{0}")]
    Exchange(String),
}

impl SendError {
    /// Whether it may work later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Name { .. } | Self::NotPublic { .. } | Self::Exchange(_) => true,
            Self::Secret(error) => matches!(error, SecretError::Io { .. }),
            _ => false,
        }
    }
}

/// Sends requests.
pub struct Sender {
    network: Arc<dyn Network>,
    secrets: Arc<dyn Secrets>,
    limits: SenderLimits,
}

impl Sender {
    /// A sender over a network, with secrets.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, secrets: Arc<dyn Secrets>, limits: SenderLimits) -> Self {
        Self { network, secrets, limits }
    }

    /// Sends one request and returns what the head of the answer says.
    ///
    /// # Errors
    /// It was not sent, or nobody answered properly.
    pub fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, SendError> {
        let url = OutboundUrl::parse(&outgoing.request.url)?;
        let started = Instant::now();
        let pinned = self.pin(&url.origin().host, url.origin().port)?;
        // A name that took most of the time leaves little of it, but never none.
        let left = self.limits.total_time.saturating_sub(started.elapsed());
        let left = left.max(Duration::from_millis(1));
        let request = self.request(&url, outgoing)?;
        let connector = ().chain(TcpConnector::default()).chain(RustlsConnector::default());
        let agent = ureq::Agent::with_parts(self.config(left), connector, pinned);
        let exchanged = if request.body().is_empty() {
            agent.run(request.map(drop))
        } else {
            agent.run(request)
        };
        let answer = exchanged.map_err(|error| SendError::Exchange(error.to_string()))?;
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        Ok(Answer { status: answer.status().as_u16(), retry_after })
    }

    /// Resolves a name, once. One address that is not public spoils the name: whoever answers such a
    /// thing is not to be trusted with the others (attack C11).
    fn pin(&self, host: &str, port: u16) -> Result<Pinned, SendError> {
        let addresses = self
            .resolve(host, port)
            .and_then(|found| match found.is_empty() {
                true => Err(std::io::ErrorKind::NotFound.into()),
                false => Ok(found),
            })
            .map_err(|source| SendError::Name { host: host.to_owned(), source })?;
        if let Some(inner) = addresses.iter().find(|address| !is_public(address.ip())) {
            return Err(SendError::NotPublic { host: host.to_owned(), address: inner.ip() });
        }
        let route = |address: SocketAddr| self.network.route(address);
        Ok(Pinned(addresses.into_iter().take(ADDRESSES_MAX).map(route).collect()))
    }

    /// Asks the network on a thread of its own: a system's resolver has no deadline, and whoever has
    /// a name may make it wait (attack C13). A thread that is given up ends when its resolver does.
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (network, name) = (Arc::clone(&self.network), host.to_owned());
        std::thread::Builder::new().name("offstage-names".to_owned()).spawn(move || {
            // Nobody may be waiting any more.
            drop(sender.send(network.resolve(&name, port)));
        })?;
        receiver
            .recv_timeout(self.limits.total_time)
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    fn request(
        &self,
        url: &OutboundUrl,
        outgoing: &Outgoing<'_>,
    ) -> Result<http::Request<Vec<u8>>, SendError> {
        let mut builder = http::Request::builder()
            .method(outgoing.request.method.as_str())
            .uri(url.to_string())
            .header("Idempotency-Key", outgoing.id.to_string());
        for header in &outgoing.request.headers {
            let mut value = header.value.clone();
            if let Some(name) = &header.secret {
                value.push_str(self.secrets.value(name)?.expose());
            }
            let mut value =
                http::HeaderValue::try_from(value).map_err(|e| SendError::Header(e.into()))?;
            value.set_sensitive(header.secret.is_some());
            builder = builder.header(header.name.as_str(), value);
        }
        builder.body(outgoing.request.body.clone()).map_err(SendError::Header)
    }

    /// Nothing ambient: no proxy of the environment, no redirects, no cookies, no decompression.
    fn config(&self, time: Duration) -> Config {
        let roots = self.network.root_certificates().map_or(RootCerts::WebPki, |certificates| {
            let owned = |der: &Vec<u8>| Certificate::from_der(der).to_owned();
            RootCerts::from(certificates.iter().map(owned))
        });
        Config::builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(AutoHeaderValue::Provided("offstage".to_owned().into()))
            .accept_encoding(AutoHeaderValue::None)
            .accept(AutoHeaderValue::None)
            .max_response_header_size(self.limits.answer_head_bytes)
            .max_idle_connections(0)
            .timeout_connect(Some(self.limits.connect_time))
            .timeout_global(Some(time))
            .build()
    }
}

/// A resolver that knows one answer, which has been looked at.
#[derive(Debug)]
struct Pinned(Vec<SocketAddr>);

impl Resolver for Pinned {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        for address in &self.0 {
            addresses.push(*address);
        }
        Ok(addresses)
    }
}
