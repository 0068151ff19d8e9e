//! Microsoft Graph: contacts, calendar, to-do and mail of today's Outlook.
//!
//! Every request asks for immutable ids; changes come by delta queries, and a token that Graph has
//! forgotten gives a full listing. The bearer token goes to the one origin only. No request of this
//! module sends, accepts or declines anything, and an event with attendees is neither made nor
//! changed unless the user allowed that Graph writes to them.

mod exceptions;
mod map;
mod recurrence;
mod series;

use std::collections::BTreeMap;

use offstage_model::{Clock, Timestamp};
use offstage_outlook::{
    Capabilities, ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind, ItemPatch,
    LeftAlone, MailStore, MailStoreError, NewItem, Notification, Presence, Property, PropertyValue,
    Scan, ScanMark, ScanRow,
};
use serde_json::{Value, json};

use exceptions::Series;
use series::{steps, wanted_series};

use crate::http::{self, Credentials, Http, HttpAnswer, HttpRequest};

const STORE: &str = "graph";
/// Pages of one listing.
const PAGES_MAX: usize = 100_000;
/// The days of the calendar that take part, before and after today.
const DAYS_BACK: i64 = 90;
const DAYS_AHEAD: i64 = 730;
/// A window is moved on when it is so many days old.
const WINDOW_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// What a connection needs to know.
#[derive(Debug, Clone)]
pub struct GraphOptions {
    /// `https://graph.microsoft.com/v1.0`, or that of a national cloud.
    pub url: String,
    /// The bearer token.
    pub credentials: Credentials,
    /// Whether Graph may write to attendees.
    pub mail_attendees: bool,
}

/// A mailbox behind Graph as a mail store.
pub struct GraphStore {
    http: Box<dyn Http>,
    clock: Box<dyn Clock>,
    origin: String,
    base: String,
    options: GraphOptions,
    tasks: String,
    capabilities: Capabilities,
    /// Items that were met and are not understood.
    left_alone: BTreeMap<EntryId, LeftAlone>,
}

