//! Writing changed properties into the lines of an appointment or a task.

use jiff::civil::Date;
use offstage_outlook::{ItemKind, ItemPatch, Person, Property, PropertyValue};

use super::read::{self, BUSY, BUSY_STATUS, IMPORTANCE, REMINDER, TASK_STATUS, Times};
use super::times::{self, Form, When};
use super::{CalendarError, CalendarObject, Writing, people, recurrence};
use crate::codec::lines::NewLine;
use crate::codec::zone::{self, Zone};
use crate::codec::{link, text};

impl CalendarObject {
    /// Writes what a patch names; every other line stays as it is.
    ///
    /// The UID never changes.
    pub fn patch(&mut self, patch: &ItemPatch, writing: Writing<'_>) -> Result<(), CalendarError> {
        let begin = self.series()?.begin;
        for (property, value) in &patch.properties {
            let value = value.as_ref().and_then(PropertyValue::canonical);
            self.write_one(begin, *property, value.as_ref(), writing)?;
        }
        if self.kind == ItemKind::Appointment {
            let begin = self.write_times(begin, patch, writing)?;
            if let Some(value) = patch.properties.get(&Property::Recurrence) {
                self.write_recurrence(begin, recurrence::text_of(value.as_ref()), writing)?;
            }
        }
        if let Some(link) = &patch.link {
            let begin = self.series()?.begin;
            for (name, line) in link::lines(link) {
                self.put(begin, &name, line)?;
            }
        }
        Ok(())
    }

    fn write_one(
        &mut self,
        begin: usize,
        property: Property,
        value: Option<&PropertyValue>,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let number = value.and_then(PropertyValue::as_integer);
        let task = self.kind == ItemKind::Task;
        match property {
            Property::Subject => self.write_text(begin, "SUMMARY", value),
            Property::Body => self.write_text(begin, "DESCRIPTION", value),
            Property::Location if !task => self.write_text(begin, "LOCATION", value),
            Property::Importance => self.write_importance(begin, number.unwrap_or(1)),
            Property::ShowTimeAs if !task => self.write_show_time_as(begin, number.unwrap_or(2)),
            Property::Organizer | Property::RequiredAttendees | Property::OptionalAttendees
                if !task =>
            {
                let people = value.map(PropertyValue::people).unwrap_or_default();
                self.write_people(begin, property, people)
            }
            Property::TaskStatus if task => {
                self.write_task_status(begin, number.unwrap_or(0), writing)
            }
            Property::DueDate if task => self.write_day(begin, "DUE", value, writing),
            Property::StartDate if task => self.write_day(begin, "DTSTART", value, writing),
            Property::ReminderTime if task => self.write_reminder(begin, value),
            _ => Ok(()),
        }
    }

    fn write_text(
        &mut self,
        begin: usize,
        name: &str,
        value: Option<&PropertyValue>,
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        let old = self.line(&block, name);
        let told =
            old.and_then(text::ical_text).and_then(|old| PropertyValue::Text(old).canonical());
        if told.as_ref() == value {
            return Ok(());
        }
        let line = value.map(|value| {
            let start = old.map_or_else(|| NewLine::new(name, ""), |old| old.patched());
            // The parameter names another form of the old text.
            start.without("ALTREP").value(text::escaped(&value.to_string()))
        });
        self.put(begin, name, line)
    }

