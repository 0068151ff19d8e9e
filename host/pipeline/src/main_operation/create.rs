//! Create: completes the row with defaults and the platform's own columns, and inserts it.

use super::values::default_of;
use crate::root::{DeviceIdentity, settings};
use crate::session::{Origin, Session};
use offstage_model::entity::Attributes;
use offstage_model::journal::{EffectKind, RowEffect};
use offstage_model::metadata::{AutoNumber, Ownership, RequiredLevel, Table};
use offstage_model::request::parameter;
use offstage_model::{Entity, Fault, Parameter, Value, code};

impl Session {
    pub(super) fn create(&mut self) -> Result<(), Fault> {
        let target = self.request().entity(parameter::TARGET)?.clone();
        let catalog = self.catalog.clone();
        let table = catalog.table(&target.table)?;
        let id = target.id.expect("BUG: a Create has its id before stage 10");
        let mut attributes = self.checked_attributes(table, &target)?;
        self.complete(table, &mut attributes)?;
        attributes.retain(|_, value| !value.is_null());
        let row = Entity { id: Some(id), attributes, ..Entity::new(table.name.clone()) };
        let stamp = self.root.stamp;
        self.tx.insert(&row, &stamp)?;
        self.record_effect(RowEffect {
            table: table.name.clone(),
            id,
            kind: EffectKind::Created,
            base_version: None,
            before: Attributes::new(),
            after: row.attributes.clone(),
        });
        self.touch_wholes(&table.name, &row.attributes)?;
        let frame = self.frame_mut();
        frame.context.primary_entity_id = id;
        // Columns that the platform sets are seen from stage 40 on (case P13).
        if let Some(target) = frame.target_mut() {
            target.attributes = row.attributes;
        }
        self.output(parameter::ID, Parameter::Value(Value::Guid(id)));
        Ok(())
    }

    fn complete(&mut self, table: &Table, attributes: &mut Attributes) -> Result<(), Fault> {
        for (name, column) in &table.columns {
            if let Some(value) = default_of(column) {
                attributes.entry(name.clone()).or_insert(value);
            }
        }
        self.number(table, attributes)?;
        let name = Self::derived_full_name(
            table,
            attributes.get("firstname").unwrap_or(&Value::Null),
            attributes.get("lastname").unwrap_or(&Value::Null),
        );
        if let Some(name) = name {
            attributes.insert("fullname".into(), name);
        }
        Self::derive_instance_type(table, attributes);
        self.set_creation(attributes)?;
        if table.column("statecode").is_some() {
            // A new row is always in its first state (contested case 5).
            let first = &table.states[0];
            let status = attributes.get("statuscode").and_then(Value::as_option);
            let fits = status.filter(|s| first.statuses.iter().any(|known| known.value == *s));
            let status = fits.unwrap_or(first.statuses[0].value);
            attributes.insert("statecode".into(), Value::Option(first.value));
            attributes.insert("statuscode".into(), Value::Option(status));
        }
        if table.ownership == Ownership::User && !table.intersect {
            self.set_owner(attributes);
        }
        for (name, column) in &table.columns {
            let missing = attributes.get(name).is_none_or(Value::is_null);
            if column.required == RequiredLevel::System && missing && *name != table.primary_id {
                return Err(Fault::new(
                    code::INVALID_VALUE,
                    format!("The column '{}.{name}' needs a value.", table.name),
                ));
            }
        }
        Ok(())
    }

    /// Numbers the auto-number columns without a value. On a device the number is provisional: the
    /// request does not hold it, so the server's run gives its own, and the pull brings that.
    fn number(&mut self, table: &Table, attributes: &mut Attributes) -> Result<(), Fault> {
        for (name, column) in &table.columns {
            let Some(format) = &column.autonumber else { continue };
            if attributes.get(name).is_some_and(|value| !value.is_null()) {
                continue;
            }
            let number = self.tx.next_autonumber(&table.name, name)?;
            let text = match self.root.origin {
                Origin::Offline => {
                    let known: Option<DeviceIdentity> = self.tx.get_setting(settings::DEVICE)?;
                    let device = known.map(|identity| identity.device).unwrap_or_default();
                    AutoNumber::provisional(device, number)
                }
                Origin::Online | Origin::Playback => format.text(number),
            };
            attributes.insert(name.clone(), Value::Text(text));
        }
        Ok(())
    }

    /// createdon and modifiedon are this machine's own; the offline time of a played-back create
    /// is kept beside them (hard case *Clocks*).
    fn set_creation(&mut self, attributes: &mut Attributes) -> Result<(), Fault> {
        let now = self.pipeline.clock().now();
        let mut created_on = now;
        match attributes.get("overriddencreatedon") {
            Some(Value::DateTime(time)) if *time > now && self.root.origin != Origin::Playback => {
                return Err(Fault::new(
                    code::INVALID_VALUE,
                    "'overriddencreatedon' lies in the future.",
                ));
            }
            Some(Value::DateTime(time)) => created_on = (*time).min(now),
            _ if self.root.origin == Origin::Playback => {
                let offline = Value::DateTime(self.root.stamp.time);
                attributes.insert("overriddencreatedon".into(), offline);
            }
            _ => {}
        }
        let user = Value::reference("systemuser", self.frame().context.user_id);
        attributes.insert("createdon".into(), Value::DateTime(created_on));
        attributes.insert("modifiedon".into(), Value::DateTime(now));
        attributes.insert("createdby".into(), user.clone());
        attributes.insert("modifiedby".into(), user);
        Ok(())
    }

    /// Offline, rows that a plug-in makes belong to the logged-on user (seed 002).
    fn set_owner(&self, attributes: &mut Attributes) {
        let context = &self.frame().context;
        let by_plugin_offline = self.root.origin == Origin::Offline && context.depth > 1;
        let owner = if by_plugin_offline { self.root.caller.user } else { context.user_id };
        let owner = Value::reference("systemuser", owner);
        if by_plugin_offline || attributes.get("ownerid").is_none_or(Value::is_null) {
            attributes.insert("ownerid".into(), owner);
        }
    }
}
