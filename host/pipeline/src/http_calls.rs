//! Outbound HTTP of plug-ins: checked, put into the outbox, and sent after the commit by others.
//!
//! For the pipeline it is a nested operation like any other: journaled offline, paired in playback,
//! carried over where only the offline run made it; so each request is sent once, by the server, but
//! for playback mode `classic`, which does everything twice. The id of the operation is the
//! idempotency key. Never sends anything.

use crate::guard::Guard;
use crate::operation::Issuer;
use crate::options::Side;
use crate::root::Pipeline;
use crate::session::Session;
use offstage_model::journal::{EntryState, JournalEntry, OperationNode};
use offstage_model::request::message;
use offstage_model::{Fault, HttpRequest, Parameter, Request, Uuid, Value, code};
use offstage_policy::{Capability, OutboundUrl};
use offstage_store::JournalFilter;
use offstage_store::outbox::{OutboxRow, OutboxState};

/// The parameter that holds the request, as JSON.
const REQUEST: &str = "Request";
/// The output parameter with the idempotency key.
pub(crate) const KEY: &str = "IdempotencyKey";
/// Methods, each with whether a body may come with it.
const METHODS: [(&str, bool); 6] = [
    ("GET", false),
    ("HEAD", false),
    ("DELETE", false),
    ("POST", true),
    ("PUT", true),
    ("PATCH", true),
];
/// The most headers.
const HEADERS_MAX: usize = 32;
/// The most bytes in all headers.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Headers that belong to whoever sends the request.
const RESERVED_HEADERS: [&str; 14] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "accept-encoding",
];
/// Requests of one package that may wait.
const QUEUED_MAX: u64 = 10_000;

/// The request that puts `http` into the outbox.
pub(crate) fn enqueue_request(http: &HttpRequest) -> Request {
    let json = serde_json::to_string(http).expect("BUG: model types always have a JSON form");
    Request {
        message: message::ENQUEUE_HTTP.to_owned(),
        parameters: [(REQUEST.to_owned(), Parameter::Value(Value::Text(json)))].into(),
    }
}

/// A request that a device recorded and its server will send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHttp {
    /// The journal entry.
    pub sequence: u64,
    /// The step that asked for it.
    pub step: String,
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
}

/// The HTTP request in a request that [`enqueue_request`] made.
fn http_of(request: &Request) -> Result<HttpRequest, Fault> {
    match request.parameters.get(REQUEST) {
        Some(Parameter::Value(Value::Text(json))) if request.message == message::ENQUEUE_HTTP => {
            serde_json::from_str(json)
                .map_err(|error| refuse(format!("The request is not usable: {error}.")))
        }
        _ => Err(refuse("The request is missing.")),
    }
}

fn url(http: &HttpRequest) -> Result<OutboundUrl, Fault> {
    OutboundUrl::parse(&http.url)
        .map_err(|error| refuse(format!("The URL is not usable: {error}.")))
}

/// What a request needs: the origin, and each secret for it.
fn capabilities<'a>(url: &OutboundUrl, http: &'a HttpRequest) -> Vec<Capability<'a>> {
    let secrets = http.headers.iter().filter_map(|header| header.secret.as_deref());
    let secret = |name| Capability::Secret { name, to: Some(url.origin().clone()) };
    let origin = Capability::Http(url.origin().clone());
    [origin].into_iter().chain(secrets.map(secret)).collect()
}

/// Refuses a request that is none, or that `guard` does not allow.
pub(crate) fn require(
    guard: &mut Guard,
    session: &Session,
    http: &HttpRequest,
) -> Result<(), Fault> {
    check(http)?;
    let url = url(http)?;
    if !http.url.starts_with("https:") && http.headers.iter().any(|h| h.secret.is_some()) {
        return Err(refuse("A secret is sent over https only."));
    }
    guard.require(session, &capabilities(&url, http))
}

fn refuse(text: impl Into<String>) -> Fault {
    Fault::new(code::INVALID_ARGUMENT, text)
}

/// Checks what does not depend on any grant.
fn check(http: &HttpRequest) -> Result<(), Fault> {
    match METHODS.iter().find(|(name, _)| *name == http.method) {
        None => return Err(refuse("The method is none of GET, HEAD, POST, PUT, PATCH, DELETE.")),
        Some((name, false)) if !http.body.is_empty() => {
            return Err(refuse(format!("A {name} request has no body.")));
        }
        Some(_) => {}
    }
    let bytes: usize = http.headers.iter().map(|h| h.name.len() + h.value.len()).sum();
    if http.headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(refuse(format!(
            "A request has at most {HEADERS_MAX} headers with {HEADER_BYTES_MAX} bytes."
        )));
    }
    for header in &http.headers {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if header.name.is_empty() || !header.name.bytes().all(is_token) {
            return Err(refuse("A header's name is not one."));
        }
        // Visible ASCII only: no line end, and nothing that two programs read differently (C13).
        if !header.value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(refuse(format!("The header '{}' has a value that is none.", header.name)));
        }
        let name = header.name.to_ascii_lowercase();
        if RESERVED_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-") {
            return Err(refuse(format!("The header '{}' is the sender's to set.", header.name)));
        }
    }
    Ok(())
}

