//! `POST /offstage/v1/control`: the CLI hands a command to the process that has the data directory.
//! The answer is a stream of JSON lines: `{"progress": …}` as often as the command has some, then
//! one `{"result": …}`.
//!
//! `GET` there proves which process this is: the answer to a challenge, which only who knows the
//! control token can give. The CLI asks for it before it sends the token or a command, because
//! another program may have got the port of a process that is gone.
//!
//! Never takes a user's token: only who can read the data directory's own control token gets in.
//! Never reachable from another machine.

use crate::app::{Shared, bearer, origin, received, refusal};
use crate::authority::{invalid_token, no_token};
use crate::constant_time;
use crate::listener::Peer;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, HeaderValue};
use axum::response::Response;
use offstage_model::identity::digest;
use offstage_model::{Fault, code};
use serde_json::{Value as Json, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The header of a challenge: 64 characters that were never used before.
pub const CHALLENGE_HEADER: &str = "x-offstage-challenge";
/// The length of a challenge.
const CHALLENGE_CHARS: usize = 64;
/// Where it is.
pub(crate) const PATH: &str = "/offstage/v1/control";
/// Lines that wait for a slow reader; then the command waits too.
const LINES_MAX: usize = 256;

/// Runs commands of the CLI inside this process.
pub trait Control: Send + Sync {
    /// Runs one command and answers its result; `progress` takes what a person may see meanwhile.
    fn run(&self, command: Json, progress: &dyn Fn(Json)) -> Json;
}

/// Control with the token that opens it.
pub struct ControlDoor {
    control: Arc<dyn Control>,
    token: String,
    token_hash: [u8; 32],
}

/// The answer to a challenge, from whoever knows the control token.
#[must_use]
pub fn control_proof(token: &str, challenge: &str) -> String {
    hex::encode(digest(&[b"offstage control", token.as_bytes(), challenge.as_bytes()]))
}

impl ControlDoor {
    /// A door to `control` that `token` opens.
    pub fn new(control: Arc<dyn Control>, token: &str) -> Self {
        let token_hash = constant_time::hash(token.as_bytes());
        Self { control, token: token.to_owned(), token_hash }
    }

    fn prove(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<String, Fault> {
        check_local(extensions)?;
        let challenge = headers.get(CHALLENGE_HEADER).and_then(|value| value.to_str().ok());
        let challenge =
            challenge.filter(|text| text.len() == CHALLENGE_CHARS).ok_or_else(|| {
                let text = format!("A challenge has {CHALLENGE_CHARS} characters.");
                Fault::new(code::INVALID_ARGUMENT, text)
                    .hint(format!("Send it in the header {CHALLENGE_HEADER}."))
            })?;
        Ok(control_proof(&self.token, challenge))
    }

    fn check(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<(), Fault> {
        check_local(extensions)?;
        let token = bearer(headers).ok_or_else(no_token)?;
        if constant_time::equal(&constant_time::hash(token.as_bytes()), &self.token_hash) {
            Ok(())
        } else {
            Err(invalid_token("it is not the control token of this data directory"))
        }
    }
}

fn check_local(extensions: &Extensions) -> Result<(), Fault> {
    if extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().is_loopback()) {
        return Ok(());
    }
    let mut fault = Fault::new(code::PRIVILEGE_DENIED, "Control serves this machine only.");
    fault.status = Some(403);
    Err(fault)
}

/// Proves which process this is.
pub(crate) async fn prove(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(door) = &shared.app.control else {
        let fault = Fault::new(code::NOT_FOUND, "There is no control here.");
        return refusal(&fault, &origin(request.headers())).into_http();
    };
    match door.prove(request.headers(), request.extensions()) {
        Ok(proof) => Response::new(Body::from(proof)),
        Err(fault) => refusal(&fault, &origin(request.headers())).into_http(),
    }
}

/// Runs one command.
pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match start(shared, request).await {
        Ok(response) => response,
        Err((fault, origin)) => refusal(&fault, &origin).into_http(),
    }
}

async fn start(shared: Arc<Shared>, request: Request) -> Result<Response, (Fault, String)> {
    let origin = origin(request.headers());
    let Some(door) = &shared.app.control else {
        return Err((Fault::new(code::NOT_FOUND, "There is no control here."), origin));
    };
    if let Err(fault) = door.check(request.headers(), request.extensions()) {
        return Err((fault, origin));
    }
    let control = Arc::clone(&door.control);
    let limit = shared.app.limits.body_bytes_max;
    let (_, body) = match received(&shared, request, limit).await {
        Ok(received) => received,
        Err(fault) => return Err((fault, origin)),
    };
    let command: Json = match serde_json::from_slice(&body) {
        Ok(command) => command,
        Err(error) => {
            let message = format!("The command is not valid JSON: {error}.");
            return Err((Fault::new(code::INVALID_ARGUMENT, message), origin));
        }
    };
    let (lines, stream) = mpsc::channel::<Bytes>(LINES_MAX);
    let _detached = tokio::task::spawn_blocking(move || {
        // A reader that went away does not stop the command.
        let send = |line: &Json| drop(lines.blocking_send(Bytes::from(format!("{line}\n"))));
        let result = control.run(command, &|progress| send(&json!({ "progress": progress })));
        send(&json!({ "result": result }));
    });
    let mut response = Response::new(Body::from_stream(Lines(stream)));
    let jsonl = HeaderValue::from_static("application/jsonl");
    response.headers_mut().insert(CONTENT_TYPE, jsonl);
    Ok(response)
}

struct Lines(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Lines {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|line| line.map(Ok))
    }
}
