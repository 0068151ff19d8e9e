//! The rule of a series as MAPI keeps it (MS-OXOCAL, section 2.2.1.44), read into the canonical text.
//!
//! Every read is checked against the length of the blob, and every count against what is left of it.
//! Never reads a rule of another calendar than the Gregorian.

use jiff::civil::{Date, DateTime};

use crate::codec::icalendar::{Instance, canonical_rule};
use crate::codec::zone::Zone;

/// Minutes since 1601-01-01, as the blob counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Minutes(u32);

impl Minutes {
    fn local(self) -> Option<DateTime> {
        let epoch = jiff::civil::date(1601, 1, 1).at(0, 0, 0, 0);
        epoch.checked_add(jiff::Span::new().try_minutes(i64::from(self.0)).ok()?).ok()
    }

    fn date(self) -> Option<Date> {
        self.local().map(|local| local.date())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

const SHORT: &str = "the rule of the series ends too early";
const FOREIGN: &str = "the rule of the series is of a calendar that is not read";

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, &'static str> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn dates(&mut self) -> Result<Vec<Minutes>, &'static str> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.checked_mul(4).ok_or(SHORT)?)?;
        let one = |four: &[u8]| Minutes(u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Ok(bytes.chunks_exact(4).map(one).collect())
    }

    fn block(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.u32()? as usize;
        self.take(length)
    }
}

/// What the first part of the blob says.
struct Pattern {
    frequency: u16,
    kind: u16,
    period: u32,
    days: u32,
    number: u32,
    end: u32,
    count: u32,
    first_day: u32,
    deleted: Vec<Minutes>,
    start: Minutes,
    last: Minutes,
}

/// An instance that differs.
struct Exception {
    start: Minutes,
    end: Minutes,
    original: Minutes,
    flags: u16,
    subject: Option<String>,
    location: Option<String>,
}

const SUBJECT: u16 = 0x0001;
const LOCATION: u16 = 0x0010;

/// Reads a rule into the canonical text; times in it are on the clock of `zone`.
pub(super) fn read(blob: &[u8], all_day: bool, zone: &Zone) -> Result<String, &'static str> {
    let mut reader = Reader { rest: blob };
    let pattern = pattern(&mut reader)?;
    let (_, writer) = (reader.u32()?, reader.u32()?);
    let (start, _) = (reader.u32()?, reader.u32()?);
    let exceptions = exceptions(&mut reader, writer)?;
    let rule = rule(&pattern, start, all_day, zone)?;
    let mut lines = vec![format!("RRULE:{}", canonical_rule(&rule).ok_or(FOREIGN)?)];
    let day = |minutes: Minutes| minutes.date().ok_or(SHORT);
    let changed = exceptions.iter().map(|one| day(one.original)).collect::<Result<Vec<_>, _>>()?;
    let mut deleted = pattern.deleted.iter().map(|one| day(*one)).collect::<Result<Vec<_>, _>>()?;
    deleted.sort_unstable();
    // The list of the deleted names the changed ones too.
    deleted.retain(|date| !changed.contains(date));
    lines.extend(deleted.iter().map(|date| format!("EXDATE:{}", date.strftime("%Y%m%d"))));
    let mut instances = Vec::new();
    for exception in &exceptions {
        let point = |minutes: Minutes| -> Result<String, &'static str> {
            let local = minutes.local().ok_or(SHORT)?;
            let form = if all_day { "%Y%m%d" } else { "%Y%m%dT%H%M%S" };
            Ok(local.strftime(form).to_string())
        };
        let (start, end) = (point(exception.start)?, point(exception.end)?);
        instances.push(
            Instance {
                id: day(exception.original)?.strftime("%Y%m%d").to_string(),
                start: Some(start),
                end: Some(end),
                location: exception.location.clone(),
                subject: exception.subject.clone().unwrap_or_default(),
                cancelled: false,
            }
            .text(),
        );
    }
    instances.sort_unstable();
    lines.extend(instances);
    Ok(lines.join("\n"))
}

