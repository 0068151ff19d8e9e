//! CardDAV and CalDAV: a two-way mail store on any server that speaks them.
//!
//! Contacts, appointments and tasks are objects of collections; what is written is patched into the
//! object that is there, only if nobody else changed it, and is to be read again afterwards, because
//! servers rewrite. Nobody is mailed: on a server that handles invitations, an event whose attendees it would
//! write to is refused unless the user allowed it.

mod client;
mod discover;
pub mod multistatus;
mod table;
mod write;

use std::collections::BTreeMap;

use offstage_model::{Clock, Timestamp};
use offstage_outlook::{
    Capabilities, ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind, ItemPatch,
    LeftAlone, LinkProperties, MailStore, MailStoreError, NewItem, Notification, Presence,
    Properties, Scan, ScanMark,
};

use crate::codec::icalendar::{CalendarError, CalendarObject};
use crate::codec::vcard::{VCard, VCardError};
use crate::codec::zone::Zone;
use crate::http::{Credentials, Http};
use client::{Client, Object, Only, Report};
use multistatus::Resource;

const STORE: &str = "dav";
/// Objects whose text is kept from a reading, for the write that may follow.
const READ_KEPT_MAX: usize = 200;
/// Marks of servers without synchronisation begin so.
const CTAG: &str = "ctag:";

/// What a connection needs to know.
#[derive(Debug, Clone)]
pub struct DavOptions {
    /// The server's address, or that of a principal on it.
    pub url: String,
    /// Who signs in.
    pub credentials: Credentials,
    /// The user's zone, for times without one.
    pub home: Zone,
    /// Whether the server may mail attendees.
    pub mail_attendees: bool,
}

/// A CardDAV and CalDAV server as a mail store.
pub struct DavStore {
    client: Client,
    options: DavOptions,
    clock: Box<dyn Clock>,
    collections: Vec<Collection>,
    capabilities: Capabilities,
    /// Objects that were met and are not understood, with their collection and the reason.
    left_alone: BTreeMap<EntryId, LeftAlone>,
    /// What was read last: a write that depends on its ETag need not read it once more.
    read_last: BTreeMap<EntryId, Object>,
}

/// A collection that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Collection {
    path: String,
    name: String,
    kind: ItemKind,
    /// Whether it answers what changed since a token.
    synchronises: bool,
}

enum Parsed {
    Card(VCard),
    Calendar(CalendarObject),
}

/// Why an object cannot be mapped.
#[derive(Debug, thiserror::Error)]
enum ObjectError {
    #[error(transparent)]
    Card(#[from] VCardError),
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error("the server lists it and does not show it ({0})")]
    Withheld(u16),
}