impl GraphStore {
    /// Connects and finds the default task list.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn connect(
        http: Box<dyn Http>,
        clock: Box<dyn Clock>,
        options: GraphOptions,
    ) -> Result<Self, MailStoreError> {
        let origin = http::split(&options.url).map(|(origin, _)| origin.to_owned());
        let origin = origin.filter(|origin| http::is_safe(origin)).ok_or_else(|| {
            MailStoreError::NeedsAttention {
                store: STORE,
                problem: format!("'{}' is no address that a token may be sent to", options.url),
                hint: "use https://graph.microsoft.com/v1.0",
            }
        })?;
        let base = options.url.trim_end_matches('/').to_owned();
        let capabilities = Capabilities {
            kinds: ItemKind::ALL.to_vec(),
            writes: true,
            notifies: false,
            server_modification_time: true,
            custom_properties: true,
            conditional_write: true,
            reports_deletions: true,
            sends_invitations: true,
            rewrites: true,
            answers_as_sent: false,
            quiet_ties: true,
        };
        let tasks = String::new();
        let left_alone = BTreeMap::new();
        let mut store =
            Self { http, clock, origin, base, options, tasks, capabilities, left_alone };
        let lists = store.pages(format!("{}/me/todo/lists", store.base))?;
        let default = lists.items.iter().find(|list| list["wellknownListName"] == "defaultList");
        let id = default.and_then(|list| list["id"].as_str());
        store.tasks = id.map(str::to_owned).ok_or_else(|| MailStoreError::NeedsAttention {
            store: STORE,
            problem: "the mailbox has no list of tasks".to_owned(),
            hint: "open To Do once, which makes it",
        })?;
        Ok(store)
    }

    fn send(
        &mut self,
        method: &'static str,
        url: String,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<HttpAnswer, MailStoreError> {
        let elsewhere = http::split(&url).is_none_or(|(origin, _)| origin != self.origin);
        if elsewhere {
            return Err(MailStoreError::NeedsAttention {
                store: STORE,
                problem: format!("an answer leads to another server, {}", shortened(&url)),
                hint: "nothing was sent there; tell the administrator",
            });
        }
        let prefer = "IdType=\"ImmutableId\", outlook.timezone=\"UTC\", \
                      outlook.body-content-type=\"text\"";
        let mut headers =
            vec![("prefer", prefer.to_owned()), ("accept", "application/json".to_owned())];
        headers.extend(self.options.credentials.header());
        headers.extend(etag.map(|etag| ("if-match", etag.to_owned())));
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let request = HttpRequest { method, url: encoded(&url), headers, body };
        self.http.send(&request).map_err(|failure| transient(failure.to_string()))
    }

    fn json(&self, answer: &HttpAnswer) -> Result<Value, MailStoreError> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| transient(format!("an answer is no JSON: {error}")))
    }

    fn get(&mut self, id: &EntryId) -> Result<Option<Value>, MailStoreError> {
        let Some((kind, path)) = self.path(id) else { return Ok(None) };
        let url = format!("{}{path}?$expand={}", self.base, map::expand(kind));
        let answer = self.send("GET", url, None, None)?;
        match answer.status {
            200 => {
                let json = self.json(&answer)?;
                let series = kind == ItemKind::Appointment && !json["recurrence"].is_null();
                Ok(Some(if series { self.with_exceptions(&path, json)? } else { json }))
            }
            404 | 410 => Ok(None),
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }

    /// All pages of a listing.
    fn pages(&mut self, start: String) -> Result<Pages, MailStoreError> {
        let mut pages = Pages { items: Vec::new(), delta: None, forgotten: false };
        let mut url = start;
        for _ in 0..PAGES_MAX {
            let answer = self.send("GET", url, None, None)?;
            if answer.status == 410 {
                return Ok(Pages { items: Vec::new(), delta: None, forgotten: true });
            }
            if answer.status != 200 {
                return Err(http::refused(STORE, &answer, None));
            }
            let page = self.json(&answer)?;
            let items = page["value"]
                .as_array()
                .ok_or_else(|| transient("a page has no items".to_owned()))?;
            pages.items.extend(items.iter().cloned());
            match page["@odata.nextLink"].as_str() {
                Some(next) => url = next.to_owned(),
                None => {
                    pages.delta = page["@odata.deltaLink"].as_str().map(str::to_owned);
                    return Ok(pages);
                }
            }
        }
        Err(transient("a listing has no end".to_owned()))
    }

    /// Where an item is: `contact/ID`, `event/ID`, `task/ID` or `message/ID`.
    fn path(&self, id: &EntryId) -> Option<(ItemKind, String)> {
        let (kind, id) = id.as_str().split_once('/')?;
        if id.is_empty() || id.contains(['/', '?', '#']) {
            return None;
        }
        Some(match kind {
            "contact" => (ItemKind::Contact, format!("/me/contacts/{id}")),
            "event" => (ItemKind::Appointment, format!("/me/events/{id}")),
            "task" => (ItemKind::Task, format!("/me/todo/lists/{}/tasks/{id}", self.tasks)),
            "message" => (ItemKind::Email, format!("/me/messages/{id}")),
            _ => return None,
        })
    }

    fn item(&self, json: &Value, kind: ItemKind, folder: &str) -> Option<Item> {
        Some(Item {
            entry_id: EntryId::new(format!("{}/{}", word(kind), json["id"].as_str()?)),
            kind,
            folder: FolderId::new(folder),
            change_key: key(json),
            modified: modified(json),
            properties: map::read(json, kind),
            link: map::link(json, kind),
        })
    }

    /// An item, unless something of it cannot be said in other words: then it is left alone.
    fn understood(&mut self, id: &EntryId, json: &Value, kind: ItemKind) -> Option<Item> {
        let folder = folder_of(kind, json);
        if let Some(reason) = map::not_understood(json, kind) {
            let (entry_id, folder) = (id.clone(), FolderId::new(folder));
            self.left_alone.insert(id.clone(), LeftAlone { entry_id, folder, reason });
            return None;
        }
        self.left_alone.remove(id);
        self.item(json, kind, folder)
    }

    fn stored(&mut self, id: &EntryId) -> Result<Item, MailStoreError> {
        let gone = || MailStoreError::Gone { entry_id: id.clone() };
        let json = self.get(id)?.ok_or_else(gone)?;
        let (kind, _) = self.path(id).ok_or_else(gone)?;
        self.item(&json, kind, folder_of(kind, &json)).ok_or_else(gone)
    }

    /// The item that an earlier attempt made.
    fn made(
        &mut self,
        kind: ItemKind,
        collection: &str,
        new: &NewItem,
    ) -> Result<Option<EntryId>, MailStoreError> {
        let transaction = new.transaction.to_string();
        let id =
            |json: &Value| Some(EntryId::new(format!("{}/{}", word(kind), json["id"].as_str()?)));
        if kind != ItemKind::Task {
            let url = format!("{}{collection}?$filter={}", self.base, map::made_by(&transaction));
            return Ok(self.pages(url)?.items.first().and_then(id));
        }
        let title =
            new.properties.get(&Property::Subject).map(ToString::to_string).unwrap_or_default();
        let title =
            title.replace('\'', "''").replace('%', "%25").replace('&', "%26").replace('#', "%23");
        let url =
            format!("{}{collection}?$filter=title eq '{title}'&$expand=extensions", self.base);
        let found = self.pages(url)?.items;
        Ok(found.iter().find(|one| map::task_transaction(one) == Some(&transaction)).and_then(id))
    }

    /// Refuses what Graph would write to people about.
    fn check_mails(
        &self,
        kind: ItemKind,
        patch: Option<&ItemPatch>,
        old: &Value,
    ) -> Result<(), MailStoreError> {
        let invites =
            |value: &Value| value["attendees"].as_array().is_some_and(|all| !all.is_empty());
        let new = patch.is_some_and(|patch| {
            let lists = [Property::RequiredAttendees, Property::OptionalAttendees];
            lists.iter().any(|list| {
                let value = patch.properties.get(list).and_then(Option::as_ref);
                value.is_some_and(|value| !value.people().is_empty())
            })
        });
        let touches = patch.is_none_or(|patch| !patch.properties.is_empty());
        let writes = kind == ItemKind::Appointment && (new || touches && invites(old));
        if !writes || self.options.mail_attendees {
            return Ok(());
        }
        let reason = "Graph would write to the attendees of this event, which was not allowed";
        Err(MailStoreError::Refused { store: STORE, reason: reason.to_owned() })
    }

    fn window(&self, since: Option<&ScanMark>) -> (i64, Option<String>) {
        let today = self.clock.now().0.div_euclid(DAY_MS);
        let kept = since.and_then(|mark| mark.0.split_once('|'));
        let kept = kept.and_then(|(day, link)| Some((day.parse::<i64>().ok()?, link.to_owned())));
        match kept {
            Some((day, link)) if today - day < WINDOW_DAYS && day <= today => (day, Some(link)),
            _ => (today, None),
        }
    }

    fn delta_start(&self, folder: &str, day: i64) -> Option<String> {
        let at = |day: i64| Timestamp(day * DAY_MS).to_string();
        Some(match folder {
            "contacts" => format!("{}/me/contacts/delta", self.base),
            "calendar" => format!(
                "{}/me/calendarView/delta?startDateTime={}&endDateTime={}",
                self.base,
                at(day - DAYS_BACK),
                at(day + DAYS_AHEAD)
            ),
            "tasks" => format!("{}/me/todo/lists/{}/tasks/delta", self.base, self.tasks),
            "inbox" | "sentitems" => {
                format!("{}/me/mailFolders/{folder}/messages/delta", self.base)
            }
            _ => return None,
        })
    }
}

