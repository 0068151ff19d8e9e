//! Exceptions of a series in Graph: read as lines of the canonical text, written one occurrence at a
//! time. `cancelledOccurrences` and `exceptionOccurrences` of the series master tell them.
//!
//! What Graph cannot take back (an occurrence that was cancelled, one that was changed) is refused
//! before anything is written. Graph tells attendees of every step, so the rule about mail is asked
//! before. Never expands a rule: which occurrences there are is Graph's to say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use offstage_model::Timestamp;
use offstage_outlook::PropertyValue;
use serde_json::{Map, Value, json};

use super::map::{self, Unsaid};
use crate::codec::icalendar::Instance;
use crate::codec::lines::{Document, Line};
use crate::codec::text;
use crate::codec::zone::Zone;

/// What is asked of a series master to hear of its exceptions.
pub(super) const QUERY: &str = "$select=subject,start,end,occurrenceId,exceptionOccurrences,\
    cancelledOccurrences&$expand=exceptionOccurrences";
/// The fields that the answer adds to a master.
pub(super) const FIELDS: [&str; 2] = ["cancelledOccurrences", "exceptionOccurrences"];

/// A canonical text in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    /// The rules, a line each, as the canonical text has them.
    pub(super) rules: String,
    /// The days that are left out.
    excluded: BTreeSet<String>,
    /// The instances that differ, by their day.
    instances: BTreeMap<String, Line>,
}

/// One step towards the exceptions that are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The occurrence of this day goes.
    Delete(String),
    /// The occurrence of this day changes.
    Change(String, Value),
}

impl Series {
    /// Reads a canonical text.
    pub(super) fn read(text: &str) -> Result<Self, Unsaid> {
        let unreadable = "the rule of the series cannot be read";
        let document = Document::parse(text.as_bytes()).map_err(|_| unreadable)?;
        let (mut series, mut rules) = (Self::default(), Vec::new());
        for line in document.lines() {
            match line.name() {
                "EXDATE" => drop(series.excluded.insert(line.value().trim().to_owned())),
                "INSTANCE" => {
                    let id = line.parameter("ID").ok_or(unreadable)?.to_owned();
                    series.instances.insert(id, line.clone());
                }
                _ => rules.push(line.text()),
            }
        }
        series.rules = rules.join("\n");
        Ok(series)
    }

    /// Whether it has exceptions.
    pub(super) fn has_exceptions(&self) -> bool {
        !self.excluded.is_empty() || !self.instances.is_empty()
    }

    /// The steps that bring the exceptions of `there` to these.
    pub(super) fn steps(&self, there: &Self, clock: &SeriesClock) -> Result<Vec<Step>, Unsaid> {
        let gone = |day: &String| !self.excluded.contains(day);
        if there.excluded.iter().any(gone) {
            return Err("Graph cannot bring back an occurrence that was cancelled");
        }
        let kept = |day: &String| self.instances.contains_key(day) || self.excluded.contains(day);
        if !there.instances.keys().all(kept) {
            return Err("Graph cannot make an occurrence that was changed like the others again");
        }
        let mut steps = Vec::new();
        for day in self.excluded.difference(&there.excluded) {
            steps.push(Step::Delete(day.clone()));
        }
        for (day, line) in &self.instances {
            let same = there.instances.get(day).is_some_and(|known| known.text() == line.text());
            if same {
                continue;
            }
            if line.parameter("STATUS").is_some() {
                return Err("an occurrence is cancelled in Graph by leaving it out");
            }
            steps.push(Step::Change(day.clone(), clock.body(line)?));
        }
        Ok(steps)
    }
}

/// The clock of a series.
pub(super) struct SeriesClock {
    zone: Zone,
    name: String,
    all_day: bool,
}

impl SeriesClock {
    /// That of a series master; none when its zone is not known.
    pub(super) fn of(master: &Value) -> Option<Self> {
        let all_day = master["isAllDay"].as_bool().unwrap_or(false);
        let name = master["originalStartTimeZone"].as_str().unwrap_or("UTC").to_owned();
        let zone = if all_day { Zone::UTC } else { Zone::named(&name)? };
        Some(Self { zone, name, all_day })
    }

    /// Whether an occurrence is that of a day.
    pub(super) fn is_of(&self, occurrence: &Value, day: &str) -> bool {
        self.day(occurrence).is_some_and(|there| there == day)
    }

