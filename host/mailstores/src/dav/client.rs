//! WebDAV requests and what their answers mean.
//!
//! Every address is a path on the one server that the credentials were given for. Never sends a
//! scheduling request, and never follows an answer to another server.

use offstage_outlook::{EntryId, MailStoreError};

use super::STORE;
use super::multistatus::{Multistatus, names_precondition};
use crate::http::{self, Credentials, Http, HttpAnswer, HttpRequest};

/// Redirections that are followed on the same server.
const REDIRECTS_MAX: usize = 5;
/// Addresses in one multiget.
pub(super) const MULTIGET_MAX: usize = 200;
/// Answers of one synchronisation that a server may cut a long one into.
const PARTS_MAX: usize = 10_000;

/// A connection to a server.
pub(super) struct Client {
    http: Box<dyn Http>,
    origin: String,
    credentials: Credentials,
}

/// What changed in a collection.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) changed: Vec<super::multistatus::Resource>,
    pub(super) removed: Vec<String>,
    pub(super) token: String,
    pub(super) complete: bool,
}

/// The precondition of a write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only<'a> {
    /// Nothing must be there.
    New,
    /// Exactly this must be there.
    Same(&'a str),
    /// Whatever is there.
    Any,
}

impl Client {
    pub(super) fn new(
        http: Box<dyn Http>,
        origin: &str,
        credentials: Credentials,
    ) -> Result<Self, MailStoreError> {
        if !http::is_safe(origin) {
            return Err(MailStoreError::NeedsAttention {
                store: STORE,
                problem: format!(
                    "{origin} is not encrypted, and a password would be read on the way"
                ),
                hint: "use an address that begins with https://",
            });
        }
        Ok(Self { http, origin: origin.to_owned(), credentials })
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    fn send(
        &mut self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<HttpAnswer, MailStoreError> {
        let mut path = path.to_owned();
        for _ in 0..REDIRECTS_MAX {
            let mut headers = headers.clone();
            headers.extend(self.credentials.header());
            headers.push(("user-agent", "offstage".to_owned()));
            let url = format!("{}{path}", self.origin);
            let request = HttpRequest { method, url, headers, body: body.clone() };
            let answer = self.http.send(&request).map_err(|failure| MailStoreError::Transient {
                store: STORE,
                detail: failure.to_string(),
            })?;
            let moved = matches!(answer.status, 301 | 302 | 307 | 308);
            let Some(target) = answer.header("location").filter(|_| moved) else {
                return Ok(answer);
            };
            let there = target.strip_prefix(self.origin.as_str()).unwrap_or(target);
            if !there.starts_with('/') || there.starts_with("//") {
                return Err(MailStoreError::NeedsAttention {
                    store: STORE,
                    problem: format!("{path} leads to another server, {target}"),
                    hint: "if that is right, add the store with the other server's address",
                });
            }
            path = there.to_owned();
        }
        let detail = format!("{path} leads in circles");
        Err(MailStoreError::Transient { store: STORE, detail })
    }

    fn multistatus(
        &mut self,
        method: &'static str,
        path: &str,
        depth: &str,
        body: &str,
    ) -> Result<Multistatus, MailStoreError> {
        let answer = self.ask(method, path, depth, body)?;
        self.understood(path, &answer)
    }

    fn ask(
        &mut self,
        method: &'static str,
        path: &str,
        depth: &str,
        body: &str,
    ) -> Result<HttpAnswer, MailStoreError> {
        let headers = vec![
            ("depth", depth.to_owned()),
            ("content-type", "application/xml; charset=utf-8".to_owned()),
        ];
        self.send(method, path, headers, body.as_bytes().to_vec())
    }

    fn understood(&self, path: &str, answer: &HttpAnswer) -> Result<Multistatus, MailStoreError> {
        if answer.status != 207 {
            return Err(http::refused(STORE, answer, None));
        }
        Multistatus::parse(&answer.body, &self.origin).map_err(|error| MailStoreError::Transient {
            store: STORE,
            detail: format!("{path}: {error}"),
        })
    }

    pub(super) fn propfind(
        &mut self,
        path: &str,
        depth: &str,
        properties: &str,
    ) -> Result<Multistatus, MailStoreError> {
        self.multistatus("PROPFIND", path, depth, &propfind(properties))
    }

    /// Whether the server handles invitations for this collection (RFC 6638, section 2).
    pub(super) fn schedules(&mut self, path: &str) -> Result<bool, MailStoreError> {
        let answer = self.send("OPTIONS", path, Vec::new(), Vec::new())?;
        Ok(answer.header("dav").is_some_and(|dav| dav.contains("calendar-auto-schedule")))
    }

    /// What changed in a collection since a token (RFC 6578).
    pub(super) fn changes(
        &mut self,
        path: &str,
        token: Option<&str>,
    ) -> Result<Changes, MailStoreError> {
        let mut found = Changes { complete: token.is_none(), ..Changes::default() };
        let mut token = token.unwrap_or_default().to_owned();
        for _ in 0..PARTS_MAX {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><sync-collection xmlns=\"DAV:\">\
                 <sync-token>{}</sync-token><sync-level>1</sync-level>\
                 <prop><getetag/><getlastmodified/></prop></sync-collection>",
                escaped(&token)
            );
            let answer = self.ask("REPORT", path, "0", &body)?;
            let forgotten = matches!(answer.status, 403 | 409 | 410 | 412)
                && !token.is_empty()
                && (answer.status == 410 || names_precondition(&answer.body, "valid-sync-token"));
            if forgotten {
                // The server has forgotten the token: everything is listed anew.
                found = Changes { complete: true, ..Changes::default() };
                token = String::new();
                continue;
            }
            let part = self.understood(path, &answer)?;
            let mut cut = false;
            for resource in part.responses {
                match resource.status {
                    Some(507) => cut = true,
                    Some(404) => found.removed.push(resource.href),
                    _ if resource.href.ends_with('/') => {}
                    _ => found.changed.push(resource),
                }
            }
            let next = part.sync_token.ok_or_else(|| MailStoreError::Transient {
                store: STORE,
                detail: format!("{path}: the answer has no sync-token"),
            })?;
            if !cut {
                found.token = next;
                return Ok(found);
            }
            token = next;
        }
        let detail = format!("{path}: the listing has no end");
        Err(MailStoreError::Transient { store: STORE, detail })
    }

    /// Objects of a collection by address, with or without their text.
    pub(super) fn multiget(
        &mut self,
        collection: &str,
        report: Report,
        hrefs: &[String],
        with_data: bool,
    ) -> Result<Vec<super::multistatus::Resource>, MailStoreError> {
        let mut found = Vec::new();
        for part in hrefs.chunks(MULTIGET_MAX) {
            let (namespace, name, data) = match report {
                Report::Calendar => ("urn:ietf:params:xml:ns:caldav", "calendar", "calendar-data"),
                Report::AddressBook => {
                    ("urn:ietf:params:xml:ns:carddav", "addressbook", "address-data")
                }
            };
            let data = if with_data { format!("<C:{data}/>") } else { String::new() };
            let hrefs: String =
                part.iter().map(|href| format!("<D:href>{}</D:href>", escaped(href))).collect();
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
                 <C:{name}-multiget xmlns:D=\"DAV:\" xmlns:C=\"{namespace}\"><D:prop><D:getetag/>\
                 <D:getlastmodified/>{data}</D:prop>{hrefs}</C:{name}-multiget>"
            );
            let answer = self.multistatus("REPORT", collection, "1", &body)?;
            found.extend(answer.responses);
        }
        Ok(found)
    }

