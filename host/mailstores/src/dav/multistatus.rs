//! The answer of a WebDAV server about many resources (RFC 4918, section 13), read with limits.
//!
//! A document type, too many elements, or a name of another server is an error of the whole answer:
//! half a listing must never look like deletions.

use roxmltree::{Document, Node, ParsingOptions};

/// More elements than this are refused: 100,000 resources have fewer.
const NODES_MAX: u32 = 4_000_000;
/// Elements nested deeper than this are refused before the document is read.
const DEPTH_MAX: usize = 64;

/// The namespace of WebDAV.
pub(crate) const DAV: &str = "DAV:";
/// The namespace of CalDAV.
pub(crate) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of CardDAV.
pub(crate) const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";

/// An answer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultistatusError {
    /// No XML, or XML that is not read.
    #[error("the answer is no XML that is read: {reason}")]
    Xml {
        /// What is wrong.
        reason: String,
    },
    /// Another document.
    #[error("the answer is a document '{root}' and no multistatus")]
    Other {
        /// Its root.
        root: String,
    },
    /// A response without an address, or with one elsewhere.
    #[error("the answer names '{href}', which is no resource of this server")]
    Foreign {
        /// The address.
        href: String,
    },
}

/// An answer about many resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multistatus {
    /// One for each resource.
    pub responses: Vec<Resource>,
    /// Where the next synchronisation begins (RFC 6578).
    pub sync_token: Option<String>,
}

/// What the answer says about one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its path on the server.
    pub href: String,
    /// The status of the whole resource, where it has one: 404 says that it is gone.
    pub status: Option<u16>,
    /// `getetag`
    pub etag: Option<String>,
    /// `getlastmodified`
    pub modified: Option<String>,
    /// `getctag`, which many servers have.
    pub ctag: Option<String>,
    /// `sync-token` of a collection.
    pub sync_token: Option<String>,
    /// `displayname`
    pub name: Option<String>,
    /// `calendar-data` or `address-data`
    pub data: Option<String>,
    /// Local names of the `resourcetype`.
    pub kinds: Vec<String>,
    /// Names of the `supported-calendar-component-set`.
    pub components: Vec<String>,
    /// Local names of the reports that the collection knows.
    pub reports: Vec<String>,
    /// Property names, each with the addresses in it: principals and home sets.
    pub links: Vec<(String, String)>,
}

impl Multistatus {
    /// Reads an answer of the server at `origin`.
    pub fn parse(body: &[u8], origin: &str) -> Result<Self, MultistatusError> {
        let xml = |reason: String| MultistatusError::Xml { reason };
        let text = std::str::from_utf8(body).map_err(|error| xml(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}');
        if is_too_deep(text) {
            return Err(xml(format!("elements nested deeper than {DEPTH_MAX}")));
        }
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let document =
            Document::parse_with_options(text, options).map_err(|error| xml(error.to_string()))?;
        let root = document.root_element();
        if !is(root, DAV, "multistatus") {
            return Err(MultistatusError::Other { root: root.tag_name().name().to_owned() });
        }
        let mut found = Self::default();
        for child in root.children().filter(Node::is_element) {
            if is(child, DAV, "sync-token") {
                found.sync_token = content(child);
            } else if is(child, DAV, "response") {
                found.responses.extend(resources(child, origin)?);
            }
        }
        Ok(found)
    }
}

/// Whether an error's body names a precondition.
#[must_use]
pub fn names_precondition(body: &[u8], name: &str) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    if is_too_deep(text) {
        return false;
    }
    Document::parse(text).is_ok_and(|document| {
        document.descendants().any(|node| node.is_element() && node.tag_name().name() == name)
    })
}

/// Whether elements are nested deeper than any answer needs; the reader itself recurses.
fn is_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'<' {
            continue;
        }
        match bytes.get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) => {
                let end = bytes[at..].iter().position(|byte| *byte == b'>').unwrap_or(0);
                if end == 0 || bytes[at + end - 1] != b'/' {
                    depth += 1;
                }
            }
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.tag_name().namespace() == Some(namespace) && node.tag_name().name() == name
}

fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| is(*child, DAV, name))
}

fn content(node: Node<'_, '_>) -> Option<String> {
    let text: String =
        node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The resources of one `response`; several addresses may share a status.
fn resources(response: Node<'_, '_>, origin: &str) -> Result<Vec<Resource>, MultistatusError> {
    let mut hrefs = Vec::new();
    for child in children(response, "href") {
        hrefs.push(local(&content(child).unwrap_or_default(), origin)?);
    }
    let status = children(response, "status").next().and_then(status_of);
    let mut resource = Resource { status, ..Resource::default() };
    for propstat in children(response, "propstat") {
        let good = children(propstat, "status")
            .next()
            .and_then(status_of)
            .is_none_or(|status| (200..300).contains(&status));
        for prop in children(propstat, "prop").filter(|_| good) {
            for property in prop.children().filter(Node::is_element) {
                fill(&mut resource, property, origin);
            }
        }
    }
    let each = hrefs.into_iter().map(|href| Resource { href, ..resource.clone() });
    Ok(each.collect())
}

fn status_of(node: Node<'_, '_>) -> Option<u16> {
    status(&content(node)?)
}

/// Reads `HTTP/1.1 404 Not Found`.
fn status(line: &str) -> Option<u16> {
    line.split_whitespace().nth(1)?.parse().ok()
}

fn fill(resource: &mut Resource, property: Node<'_, '_>, origin: &str) {
    let elements = || property.children().filter(Node::is_element);
    let names = || elements().map(|child| child.tag_name().name().to_owned()).collect();
    match (property.tag_name().namespace().unwrap_or_default(), property.tag_name().name()) {
        (DAV, "getetag") => resource.etag = content(property),
        (DAV, "getlastmodified") => resource.modified = content(property),
        (_, "getctag") => resource.ctag = content(property),
        (DAV, "sync-token") => resource.sync_token = content(property),
        (DAV, "displayname") => resource.name = content(property),
        (CALDAV, "calendar-data") | (CARDDAV, "address-data") => {
            // Line ends and blanks at the ends belong to the object.
            let text = property.descendants().filter(Node::is_text).filter_map(|node| node.text());
            resource.data = Some(text.collect());
        }
        (DAV, "resourcetype") => resource.kinds = names(),
        (CALDAV, "supported-calendar-component-set") => {
            resource.components =
                elements().filter_map(|child| child.attribute("name").map(str::to_owned)).collect();
        }
        (DAV, "supported-report-set") => {
            let reports = property.descendants().filter(|node| is(*node, DAV, "report"));
            let names = reports.filter_map(|report| report.children().find(Node::is_element));
            resource.reports = names.map(|node| node.tag_name().name().to_owned()).collect();
        }
        (_, name) => {
            for href in children(property, "href") {
                if let Some(href) = content(href).and_then(|href| local(&href, origin).ok()) {
                    resource.links.push((name.to_owned(), href));
                }
            }
        }
    }
}

/// The path of an address on this server.
fn local(href: &str, origin: &str) -> Result<String, MultistatusError> {
    let foreign = || MultistatusError::Foreign { href: href.chars().take(200).collect() };
    let path = match href.strip_prefix(origin) {
        Some(rest) => rest,
        None => href,
    };
    // `//elsewhere/` is another server's; a control character would end a header.
    let fits = path.starts_with('/') && !path.starts_with("//");
    if !fits || path.chars().any(char::is_control) || path.contains(' ') {
        return Err(foreign());
    }
    Ok(path.to_owned())
}
