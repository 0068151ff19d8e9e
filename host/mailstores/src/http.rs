//! The door to HTTP: one request, one answer, whatever status it has.
//!
//! Credentials go to the origin that they were given for, and to no other; an answer that leads
//! elsewhere is not followed. Never retries: the caller knows what may be repeated.

use std::time::Duration;

use offstage_outlook::MailStoreError;

/// Larger answers are refused.
pub const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How long a server that says "later" without a time is left alone.
const WAIT: Duration = Duration::from_secs(60);
/// No server's wish to be left alone is followed for longer.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The value of a header, its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name)?;
        Some(found.1.as_str())
    }

    /// How long a server asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let seconds = self.header("retry-after").and_then(|value| value.trim().parse().ok());
        seconds.map_or(WAIT, Duration::from_secs).min(WAIT_MAX)
    }

    /// The first words of the body, for messages.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let plain: String = text.chars().filter(|char| !char.is_control()).take(200).collect();
        plain
    }
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} does not answer: {reason}")]
pub struct HttpFailure {
    /// The address.
    pub url: String,
    /// What happened.
    pub reason: String,
}

/// Sends requests.
pub trait Http: Send {
    /// Sends one request and waits for the answer.
    fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure>;
}

/// The real network.
pub struct Network {
    agent: ureq::Agent,
    /// Without the proxy of the environment: for what is not encrypted and stays on this machine.
    local: ureq::Agent,
}

impl Network {
    /// A client that waits so long for a connection and for an answer.
    #[must_use]
    pub fn new(connect: Duration, answer: Duration) -> Self {
        let config = || {
            ureq::Agent::config_builder()
                .timeout_connect(Some(connect))
                .timeout_global(Some(answer))
                .http_status_as_error(false)
                .allow_non_standard_methods(true)
                .max_redirects(0)
        };
        Self { agent: config().build().into(), local: config().proxy(None).build().into() }
    }
}

impl Http for Network {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let failed = |reason: String| HttpFailure { url: request.url.clone(), reason };
        let agent = if request.url.starts_with("https:") { &self.agent } else { &self.local };
        let mut builder = ureq::http::Request::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let answer = if request.body.is_empty() {
            let built = builder.body(()).map_err(|error| failed(error.to_string()))?;
            agent.run(built)
        } else {
            let built = builder.body(request.body.as_slice());
            agent.run(built.map_err(|error| failed(error.to_string()))?)
        };
        let mut answer = answer.map_err(|error| failed(error.to_string()))?;
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| failed(error.to_string()))?;
        Ok(HttpAnswer { status, headers, body })
    }
}

/// Who signs in.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody.
    None,
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    /// Says what kind they are, never what they are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

impl Credentials {
    /// The header that signs in.
    pub(crate) fn header(&self) -> Option<(&'static str, String)> {
        use base64::Engine as _;
        let value = match self {
            Self::None => return None,
            Self::Basic { user, password } => {
                let pair = format!("{user}:{password}");
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        Some(("authorization", value))
    }
}

/// An address in two parts: `https://host:port` and the path. None with a user or password in it:
/// those would be seen wherever the address is.
pub(crate) fn split(url: &str) -> Option<(&str, &str)> {
    let scheme = url.find("://")?;
    let host = scheme + 3;
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    (end > host && !url[host..end].contains('@')).then(|| (&url[..end], &url[end..]))
}

/// Whether credentials may be sent there: over TLS, or to this machine.
pub(crate) fn is_safe(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://") else { return origin.starts_with("https://") };
    if host.contains('@') {
        return false;
    }
    let host = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else {
        host.split(':').next().unwrap_or_default()
    };
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The class of an answer that is no success.
pub(crate) fn refused(
    store: &'static str,
    answer: &HttpAnswer,
    item: Option<&offstage_outlook::EntryId>,
) -> MailStoreError {
    let reason = || format!("it answered {}: {}", answer.status, answer.excerpt());
    match (answer.status, item) {
        (404 | 410, Some(entry_id)) => MailStoreError::Gone { entry_id: entry_id.clone() },
        (412, Some(entry_id)) => MailStoreError::Conflict { entry_id: entry_id.clone() },
        (401, _) => MailStoreError::NeedsAttention {
            store,
            problem: "it does not accept the credentials".to_owned(),
            hint: "check user and secret; `offstage outlook store secret NAME` takes a new one",
        },
        (413 | 507, _) => MailStoreError::NeedsAttention {
            store,
            problem: format!("there is no room ({})", answer.status),
            hint: "make room on the server, or raise its limit",
        },
        (429 | 503, _) => MailStoreError::Throttled { store, retry_after: answer.retry_after() },
        (408 | 423 | 425, _) | (500..=599, _) => {
            MailStoreError::Transient { store, detail: reason() }
        }
        _ => MailStoreError::Refused { store, reason: reason() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_user_and_goes_over_tls_or_to_this_machine() {
        assert_eq!(split("https://h:1/p/q"), Some(("https://h:1", "/p/q")));
        assert_eq!(split("https://h"), Some(("https://h", "")));
        for none in ["h/p", "https:///p", "https://me:secret@h/", "https://me@h"] {
            assert_eq!(split(none), None, "{none}");
        }
        for safe in ["https://h", "http://localhost:1", "http://127.0.0.1", "http://[::1]:1"] {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_one in
            ["http://h", "http://localhost:x@h", "http://localhost.h", "ftp://localhost"]
        {
            assert!(!is_safe(unsafe_one), "{unsafe_one}");
        }
    }
}
