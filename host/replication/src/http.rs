//! The link over HTTP: `POST /offstage/v1/sync/<verb>` with JSON both ways, a bearer token, time
//! limits, and retries with a jittered, capped back-off.
//!
//! Never decides what an answer means. Every verb may be repeated (see [`crate::ServerLink`]), so
//! every verb is.

use crate::link::ServerLink;
use crate::wire::{
    ANSWER_BYTES_MAX, ConnectAnswer, ConnectRequest, DataRequest, DigestRequest, DigestRowsRequest,
    ExecuteRequest, FiltersRequest, HandshakeAnswer, HandshakeRequest, PATH, PackageRequest,
    PlaybackAnswer, PlaybackRequest, PostAnswer, PostRequest, PrepareAnswer, PrepareRequest,
    RowDigest, SpecificAnswer, SpecificRequest, SyncPage, TableDigest, verb,
};
use offstage_model::{Fault, Randomness, Response, code};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use std::time::Duration;

/// Gives the bearer token of each call.
pub trait BearerToken: Send + Sync {
    /// The token; may sign in to get one.
    ///
    /// # Errors
    /// Signing in failed.
    fn token(&self) -> Result<String, Fault>;
    /// The server refused the token: forget it. The call is made once more.
    fn refused(&self);
}

/// Limits of the link.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The server's base address, such as `https://crm.example:8443`.
    pub url: String,
    /// The longest wait for a connection. Default 10 s.
    pub connect_timeout: Duration,
    /// The longest wait for one whole call. Default 120 s.
    pub call_timeout: Duration,
    /// How often a call is made before it counts as unreachable. Default 4.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there. Default 200 ms.
    pub backoff_first: Duration,
    /// The longest wait between attempts. Default 5 s.
    pub backoff_max: Duration,
}

impl HttpOptions {
    /// The defaults for a server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(120),
            attempts: 4,
            backoff_first: Duration::from_millis(200),
            backoff_max: Duration::from_secs(5),
        }
    }
}

/// A link to a server over HTTP.
pub struct HttpLink {
    options: HttpOptions,
    agent: ureq::Agent,
    token: Arc<dyn BearerToken>,
    random: Arc<dyn Randomness>,
}

impl HttpLink {
    /// A link; nothing is sent yet.
    #[must_use]
    pub fn new(
        options: HttpOptions,
        token: Arc<dyn BearerToken>,
        random: Arc<dyn Randomness>,
    ) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(options.connect_timeout))
            .timeout_global(Some(options.call_timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self { options, agent: config.into(), token, random }
    }

    fn call<Q: Serialize, A: DeserializeOwned>(&self, verb: &str, request: &Q) -> Result<A, Fault> {
        let bytes = self.call_bytes(verb, request)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            tracing::warn!(verb, %error, "the server's answer could not be read");
            Fault::new(code::INTERNAL, format!("The server's answer to '{verb}' cannot be read."))
                .hint("Device and server may have different versions; update the older one.")
        })
    }

    fn call_bytes<Q: Serialize>(&self, verb: &str, request: &Q) -> Result<Vec<u8>, Fault> {
        let body = serde_json::to_vec(request).map_err(|error| {
            Fault::new(code::INTERNAL, format!("The request '{verb}' has no JSON form: {error}"))
        })?;
        self.call_path(&format!("{PATH}{verb}"), &body)
    }

    fn call_path(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut attempt = 1;
        let mut signed_in_again = false;
        let mut lost = false;
        loop {
            let fault = match self.attempt(path, body) {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            if fault.code == code::UNAUTHORIZED && !signed_in_again {
                signed_in_again = true;
                self.token.refused();
                continue;
            }
            let again = matches!(fault.code, code::UNREACHABLE | code::LIMIT_EXCEEDED);
            if !again || attempt >= self.options.attempts {
                return Err(if lost { after_a_loss(fault) } else { fault });
            }
            lost |= fault.code == code::UNREACHABLE;
            tracing::debug!(path, attempt, %fault, "the call is repeated");
            std::thread::sleep(self.wait(attempt));
            attempt += 1;
        }
    }

    /// Between half and all of the doubled wait, so that many devices do not come back at once.
    fn wait(&self, attempt: u32) -> Duration {
        let doubled = self.options.backoff_first.saturating_mul(1 << (attempt - 1).min(16));
        let wait = doubled.min(self.options.backoff_max);
        let mut byte = [0; 1];
        self.random.fill(&mut byte);
        wait.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
    }

    fn attempt(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let url = format!("{}{path}", self.options.url.trim_end_matches('/'));
        let mut answer = self
            .agent
            .post(&url)
            .header("authorization", format!("Bearer {}", self.token.token()?))
            .header("content-type", "application/json")
            .send(body)
            .map_err(|error| unreachable(&self.options.url, &error))?;
        let status = answer.status().as_u16();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| unreachable(&self.options.url, &error))?;
        if (200..300).contains(&status) {
            return Ok(bytes);
        }
        Err(fault_of(status, &bytes))
    }
}

