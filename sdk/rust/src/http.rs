//! Outbound HTTP: requests that the server sends after the operation has committed.
//!
//! There is no answer inside the operation. Offline a request is recorded; the server sends it once
//! when the work is played back, however often the plug-in ran.

use crate::error::PluginError;
use crate::guid::Guid;
use crate::host;

/// A request to another system.
///
/// ```no_run
/// # use offstage_sdk::{HttpRequest, PluginError};
/// # fn example() -> Result<(), PluginError> {
/// HttpRequest::post("https://hooks.example.com/orders")
///     .secret_header("Authorization", "Bearer ", "hooks-token")
///     .json(r#"{"number":1}"#)
///     .enqueue()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, in order.
    pub headers: Vec<HttpHeader>,
    /// The body.
    pub body: Vec<u8>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value, or what comes before the secret.
    pub value: String,
    /// The secret whose value the host appends; the plug-in never sees it.
    pub secret: Option<String>,
}

impl HttpRequest {
    /// Makes a request with any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Makes a POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Makes a PUT request.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(HttpHeader { name: name.into(), value: value.into(), secret: None });
        self
    }

    /// Adds a header whose value is `before` and then the value of the named secret.
    #[must_use]
    pub fn secret_header(
        mut self,
        name: impl Into<String>,
        before: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        self.headers.push(HttpHeader {
            name: name.into(),
            value: before.into(),
            secret: Some(secret.into()),
        });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON text, with its content type.
    #[must_use]
    pub fn json(self, text: impl Into<String>) -> Self {
        self.header("Content-Type", "application/json").body(text.into())
    }

    /// Puts the request into the outbox; returns its idempotency key, the same in both runs.
    ///
    /// # Errors
    /// The origin or a secret is not granted, or the request is not usable.
    pub fn enqueue(self) -> Result<Guid, PluginError> {
        host::current(|host| host.enqueue_http(self))
    }
}