struct Pages {
    items: Vec<Value>,
    delta: Option<String>,
    /// Graph does not know the token any more.
    forgotten: bool,
}

fn transient(detail: String) -> MailStoreError {
    MailStoreError::Transient { store: STORE, detail }
}

fn shortened(url: &str) -> String {
    url.chars().take(80).collect()
}

/// The address with what an address cannot hold escaped; Graph's own links are escaped already.
fn encoded(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b' '
            | b'"'
            | b'<'
            | b'>'
            | b'{'
            | b'}'
            | b'\\'
            | b'^'
            | b'`'
            | b'|'
            | b'+'
            | 0..=31
            | 127.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

fn word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Contact => "contact",
        ItemKind::Appointment => "event",
        ItemKind::Task => "task",
        ItemKind::Email => "message",
    }
}

fn folder_of(kind: ItemKind, json: &Value) -> &'static str {
    match kind {
        ItemKind::Contact => "contacts",
        ItemKind::Appointment => "calendar",
        ItemKind::Task => "tasks",
        // What has no time of arrival was sent from here.
        ItemKind::Email if json["receivedDateTime"].is_null() => "sentitems",
        ItemKind::Email => "inbox",
    }
}

fn kind_of(folder: &str) -> Option<ItemKind> {
    match folder {
        "contacts" => Some(ItemKind::Contact),
        "calendar" => Some(ItemKind::Appointment),
        "tasks" => Some(ItemKind::Task),
        "inbox" | "sentitems" => Some(ItemKind::Email),
        _ => None,
    }
}

