//! What every request passes first: a span for the log, and the checks that keep web pages and
//! other machines away from a listener that is meant for this machine only.
//!
//! Never logs queries, headers or bodies: they hold data and secrets.

use crate::app::{Shared, with_state};
use crate::web_api::Answer;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::Response;
use offstage_model::{Fault, code};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// Wraps every request.
pub(crate) async fn pass(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        path = %request.uri().path(),
    );
    async move {
        let started = Instant::now();
        let mut response = match foreign(&shared, request.headers()) {
            Some(fault) => Answer::fault(&fault).into_http(),
            None => next.run(request).await,
        };
        with_state(&shared, &mut response);
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status, duration_ms, "answered");
        response
    }
    .instrument(span)
    .await
}

/// On a listener for this machine: the fault for requests that a web page caused. A page that
/// rebinds its name to this machine shows by `Host`, one that just sends requests by `Origin`.
fn foreign(shared: &Shared, headers: &HeaderMap) -> Option<Fault> {
    if !shared.app.authority.loopback_only() {
        return None;
    }
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    let own_page = text(ORIGIN).is_none_or(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
    });
    if is_loopback(host) && own_page {
        return None;
    }
    let mut fault = Fault::new(
        code::PRIVILEGE_DENIED,
        "This listener serves programs of this machine only, and no web pages.",
    )
    .hint("Use the address 127.0.0.1 or localhost.");
    fault.status = Some(403);
    Some(fault)
}

/// Whether a `Host` header names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "LOCALHOST:5000", "127.0.0.1:80", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com:80", "10.0.0.1", "[2001:db8::1]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
