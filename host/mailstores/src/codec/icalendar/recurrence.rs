//! The rule of a series with its exceptions, as one canonical text.
//!
//! ```text
//! RRULE:FREQ=WEEKLY;BYDAY=TU
//! RDATE:20260106T080000
//! EXDATE:20260113
//! INSTANCE;ID=20260120;START=20260120T100000;END=20260120T103000:Weekly meeting\, later
//! ```
//!
//! Instances are named by their day, as Outlook names them, so that a series that moves to another
//! hour keeps its text; a rule that comes more than once a day names them by their time. Times are
//! those of the series' zone. Equal rules are equal texts. Never expands a rule.

use std::collections::{BTreeMap, BTreeSet};

use calcard::icalendar::{ICalendarFrequency, ICalendarValue, ICalendarWeekday};
use offstage_outlook::PropertyValue;

use super::times::{self, Form, When};
use super::{CalendarError, CalendarObject, Writing, value_of};
use crate::codec::lines::{Block, Document, Line, NewLine};
use crate::codec::text;
use crate::codec::zone::{Zone, Zones};

/// The canonical form of a rule; `None` if it is none.
#[must_use]
pub fn canonical_rule(rule: &str) -> Option<String> {
    let document = Document::parse(format!("RRULE:{rule}\r\n").as_bytes()).ok()?;
    let entry = text::ical_entry(document.lines().first()?)?;
    match entry.values.into_iter().next()? {
        ICalendarValue::RecurrenceRule(mut rule) => {
            rule.interval = rule.interval.filter(|interval| *interval != 1);
            rule.wkst = rule.wkst.filter(|day| *day != ICalendarWeekday::Monday);
            Some(rule.to_string())
        }
        _ => None,
    }
}

/// An instance that differs from its series, for the canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The day, or the time, that it would have had.
    pub(crate) id: String,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) subject: String,
    pub(crate) cancelled: bool,
}

impl Instance {
    /// Its line in the canonical text.
    pub(crate) fn text(&self) -> String {
        let mut line = NewLine::new("INSTANCE", text::escaped(&self.subject));
        line = line.parameter("ID", &self.id);
        let optional = [("START", &self.start), ("END", &self.end), ("LOCATION", &self.location)];
        for (name, value) in optional {
            if let Some(value) = value {
                line = line.parameter(name, value);
            }
        }
        if self.cancelled {
            line = line.parameter("STATUS", "CANCELLED");
        }
        line.text()
    }
}

/// How instances of a series are named.
struct Naming {
    start: When,
    by_time: bool,
}

impl Naming {
    /// The name of the instance at a point.
    fn id(&self, when: &When) -> Result<String, CalendarError> {
        let local = match (when, &self.start) {
            (When::Date(date), _) => return Ok(times::date_text(*date)),
            (When::Zoned(local, zone, _), When::Zoned(_, series, _)) if zone != series => {
                let instant = zone.instant(*local).ok_or(CalendarError::BeyondCalendar)?;
                series.local(instant).ok_or(CalendarError::BeyondCalendar)?
            }
            (When::Zoned(local, ..), _) => *local,
        };
        Ok(if self.by_time { times::local_text(local) } else { times::date_text(local.date()) })
    }

    /// The line that names an instance, in the form of the series' start.
    fn line(&self, name: &str, id: &str) -> NewLine {
        let day = id.get(..8).unwrap_or(id);
        match &self.start {
            When::Date(_) => NewLine::new(name, day).parameter("VALUE", "DATE"),
            When::Zoned(local, _, form) => {
                let time = id.get(8..).filter(|rest| !rest.is_empty());
                let time =
                    time.map_or_else(|| times::local_text(*local)[8..].to_owned(), str::to_owned);
                let line = NewLine::new(name, format!("{day}{time}"));
                match form {
                    Form::Utc => NewLine::new(name, format!("{day}{time}Z")),
                    Form::Floating => line,
                    Form::Named(zone) => line.parameter("TZID", zone),
                }
            }
        }
    }
}

