//! A double of Microsoft Graph that answers in the documented shapes, with paging, tokens that it
//! forgets, and a script of faults. It fails a test that asks for anything that mails somebody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use offstage_mailstores::http::{Http, HttpAnswer, HttpFailure, HttpRequest};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://graph.example/v1.0";
const PAGE: usize = 2;

#[derive(Default)]
pub(crate) struct State {
    /// By collection and id; a deleted one is `None`.
    items: BTreeMap<(String, String), (u64, Option<Value>)>,
    version: u64,
    /// What became of occurrences, by series master and day: cancelled ones are `None`.
    pub(crate) occurrences: BTreeMap<String, BTreeMap<String, Option<Value>>>,
    /// It answers 400 to the question for exceptions.
    pub(crate) tells_no_exceptions: bool,
    /// Statuses that are answered instead, before anything is done.
    pub(crate) faults: VecDeque<(u16, Vec<(String, String)>)>,
    /// The answers that get lost after the work was done.
    pub(crate) lose: u32,
    pub(crate) forget_tokens: bool,
    pub(crate) next_link_elsewhere: bool,
    pub(crate) asked: Vec<(String, String)>,
    /// Items that are there and of which a delta says that they are gone: they left the view.
    pub(crate) out_of_view: BTreeSet<String>,
    /// How often a delta said of an item that it is gone.
    pub(crate) removed_told: usize,
}

/// The double; clones share their state.
#[derive(Clone, Default)]
pub(crate) struct Double(pub(crate) Arc<Mutex<State>>);

impl Http for Double {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let mut state = self.0.lock().unwrap();
        state.asked.push((request.method.to_owned(), request.url.clone()));
        let header = |name: &str| {
            let found = request.headers.iter().find(|(header, _)| *header == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        assert!(header("prefer").contains("IdType=\"ImmutableId\""), "{request:?}");
        assert_eq!(header("authorization"), "Bearer token-1");
        let path = request.url.strip_prefix(BASE).expect("the one origin").to_owned();
        for mailing in
            ["/send", "/accept", "/decline", "/tentativelyAccept", "/cancel", "/forward", "/reply"]
        {
            assert!(!path.contains(mailing), "{path} would mail somebody");
        }
        if let Some((status, headers)) = state.faults.pop_front() {
            return Ok(HttpAnswer { status, headers, body: Vec::new() });
        }
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let query = decoded(query);
        let (status, answer) =
            state.answer(request.method, path, &query, &header("if-match"), body);
        if request.method == "POST" && state.lose > 0 {
            state.lose -= 1;
            return Err(HttpFailure {
                url: request.url.clone(),
                reason: "the answer was lost".into(),
            });
        }
        let body = if answer.is_null() { Vec::new() } else { answer.to_string().into_bytes() };
        Ok(HttpAnswer { status, headers: Vec::new(), body })
    }
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap()
}

fn error(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"error": {"code": code, "message": code}}))
}

impl State {
    /// Puts an item in, as another client would.
    pub(crate) fn put(&mut self, collection: &str, id: &str, mut item: Value) {
        // An empty mailbox hands out token 1.
        self.version = self.version.max(1) + 1;
        item["id"] = json!(id);
        item["@odata.etag"] = json!(format!("W/\"{}\"", self.version));
        item["lastModifiedDateTime"] = json!(format!("2026-11-25T10:00:{:02}Z", self.version % 60));
        self.items.insert((collection.to_owned(), id.to_owned()), (self.version, Some(item)));
    }

    /// Removes an item, as another client would.
    pub(crate) fn remove(&mut self, collection: &str, id: &str) {
        self.version += 1;
        self.items.insert((collection.to_owned(), id.to_owned()), (self.version, None));
    }

    /// An item as it is stored.
    pub(crate) fn item(&self, collection: &str, id: &str) -> Value {
        self.items[&(collection.to_owned(), id.to_owned())].1.clone().unwrap()
    }

    fn answer(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        etag: &str,
        body: Value,
    ) -> (u16, Value) {
        if path == "/me/todo/lists" {
            let lists = json!([{"id": "L0", "wellknownListName": "none"}, {"id": "L1", "wellknownListName": "defaultList"}]);
            return (200, json!({"value": lists}));
        }
        if let Some(collection) = path.strip_suffix("/delta") {
            let collection = collection.replace("calendarView", "events");
            return self.delta(&collection, query);
        }
        if let Some((item, extension)) = path.split_once("/extensions") {
            assert_eq!(extension.is_empty(), method == "POST", "{path}");
            return self.extend(item, body);
        }
        if let Some(master) = path.strip_suffix("/instances") {
            let master = master.strip_prefix("/me/events/").unwrap();
            assert!(query.contains("startDateTime=") && query.contains("endDateTime="), "{query}");
            return (200, json!({"value": self.instances(master)}));
        }
        let (collection, id) = path.rsplit_once('/').unwrap();
        if let Some((master, day)) = id.strip_prefix("OCC.").and_then(|id| id.rsplit_once('.')) {
            return self.occurrence(method, master, day, body);
        }
        if method == "GET" && query.contains("$expand=exceptionOccurrences") {
            return self.exceptions(id);
        }
        if ["contacts", "events", "tasks"].contains(&id) {
            return if method == "POST" {
                self.create(path, body)
            } else {
                self.filter(path, query)
            };
        }
        self.one(method, collection, id, etag, body)
    }