    /// The instants between which the occurrence of a day begins, with room for every zone.
    pub(super) fn around(day: &str) -> Option<(String, String)> {
        let date: Date = day.get(..8)?.parse().ok()?;
        let (before, after) = (date.yesterday().ok()?, date.tomorrow().ok()?.tomorrow().ok()?);
        Some((format!("{before}T00:00:00Z"), format!("{after}T00:00:00Z")))
    }

    /// The day that an occurrence has in its series.
    fn day(&self, occurrence: &Value) -> Option<String> {
        if let Some(id) = occurrence["occurrenceId"].as_str() {
            return day_of_id(id);
        }
        let original = occurrence["originalStart"].as_str();
        let local = match original.and_then(|at| Timestamp::parse(at).ok()) {
            Some(instant) => self.zone.local(instant)?,
            None => self.local(&occurrence["start"])?,
        };
        Some(local.date().strftime("%Y%m%d").to_string())
    }

    /// A `dateTimeTimeZone` on this clock.
    fn local(&self, point: &Value) -> Option<DateTime> {
        let at: DateTime = point["dateTime"].as_str()?.trim_end_matches('Z').parse().ok()?;
        if self.all_day {
            return Some(at);
        }
        let zone = point["timeZone"].as_str().map_or(Some(Zone::UTC), Zone::named)?;
        self.zone.local(zone.instant(at)?)
    }

    fn stamp(&self, point: &Value) -> Option<String> {
        let form = if self.all_day { "%Y%m%d" } else { "%Y%m%dT%H%M%S" };
        Some(self.local(point)?.strftime(form).to_string())
    }

    /// What is sent for an instance: only what its line says.
    fn body(&self, line: &Line) -> Result<Value, Unsaid> {
        let mut body = Map::new();
        for (name, parameter) in [("start", "START"), ("end", "END")] {
            let Some(stamp) = line.parameter(parameter) else { continue };
            let local = local_of(stamp).ok_or("a time of an occurrence cannot be read")?;
            let zone = if self.all_day { "UTC" } else { self.name.as_str() };
            body.insert(name.to_owned(), json!({"dateTime": local.to_string(), "timeZone": zone}));
        }
        let place = line.parameter("LOCATION").unwrap_or_default();
        body.insert("location".to_owned(), json!({"displayName": place}));
        body.insert("subject".to_owned(), json!(text::unescaped(line.value())));
        Ok(Value::Object(body))
    }
}

/// The lines of the exceptions of a series master, in canonical order; nothing where they were not
/// asked for, or the zone of the series is not known.
pub(super) fn lines(master: &Value) -> Vec<String> {
    let Some(clock) = SeriesClock::of(master) else { return Vec::new() };
    let list = |name: &str| master[name].as_array().into_iter().flatten();
    let cancelled = list("cancelledOccurrences").filter_map(|id| day_of_id(id.as_str()?));
    let excluded: BTreeSet<String> = cancelled.collect();
    let mut instances = BTreeMap::new();
    for occurrence in list("exceptionOccurrences") {
        let Some(day) = clock.day(occurrence) else { continue };
        let instance = Instance {
            id: day.clone(),
            start: clock.stamp(&occurrence["start"]),
            end: clock.stamp(&occurrence["end"]),
            location: occurrence["location"]["displayName"]
                .as_str()
                .filter(|place| !place.is_empty())
                .map(str::to_owned),
            subject: occurrence["subject"].as_str().unwrap_or_default().to_owned(),
            cancelled: occurrence["isCancelled"].as_bool().unwrap_or(false),
        };
        instances.insert(day, instance.text());
    }
    let excluded = excluded.into_iter().map(|day| format!("EXDATE:{day}"));
    excluded.chain(instances.into_values()).collect()
}

/// Whether the answer about a master told its exceptions.
pub(super) fn are_known(master: &Value) -> bool {
    FIELDS.iter().any(|field| master[*field].is_array())
}

/// The canonical text of a master's rule with its exceptions.
pub(super) fn text_of(master: &Value) -> Option<String> {
    match map::read(master, offstage_outlook::ItemKind::Appointment)
        .remove(&offstage_outlook::Property::Recurrence)?
    {
        PropertyValue::Text(text) => Some(text),
        _ => None,
    }
}

/// The day at the end of `OID.<id of the master>.2027-03-28`.
fn day_of_id(id: &str) -> Option<String> {
    let date: Date = id.rsplit_once('.')?.1.parse().ok()?;
    Some(date.strftime("%Y%m%d").to_string())
}

fn local_of(stamp: &str) -> Option<DateTime> {
    match stamp.split_once('T') {
        Some(_) => DateTime::strptime("%Y%m%dT%H%M%S", stamp).ok(),
        None => stamp.parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0)),
    }
}