    /// One object with its ETag; `None` if it is gone.
    pub(super) fn get(&mut self, id: &EntryId) -> Result<Option<Object>, MailStoreError> {
        let answer = self.send("GET", id.as_str(), Vec::new(), Vec::new())?;
        match answer.status {
            200 => {
                let etag = answer.header("etag").unwrap_or_default().to_owned();
                let modified = answer.header("last-modified").map(str::to_owned);
                Ok(Some(Object { etag, modified, body: answer.body }))
            }
            404 | 410 => Ok(None),
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }

    /// Writes an object; returns its new ETag where the answer tells it. A weak one names no state
    /// that a write could depend on.
    pub(super) fn put(
        &mut self,
        id: &EntryId,
        only: Only<'_>,
        kind: &'static str,
        body: Vec<u8>,
    ) -> Result<Option<String>, MailStoreError> {
        let mut headers = vec![("content-type", kind.to_owned())];
        headers.extend(only.header());
        let answer = self.send("PUT", id.as_str(), headers, body)?;
        match answer.status {
            200..=299 => {
                let etag = answer.header("etag").filter(|etag| etag.starts_with('"'));
                Ok(etag.map(str::to_owned))
            }
            409 if names_precondition(&answer.body, "no-uid-conflict") => {
                let reason = "another object of the collection has the same UID".to_owned();
                Err(MailStoreError::Refused { store: STORE, reason })
            }
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }

    pub(super) fn delete(&mut self, id: &EntryId, only: Only<'_>) -> Result<(), MailStoreError> {
        let answer =
            self.send("DELETE", id.as_str(), only.header().into_iter().collect(), Vec::new())?;
        match answer.status {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }
}

/// An object as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) etag: String,
    pub(super) modified: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The report of a kind of collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Calendar,
    AddressBook,
}

impl Only<'_> {
    fn header(self) -> Option<(&'static str, String)> {
        match self {
            Self::New => Some(("if-none-match", "*".to_owned())),
            Self::Same(etag) => Some(("if-match", etag.to_owned())),
            Self::Any => None,
        }
    }
}

fn propfind(properties: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:propfind xmlns:D=\"DAV:\" \
         xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\" \
         xmlns:S=\"http://calendarserver.org/ns/\"><D:prop>{properties}</D:prop></D:propfind>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