fn key(json: &Value) -> ChangeKey {
    ChangeKey::new(json["@odata.etag"].as_str().unwrap_or_default())
}

fn modified(json: &Value) -> Option<FileTime> {
    let time = json["lastModifiedDateTime"].as_str()?;
    Timestamp::parse(time).ok().map(FileTime::from)
}

impl MailStore for GraphStore {
    fn name(&self) -> &'static str {
        STORE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        let all = [
            ("contacts", "Contacts", true),
            ("calendar", "Calendar", true),
            ("tasks", "Tasks", true),
            ("inbox", "Inbox", true),
            ("sentitems", "Sent Items", false),
        ];
        let folder = |(id, name, default): (&str, &str, bool)| {
            let kind = kind_of(id).expect("BUG: the folders are those above");
            Folder { id: FolderId::new(id), name: name.to_owned(), kind, default }
        };
        Ok(all.into_iter().map(folder).collect())
    }

    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        let unknown = || MailStoreError::Refused {
            store: STORE,
            reason: format!("{folder} is no folder that takes part"),
        };
        let kind = kind_of(folder.as_str()).ok_or_else(unknown)?;
        let (mut day, link) = self.window(since);
        let mut complete = link.is_none();
        let start = match link {
            Some(link) => link,
            None => self.delta_start(folder.as_str(), day).ok_or_else(unknown)?,
        };
        let mut pages = self.pages(start)?;
        if pages.forgotten {
            day = self.clock.now().0.div_euclid(DAY_MS);
            complete = true;
            pages = self.pages(self.delta_start(folder.as_str(), day).ok_or_else(unknown)?)?;
        }
        let delta =
            pages.delta.ok_or_else(|| transient("a listing ends without a token".to_owned()))?;
        let (mut rows, mut removed): (Vec<ScanRow>, Vec<EntryId>) = (Vec::new(), Vec::new());
        for json in &pages.items {
            // An occurrence stands for its series; drafts never take part.
            let id = json["seriesMasterId"].as_str().or_else(|| json["id"].as_str());
            let Some(id) = id.filter(|_| json["isDraft"] != json!(true)) else { continue };
            let entry_id = EntryId::new(format!("{}/{id}", word(kind)));
            if !json["@removed"].is_null() {
                removed.push(entry_id);
                continue;
            }
            // An item may come twice; the later one is the truer one.
            rows.retain(|row| row.entry_id != entry_id);
            removed.retain(|gone| *gone != entry_id);
            rows.push(ScanRow {
                entry_id,
                change_key: key(json),
                modified: modified(json),
                link: None,
            });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.modified));
        Ok(Scan { rows, removed, mark: ScanMark(format!("{day}|{delta}")), complete })
    }

    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        let mut items = Vec::new();
        for id in ids {
            let json = self.get(id)?;
            let kind = self.path(id).map(|(kind, _)| kind);
            let item = json.zip(kind).and_then(|(json, kind)| self.understood(id, &json, kind));
            items.push(item);
        }
        Ok(items)
    }

    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError> {
        let collection = match new.kind {
            ItemKind::Contact => "/me/contacts".to_owned(),
            ItemKind::Appointment => "/me/events".to_owned(),
            ItemKind::Task => format!("/me/todo/lists/{}/tasks", self.tasks),
            ItemKind::Email => {
                let reason = "messages are tracked and never made".to_owned();
                return Err(MailStoreError::Refused { store: STORE, reason });
            }
        };
        let changes: Vec<_> =
            new.properties.iter().map(|(name, value)| (*name, Some(value.clone()))).collect();
        let patch = ItemPatch { properties: changes.iter().cloned().collect(), link: None };
        self.check_mails(new.kind, Some(&patch), &Value::Null)?;
        let series = wanted_series(&changes)?.filter(Series::has_exceptions);
        if let Some(id) = self.made(new.kind, &collection, new)? {
            if let Some(series) = &series {
                self.write_exceptions(&id, series)?;
            }
            return self.stored(&id);
        }
        let transaction = new.transaction.to_string();
        let body =
            map::write(new.kind, &changes, Some(&new.link), Some(&transaction), &Value::Null);
        let mut body = body.map_err(unsaid)?;
        if new.kind == ItemKind::Appointment {
            body["transactionId"] = json!(transaction);
        }
        let answer = self.send("POST", format!("{}{collection}", self.base), None, Some(&body))?;
        if !matches!(answer.status, 200 | 201) {
            return Err(http::refused(STORE, &answer, None));
        }
        let made = self.json(&answer)?;
        let id = made["id"].as_str().ok_or_else(|| transient("a new item has no id".to_owned()))?;
        let entry_id = EntryId::new(format!("{}/{id}", word(new.kind)));
        if new.kind == ItemKind::Task {
            self.extend(&entry_id, &map::extension(&new.link, Some(&transaction)), true)?;
        }
        if let Some(series) = &series {
            self.write_exceptions(&entry_id, series)?;
        }
        self.stored(&entry_id)
    }

    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        let gone = || MailStoreError::Gone { entry_id: id.clone() };
        let (kind, path) = self.path(id).ok_or_else(gone)?;
        let old = self.get(id)?.ok_or_else(gone)?;
        if expected.is_some_and(|expected| *expected != key(&old)) {
            return Err(MailStoreError::Conflict { entry_id: id.clone() });
        }
        self.check_mails(kind, Some(patch), &old)?;
        let there = map::read(&old, kind);
        let differs = |(name, value): &(&Property, &Option<PropertyValue>)| {
            there.get(*name) != value.as_ref().and_then(PropertyValue::canonical).as_ref()
        };
        let changes: Vec<_> = patch
            .properties
            .iter()
            .filter(differs)
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        let series = wanted_series(&changes)?;
        if let Some(series) = &series {
            // What cannot be taken back is refused before anything is written.
            steps(series, &old)?;
        }
        let body = map::write(kind, &changes, patch.link.as_ref(), None, &old).map_err(unsaid)?;
        if body.as_object().is_some_and(|fields| !fields.is_empty()) {
            let etag = key(&old).as_str().to_owned();
            let answer =
                self.send("PATCH", format!("{}{path}", self.base), Some(&etag), Some(&body))?;
            if answer.status != 200 {
                return Err(http::refused(STORE, &answer, Some(id)));
            }
        }
        if let Some(series) = &series {
            self.write_exceptions(id, series)?;
        }
        if let Some(link) = patch.link.as_ref().filter(|_| kind == ItemKind::Task) {
            let exists = old["extensions"].as_array().is_some_and(|all| !all.is_empty());
            let transaction = map::task_transaction(&old).map(str::to_owned);
            self.extend(id, &map::extension(link, transaction.as_deref()), !exists)?;
        }
        self.stored(id)
    }

    fn delete(&mut self, id: &EntryId, expected: Option<&ChangeKey>) -> Result<(), MailStoreError> {
        let Some((kind, path)) = self.path(id) else { return Ok(()) };
        if kind == ItemKind::Email {
            let reason = "messages are tracked and never removed".to_owned();
            return Err(MailStoreError::Refused { store: STORE, reason });
        }
        let Some(old) = self.get(id)? else { return Ok(()) };
        if expected.is_some_and(|expected| *expected != key(&old)) {
            return Err(MailStoreError::Conflict { entry_id: id.clone() });
        }
        self.check_mails(kind, None, &old)?;
        let etag = key(&old).as_str().to_owned();
        let answer = self.send("DELETE", format!("{}{path}", self.base), Some(&etag), None)?;
        match answer.status {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }

    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        let mut presence = Vec::new();
        for id in ids {
            let there = self.get(id)?.is_some();
            presence.push(if there { Presence::There } else { Presence::Gone });
        }
        Ok(presence)
    }

    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        // Webhooks need an address that Microsoft can reach, which a desktop has not.
        Ok(Vec::new())
    }

    fn left_alone(&mut self) -> Vec<LeftAlone> {
        std::mem::take(&mut self.left_alone).into_values().collect()
    }
}

impl GraphStore {
    /// Writes the open extension of a task.
    fn extend(&mut self, id: &EntryId, body: &Value, new: bool) -> Result<(), MailStoreError> {
        let Some((_, path)) = self.path(id) else { return Ok(()) };
        let url = format!("{}{path}/extensions", self.base);
        let answer = if new {
            self.send("POST", url, None, Some(body))?
        } else {
            self.send("PATCH", format!("{url}/{}", map::EXTENSION), None, Some(body))?
        };
        match answer.status {
            200..=299 => Ok(()),
            _ => Err(http::refused(STORE, &answer, Some(id))),
        }
    }
}

fn unsaid(reason: &'static str) -> MailStoreError {
    MailStoreError::Refused { store: STORE, reason: reason.to_owned() }
}