    fn delta(&mut self, collection: &str, query: &str) -> (u16, Value) {
        let number = |name: &str| {
            query.split('&').find_map(|part| part.strip_prefix(name)).map(str::to_owned)
        };
        let (since, offset) = match (number("$deltatoken="), number("$skiptoken=")) {
            (Some(_), _) if self.forget_tokens => {
                self.forget_tokens = false;
                return error(410, "SyncStateNotFound");
            }
            (Some(token), _) => (token.parse().unwrap(), 0),
            (_, Some(skip)) => {
                let (since, offset) = skip.split_once('.').unwrap();
                (since.parse().unwrap(), offset.parse().unwrap())
            }
            _ => (0u64, 0usize),
        };
        let of_folder = |(key, (version, item)): (&(String, String), &(u64, Option<Value>))| {
            let mine = key.0 == collection && *version > since && (since > 0 || item.is_some());
            let shown = item.as_ref().filter(|_| !self.out_of_view.contains(&key.1));
            mine.then(|| match shown {
                Some(item) => item.clone(),
                None => json!({"id": key.1, "@removed": {"reason": "deleted"}}),
            })
        };
        let all: Vec<Value> = self.items.iter().filter_map(of_folder).collect();
        let page: Vec<Value> = all.iter().skip(offset).take(PAGE).cloned().collect();
        self.removed_told += page.iter().filter(|item| !item["@removed"].is_null()).count();
        let here = collection.replace("/me/events", "/me/calendarView");
        let base = if self.next_link_elsewhere { "https://elsewhere.example/v1.0" } else { BASE };
        let mut answer = json!({"value": page});
        if offset + PAGE < all.len() {
            answer["@odata.nextLink"] =
                json!(format!("{base}{here}/delta?$skiptoken={since}.{}", offset + PAGE));
        } else {
            answer["@odata.deltaLink"] =
                json!(format!("{BASE}{here}/delta?$deltatoken={}", self.version.max(1)));
        }
        (200, answer)
    }

    fn filter(&self, collection: &str, query: &str) -> (u16, Value) {
        let filter = query.split("&$").next().unwrap();
        let matches = |item: &Value| {
            let title = item["title"].as_str().map(|title| format!("title eq '{title}'"));
            let props = item["singleValueExtendedProperties"].as_array().into_iter().flatten();
            let mut values =
                props.filter_map(|one| Some((one["id"].as_str()?, one["value"].as_str()?)));
            title.is_some_and(|title| filter.contains(&title))
                || values.any(|(id, value)| {
                    filter.contains(&format!("ep/id eq '{id}' and ep/value eq '{value}'"))
                })
        };
        let mine = self.items.iter().filter(|(key, _)| key.0 == collection);
        let found = mine.filter_map(|(_, (_, item))| item.clone()).filter(matches);
        (200, json!({"value": found.collect::<Vec<_>>()}))
    }

    fn create(&mut self, collection: &str, mut body: Value) -> (u16, Value) {
        if collection == "/me/events" {
            for name in ["start", "end"] {
                let at = body[name]["dateTime"].as_str().unwrap().to_owned();
                body[name]["dateTime"] = json!(format!("{at}.0000000"));
            }
            body["originalStartTimeZone"] = body["start"]["timeZone"].clone();
            body["iCalUId"] = json!(format!("040000008200E00074C5B7101A82E008{}", self.version));
        }
        let id = format!("Id{}=", self.version + 1);
        self.put(collection, &id, body);
        (201, self.items[&(collection.to_owned(), id)].1.clone().unwrap())
    }

    fn one(
        &mut self,
        method: &str,
        collection: &str,
        id: &str,
        etag: &str,
        body: Value,
    ) -> (u16, Value) {
        let key = (collection.to_owned(), id.to_owned());
        let Some((_, Some(item))) = self.items.get(&key) else {
            return error(404, "ErrorItemNotFound");
        };
        let mut item = item.clone();
        if method == "GET" {
            return (200, item);
        }
        if !etag.is_empty() && item["@odata.etag"] != json!(etag) {
            return error(412, "ErrorIrresolvableConflict");
        }
        if method == "DELETE" {
            self.version += 1;
            self.items.insert(key, (self.version, None));
            return (204, Value::Null);
        }
        merge(&mut item, body);
        self.put(collection, id, item.clone());
        (200, self.items[&key].1.clone().unwrap())
    }