impl CalendarObject {
    /// The canonical text of the series that begins with `block`; `None` if it does not repeat.
    pub(super) fn recurrence(
        &self,
        block: &Block,
        zones: &Zones,
        home: &Zone,
    ) -> Result<Option<String>, CalendarError> {
        let rules = self.rules(block)?;
        let mut dates: Vec<_> =
            self.values(block, "RDATE").into_iter().map(|(_, value)| value).collect();
        if rules.is_empty() && dates.is_empty() {
            return Ok(None);
        }
        let naming = self.naming(block, zones, home)?;
        dates.sort_unstable();
        let excluded = self.excluded(block, &naming, zones, home)?;
        let instances = self.instances(&naming, zones, home)?;
        let lines = rules
            .into_iter()
            .map(|rule| format!("RRULE:{rule}"))
            .chain(dates.into_iter().map(|date| format!("RDATE:{date}")))
            .chain(excluded.into_iter().map(|id| format!("EXDATE:{id}")))
            .chain(instances.into_values().map(|(_, text)| text));
        Ok(Some(lines.collect::<Vec<_>>().join("\n")))
    }

    fn naming(&self, block: &Block, zones: &Zones, home: &Zone) -> Result<Naming, CalendarError> {
        let start = self.times(block, zones, home)?.start;
        let lines = self.document.lines();
        let own = self.document.own_lines(block);
        let mut rules = own.iter().filter(|at| lines[**at].name() == "RRULE");
        let by_time = rules.any(|at| {
            let entry = text::ical_entry(&lines[*at]);
            entry.is_some_and(|entry| match entry.values.first() {
                Some(ICalendarValue::RecurrenceRule(rule)) => {
                    rule.freq > ICalendarFrequency::Daily || !rule.byhour.is_empty()
                }
                _ => false,
            })
        });
        Ok(Naming { start, by_time })
    }

    fn rules(&self, block: &Block) -> Result<Vec<String>, CalendarError> {
        let lines = self.document.lines();
        let own = self.document.own_lines(block);
        let rules = own.iter().map(|at| &lines[*at]).filter(|line| line.name() == "RRULE");
        let unreadable = || CalendarError::Unreadable { name: "RRULE".to_owned() };
        let mut rules = rules
            .map(|line| canonical_rule(line.value()).ok_or_else(unreadable))
            .collect::<Result<Vec<_>, _>>()?;
        rules.sort_unstable();
        Ok(rules)
    }

