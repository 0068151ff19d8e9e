//! Update: changes columns of one row.

use crate::session::Session;
use offstage_model::entity::Attributes;
use offstage_model::journal::{EffectKind, RowEffect};
use offstage_model::metadata::{RequiredLevel, Table};
use offstage_model::request::parameter;
use offstage_model::{Entity, Fault, Uuid, Value, code};

impl Session {
    pub(super) fn update(&mut self) -> Result<(), Fault> {
        let target = self.request().entity(parameter::TARGET)?.clone();
        let catalog = self.catalog.clone();
        let table = catalog.table(&target.table)?;
        let id = target.id.expect("BUG: an Update has its id before stage 10");
        let row = self.tx.get(&table.name, id)?;
        let row = row.ok_or_else(|| Fault::no_such_row(&table.name, id))?;
        self.check_version(target.version, &row)?;
        let mut changes = self.checked_attributes(table, &target)?;
        Self::settle_state(table, &mut changes, Some(&row))?;
        let touches_name = ["firstname", "lastname"].iter().any(|c| changes.contains_key(*c));
        if touches_name {
            let part = |c: &str| changes.get(c).unwrap_or_else(|| row.value(c)).clone();
            let name = Self::derived_full_name(table, &part("firstname"), &part("lastname"));
            changes.insert("fullname".into(), name.unwrap_or_default());
        }
        Self::derive_instance_type(table, &mut changes);
        check_required(table, &changes)?;
        check_open(table, &row, &changes)?;
        self.write_changes(table, &row, id, changes)
    }

    /// Writes `changes` to a row, moves modified-on and notes the effect.
    pub(super) fn write_changes(
        &mut self,
        table: &Table,
        row: &Entity,
        id: Uuid,
        mut changes: Attributes,
    ) -> Result<(), Fault> {
        let user = Value::reference("systemuser", self.frame().context.user_id);
        changes.insert("modifiedon".into(), Value::DateTime(self.pipeline.clock().now()));
        changes.insert("modifiedby".into(), user);
        let stamp = self.root.stamp;
        self.tx.update(&table.name, id, &changes, &stamp)?;
        self.touch_wholes(&table.name, &row.attributes)?;
        self.touch_wholes(&table.name, &changes)?;
        let before =
            changes.keys().map(|column| (column.clone(), row.value(column).clone())).collect();
        self.record_effect(RowEffect {
            table: table.name.clone(),
            id,
            kind: EffectKind::Updated,
            base_version: row.version.filter(|v| *v > 0),
            before,
            after: changes,
        });
        Ok(())
    }
}

/// Columns that can change in a row that is over.
const CLOSED_MAY_CHANGE: &[&str] = &["statecode", "statuscode", "ownerid", "regardingobjectid"];

/// A row that is over stays as it is, unless the same update opens it again.
fn check_open(table: &Table, row: &Entity, changes: &Attributes) -> Result<(), Fault> {
    let before = row.value("statecode").as_option();
    let after = changes.get("statecode").map_or(before, Value::as_option);
    let closed = |state: Option<i32>| state.and_then(|s| table.state(s)).filter(|s| s.closed);
    let (Some(state), Some(_)) = (closed(before), closed(after)) else { return Ok(()) };
    let changed = changes.iter().find(|(name, value)| {
        !CLOSED_MAY_CHANGE.contains(&name.as_str()) && !row.value(name).same(value)
    });
    match changed {
        None => Ok(()),
        Some((name, _)) => Err(Fault::new(
            code::INVALID_STATE_TRANSITION,
            format!(
                "The {} is {}: '{name}' cannot be changed.",
                table.display_name().to_lowercase(),
                state.label.to_lowercase()
            ),
        )
        .hint("Open it again first (statecode=0).")),
    }
}

fn check_required(table: &Table, changes: &Attributes) -> Result<(), Fault> {
    for (name, value) in changes {
        let column = table.column(name);
        if value.is_null() && column.is_some_and(|c| c.required == RequiredLevel::System) {
            return Err(Fault::new(
                code::INVALID_VALUE,
                format!("The column '{}.{name}' cannot be cleared.", table.name),
            ));
        }
    }
    Ok(())
}
