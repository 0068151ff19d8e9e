//! The requests about exceptions of a series: asked for with its master, written one by one.
//!
//! Never asks for more than the days around an occurrence that is to change.

use offstage_outlook::{EntryId, MailStoreError, Property, PropertyValue};
use serde_json::{Value, json};

use super::exceptions::{self, Series, SeriesClock, Step};
use super::{GraphStore, STORE, unsaid};
use crate::http;

impl GraphStore {
    /// A series master with what Graph says of its exceptions.
    pub(super) fn with_exceptions(
        &mut self,
        path: &str,
        mut master: Value,
    ) -> Result<Value, MailStoreError> {
        let url = format!("{}{path}?{}", self.base, exceptions::QUERY);
        let answer = self.send("GET", url, None, None)?;
        match answer.status {
            200 => {
                let more = self.json(&answer)?;
                for field in exceptions::FIELDS {
                    master[field] = more.get(field).cloned().unwrap_or_else(|| json!([]));
                }
            }
            // A cloud that does not know the question: its series have their rule only.
            400 | 501 => {}
            _ => return Err(http::refused(STORE, &answer, None)),
        }
        Ok(master)
    }

    /// Brings the exceptions of a series to those that are wanted.
    pub(super) fn write_exceptions(
        &mut self,
        id: &EntryId,
        wanted: &Series,
    ) -> Result<(), MailStoreError> {
        let gone = || MailStoreError::Gone { entry_id: id.clone() };
        let (_, path) = self.path(id).ok_or_else(gone)?;
        let master = self.get(id)?.ok_or_else(gone)?;
        for step in steps(wanted, &master)? {
            let (Step::Delete(day) | Step::Change(day, _)) = &step;
            let occurrence = self.occurrence(&path, &master, day)?;
            let (method, body) = match (&step, &occurrence) {
                (Step::Delete(_), _) => ("DELETE", None),
                (Step::Change(_, body), Some(_)) => ("PATCH", Some(body)),
                (Step::Change(..), None) => {
                    let reason = format!("the series has no occurrence on {day}");
                    return Err(MailStoreError::Refused { store: STORE, reason });
                }
            };
            // One that is to go and is not there has gone already.
            let Some(occurrence) = occurrence else { continue };
            let url = format!("{}/me/events/{occurrence}", self.base);
            let answer = self.send(method, url, None, body)?;
            let done = matches!(answer.status, 200..=299)
                || (method == "DELETE" && matches!(answer.status, 404 | 410));
            if !done {
                return Err(http::refused(STORE, &answer, Some(id)));
            }
        }
        Ok(())
    }

    /// The id of the occurrence that a series has on a day.
    fn occurrence(
        &mut self,
        path: &str,
        master: &Value,
        day: &str,
    ) -> Result<Option<String>, MailStoreError> {
        let Some((clock, (start, end))) = SeriesClock::of(master).zip(SeriesClock::around(day))
        else {
            return Err(unsaid("the zone of the series is not known"));
        };
        let url = format!(
            "{}{path}/instances?startDateTime={start}&endDateTime={end}\
             &$select=id,occurrenceId,originalStart,start",
            self.base
        );
        let found = self.pages(url)?.items.into_iter().find(|one| clock.is_of(one, day));
        Ok(found.and_then(|one| one["id"].as_str().map(str::to_owned)))
    }
}

/// The series that changes ask for.
pub(super) fn wanted_series(
    changes: &[(Property, Option<PropertyValue>)],
) -> Result<Option<Series>, MailStoreError> {
    let change = changes.iter().find(|(property, _)| *property == Property::Recurrence);
    let text = change.and_then(|(_, value)| value.as_ref()).map(ToString::to_string);
    text.map(|text| Series::read(&text)).transpose().map_err(unsaid)
}

/// The steps from the exceptions that a master has; one with another rule loses those it has.
pub(super) fn steps(wanted: &Series, master: &Value) -> Result<Vec<Step>, MailStoreError> {
    let there = exceptions::text_of(master).unwrap_or_default();
    let there = Series::read(&there).map_err(unsaid)?;
    let there = if there.rules == wanted.rules { there } else { Series::default() };
    if !wanted.has_exceptions() && !there.has_exceptions() {
        return Ok(Vec::new());
    }
    let clock = SeriesClock::of(master);
    let clock = clock.ok_or_else(|| unsaid("the zone of the series is not known"))?;
    if !master["recurrence"].is_null() && !exceptions::are_known(master) {
        return Err(unsaid("this cloud tells no exceptions of a series; change them in Outlook"));
    }
    wanted.steps(&there, &clock).map_err(unsaid)
}
