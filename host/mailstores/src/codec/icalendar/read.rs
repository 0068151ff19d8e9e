//! Reading the properties of an appointment or a task.

use jiff::civil::Date;
use offstage_outlook::{ItemKind, Properties, Property, PropertyValue};

use super::times::{self, When};
use super::{CalendarError, CalendarObject, people};
use crate::codec::lines::{Block, Line};
use crate::codec::text;
use crate::codec::zone::{Zone, Zones};

/// The line that keeps what the five words of `STATUS` cannot say.
pub(super) const TASK_STATUS: &str = "X-CRM-TASK-STATUS";
/// Marks the alarm that is the reminder of a task.
pub(super) const REMINDER: &str = "X-CRM-REMINDER";
/// Outlook's own line for Show Time As.
pub(super) const BUSY_STATUS: &str = "X-MICROSOFT-CDO-BUSYSTATUS";
/// Outlook's own line for the importance.
pub(super) const IMPORTANCE: &str = "X-MICROSOFT-CDO-IMPORTANCE";
/// Show Time As, by number.
pub(super) const BUSY: [&str; 5] = ["FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE"];

/// When an event is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Times {
    pub(super) start: When,
    pub(super) end: When,
}

impl CalendarObject {
    /// The properties that are understood; `home` is the zone of times that name none.
    pub fn properties(&self, home: &Zone) -> Result<Properties, CalendarError> {
        let block = self.series()?;
        let zones = self.zones()?;
        let mut properties = Properties::new();
        let mut put = |property, value: Option<PropertyValue>| {
            let value = value.as_ref().and_then(PropertyValue::canonical);
            properties.extend(value.map(|value| (property, value)));
        };
        let text =
            |name| self.line(&block, name).and_then(text::ical_text).map(PropertyValue::Text);
        put(Property::Subject, text("SUMMARY"));
        put(Property::Body, text("DESCRIPTION"));
        put(Property::Importance, Some(PropertyValue::Integer(self.importance(&block))));
        if self.kind == ItemKind::Task {
            put(Property::DueDate, self.day(&block, "DUE", &zones, home)?);
            put(Property::StartDate, self.day(&block, "DTSTART", &zones, home)?);
            put(Property::TaskStatus, Some(PropertyValue::Integer(self.task_status(&block))));
            put(Property::ReminderTime, self.reminder(&block));
            return Ok(properties);
        }
        put(Property::Location, text("LOCATION"));
        put(Property::ShowTimeAs, Some(PropertyValue::Integer(self.show_time_as(&block))));
        let uid = self.uid();
        put(Property::GlobalObjectId, Some(PropertyValue::Text(uid)));
        for (property, value) in self.people(&block) {
            put(property, Some(value));
        }
        let times = self.times(&block, &zones, home)?;
        let all_day = matches!(times.start, When::Date(_));
        put(Property::AllDay, Some(PropertyValue::Boolean(all_day)));
        put(Property::TimeZone, times.start.zone_name().map(PropertyValue::text));
        put(Property::Recurrence, self.recurrence(&block, &zones, home)?.map(PropertyValue::Text));
        let (start, end) = (times.start.value()?, times.end.value()?);
        put(Property::Duration, minutes(&start, &end).map(PropertyValue::Integer));
        put(Property::Start, Some(start));
        put(Property::End, Some(end));
        Ok(properties)
    }

    pub(super) fn times(
        &self,
        block: &Block,
        zones: &Zones,
        home: &Zone,
    ) -> Result<Times, CalendarError> {
        let line = self.line(block, "DTSTART").ok_or(CalendarError::NoStart)?;
        let start = When::read(line, zones, home)?;
        let end = if let Some(line) = self.line(block, "DTEND") {
            When::read(line, zones, home)?
        } else if let Some(line) = self.line(block, "DURATION") {
            let unreadable = || CalendarError::Unreadable { name: "DURATION".to_owned() };
            start.plus(&times::duration(line).ok_or_else(unreadable)?)?
        } else if let When::Date(date) = start {
            When::Date(date.tomorrow().map_err(|_| CalendarError::BeyondCalendar)?)
        } else {
            start.clone()
        };
        // A whole day that ends on itself lasts that day; mixed forms take that of the start.
        let end = match (&start, end) {
            (When::Zoned(_, zone, form), When::Date(date)) => When::Zoned(
                date.to_datetime(jiff::civil::Time::midnight()),
                zone.clone(),
                form.clone(),
            ),
            (When::Date(start), When::Zoned(local, ..)) if local.date() > *start => {
                When::Date(local.date())
            }
            (When::Date(start), When::Zoned(..)) => {
                When::Date(start.tomorrow().map_err(|_| CalendarError::BeyondCalendar)?)
            }
            (When::Date(start), When::Date(end)) if end <= *start => {
                When::Date(start.tomorrow().map_err(|_| CalendarError::BeyondCalendar)?)
            }
            (_, end) => end,
        };
        Ok(Times { start, end })
    }