fn unreachable(url: &str, error: &ureq::Error) -> Fault {
    Fault::new(code::UNREACHABLE, format!("The server {url} does not answer: {error}."))
        .hint("`offstage go-offline` needs a server; while offline, work goes on locally.")
}

/// The fault of a call of which an attempt was lost and a later one was turned away unheard: what
/// the lost one did is as unknown as before.
fn after_a_loss(fault: Fault) -> Fault {
    match fault.code {
        code::LIMIT_EXCEEDED | code::INTERNAL | code::UNAUTHORIZED => {
            let text = format!("An answer of the server was lost; then: {}", fault.message);
            Fault::new(code::UNREACHABLE, text)
        }
        _ => fault,
    }
}

/// The fault in an answer; a proxy's own answer has none.
fn fault_of(status: u16, bytes: &[u8]) -> Fault {
    if let Ok(fault) = serde_json::from_slice::<Fault>(bytes) {
        return fault;
    }
    let code = match status {
        401 => code::UNAUTHORIZED,
        403 => code::PRIVILEGE_DENIED,
        404 => code::NOT_FOUND,
        413 => code::PAYLOAD_TOO_LARGE,
        429 => code::LIMIT_EXCEEDED,
        502..=504 => code::UNREACHABLE,
        _ => code::INTERNAL,
    };
    Fault::new(code, format!("The server answered with status {status}."))
}

impl ServerLink for HttpLink {
    fn connect(&self, request: &ConnectRequest) -> Result<ConnectAnswer, Fault> {
        self.call(verb::CONNECT, request)
    }
    fn handshake(&self, request: &HandshakeRequest) -> Result<HandshakeAnswer, Fault> {
        self.call(verb::HANDSHAKE, request)
    }
    fn set_filters(&self, request: &FiltersRequest) -> Result<(), Fault> {
        self.call(verb::FILTERS, request)
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, Fault> {
        self.call(verb::PREPARE, request)
    }
    fn data(&self, request: &DataRequest) -> Result<SyncPage, Fault> {
        self.call(verb::DATA, request)
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.call(verb::POST, request)
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.call(verb::SPECIFIC, request)
    }
    fn playback(&self, request: &PlaybackRequest) -> Result<PlaybackAnswer, Fault> {
        self.call(verb::PLAYBACK, request)
    }
    fn digest(&self, request: &DigestRequest) -> Result<Vec<TableDigest>, Fault> {
        self.call(verb::DIGEST, request)
    }
    fn digest_rows(&self, request: &DigestRowsRequest) -> Result<Vec<RowDigest>, Fault> {
        self.call(verb::DIGEST_ROWS, request)
    }
    fn package(&self, sha256: &str) -> Result<Vec<u8>, Fault> {
        self.call_bytes(verb::PACKAGE, &PackageRequest { sha256: sha256.to_owned() })
    }
    fn execute(&self, request: &ExecuteRequest) -> Result<Response, Fault> {
        self.call(verb::EXECUTE, request)
    }
    fn carry(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        self.call_path(path, body)
    }
}