    /// The single values of all lines with a name, with the place of their line.
    fn values(&self, block: &Block, name: &str) -> Vec<(usize, String)> {
        let lines = self.document.lines();
        let own = self.document.own_lines(block).into_iter();
        own.filter(|at| lines[*at].name() == name)
            .flat_map(|at| {
                lines[at].value().split(',').map(move |value| (at, value.trim().to_owned()))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    fn excluded(
        &self,
        block: &Block,
        naming: &Naming,
        zones: &Zones,
        home: &Zone,
    ) -> Result<BTreeSet<String>, CalendarError> {
        let each = self.values(block, "EXDATE").into_iter();
        each.map(|(at, value)| naming.id(&single(&self.document.lines()[at], &value, zones, home)?))
            .collect()
    }

    /// The instances that differ, by name: the beginning of their component and their text.
    fn instances(
        &self,
        naming: &Naming,
        zones: &Zones,
        home: &Zone,
    ) -> Result<BTreeMap<String, (usize, String)>, CalendarError> {
        let mut found = BTreeMap::new();
        for block in self.components()? {
            let Some(line) = self.line(&block, "RECURRENCE-ID") else { continue };
            let id = naming.id(&When::read(line, zones, home)?)?;
            let text = self.instance_text(&block, &id, naming, zones, home)?;
            found.insert(id, (block.begin, text));
        }
        Ok(found)
    }

    fn instance_text(
        &self,
        block: &Block,
        id: &str,
        naming: &Naming,
        zones: &Zones,
        home: &Zone,
    ) -> Result<String, CalendarError> {
        let (mut start, mut end) = (None, None);
        if self.line(block, "DTSTART").is_some() {
            let times = self.times(block, zones, home)?;
            start = Some(in_series(&times.start, naming)?);
            end = Some(in_series(&times.end, naming)?);
        }
        let instance = Instance {
            id: id.to_owned(),
            start,
            end,
            location: self.line(block, "LOCATION").and_then(text::ical_text),
            cancelled: value_of(&self.document, block, "STATUS")
                .is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")),
            subject: self.line(block, "SUMMARY").and_then(text::ical_text).unwrap_or_default(),
        };
        Ok(instance.text())
    }

    /// Gives the series another rule with other exceptions; `None` makes it a single event.
    pub(super) fn write_recurrence(
        &mut self,
        begin: usize,
        wanted: Option<&str>,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let zones = self.zones()?;
        let block = self.block_at(begin)?;
        if self.recurrence(&block, &zones, writing.home)?.as_deref() == wanted {
            return Ok(());
        }
        let wanted = Wanted::read(wanted.unwrap_or_default())?;
        if self.rules(&block)? != wanted.rules {
            self.replace_all(
                begin,
                "RRULE",
                wanted.rules.iter().map(|rule| NewLine::new("RRULE", rule.clone())),
            )?;
        }
        let block = self.block_at(begin)?;
        let naming = self.naming(&block, &zones, writing.home)?;
        let mut dates: Vec<_> =
            self.values(&block, "RDATE").into_iter().map(|(_, value)| value).collect();
        dates.sort_unstable();
        if dates != wanted.dates {
            let lines = wanted.dates.iter().map(|date| naming.line("RDATE", date));
            self.replace_all(begin, "RDATE", lines.collect::<Vec<_>>())?;
        }
        let block = self.block_at(begin)?;
        if self.excluded(&block, &naming, &zones, writing.home)? != wanted.excluded {
            let lines = wanted.excluded.iter().map(|id| naming.line("EXDATE", id));
            self.replace_all(begin, "EXDATE", lines.collect::<Vec<_>>())?;
        }
        self.write_instances(&naming, &wanted.instances, &zones, writing)
    }

    fn write_instances(
        &mut self,
        naming: &Naming,
        wanted: &BTreeMap<String, Line>,
        zones: &Zones,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let there = self.instances(naming, zones, writing.home)?;
        // From the end, so that the places before stay right.
        let mut gone: Vec<_> = there
            .iter()
            .filter(|(id, _)| !wanted.contains_key(*id))
            .map(|(_, (begin, _))| *begin)
            .collect();
        gone.sort_unstable();
        for begin in gone.into_iter().rev() {
            let block = self.block_at(begin)?;
            for at in (block.begin..=block.end).rev() {
                self.document.remove(at);
            }
        }
        for (id, line) in wanted {
            let there = self.instances(naming, zones, writing.home)?;
            match there.get(id) {
                Some((_, text)) if *text == line.text() => {}
                Some((begin, _)) => self.fill_instance(*begin, naming, line)?,
                None => {
                    let begin = self.add_instance(naming, id, writing)?;
                    self.fill_instance(begin, naming, line)?;
                }
            }
        }
        Ok(())
    }

    /// Adds an empty instance behind the last component of the object.
    fn add_instance(
        &mut self,
        naming: &Naming,
        id: &str,
        writing: Writing<'_>,
    ) -> Result<usize, CalendarError> {
        let last = self.components()?.into_iter().map(|block| block.end).max();
        let begin = last.ok_or(CalendarError::NoItem)? + 1;
        let stamp = times::utc_text(writing.now).unwrap_or_default();
        let lines = [
            NewLine::new("BEGIN", "VEVENT"),
            NewLine::new("UID", self.uid.clone()),
            NewLine::new("DTSTAMP", stamp),
            naming.line("RECURRENCE-ID", id),
            NewLine::new("END", "VEVENT"),
        ];
        for (offset, line) in lines.into_iter().enumerate() {
            self.document.insert(begin + offset, line);
        }
        Ok(begin)
    }

    fn fill_instance(
        &mut self,
        begin: usize,
        naming: &Naming,
        wanted: &Line,
    ) -> Result<(), CalendarError> {
        for (name, parameter) in [("DTSTART", "START"), ("DTEND", "END")] {
            if let Some(value) = wanted.parameter(parameter) {
                self.put(begin, name, Some(naming.line(name, value)))?;
            }
        }
        let place = wanted.parameter("LOCATION").map(text::escaped);
        self.put(begin, "LOCATION", place.map(|place| NewLine::new("LOCATION", place)))?;
        let subject = (!wanted.value().is_empty()).then(|| NewLine::new("SUMMARY", wanted.value()));
        self.put(begin, "SUMMARY", subject)?;
        if let Some(status) = wanted.parameter("STATUS") {
            self.put(begin, "STATUS", Some(NewLine::new("STATUS", status)))?;
        }
        Ok(())
    }

    /// Takes out every line with a name and puts others in the place of the first.
    fn replace_all(
        &mut self,
        begin: usize,
        name: &str,
        lines: impl IntoIterator<Item = NewLine>,
    ) -> Result<(), CalendarError> {
        while let Some(at) = self.place(&self.block_at(begin)?, name) {
            self.document.remove(at);
        }
        for line in lines {
            let block = self.block_at(begin)?;
            let at = self.end_of_own(&block);
            self.document.insert(at, line);
        }
        Ok(())
    }
}

/// One value of a line with several.
fn single(line: &Line, value: &str, zones: &Zones, home: &Zone) -> Result<When, CalendarError> {
    let one = line.patched().value(value).into_line();
    When::read(&one, zones, home)
}

/// A point on the clock of the series.
fn in_series(when: &When, naming: &Naming) -> Result<String, CalendarError> {
    Naming { start: naming.start.clone(), by_time: true }.id(when)
}

/// A canonical text that was read.
struct Wanted {
    rules: Vec<String>,
    dates: Vec<String>,
    excluded: BTreeSet<String>,
    instances: BTreeMap<String, Line>,
}

impl Wanted {
    fn read(text: &str) -> Result<Self, CalendarError> {
        let document = Document::parse(text.as_bytes())?;
        let mut wanted = Self {
            rules: Vec::new(),
            dates: Vec::new(),
            excluded: BTreeSet::new(),
            instances: BTreeMap::new(),
        };
        for line in document.lines() {
            let unreadable = || CalendarError::Unreadable { name: "recurrence".to_owned() };
            let value = line.value().trim();
            match line.name() {
                "RRULE" => wanted.rules.push(canonical_rule(value).ok_or_else(unreadable)?),
                "RDATE" => wanted.dates.push(stamp(value).ok_or_else(unreadable)?),
                "EXDATE" => {
                    wanted.excluded.insert(stamp(value).ok_or_else(unreadable)?);
                }
                "INSTANCE" => {
                    let id = line.parameter("ID").and_then(stamp).ok_or_else(unreadable)?;
                    wanted.instances.insert(id, line.clone());
                }
                _ if line.text().trim_matches(':').is_empty() => {}
                _ => return Err(unreadable()),
            }
        }
        wanted.rules.sort_unstable();
        wanted.dates.sort_unstable();
        Ok(wanted)
    }
}

/// A date or time of a canonical text, if it looks like one.
fn stamp(text: &str) -> Option<String> {
    let fits = text.len() >= 8
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZP/".contains(&byte));
    fits.then(|| text.to_owned())
}

/// The value of a property as text, for the canonical text.
pub(super) fn text_of(value: Option<&PropertyValue>) -> Option<&str> {
    value.and_then(PropertyValue::as_text).filter(|text| !text.is_empty())
}
