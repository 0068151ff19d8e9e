//! Checks the columns of a row that is to be written: names, types, ranges, references, computed
//! names. Never writes.

use crate::session::{Origin, Session};
use offstage_model::entity::Attributes;
use offstage_model::metadata::{ColumnType, Table};
use offstage_model::{Entity, EntityReference, Fault, Value, code};

/// The rule of a series, and what follows from it.
const RULE: &str = "recurrencepattern";
const INSTANCE_TYPE: &str = "instancetypecode";

impl Session {
    /// The attributes of `entity` as they are to be stored.
    pub(super) fn checked_attributes(
        &mut self,
        table: &Table,
        entity: &Entity,
    ) -> Result<Attributes, Fault> {
        let mut checked = Attributes::new();
        for (name, value) in &entity.attributes {
            if *name == table.primary_id {
                continue;
            }
            let column =
                table.column(name).ok_or_else(|| Fault::unknown_column(&table.name, name))?;
            if column.system {
                return Err(Fault::new(
                    code::READ_ONLY_COLUMN,
                    format!("The column '{}.{name}' is set by the platform only.", table.name),
                ));
            }
            checked.insert(name.clone(), column.check(&table.name, name, value)?);
        }
        self.check_references(&checked)?;
        Ok(checked)
    }

    /// Every referenced row must exist (case C59). Offline the referenced row may lie outside the
    /// device's filter; then the server checks at playback.
    fn check_references(&mut self, attributes: &Attributes) -> Result<(), Fault> {
        for value in attributes.values() {
            let Value::Reference(reference) = value else {
                continue;
            };
            if self.is_subset() || self.tx.exists(&reference.table, reference.id)? {
                continue;
            }
            return Err(missing_reference(reference));
        }
        Ok(())
    }

    /// Whether the store holds a part of the organization's rows only.
    pub(super) fn is_subset(&self) -> bool {
        self.pipeline.side() == crate::options::Side::Device
    }

    /// The row's computed name, when the table has one and a part of it is known.
    pub(super) fn derived_full_name(table: &Table, first: &Value, last: &Value) -> Option<Value> {
        let derived =
            ["firstname", "lastname", "fullname"].iter().all(|c| table.column(c).is_some());
        if !derived || (first.is_null() && last.is_null()) {
            return None;
        }
        let parts: Vec<&str> = [first, last].into_iter().filter_map(Value::as_text).collect();
        let column = table.column("fullname")?;
        let name: String = parts.join(" ").chars().take(column.length_max() as usize).collect();
        Some(Value::Text(name))
    }

    /// An appointment with a rule is the master of a series (instance type 1), one without is single
    /// (0); whoever writes the rule need not know.
    pub(super) fn derive_instance_type(table: &Table, changes: &mut Attributes) {
        let Some(rule) = changes.get(RULE).filter(|_| table.column(INSTANCE_TYPE).is_some()) else {
            return;
        };
        let code = if rule.is_null() { 0 } else { 1 };
        changes.insert(INSTANCE_TYPE.to_owned(), Value::Option(code));
    }

    /// State and status that belong together: state alone brings its default status, status alone
    /// its state (case S73).
    ///
    /// # Errors
    /// A status of another state, or a forbidden transition (case S74).
    pub(super) fn settle_state(
        table: &Table,
        changes: &mut Attributes,
        current: Option<&Entity>,
    ) -> Result<(), Fault> {
        let state = changes.get("statecode").and_then(Value::as_option);
        let status = changes.get("statuscode").and_then(Value::as_option);
        let refuse = |message: String| Err(Fault::new(code::INVALID_STATE_TRANSITION, message));
        let settled = match (state, status) {
            (None, None) => return Ok(()),
            (Some(state), None) => {
                let state = table.state(state).ok_or_else(|| unknown_state(table, state))?;
                (state.value, state.statuses[0].value)
            }
            (None, Some(status)) => match table.state_of(status) {
                Some(state) => (state.value, status),
                None => return Err(unknown_state(table, status)),
            },
            (Some(state), Some(status)) => {
                if table.state_of(status).is_none_or(|s| s.value != state) {
                    return refuse(format!(
                        "{status} is not a valid status code for the state code {state} of '{}'.",
                        table.name
                    ));
                }
                (state, status)
            }
        };
        let before = current.and_then(|row| row.value("statuscode").as_option());
        if let Some(before) = before.filter(|b| *b != settled.1) {
            let known = table.states.iter().flat_map(|s| &s.statuses).find(|s| s.value == before);
            if known
                .is_some_and(|s| !s.transitions.is_empty() && !s.transitions.contains(&settled.1))
            {
                return refuse(format!(
                    "A row of '{}' cannot change from status {before} to {}.",
                    table.name, settled.1
                ));
            }
        }
        changes.insert("statecode".into(), Value::Option(settled.0));
        changes.insert("statuscode".into(), Value::Option(settled.1));
        Ok(())
    }

    /// Whether a caller asked that the row must still have the version that it read.
    ///
    /// In playback every entry of the device has moved the version; what counts is whether others
    /// wrote to the row.
    pub(super) fn check_version(
        &mut self,
        expected: Option<u64>,
        row: &Entity,
    ) -> Result<(), Fault> {
        let wanted = self.frame().context.input_parameters.get("ConcurrencyBehavior");
        let strict =
            matches!(wanted, Some(offstage_model::Parameter::Value(v)) if v.as_option() == Some(1));
        let Some(expected) = expected.filter(|_| strict) else {
            return Ok(());
        };
        let stale = match (self.root.origin, row.id) {
            (Origin::Playback, Some(id)) => {
                let base = self.recorded_base().unwrap_or(expected);
                self.is_changed_by_others(&row.table, id, base)?
            }
            _ => row.version != Some(expected),
        };
        if stale {
            return Err(Fault::new(
                code::VERSION_MISMATCH,
                "The version of the existing record doesn't match the RowVersion property provided.",
            )
            .hint("Read the row again, then repeat the change."));
        }
        Ok(())
    }
}

fn unknown_state(table: &Table, value: i32) -> Fault {
    Fault::new(
        code::INVALID_STATE_TRANSITION,
        format!("{value} is not a valid state or status of '{}'.", table.name),
    )
}

fn missing_reference(reference: &EntityReference) -> Fault {
    Fault::new(
        code::OBJECT_DOES_NOT_EXIST,
        format!("{} With Ids = {} Do Not Exist", reference.table, reference.id),
    )
}

/// Whether a Create without a value gets the column's default (case C55).
pub(super) fn default_of(column: &offstage_model::metadata::Column) -> Option<Value> {
    let defaulted = matches!(
        column.kind,
        ColumnType::Boolean | ColumnType::Picklist | ColumnType::Integer | ColumnType::String
    );
    column.default.clone().filter(|_| defaulted)
}