    /// The days of a daily or weekly series, at most so many as a test needs.
    fn days(&self, master: &str) -> Vec<jiff::civil::Date> {
        let (_, item) = &self.items[&("/me/events".to_owned(), master.to_owned())];
        let recurrence = &item.as_ref().unwrap()["recurrence"];
        let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
        let start: jiff::civil::Date = range["startDate"].as_str().unwrap().parse().unwrap();
        let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let fits = |day: &jiff::civil::Date| {
            let name = names[day.weekday().to_monday_zero_offset() as usize];
            pattern["type"] == "daily"
                || pattern["daysOfWeek"].as_array().unwrap().contains(&json!(name))
        };
        let count = range["numberOfOccurrences"].as_u64().unwrap_or(20);
        start.series(jiff::Span::new().days(1)).filter(fits).take(count as usize).collect()
    }

    fn instances(&self, master: &str) -> Vec<Value> {
        let (_, item) = &self.items[&("/me/events".to_owned(), master.to_owned())];
        let item = item.as_ref().unwrap();
        let known = self.occurrences.get(master);
        let mut all = Vec::new();
        for date in self.days(master) {
            let day = date.to_string();
            let mut one = match known.and_then(|known| known.get(&day)) {
                Some(None) => continue,
                Some(Some(changed)) => changed.clone(),
                None => {
                    let at = |name: &str| {
                        let time = item[name]["dateTime"].as_str().unwrap()[10..].to_owned();
                        json!({"dateTime": format!("{day}{time}"), "timeZone": item[name]["timeZone"]})
                    };
                    json!({
                        "type": "occurrence", "subject": item["subject"],
                        "location": item["location"], "start": at("start"), "end": at("end"),
                    })
                }
            };
            one["id"] = json!(format!("OCC.{master}.{day}"));
            one["occurrenceId"] = json!(format!("OID.{master}.{day}"));
            one["seriesMasterId"] = json!(master);
            all.push(one);
        }
        all
    }

    fn occurrence(&mut self, method: &str, master: &str, day: &str, body: Value) -> (u16, Value) {
        let found = self
            .instances(master)
            .into_iter()
            .find(|one| one["occurrenceId"] == json!(format!("OID.{master}.{day}")));
        let Some(mut one) = found else { return error(404, "ErrorItemNotFound") };
        let known = self.occurrences.entry(master.to_owned()).or_default();
        match method {
            "DELETE" => drop(known.insert(day.to_owned(), None)),
            "PATCH" => {
                merge(&mut one, body);
                one["type"] = json!("exception");
                known.insert(day.to_owned(), Some(one));
            }
            other => panic!("{other} of an occurrence"),
        }
        let key = ("/me/events".to_owned(), master.to_owned());
        let item = self.items[&key].1.clone().unwrap();
        self.put("/me/events", master, item);
        (if method == "DELETE" { 204 } else { 200 }, Value::Null)
    }

    /// A series master with its exceptions, as it is asked for.
    fn exceptions(&self, master: &str) -> (u16, Value) {
        if self.tells_no_exceptions {
            return error(400, "RequestBroker--ParseUri");
        }
        let known = self.occurrences.get(master).cloned().unwrap_or_default();
        let cancelled = known.iter().filter(|(_, one)| one.is_none());
        let cancelled: Vec<_> = cancelled.map(|(day, _)| format!("OID.{master}.{day}")).collect();
        let changed: Vec<Value> = known.into_values().flatten().collect();
        (200, json!({"cancelledOccurrences": cancelled, "exceptionOccurrences": changed}))
    }

    fn extend(&mut self, item: &str, body: Value) -> (u16, Value) {
        let (collection, id) = item.rsplit_once('/').unwrap();
        let key = (collection.to_owned(), id.to_owned());
        let Some((_, Some(there))) = self.items.get(&key) else {
            return error(404, "ErrorItemNotFound");
        };
        let mut there = there.clone();
        there["extensions"] = json!([body]);
        self.put(collection, id, there);
        (201, json!({}))
    }
}

/// What a PATCH does: fields are replaced, extended properties by their id.
fn merge(item: &mut Value, body: Value) {
    for (name, value) in body.as_object().unwrap() {
        if name != "singleValueExtendedProperties" {
            item[name] = value.clone();
            continue;
        }
        let mut all = item[name].as_array().cloned().unwrap_or_default();
        for new in value.as_array().unwrap() {
            all.retain(|old| old["id"] != new["id"]);
            all.push(new.clone());
        }
        item[name] = Value::Array(all);
    }
}