fn pattern(reader: &mut Reader<'_>) -> Result<Pattern, &'static str> {
    let (_, _) = (reader.u16()?, reader.u16()?);
    let (frequency, kind, calendar) = (reader.u16()?, reader.u16()?, reader.u16()?);
    if !matches!(calendar, 0..=2) || kind > 4 {
        return Err(FOREIGN);
    }
    let (_, period, _) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let (days, number) = match kind {
        0 => (0, 0),
        3 => (reader.u32()?, reader.u32()?),
        _ => (reader.u32()?, 0),
    };
    let (end, count, first_day) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let deleted = reader.dates()?;
    let _modified = reader.dates()?;
    let (start, last) = (Minutes(reader.u32()?), Minutes(reader.u32()?));
    Ok(Pattern {
        frequency,
        kind,
        period,
        days,
        number,
        end,
        count,
        first_day,
        deleted,
        start,
        last,
    })
}

fn exceptions(reader: &mut Reader<'_>, writer: u32) -> Result<Vec<Exception>, &'static str> {
    let count = reader.u16()?;
    let mut found = Vec::new();
    for _ in 0..count {
        found.push(exception(reader)?);
    }
    // The second part repeats what is text, in Unicode; old writers left it out.
    let mut second = || -> Result<(), &'static str> {
        reader.block()?;
        for one in &mut found {
            if writer >= 0x3009 {
                reader.block()?;
            }
            reader.block()?;
            if one.flags & (SUBJECT | LOCATION) == 0 {
                continue;
            }
            reader.take(12)?;
            if one.flags & SUBJECT != 0 {
                one.subject = Some(wide(reader)?);
            }
            if one.flags & LOCATION != 0 {
                one.location = Some(wide(reader)?);
            }
            reader.block()?;
        }
        Ok(())
    };
    let _unicode = second();
    Ok(found)
}

fn exception(reader: &mut Reader<'_>) -> Result<Exception, &'static str> {
    let (start, end) = (Minutes(reader.u32()?), Minutes(reader.u32()?));
    let (original, flags) = (Minutes(reader.u32()?), reader.u16()?);
    let narrow = |reader: &mut Reader<'_>| -> Result<String, &'static str> {
        let (_, length) = (reader.u16()?, reader.u16()?);
        let bytes = reader.take(usize::from(length))?;
        Ok(bytes.iter().map(|byte| char::from(*byte)).collect())
    };
    let subject = if flags & SUBJECT != 0 { Some(narrow(reader)?) } else { None };
    for flag in [0x0002, 0x0004, 0x0008] {
        if flags & flag != 0 {
            reader.u32()?;
        }
    }
    let location = if flags & LOCATION != 0 { Some(narrow(reader)?) } else { None };
    for flag in [0x0020, 0x0040, 0x0080, 0x0100] {
        if flags & flag != 0 {
            reader.u32()?;
        }
    }
    Ok(Exception { start, end, original, flags, subject, location })
}

fn wide(reader: &mut Reader<'_>) -> Result<String, &'static str> {
    let length = usize::from(reader.u16()?) * 2;
    let units =
        reader.take(length)?.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    Ok(String::from_utf16_lossy(&units.collect::<Vec<_>>()))
}

fn rule(pattern: &Pattern, start: u32, all_day: bool, zone: &Zone) -> Result<String, &'static str> {
    let days = weekdays(pattern.days);
    let first = pattern.start.date().ok_or(SHORT)?;
    let month = format!(";BYMONTH={}", first.month());
    let (frequency, interval, by) = match (pattern.frequency, pattern.kind) {
        (0x200A, 0) => ("DAILY", pattern.period / 1440, String::new()),
        (0x200A | 0x200B, 1) => ("WEEKLY", pattern.period, format!(";BYDAY={}", days.join(","))),
        (0x200C, 2 | 4) => ("MONTHLY", pattern.period, month_day(pattern.days)),
        (0x200C, 3) => ("MONTHLY", pattern.period, nth(&days, pattern.number)),
        (0x200D, 2 | 4) => ("YEARLY", pattern.period / 12, month + &month_day(pattern.days)),
        (0x200D, 3) => ("YEARLY", pattern.period / 12, month + &nth(&days, pattern.number)),
        _ => return Err(FOREIGN),
    };
    let mut rule = format!("FREQ={frequency}");
    if interval > 1 {
        rule.push_str(&format!(";INTERVAL={interval}"));
    }
    rule.push_str(&by);
    match pattern.end {
        0x2021 => rule.push_str(&format!(";UNTIL={}", until(pattern, start, all_day, zone)?)),
        0x2022 => rule.push_str(&format!(";COUNT={}", pattern.count)),
        _ => {}
    }
    if frequency == "WEEKLY" && interval > 1 {
        let day = weekdays(1u32.checked_shl(pattern.first_day).unwrap_or(2)).join("");
        rule.push_str(&format!(";WKST={day}"));
    }
    Ok(rule)
}

/// The last start, in UTC as the standard wants it beside a zone.
fn until(
    pattern: &Pattern,
    start: u32,
    all_day: bool,
    zone: &Zone,
) -> Result<String, &'static str> {
    let last = pattern.last.date().ok_or(SHORT)?;
    if all_day {
        return Ok(last.strftime("%Y%m%d").to_string());
    }
    let local = Minutes(pattern.last.0 / 1440 * 1440 + start % 1440).local().ok_or(SHORT)?;
    let utc = zone.instant(local).and_then(|instant| Zone::UTC.local(instant)).ok_or(SHORT)?;
    Ok(utc.strftime("%Y%m%dT%H%M%SZ").to_string())
}

fn weekdays(bits: u32) -> Vec<&'static str> {
    let names = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
    names
        .into_iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 == 1)
        .map(|(_, name)| name)
        .collect()
}

/// A day of the month; Outlook's 31st is the last day of every month.
fn month_day(day: u32) -> String {
    if day >= 31 { ";BYMONTHDAY=-1".to_owned() } else { format!(";BYMONTHDAY={day}") }
}

/// The n-th of some weekdays; Outlook's fifth is the last.
fn nth(days: &[&str], number: u32) -> String {
    let number = if number >= 5 { -1 } else { i64::from(number) };
    match days {
        [day] => format!(";BYDAY={number}{day}"),
        days => format!(";BYDAY={};BYSETPOS={number}", days.join(",")),
    }
}

/// The Windows name of a zone in its definition (MS-OXOCAL, section 2.2.1.41).
pub(super) fn zone_key(blob: &[u8]) -> Option<String> {
    let mut reader = Reader { rest: blob };
    reader.take(4).ok()?;
    reader.u16().ok()?;
    wide(&mut reader).ok()
}