    fn write_importance(&mut self, begin: usize, level: i32) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        if self.importance(&block) == level {
            return Ok(());
        }
        let priority = match level {
            0 => "9",
            2 => "1",
            _ => "5",
        };
        if self.line(&block, IMPORTANCE).is_some() {
            self.put(begin, IMPORTANCE, Some(NewLine::new(IMPORTANCE, level.to_string())))?;
        }
        self.put(begin, "PRIORITY", Some(NewLine::new("PRIORITY", priority)))
    }

    fn write_show_time_as(&mut self, begin: usize, busy: i32) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        if self.show_time_as(&block) == busy {
            return Ok(());
        }
        let word = usize::try_from(busy).ok().and_then(|busy| BUSY.get(busy)).unwrap_or(&"BUSY");
        self.put(begin, BUSY_STATUS, Some(NewLine::new(BUSY_STATUS, *word)))?;
        let transparent = matches!(busy, 0 | 4);
        let transparency = if transparent { "TRANSPARENT" } else { "OPAQUE" };
        self.put(begin, "TRANSP", Some(NewLine::new("TRANSP", transparency)))?;
        let tentative = super::value_of(&self.document, &self.block_at(begin)?, "STATUS")
            .is_some_and(|status| status.eq_ignore_ascii_case("TENTATIVE"));
        match (busy == 1, tentative) {
            (true, false) => self.put(begin, "STATUS", Some(NewLine::new("STATUS", "TENTATIVE"))),
            (false, true) => self.put(begin, "STATUS", Some(NewLine::new("STATUS", "CONFIRMED"))),
            _ => Ok(()),
        }
    }

    /// People that stay keep their lines, with the answers that they gave.
    fn write_people(
        &mut self,
        begin: usize,
        property: Property,
        wanted: &[Person],
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        let same = |a: &Person, b: &Person| a.address.eq_ignore_ascii_case(&b.address);
        let lines = self.document.lines();
        let own = self.document.own_lines(&block);
        let mine: Vec<usize> =
            own.into_iter().filter(|at| people::property(&lines[*at]) == Some(property)).collect();
        let there: Vec<Person> = mine.iter().map(|at| people::person(&lines[*at])).collect();
        for (at, person) in mine.iter().zip(&there).rev() {
            if !wanted.iter().any(|other| same(other, person)) {
                self.document.remove(*at);
            }
        }
        for person in wanted.iter().filter(|person| !there.iter().any(|other| same(other, person)))
        {
            let at = self.end_of_own(&self.block_at(begin)?);
            self.document.insert(at, people::line(property, person));
        }
        Ok(())
    }

    fn write_task_status(
        &mut self,
        begin: usize,
        status: i32,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        if self.task_status(&block) == status {
            return Ok(());
        }
        let word = match status {
            1 => "IN-PROCESS",
            2 => "COMPLETED",
            _ => "NEEDS-ACTION",
        };
        let kept = matches!(status, 3 | 4).then(|| NewLine::new(TASK_STATUS, status.to_string()));
        self.put(begin, TASK_STATUS, kept)?;
        self.put(begin, "STATUS", Some(NewLine::new("STATUS", word)))?;
        // What follows from the status stays in step with it.
        if status == 2 {
            let completed = times::utc_text(writing.now).map(|now| NewLine::new("COMPLETED", now));
            self.put(begin, "COMPLETED", completed)?;
            return self.put(
                begin,
                "PERCENT-COMPLETE",
                Some(NewLine::new("PERCENT-COMPLETE", "100")),
            );
        }
        self.put(begin, "COMPLETED", None)?;
        let percent = super::value_of(&self.document, &self.block_at(begin)?, "PERCENT-COMPLETE");
        let none = percent.as_deref() == Some("100") || matches!(status, 0 | 3 | 4);
        if none { self.put(begin, "PERCENT-COMPLETE", None) } else { Ok(()) }
    }

    /// Writes a day: into a time of day that is there, else as a day.
    fn write_day(
        &mut self,
        begin: usize,
        name: &str,
        value: Option<&PropertyValue>,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        let zones = self.zones()?;
        let old = self.line(&block, name);
        let Some(PropertyValue::Date(date)) = value else { return self.put(begin, name, None) };
        let Some(old) = old else {
            return self.put(begin, name, Some(self.new_day(&block, name, *date, writing)?));
        };
        let when = When::read(old, &zones, writing.home)?;
        if read::day_of(&when, writing.home)? == *date {
            return Ok(());
        }
        let line = match &when {
            When::Date(_) => old.patched().value(times::date_text(*date)),
            When::Zoned(local, _, Form::Utc) => {
                let there = Zone::UTC.instant(*local).and_then(|time| writing.home.local(time));
                let moved = there.map(|there| date.to_datetime(there.time()));
                let moved = moved.and_then(|moved| writing.home.instant(moved));
                let text = moved.and_then(times::utc_text).ok_or(CalendarError::BeyondCalendar)?;
                old.patched().value(text)
            }
            When::Zoned(local, ..) => {
                old.patched().value(times::local_text(date.to_datetime(local.time())))
            }
        };
        self.put(begin, name, Some(line))
    }

    /// A day beside another line of the to-do, which has to be of the same form (RFC 5545, 3.8.2.3).
    fn new_day(
        &self,
        block: &crate::codec::lines::Block,
        name: &str,
        date: Date,
        writing: Writing<'_>,
    ) -> Result<NewLine, CalendarError> {
        let other = if name == "DUE" { "DTSTART" } else { "DUE" };
        let plain = || NewLine::new(name, times::date_text(date)).parameter("VALUE", "DATE");
        let Some(other) = self.line(block, other) else { return Ok(plain()) };
        match When::read(other, &self.zones()?, writing.home)? {
            When::Date(_) => Ok(plain()),
            When::Zoned(local, zone, form) => {
                let local = date.to_datetime(local.time());
                let time = zone.instant(local).ok_or(CalendarError::BeyondCalendar)?;
                times::line_of(NewLine::new(name, ""), &PropertyValue::Time(time), (&zone, &form))
            }
        }
    }

    fn write_reminder(
        &mut self,
        begin: usize,
        value: Option<&PropertyValue>,
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        let alarm = self.reminder_alarm(&block);
        let Some(PropertyValue::Time(time)) = value else {
            for at in alarm.map(|alarm| alarm.begin..=alarm.end).into_iter().flatten().rev() {
                self.document.remove(at);
            }
            return Ok(());
        };
        let text = times::utc_text(*time).ok_or(CalendarError::BeyondCalendar)?;
        let trigger = NewLine::new("TRIGGER", text).parameter("VALUE", "DATE-TIME");
        if let Some(alarm) = alarm {
            return self.put(alarm.begin, "TRIGGER", Some(trigger));
        }
        let lines = [
            NewLine::new("BEGIN", "VALARM"),
            NewLine::new("ACTION", "DISPLAY"),
            NewLine::new("DESCRIPTION", "Reminder"),
            NewLine::new(REMINDER, "TRUE"),
            trigger,
            NewLine::new("END", "VALARM"),
        ];
        for (offset, line) in lines.into_iter().enumerate() {
            self.document.insert(block.end + offset, line);
        }
        Ok(())
    }

    /// Writes start and end; returns where the series begins then.
    fn write_times(
        &mut self,
        begin: usize,
        patch: &ItemPatch,
        writing: Writing<'_>,
    ) -> Result<usize, CalendarError> {
        let named = |property| patch.properties.get(&property);
        let touched = [
            Property::Start,
            Property::End,
            Property::Duration,
            Property::AllDay,
            Property::TimeZone,
        ];
        if !touched.into_iter().any(|property| named(property).is_some()) {
            return Ok(begin);
        }
        let zones = self.zones()?;
        let block = self.block_at(begin)?;
        let old = match self.times(&block, &zones, writing.home) {
            Ok(times) => Some(times),
            Err(CalendarError::NoStart) => None,
            Err(error) => return Err(error),
        };
        let (start, end) = wanted_times(patch, old.as_ref())?;
        let there = old.as_ref().and_then(|old| old.start.zone_name());
        let forced = forced_form(patch, there)?;
        let changed = |when: Option<&When>, value: &PropertyValue| {
            forced.as_ref().is_some_and(|(_, form)| !has_form(when, form))
                || when.map(When::value).transpose().ok().flatten().as_ref() != Some(value)
        };
        let (start_changed, end_changed) = (
            changed(old.as_ref().map(|old| &old.start), &start),
            changed(old.as_ref().map(|old| &old.end), &end),
        );
        if !start_changed && !end_changed {
            return Ok(begin);
        }
        let fallback = (Zone::UTC, Form::Utc);
        let old_start = old.as_ref().map(|old| &old.start);
        let old_end = old.as_ref().map(|old| &old.end);
        let lasts = self.line(&block, "DURATION").is_some();
        let points = [
            ("DTSTART", &start, old_start, start_changed),
            ("DTEND", &end, old_end, end_changed || lasts),
        ];
        for (name, value, when, change) in points {
            if change {
                let there = when.and_then(form_of);
                let form = forced.as_ref().or(there.as_ref()).unwrap_or(&fallback);
                self.write_point(begin, name, value, form)?;
            }
        }
        self.put(begin, "DURATION", None)?;
        self.follow_all_day(begin, &start)?;
        if let Some(old) = &old {
            self.follow_start(begin, &old.start, writing)?;
        }
        match &forced {
            Some((_, Form::Named(name))) => self.define_zone(begin, name, &start),
            _ => Ok(begin),
        }
    }

    fn write_point(
        &mut self,
        begin: usize,
        name: &str,
        value: &PropertyValue,
        (zone, form): &(Zone, Form),
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        let start =
            self.line(&block, name).map_or_else(|| NewLine::new(name, ""), |old| old.patched());
        self.put(begin, name, Some(times::line_of(start, value, (zone, form))?))
    }

    /// Keeps Outlook's own line on whole days in step.
    fn follow_all_day(&mut self, begin: usize, start: &PropertyValue) -> Result<(), CalendarError> {
        let name = "X-MICROSOFT-CDO-ALLDAYEVENT";
        let block = self.block_at(begin)?;
        if self.line(&block, name).is_none() {
            return Ok(());
        }
        let word = if matches!(start, PropertyValue::Date(_)) { "TRUE" } else { "FALSE" };
        self.put(begin, name, Some(NewLine::new(name, word)))
    }

    /// Moves the names of instances and exceptions along with the time of day of the series.
    fn follow_start(
        &mut self,
        begin: usize,
        old: &When,
        writing: Writing<'_>,
    ) -> Result<(), CalendarError> {
        let zones = self.zones()?;
        let block = self.block_at(begin)?;
        let new = self.times(&block, &zones, writing.home)?.start;
        if !matches!(old, When::Zoned(..)) && !matches!(new, When::Zoned(..)) || *old == new {
            return Ok(());
        }
        let blocks = self.components()?;
        let mut places = Vec::new();
        for block in &blocks {
            let lines = self.document.lines();
            let own = self.document.own_lines(block).into_iter();
            places.extend(own.filter(|at| matches!(lines[*at].name(), "EXDATE" | "RECURRENCE-ID")));
        }
        for at in places {
            let line = &self.document.lines()[at];
            let mut values = Vec::new();
            for value in line.value().split(',') {
                let one = line.patched().value(value.trim()).into_line();
                let when = When::read(&one, &zones, writing.home)?;
                values.push(moved_id(&when, old, &new)?);
            }
            let start = line.patched().value(values.join(","));
            let line = match &new {
                When::Date(_) => start.without("TZID").parameter("VALUE", "DATE"),
                When::Zoned(_, _, Form::Named(zone)) => {
                    start.without("VALUE").parameter("TZID", zone)
                }
                When::Zoned(..) => start.without("VALUE").without("TZID"),
            };
            self.document.replace(at, line);
        }
        Ok(())
    }

    /// Adds the definition of a zone that the object does not have yet.
    fn define_zone(
        &mut self,
        begin: usize,
        name: &str,
        start: &PropertyValue,
    ) -> Result<usize, CalendarError> {
        let PropertyValue::Time(start) = start else { return Ok(begin) };
        if self.zones()?.defines(name) {
            return Ok(begin);
        }
        let Some(definition) = zone::definition(name, *start) else { return Ok(begin) };
        let first = self.components()?.first().map_or(begin, |block| block.begin);
        let before = self.document.lines().len();
        self.document.splice(first, &definition)?;
        Ok(begin + self.document.lines().len() - before)
    }
}

