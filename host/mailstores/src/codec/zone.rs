//! Time zones: of the database by name, or as an object's own `VTIMEZONE` defines them.
//!
//! A name that the database knows (IANA, or Windows through CLDR) means that zone, because rules
//! inside old objects are out of date more often than the database. A name that it does not know
//! means the object's definition; without one the zone is unknown and nobody guesses. Never uses
//! the machine's own zone.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use calcard::common::timezone::Tz;
use calcard::icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType};
use calcard::{Entry, Parser};
use chrono::{DateTime as Instant, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone as _};
use jiff::civil::DateTime;
use offstage_model::Timestamp;

use super::LimitExceeded;
use super::lines::{Block, Document};

/// Onsets that are worked out of each part of a `VTIMEZONE`; Outlook's begin in 1601.
const ONSETS_MAX: usize = 700;
/// The longest gap known is a day that Samoa left out.
const GAP_HOURS_MAX: i64 = 26;

/// A time zone that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// One of the database.
    Named(chrono_tz::Tz),
    /// Always the same seconds east of UTC.
    Fixed(i32),
    /// As an object defines it.
    Defined(Rules),
}

/// When a defined zone changes its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Seconds since 1970, and the seconds east of UTC from then on.
    onsets: Vec<(i64, i32)>,
    /// The offset before the first change.
    before: i32,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// The zone that the database has under a name: IANA's or Windows's.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match Tz::from_str(name.trim()).ok()? {
            Tz::Tz(zone) => Some(Self::Named(zone)),
            Tz::Fixed(offset) => Some(Self::Fixed(offset.local_minus_utc())),
            Tz::Floating => None,
        }
    }

    /// The name of the zone in the IANA database, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Named(zone) => Some(zone.name()),
            Self::Fixed(0) => Some("UTC"),
            Self::Fixed(_) | Self::Defined(_) => None,
        }
    }

    /// The instant of a local time.
    ///
    /// A time that a change leaves out counts with the offset before the change, and of a time that
    /// comes twice the first one counts (RFC 5545, section 3.3.5). `None` beyond the calendar.
    #[must_use]
    pub fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let naive = naive(local)?;
        let offset = match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => named_offset(*zone, naive)?,
            Self::Defined(rules) => rules.offset_of_local(naive.and_utc().timestamp()),
        };
        let seconds = naive.and_utc().timestamp() - i64::from(offset);
        Some(Timestamp(seconds * 1000))
    }

    /// The local time of an instant, to the second. `None` beyond the calendar.
    #[must_use]
    pub fn local(&self, time: Timestamp) -> Option<DateTime> {
        let seconds = time.0.div_euclid(1000);
        let offset = match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => {
                let utc = Instant::from_timestamp(seconds, 0)?.naive_utc();
                zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
            }
            Self::Defined(rules) => rules.offset_at(seconds),
        };
        let shifted = jiff::Timestamp::from_second(seconds.checked_add(i64::from(offset))?).ok()?;
        Some(jiff::tz::Offset::UTC.to_datetime(shifted))
    }
}

impl Rules {
    fn offset_at(&self, seconds: i64) -> i32 {
        let passed = self.onsets.partition_point(|(onset, _)| *onset <= seconds);
        passed.checked_sub(1).map_or(self.before, |last| self.onsets[last].1)
    }

    fn offset_of_local(&self, local: i64) -> i32 {
        let day = 86_400;
        let mut around =
            [self.offset_at(local - day), self.offset_at(local + day), self.offset_at(local)];
        // The larger offset gives the earlier instant.
        around.sort_unstable_by(|a, b| b.cmp(a));
        let holds = |offset: &&i32| self.offset_at(local - i64::from(**offset)) == **offset;
        let within_gap = self.offset_at(local - i64::from(around[0]));
        around.iter().find(holds).copied().unwrap_or(within_gap)
    }
}

fn naive(local: DateTime) -> Option<NaiveDateTime> {
    let date = chrono::NaiveDate::from_ymd_opt(
        i32::from(local.year()),
        u32::try_from(local.month()).ok()?,
        u32::try_from(local.day()).ok()?,
    )?;
    date.and_hms_opt(
        u32::try_from(local.hour()).ok()?,
        u32::try_from(local.minute()).ok()?,
        u32::try_from(local.second()).ok()?,
    )
}

