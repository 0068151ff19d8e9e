//! Starts, ends and due dates: read with their zone, and written in the form that the line has.
//!
//! A whole-day event is dates, and no zone ever touches it. Never guesses a zone.

use calcard::icalendar::{ICalendarDuration, ICalendarValue};
use jiff::civil::{Date, DateTime};
use offstage_model::Timestamp;
use offstage_outlook::PropertyValue;

use super::CalendarError;
use crate::codec::lines::{Line, NewLine};
use crate::codec::text;
use crate::codec::zone::{Zone, Zones};

/// A point in an object's time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// A day, wherever one is.
    Date(Date),
    /// A local time with its zone.
    Zoned(DateTime, Zone, Form),
}

/// How a local time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// With `Z`.
    Utc,
    /// With a `TZID`.
    Named(String),
    /// With neither: in the zone of whoever looks.
    Floating,
}

impl When {
    /// Reads the value of a line.
    pub(super) fn read(line: &Line, zones: &Zones, home: &Zone) -> Result<Self, CalendarError> {
        let unreadable = || CalendarError::Unreadable { name: line.name().to_owned() };
        let value = line.value().trim();
        let (date, local, utc) = moment(line, value).ok_or_else(unreadable)?;
        let Some(local) = local else { return Ok(Self::Date(date)) };
        Ok(match line.parameter("TZID") {
            _ if utc => Self::Zoned(local, Zone::UTC, Form::Utc),
            Some(id) => {
                let zone = zones.get(id);
                let zone =
                    zone.ok_or_else(|| CalendarError::UnknownZone { zone: id.to_owned() })?;
                Self::Zoned(local, zone, Form::Named(id.to_owned()))
            }
            None => Self::Zoned(local, home.clone(), Form::Floating),
        })
    }

    /// The same point as a property.
    pub(super) fn value(&self) -> Result<PropertyValue, CalendarError> {
        match self {
            Self::Date(date) => Ok(PropertyValue::Date(*date)),
            Self::Zoned(local, zone, _) => {
                zone.instant(*local).map(PropertyValue::Time).ok_or(CalendarError::BeyondCalendar)
            }
        }
    }

    /// The day on the calendar of whoever wrote it.
    pub(super) fn date(&self) -> Date {
        match self {
            Self::Date(date) => *date,
            Self::Zoned(local, ..) => local.date(),
        }
    }

    /// The IANA name of the zone that the object names, if any.
    pub(super) fn zone_name(&self) -> Option<&'static str> {
        match self {
            Self::Zoned(_, zone, Form::Named(_)) => zone.name(),
            _ => None,
        }
    }

    /// The point moved by a duration: days on the calendar, the rest by the clock.
    pub(super) fn plus(&self, duration: &ICalendarDuration) -> Result<Self, CalendarError> {
        let beyond = || CalendarError::BeyondCalendar;
        let sign = if duration.neg { -1 } else { 1 };
        let days = sign * (i64::from(duration.weeks) * 7 + i64::from(duration.days));
        let seconds = i64::from(duration.hours) * 3600
            + i64::from(duration.minutes) * 60
            + i64::from(duration.seconds);
        let span = jiff::Span::new().try_days(days).map_err(|_| beyond())?;
        match self {
            Self::Date(date) => {
                // A time in the duration of a whole day is an error of its writer's.
                let date = date.checked_add(span).map_err(|_| beyond())?;
                Ok(Self::Date(date))
            }
            Self::Zoned(local, zone, form) => {
                let local = local.checked_add(span).map_err(|_| beyond())?;
                let instant = zone.instant(local).ok_or_else(beyond)?;
                let moved = instant.plus_ms(sign * seconds * 1000);
                let local = zone.local(moved).ok_or_else(beyond)?;
                Ok(Self::Zoned(local, zone.clone(), form.clone()))
            }
        }
    }
}

/// Reads `20260131`, `20260131T080000` or `20260131T080000Z` through the typed parser.
fn moment(line: &Line, value: &str) -> Option<(Date, Option<DateTime>, bool)> {
    let entry = text::ical_entry(line)?;
    let part = match entry.values.first()? {
        ICalendarValue::PartialDateTime(part) => part.as_ref().clone(),
        _ => return None,
    };
    let year = i16::try_from(part.year?).ok()?;
    let date =
        Date::new(year, i8::try_from(part.month?).ok()?, i8::try_from(part.day?).ok()?).ok()?;
    let Some(hour) = part.hour else { return Some((date, None, false)) };
    // A leap second counts as the one before it.
    let second = part.second.unwrap_or(0).min(59);
    let time = jiff::civil::Time::new(
        i8::try_from(hour).ok()?,
        i8::try_from(part.minute.unwrap_or(0)).ok()?,
        i8::try_from(second).ok()?,
        0,
    );
    Some((date, Some(date.to_datetime(time.ok()?)), value.ends_with(['Z', 'z'])))
}

/// The parsed `DURATION` of a line.
pub(super) fn duration(line: &Line) -> Option<ICalendarDuration> {
    match text::ical_entry(line)?.values.into_iter().next()? {
        ICalendarValue::Duration(duration) => Some(duration),
        _ => None,
    }
}

/// `20260131`
pub(super) fn date_text(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

/// `20260131T080000`
pub(super) fn local_text(local: DateTime) -> String {
    local.strftime("%Y%m%dT%H%M%S").to_string()
}

/// `20260131T080000Z`
pub(super) fn utc_text(time: Timestamp) -> Option<String> {
    Zone::UTC.local(time).map(|local| format!("{}Z", local_text(local)))
}

/// A line that says `value` in a form.
pub(super) fn line_of(
    start: NewLine,
    value: &PropertyValue,
    (zone, form): (&Zone, &Form),
) -> Result<NewLine, CalendarError> {
    match value {
        PropertyValue::Date(date) => {
            Ok(start.without("TZID").value(date_text(*date)).parameter("VALUE", "DATE"))
        }
        PropertyValue::Time(time) => {
            let line = start.without("VALUE");
            let local = zone.local(*time).ok_or(CalendarError::BeyondCalendar)?;
            if zone.instant(local) != Some(Timestamp(time.0.div_euclid(1000) * 1000)) {
                // The second of two hours with one name can only be told in UTC.
                let utc = utc_text(*time).ok_or(CalendarError::BeyondCalendar)?;
                return Ok(line.without("TZID").value(utc));
            }
            Ok(match form {
                Form::Utc => line.without("TZID").value(format!("{}Z", local_text(local))),
                Form::Floating => line.without("TZID").value(local_text(local)),
                Form::Named(id) => line.value(local_text(local)).parameter("TZID", id),
            })
        }
        _ => Err(CalendarError::Unreadable { name: "time".to_owned() }),
    }
}
