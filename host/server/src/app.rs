//! Puts the parts together: one router over an engine, an authority and what is mounted.
//!
//! Never binds an address; [`crate::Server`] does.

use crate::authority::Authority;
use crate::control::{self, ControlDoor};
use crate::engine::Engine;
use crate::mailbox::{self, Mailbox};
use crate::token::{self, Issuer};
use crate::{execute, gate, outlook, plugins, sync, web_api};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, USER_AGENT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{any, get, post};
use offstage_model::{Fault, code};
use offstage_outlook::crm::OutlookService;
use offstage_pipeline::Caller;
use offstage_replication::server::SyncService;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use web_api::{Answer, ApiRequest};

/// Limits of the HTTP side.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body of a request, in bytes. Default 8 MiB.
    pub body_bytes_max: usize,
    /// The largest body at a sync endpoint, in bytes. Default 16 MiB.
    pub sync_body_bytes_max: usize,
    /// The longest time in which a body must have come. Default 30 s.
    pub body_time_max: Duration,
    /// The longest time for one request; longer than the pipeline's own limit. Default 150 s.
    pub request_time_max: Duration,
    /// Requests that run at once. Default 64.
    pub concurrent_max: usize,
    /// The longest wait for a place among them; then 429. Default 10 s.
    pub wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 8 * 1024 * 1024,
            sync_body_bytes_max: 16 * 1024 * 1024,
            body_time_max: Duration::from_secs(30),
            request_time_max: Duration::from_secs(150),
            concurrent_max: 64,
            wait_max: Duration::from_secs(10),
        }
    }
}

/// What is served. A device mounts the Web API, control and its mailbox only.
pub struct App {
    /// Answers requests.
    pub engine: Arc<dyn Engine>,
    /// Tells who calls.
    pub authority: Arc<dyn Authority>,
    /// Issues tokens (server).
    pub issuer: Option<Arc<Issuer>>,
    /// Serves devices (server).
    pub sync: Option<SyncService>,
    /// Serves Outlook clients (server).
    pub outlook: Option<OutlookService>,
    /// Acts in the mailbox (device).
    pub mailbox: Option<Arc<dyn Mailbox>>,
    /// Runs commands of the CLI.
    pub control: Option<ControlDoor>,
    /// Limits.
    pub limits: Limits,
}

/// [`App`] with what the running process adds.
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) places: Arc<Semaphore>,
}

/// The router over `app`.
pub fn router(app: App) -> Router {
    let places = Arc::new(Semaphore::new(app.limits.concurrent_max));
    let has_issuer = app.issuer.is_some();
    let has_sync = app.sync.is_some();
    let has_outlook = app.outlook.is_some();
    let has_mailbox = app.mailbox.is_some();
    let has_control = app.control.is_some();
    let shared = Arc::new(Shared { app, places });
    let base = web_api::BASE;
    let mut router = Router::new()
        .route(base, any(web_api))
        .route(&format!("{base}/"), any(web_api))
        .route(&format!("{base}/{{*path}}"), any(web_api))
        .route(execute::PATH, post(execute::handle))
        .route(plugins::PATH, get(plugins::handle))
        .route("/offstage/v1/about", get(about));
    if has_issuer {
        router = router.route(token::TOKEN_PATH, post(token::handle));
    }
    if has_sync {
        router = router.route(sync::ROUTE, post(sync::handle));
    }
    if has_outlook {
        router = router.route(outlook::ROUTE, post(outlook::handle));
    }
    if has_mailbox {
        router = router.route(mailbox::ROUTE, post(mailbox::handle));
    }
    if has_control {
        router = router.route(control::PATH, post(control::handle).get(control::prove));
    }
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), gate::pass))
        .with_state(shared)
}

async fn nothing_here() -> Response {
    let mut fault = Fault::new(code::NOT_FOUND, "There is nothing at this address.")
        .hint("The Web API begins at /api/data/v9.2/.");
    fault.status = Some(404);
    Answer::fault(&fault).into_http()
}

async fn wrong_method() -> Response {
    let mut fault = Fault::new(code::INVALID_ARGUMENT, "This address does not take that method.");
    fault.status = Some(405);
    Answer::fault(&fault).into_http()
}