impl DavStore {
    /// Connects to a server and finds the user's collections.
    ///
    /// # Errors
    /// See [`MailStoreError`]: no answer, wrong credentials, no collection.
    pub fn connect(
        http: Box<dyn Http>,
        clock: Box<dyn Clock>,
        options: DavOptions,
    ) -> Result<Self, MailStoreError> {
        let (origin, path) =
            crate::http::split(&options.url).ok_or_else(|| MailStoreError::NeedsAttention {
                store: STORE,
                problem: format!("'{}' is no address", options.url),
                hint: "write https://server/ or https://server/path/",
            })?;
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        let mut client = Client::new(http, origin, options.credentials.clone())?;
        let found = discover::discover(&mut client, &path)?;
        let mut kinds: Vec<_> =
            found.collections.iter().map(|collection| collection.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let capabilities = Capabilities {
            kinds,
            writes: true,
            notifies: false,
            // Not every server tells it in its reports; Radicale does not.
            server_modification_time: false,
            custom_properties: true,
            conditional_write: true,
            reports_deletions: found.collections.iter().all(|one| one.synchronises),
            sends_invitations: found.schedules,
            rewrites: true,
            answers_as_sent: true,
            quiet_ties: false,
        };
        Ok(Self {
            client,
            options,
            clock,
            collections: found.collections,
            capabilities,
            left_alone: BTreeMap::new(),
            read_last: BTreeMap::new(),
        })
    }

    /// Leaves an object alone: it stays as it is.
    fn leave(&mut self, id: &EntryId, collection: &Collection, error: &ObjectError) {
        let (entry_id, folder) = (id.clone(), FolderId::new(&collection.path));
        let reason = error.to_string();
        self.left_alone.insert(entry_id.clone(), LeftAlone { entry_id, folder, reason });
    }

    fn collection(&self, path: &str) -> Result<Collection, MailStoreError> {
        let found = self.collections.iter().find(|collection| collection.path == path).cloned();
        found.ok_or_else(|| MailStoreError::Refused {
            store: STORE,
            reason: format!("{path} is no collection that takes part"),
        })
    }

    fn home_of(&self, id: &EntryId) -> Result<Collection, MailStoreError> {
        let path = id.as_str().rfind('/').map_or("", |at| &id.as_str()[..=at]);
        // Servers differ in what they escape; a collection may hold events and to-dos.
        let same = |collection: &&Collection| unescaped(&collection.path) == unescaped(path);
        self.collections
            .iter()
            .find(same)
            .cloned()
            .ok_or_else(|| MailStoreError::Gone { entry_id: id.clone() })
    }

    fn parse(&self, kind: ItemKind, body: &[u8]) -> Result<Parsed, ObjectError> {
        Ok(match kind {
            ItemKind::Contact => Parsed::Card(VCard::parse(body)?),
            _ => Parsed::Calendar(CalendarObject::parse(body)?),
        })
    }

    /// What an object is, what it says, and its tie.
    fn mapped(
        &self,
        kind: ItemKind,
        body: &[u8],
    ) -> Result<(ItemKind, Properties, LinkProperties), ObjectError> {
        Ok(match self.parse(kind, body)? {
            Parsed::Card(card) => (ItemKind::Contact, card.properties()?, card.link()),
            Parsed::Calendar(event) => {
                (event.kind(), event.properties(&self.options.home)?, event.link())
            }
        })
    }

    fn item(
        &self,
        id: &EntryId,
        collection: &Collection,
        object: &Object,
    ) -> Result<Item, ObjectError> {
        let (kind, properties, link) = self.mapped(collection.kind, &object.body)?;
        Ok(Item {
            entry_id: id.clone(),
            kind,
            folder: FolderId::new(&collection.path),
            change_key: ChangeKey::new(&object.etag),
            modified: object.modified.as_deref().and_then(http_date),
            properties,
            link,
        })
    }
}

/// An object that is not mapped waits for a person.
fn unmapped(error: &ObjectError) -> MailStoreError {
    MailStoreError::Refused { store: STORE, reason: error.to_string() }
}

fn report_of(kind: ItemKind) -> Report {
    if kind == ItemKind::Contact { Report::AddressBook } else { Report::Calendar }
}

fn media_type(kind: ItemKind) -> &'static str {
    if kind == ItemKind::Contact {
        "text/vcard; charset=utf-8"
    } else {
        "text/calendar; charset=utf-8"
    }
}

/// Reads `Wed, 25 Nov 2026 19:00:00 GMT`.
fn http_date(text: &str) -> Option<FileTime> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()).into())
}

/// A path with its escapes taken out, to compare with.
fn unescaped(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let decoded = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(decoded.unwrap_or(bytes[at]));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    out
}