/// The form that a patch wants times in; `None` leaves it to each line.
fn forced_form(
    patch: &ItemPatch,
    there: Option<&str>,
) -> Result<Option<(Zone, Form)>, CalendarError> {
    Ok(match patch.properties.get(&Property::TimeZone) {
        None => None,
        Some(value) if recurrence::text_of(value.as_ref()) == there => None,
        Some(Some(PropertyValue::Text(name))) => {
            let unknown = || CalendarError::UnknownZone { zone: name.clone() };
            Some((Zone::named(name).ok_or_else(unknown)?, Form::Named(name.clone())))
        }
        Some(_) => Some((Zone::UTC, Form::Utc)),
    })
}

/// The start and end that a patch asks for, where it says nothing those that are there.
fn wanted_times(
    patch: &ItemPatch,
    old: Option<&Times>,
) -> Result<(PropertyValue, PropertyValue), CalendarError> {
    let given = |property| patch.properties.get(&property).cloned().flatten();
    let there = |when: Option<&When>| when.map(When::value).transpose();
    let start = match given(Property::Start) {
        Some(start) => start,
        None => there(old.map(|old| &old.start))?.ok_or(CalendarError::NoStart)?,
    };
    let end = match (given(Property::End), given(Property::Duration)) {
        (Some(end), _) => Some(end),
        (None, Some(PropertyValue::Integer(minutes))) => later(&start, minutes),
        // A start that moves alone takes the end along.
        (None, _) => match old {
            Some(old) => {
                let minutes = read::minutes(&old.start.value()?, &old.end.value()?);
                minutes.and_then(|minutes| later(&start, minutes))
            }
            None => None,
        },
    };
    let end = match (&start, end) {
        (PropertyValue::Date(_), Some(end @ PropertyValue::Date(_)))
        | (PropertyValue::Time(_), Some(end @ PropertyValue::Time(_))) => end,
        (PropertyValue::Date(_), _) => {
            later(&start, 24 * 60).ok_or(CalendarError::BeyondCalendar)?
        }
        _ => start.clone(),
    };
    Ok((start, end))
}