/// Who is here, for a device that is about to connect; needs no token and tells no data.
async fn about(State(shared): State<Arc<Shared>>) -> Response {
    let organization = shared.app.engine.organization();
    let json = serde_json::json!({
        "organization": { "id": organization.id, "name": organization.name },
        "version": env!("CARGO_PKG_VERSION"),
        "anyToken": shared.app.authority.takes_anything(),
    });
    Answer::json(&json).into_http()
}

async fn web_api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let limit = shared.app.limits.body_bytes_max;
    let (parts, body) = match received(&shared, request, limit).await {
        Ok(received) => received,
        Err(fault) => return Answer::fault(&fault).into_http(),
    };
    let path = parts.uri.path().strip_prefix(web_api::BASE).unwrap_or_default();
    let api_request = ApiRequest {
        path: path.trim_start_matches('/').to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        origin: origin(&parts.headers),
        headers: parts.headers,
        body,
    };
    run(shared, move |shared| {
        let answer = match caller(shared, &api_request.headers) {
            Ok(caller) => web_api::answer(&*shared.app.engine, &caller, &api_request),
            Err(fault) => refusal(&fault, &api_request.origin),
        };
        answer.into_http()
    })
    .await
}

/// Reads a whole body within its limits of size and time.
pub(crate) async fn received(
    shared: &Shared,
    request: Request,
    bytes_max: usize,
) -> Result<(axum::http::request::Parts, Vec<u8>), Fault> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, bytes_max, shared.app.limits.body_time_max).await?;
    Ok((parts, body))
}

async fn read_body(body: Body, bytes_max: usize, time_max: Duration) -> Result<Vec<u8>, Fault> {
    let declared = axum::body::HttpBody::size_hint(&body).lower();
    let too_large = || {
        Fault::new(
            code::PAYLOAD_TOO_LARGE,
            format!("The body is larger than the {bytes_max} bytes that this server takes."),
        )
    };
    if declared > bytes_max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(time_max, to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        // Either the limit or a broken connection; to the second nobody listens.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let mut fault = Fault::new(code::LIMIT_EXCEEDED, "The body did not come in time.");
            fault.status = Some(408);
            Err(fault)
        }
    }
}

/// Runs blocking work on its own thread, within the limits of number and time.
///
/// A request that takes too long is answered; its work goes on until the pipeline's own limit ends
/// it, and keeps its place until then.
pub(crate) async fn run(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Response + Send + 'static,
) -> Response {
    let limits = shared.app.limits.clone();
    let place = Arc::clone(&shared.places).acquire_owned();
    let Ok(Ok(place)) = tokio::time::timeout(limits.wait_max, place).await else {
        let fault = Fault::new(code::LIMIT_EXCEEDED, "The server is busy; too much at once.");
        return Answer::fault(&fault).into_http();
    };
    let span = tracing::Span::current();
    let work = tokio::task::spawn_blocking(move || {
        let _entered = span.enter();
        let response = work(&shared);
        drop(place);
        response
    });
    match tokio::time::timeout(limits.request_time_max, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(%error, "a request handler panicked");
            let fault =
                Fault::new(code::INTERNAL, "Something inside broke; the log has the details.");
            Answer::fault(&fault).into_http()
        }
        Err(_) => {
            let mut fault = Fault::new(code::LIMIT_EXCEEDED, "The request took too long.")
                .hint("It may still take effect; read the rows before you send it again.");
            fault.status = Some(504);
            Answer::fault(&fault).into_http()
        }
    }
}

/// Who sends a request with these headers.
pub(crate) fn caller(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Fault> {
    let mut caller = shared.app.authority.authenticate(bearer(headers))?;
    let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    caller.agent = agent.chars().take(200).collect();
    Ok(caller)
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The answer to a request whose caller is not known; says where tokens come from.
pub(crate) fn refusal(fault: &Fault, origin: &str) -> Answer {
    let answer = Answer::fault(fault);
    if fault.http_status() != StatusCode::UNAUTHORIZED.as_u16() {
        return answer;
    }
    let challenge = format!(
        "Bearer realm=\"offstage\", error=\"invalid_token\", authorization_uri=\"{origin}{}\"",
        token::TOKEN_PATH
    );
    answer.header(WWW_AUTHENTICATE, &challenge)
}

/// Scheme, host and port as the client used them (case W7).
pub(crate) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|v| v.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

/// Adds the device's state to an answer.
pub(crate) fn with_state(shared: &Shared, response: &mut Response) {
    if let Some(state) = shared.app.engine.state() {
        response.headers_mut().insert("x-offstage-state", HeaderValue::from_static(state));
    }
}