impl MailStore for DavStore {
    fn name(&self) -> &'static str {
        STORE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        let mut seen = Vec::new();
        let folder = |collection: &Collection| {
            let default = !seen.contains(&collection.kind);
            seen.push(collection.kind);
            Folder {
                id: FolderId::new(&collection.path),
                name: collection.name.clone(),
                kind: collection.kind,
                default,
            }
        };
        Ok(self.collections.iter().map(folder).collect())
    }

    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        let collection = self.collection(folder.as_str())?;
        let (mut scan, found) = if collection.synchronises {
            let token = since.map(|mark| mark.0.as_str()).filter(|token| !token.starts_with(CTAG));
            let changes = self.client.changes(&collection.path, token)?;
            let scan = Scan {
                rows: Vec::new(),
                removed: changes.removed.into_iter().map(EntryId::new).collect(),
                mark: ScanMark(changes.token),
                complete: changes.complete,
            };
            (scan, changes.changed)
        } else {
            self.listing(&collection, since)?
        };
        scan.rows = self.rows(&collection, &found)?;
        scan.rows.sort_by_key(|row| std::cmp::Reverse(row.modified));
        Ok(scan)
    }

    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        let mut objects: BTreeMap<Vec<u8>, Resource> = BTreeMap::new();
        let mut homes: Vec<(Collection, Vec<String>)> = Vec::new();
        for id in ids {
            let Ok(collection) = self.home_of(id) else { continue };
            match homes.iter_mut().find(|(home, _)| *home == collection) {
                Some((_, hrefs)) => hrefs.push(id.as_str().to_owned()),
                None => homes.push((collection, vec![id.as_str().to_owned()])),
            }
        }
        for (collection, hrefs) in &homes {
            let report = report_of(collection.kind);
            for resource in self.client.multiget(&collection.path, report, hrefs, true)? {
                objects.insert(unescaped(&resource.href), resource);
            }
        }
        let mut items = Vec::new();
        for id in ids {
            let found = objects.get(&unescaped(id.as_str())).filter(|one| one.status != Some(404));
            let (Some(resource), Ok(collection)) = (found, self.home_of(id)) else {
                items.push(None);
                continue;
            };
            let object = Object {
                etag: resource.etag.clone().unwrap_or_default(),
                modified: resource.modified.clone(),
                body: resource.data.clone().unwrap_or_default().into_bytes(),
            };
            match self.item(id, &collection, &object) {
                Ok(item) => {
                    self.left_alone.remove(id);
                    self.keep_read(id, object);
                    items.push(Some(item));
                }
                Err(error) => {
                    self.leave(id, &collection, &error);
                    items.push(None);
                }
            }
        }
        Ok(items)
    }

    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError> {
        let collection = match &new.folder {
            Some(folder) => self.collection(folder.as_str())?,
            None => {
                let default = self.collections.iter().find(|one| one.kind == new.kind).cloned();
                default.ok_or_else(|| MailStoreError::Refused {
                    store: STORE,
                    reason: format!("there is no collection for a {}", new.kind),
                })?
            }
        };
        let uid = new.transaction.to_string();
        let mut parsed = match new.kind {
            ItemKind::Contact => Parsed::Card(VCard::new(&uid)),
            kind => Parsed::Calendar(CalendarObject::new(kind, &uid, self.clock.now())),
        };
        let ending = if new.kind == ItemKind::Contact { "vcf" } else { "ics" };
        let id = EntryId::new(format!("{}{uid}.{ending}", collection.path));
        let mut link = new.link.clone();
        if link.crm_id.is_some() && link.entry_id.is_none() {
            // The tie names the item's own id, which is known before: one write less.
            link.entry_id = Some(id.clone());
        }
        let properties = new.properties.iter().map(|(name, value)| (*name, Some(value.clone())));
        let patch = ItemPatch { properties: properties.collect(), link: Some(link) };
        let body = self.patched(&mut parsed, &patch)?;
        self.check_mails(&parsed)?;
        match self.write((&id, &collection), Only::New, body) {
            // An earlier attempt made it, and its answer was lost.
            Err(MailStoreError::Conflict { .. }) => self.stored(&id),
            other => other,
        }
    }

    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        let collection = self.home_of(id)?;
        let object = self.before_write(id, expected)?;
        let mut parsed =
            self.parse(collection.kind, &object.body).map_err(|error| unmapped(&error))?;
        self.check_mails(&parsed)?;
        let body = self.patched(&mut parsed, patch)?;
        self.check_mails(&parsed)?;
        if body == object.body {
            let now = self.stored(id)?;
            // It may have been read a while ago.
            let same = expected.is_none_or(|expected| *expected == now.change_key);
            return if same {
                Ok(now)
            } else {
                Err(MailStoreError::Conflict { entry_id: id.clone() })
            };
        }
        // A server without ETags cannot promise anything; the content was compared just now.
        let only = if object.etag.is_empty() { Only::Any } else { Only::Same(&object.etag) };
        self.write((id, &collection), only, body)
    }

    fn delete(&mut self, id: &EntryId, expected: Option<&ChangeKey>) -> Result<(), MailStoreError> {
        let collection = self.home_of(id)?;
        if self.capabilities.sends_invitations && collection.kind != ItemKind::Contact {
            let Some(object) = self.client.get(id)? else { return Ok(()) };
            let parsed =
                self.parse(collection.kind, &object.body).map_err(|error| unmapped(&error))?;
            self.check_mails(&parsed)?;
        }
        let only = expected.filter(|key| !key.as_str().is_empty());
        self.client.delete(id, only.map_or(Only::Any, |key| Only::Same(key.as_str())))
    }

    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        let mut found: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for collection in self.collections.clone() {
            let mine = |id: &&EntryId| self.home_of(id).is_ok_and(|home| home == collection);
            let hrefs: Vec<String> =
                ids.iter().filter(mine).map(|id| id.as_str().to_owned()).collect();
            if hrefs.is_empty() {
                continue;
            }
            let report = report_of(collection.kind);
            for resource in self.client.multiget(&collection.path, report, &hrefs, false)? {
                let there = match resource.status {
                    Some(404 | 410) => Some(false),
                    None if resource.etag.is_some() => Some(true),
                    _ => None,
                };
                found.extend(there.map(|there| (unescaped(&resource.href), there)));
            }
        }
        let presence = |id: &EntryId| match found.get(&unescaped(id.as_str())) {
            Some(true) => Presence::There,
            Some(false) => Presence::Gone,
            // Silence says nothing.
            None => Presence::Unknown,
        };
        Ok(ids.iter().map(presence).collect())
    }

    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        Ok(Vec::new())
    }

    fn left_alone(&mut self) -> Vec<LeftAlone> {
        std::mem::take(&mut self.left_alone).into_values().collect()
    }
}