impl Session {
    /// The main operation: puts the request into the outbox on the server; a device only records it.
    pub(crate) fn enqueue_http(&mut self) -> Result<(), Fault> {
        // Only a step has a package whose grants can be asked; nobody sends this message by hand.
        let Some(issuer) = self.frame().issuer.clone() else {
            return Err(Fault::new(
                code::UNKNOWN_MESSAGE,
                format!("The message '{}' is for plug-ins only.", message::ENQUEUE_HTTP),
            ));
        };
        let http = http_of(&self.frame().node.request)?;
        self.guard_http(&issuer, &http)?;
        let id = self.frame().lineage.row();
        self.frame_mut()
            .context
            .output_parameters
            .insert(KEY.to_owned(), Parameter::Value(Value::Guid(id)));
        match self.pipeline.side() {
            Side::Device => Ok(()),
            Side::Server => self.put_outbox(id, &issuer.package, &issuer.step, http),
        }
    }

    /// Asks the policy for the step that issued the request: for an operation that a device recorded,
    /// that is the server's word.
    fn guard_http(&self, issuer: &Issuer, http: &HttpRequest) -> Result<(), Fault> {
        let step = self.registry.step(&issuer.step);
        let permissions = self.registry.permissions(&issuer.package);
        let (Some(step), Some(permissions)) = (step, permissions) else {
            let text = format!("The package '{}' does not run here.", issuer.package);
            return Err(Fault::new(code::PRIVILEGE_DENIED, text));
        };
        require(&mut Guard::new(step, permissions), self, http)
    }

    fn put_outbox(
        &mut self,
        id: Uuid,
        package: &str,
        step: &str,
        request: HttpRequest,
    ) -> Result<(), Fault> {
        if self.tx.outbox_queued(package)? >= QUEUED_MAX {
            return Err(Fault::new(
                code::LIMIT_EXCEEDED,
                format!(
                    "{QUEUED_MAX} requests of the plug-in '{package}' wait, or wait for a decision."
                ),
            )
            .hint("`offstage outbox list` shows why they wait."));
        }
        let now = self.pipeline.clock().now();
        let row = OutboxRow {
            id,
            package: package.to_owned(),
            step: step.to_owned(),
            operation: self.root.operation,
            user: self.root.caller.user,
            created_on: now,
            request,
            state: OutboxState::Queued,
            attempts: 0,
            due: now,
            status: None,
            note: String::new(),
        };
        Ok(self.tx.put_outbox(&row)?)
    }
}

impl Pipeline {
    /// Whether a package may send a request now: what was granted when it was put into the outbox
    /// may have been taken back.
    ///
    /// # Errors
    /// [`code::PRIVILEGE_DENIED`] when it may not; others pass: the package is disabled, or the store
    /// cannot be read.
    pub fn may_send(&self, package: &str, http: &HttpRequest) -> Result<(), Fault> {
        let url = url(http)?;
        let registry = self.registry()?;
        let allowed = registry.permissions(package).is_some_and(|permissions| {
            capabilities(&url, http).iter().all(|capability| permissions.allows(capability))
        });
        if !allowed {
            let text =
                format!("The policy does not allow the plug-in '{package}' to send this any more.");
            return Err(Fault::new(code::PRIVILEGE_DENIED, text));
        }
        if registry.plugin(package).is_none() {
            let text = format!("The plug-in '{package}' is disabled, or cannot be loaded.");
            return Err(Fault::new(code::NOT_AVAILABLE, text));
        }
        Ok(())
    }

    /// On a device: requests in entries that wait to be played back.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn recorded_http(&self, entries_max: usize) -> Result<Vec<RecordedHttp>, Fault> {
        let mut tx = self.store().read()?;
        let states = vec![EntryState::Pending, EntryState::Sent];
        let filter = JournalFilter { states, rows_max: entries_max, ..JournalFilter::default() };
        let mut recorded = Vec::new();
        for row in tx.entries(&filter)? {
            let Some(stored) = tx.entry(row.sequence)? else { continue };
            let entry = JournalEntry::thaw(&stored.frozen).map_err(|error| {
                let text = format!("Entry {} cannot be read: {error}.", row.sequence);
                Fault::new(code::STORE_UNUSABLE, text)
            })?;
            for node in entry.root.all() {
                recorded.extend(requests_of(row.sequence, node));
            }
        }
        Ok(recorded)
    }
}

/// The requests that the steps of one operation made.
fn requests_of(
    sequence: u64,
    node: &OperationNode,
) -> impl Iterator<Item = RecordedHttp> + use<'_> {
    node.steps.iter().flat_map(move |step| {
        step.operations.iter().filter_map(move |operation| {
            let http = http_of(&operation.request).ok()?;
            let (method, url) = (http.method, http.url);
            Some(RecordedHttp { sequence, step: step.key.clone(), method, url })
        })
    })
}

#[cfg(test)]
mod tests;