fn named_offset(zone: chrono_tz::Tz, local: NaiveDateTime) -> Option<i32> {
    let fixed =
        |offset: &<chrono_tz::Tz as chrono::TimeZone>::Offset| offset.fix().local_minus_utc();
    match zone.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) => Some(fixed(&offset)),
        MappedLocalTime::Ambiguous(first, _) => Some(fixed(&first)),
        MappedLocalTime::None => (1..=GAP_HOURS_MAX).find_map(|hours| {
            let before = local.checked_sub_signed(chrono::TimeDelta::hours(hours))?;
            zone.offset_from_local_datetime(&before).latest().map(|offset| fixed(&offset))
        }),
    }
}

/// The zones that an object can name.
#[derive(Debug, Clone, Default)]
pub struct Zones {
    defined: BTreeMap<String, Option<Zone>>,
}

impl Zones {
    /// Collects the definitions of a document.
    pub fn of(document: &Document) -> Result<Self, LimitExceeded> {
        let blocks = document.blocks()?;
        let mut defined = BTreeMap::new();
        for block in blocks.iter().filter(|block| block.name == "VTIMEZONE") {
            let lines = document.lines();
            let own = document.own_lines(block);
            let value = |name: &str| {
                let at = own.iter().find(|at| lines[**at].name() == name)?;
                Some(lines[*at].value().trim().to_owned())
            };
            let Some(id) = value("TZID") else { continue };
            let known = Zone::named(&id)
                .or_else(|| value("X-LIC-LOCATION").and_then(|name| Zone::named(&name)));
            let zone = known.or_else(|| rules(document, blocks, block).map(Zone::Defined));
            defined.insert(id, zone);
        }
        Ok(Self { defined })
    }

    /// The zone of a name; `None` when it is unknown.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Zone> {
        let defined = self.defined.get(id.trim()).cloned();
        defined.unwrap_or_else(|| Zone::named(id))
    }

    /// Whether the document defines the zone.
    #[must_use]
    pub fn defines(&self, id: &str) -> bool {
        self.defined.contains_key(id.trim())
    }
}

/// Reads the parts of a `VTIMEZONE`.
fn rules(document: &Document, blocks: &[Block], zone: &Block) -> Option<Rules> {
    let parts = blocks.iter().filter(|block| {
        matches!(block.name.as_str(), "STANDARD" | "DAYLIGHT")
            && block.begin > zone.begin
            && block.end < zone.end
    });
    let mut onsets = Vec::new();
    let mut first: Option<(i64, i32)> = None;
    for part in parts {
        let lines = document.lines();
        let own = document.own_lines(part);
        let offset = |name: &str| {
            let at = own.iter().find(|at| lines[**at].name() == name)?;
            offset_seconds(lines[*at].value())
        };
        let (from, to) = (offset("TZOFFSETFROM")?, offset("TZOFFSETTO")?);
        let mut wanted = String::new();
        for at in &own {
            if matches!(lines[*at].name(), "DTSTART" | "RRULE" | "RDATE") {
                // Here the times are local by definition.
                wanted.push_str(&lines[*at].text().replace('Z', ""));
                wanted.push_str("\r\n");
            }
        }
        for local in expanded(&wanted) {
            let onset = local - i64::from(from);
            onsets.push((onset, to));
            if first.is_none_or(|(earliest, _)| onset < earliest) {
                first = Some((onset, from));
            }
        }
    }
    onsets.sort_unstable();
    onsets.dedup();
    Some(Rules { before: first?.1, onsets })
}

/// The local times of a start with its rule, as if they were UTC.
fn expanded(lines: &str) -> Vec<i64> {
    let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n");
    let Entry::ICalendar(calendar) = Parser::new(&text).entry() else { return Vec::new() };
    let events = calendar.expand_dates(Tz::UTC, ONSETS_MAX).events;
    events.iter().map(|event| event.start.naive_local().and_utc().timestamp()).collect()
}

/// Reads `+0530` and `-113000`.
fn offset_seconds(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let two = |at: usize| digits.get(at..at + 2)?.parse::<i32>().ok();
    Some(sign * (two(0)? * 3600 + two(2).unwrap_or(0) * 60 + two(4).unwrap_or(0)))
}

/// The `VTIMEZONE` of a zone of the database, as text, good for the years around a time.
#[must_use]
pub fn definition(name: &str, around: Timestamp) -> Option<String> {
    let mut calendar =
        ICalendar { components: vec![ICalendarComponent::new(ICalendarComponentType::VCalendar)] };
    let second = around.0.div_euclid(1000);
    let year = 366 * 86_400;
    calendar.add_timezone(name, second - year, second + 20 * year)?;
    let text = calendar.to_string();
    let start = text.find("BEGIN:VTIMEZONE")?;
    let end = text.find("END:VTIMEZONE")? + "END:VTIMEZONE\r\n".len();
    text.get(start..end).map(str::to_owned)
}