    /// The day of a to-do's line: as written, or in the user's zone where it is written in UTC.
    fn day(
        &self,
        block: &Block,
        name: &str,
        zones: &Zones,
        home: &Zone,
    ) -> Result<Option<PropertyValue>, CalendarError> {
        let Some(line) = self.line(block, name) else { return Ok(None) };
        Ok(Some(PropertyValue::Date(day_of(&When::read(line, zones, home)?, home)?)))
    }

    pub(super) fn importance(&self, block: &Block) -> i32 {
        let number = |name| self.line(block, name)?.value().trim().parse::<i32>().ok();
        match number("PRIORITY") {
            Some(1..=4) => 2,
            Some(5) => 1,
            Some(6..=9) => 0,
            _ => number(IMPORTANCE).filter(|level| (0..=2).contains(level)).unwrap_or(1),
        }
    }

    pub(super) fn show_time_as(&self, block: &Block) -> i32 {
        let value =
            |name| self.line(block, name).map(|line| line.value().trim().to_ascii_uppercase());
        let word = value(BUSY_STATUS);
        if let Some(at) = word.and_then(|word| BUSY.iter().position(|known| *known == word)) {
            return i32::try_from(at).expect("BUG: there are five words");
        }
        match (value("TRANSP").as_deref(), value("STATUS").as_deref()) {
            (Some("TRANSPARENT"), _) => 0,
            (_, Some("TENTATIVE")) => 1,
            _ => 2,
        }
    }

    pub(super) fn task_status(&self, block: &Block) -> i32 {
        let value =
            |name| self.line(block, name).map(|line| line.value().trim().to_ascii_uppercase());
        let percent = value("PERCENT-COMPLETE").and_then(|text| text.parse::<u32>().ok());
        let open = |otherwise| match value(TASK_STATUS).as_deref() {
            Some("3") => 3,
            Some("4") => 4,
            _ => otherwise,
        };
        match value("STATUS").as_deref() {
            Some("COMPLETED") => 2,
            Some("IN-PROCESS") => 1,
            Some("NEEDS-ACTION") => open(0),
            // Outlook has no word for it; the item is out of the way and not done.
            Some("CANCELLED") => 4,
            _ if value("COMPLETED").is_some() || percent == Some(100) => 2,
            _ if percent.is_some_and(|percent| percent > 0) => 1,
            _ => open(0),
        }
    }

    /// The time of the alarm that is ours.
    fn reminder(&self, block: &Block) -> Option<PropertyValue> {
        let alarm = self.reminder_alarm(block)?;
        let trigger = self.line(&alarm, "TRIGGER")?;
        match When::read(trigger, &Zones::default(), &Zone::UTC).ok()? {
            When::Zoned(local, zone, _) => zone.instant(local).map(PropertyValue::Time),
            When::Date(_) => None,
        }
    }

    pub(super) fn reminder_alarm(&self, block: &Block) -> Option<Block> {
        let blocks = self.document.blocks().ok()?;
        let ours = blocks.iter().find(|alarm| {
            alarm.name == "VALARM"
                && alarm.begin > block.begin
                && alarm.end < block.end
                && self.line(alarm, REMINDER).is_some()
        });
        ours.cloned()
    }

    fn people(&self, block: &Block) -> Vec<(Property, PropertyValue)> {
        let lines = self.document.lines();
        let own: Vec<&Line> =
            self.document.own_lines(block).into_iter().map(|at| &lines[at]).collect();
        people::PROPERTIES
            .into_iter()
            .map(|property| (property, PropertyValue::People(people::read(&own, property))))
            .collect()
    }
}

/// The day of a point, for a property that is a day.
pub(super) fn day_of(when: &When, home: &Zone) -> Result<Date, CalendarError> {
    match when {
        When::Zoned(local, zone, times::Form::Utc) => {
            let local = zone.instant(*local).and_then(|instant| home.local(instant));
            Ok(local.ok_or(CalendarError::BeyondCalendar)?.date())
        }
        other => Ok(other.date()),
    }
}

/// The minutes from a start to an end.
pub(super) fn minutes(start: &PropertyValue, end: &PropertyValue) -> Option<i32> {
    let minutes = match (start, end) {
        (PropertyValue::Time(start), PropertyValue::Time(end)) => (end.0 - start.0) / 60_000,
        (PropertyValue::Date(start), PropertyValue::Date(end)) => {
            i64::from(start.until(*end).ok()?.get_days()) * 24 * 60
        }
        _ => return None,
    };
    i32::try_from(minutes).ok()
}