fn later(start: &PropertyValue, minutes: i32) -> Option<PropertyValue> {
    match start {
        PropertyValue::Time(time) => {
            Some(PropertyValue::Time(time.plus_ms(i64::from(minutes) * 60_000)))
        }
        PropertyValue::Date(date) => {
            let days = jiff::Span::new().try_days(minutes.div_euclid(24 * 60).max(1)).ok()?;
            date.checked_add(days).ok().map(PropertyValue::Date)
        }
        _ => None,
    }
}

fn form_of(when: &When) -> Option<(Zone, Form)> {
    match when {
        When::Zoned(_, zone, form) => Some((zone.clone(), form.clone())),
        When::Date(_) => None,
    }
}

fn has_form(when: Option<&When>, wanted: &Form) -> bool {
    match when {
        Some(When::Zoned(_, zone, form)) => match wanted {
            Form::Named(name) => zone.name() == Some(name.as_str()),
            other => form == other,
        },
        Some(When::Date(_)) => true,
        None => false,
    }
}

/// The name of an instance after its series moved: its day, moved by days, at the new time of day.
fn moved_id(id: &When, old: &When, new: &When) -> Result<String, CalendarError> {
    let beyond = || CalendarError::BeyondCalendar;
    let day = match (id, old) {
        (When::Zoned(local, zone, _), When::Zoned(_, series, _)) if zone != series => {
            let instant = zone.instant(*local).ok_or_else(beyond)?;
            series.local(instant).ok_or_else(beyond)?.date()
        }
        _ => id.date(),
    };
    let days = old.date().until(new.date()).map_err(|_| beyond())?;
    let day = day.checked_add(days).map_err(|_| beyond())?;
    Ok(match new {
        When::Date(_) => times::date_text(day),
        When::Zoned(local, _, Form::Utc) => {
            format!("{}Z", times::local_text(day.to_datetime(local.time())))
        }
        When::Zoned(local, ..) => times::local_text(day.to_datetime(local.time())),
    })
}
