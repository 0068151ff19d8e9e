//! SetState and Assign: changes of state, status and owner under their own messages.

use crate::session::Session;
use offstage_model::entity::Attributes;
use offstage_model::metadata::Cascade;
use offstage_model::request::{message, parameter};
use offstage_model::{Fault, Parameter, Request, Value, code};

impl Session {
    pub(super) fn set_state(&mut self) -> Result<(), Fault> {
        let request = self.request();
        let target = request.reference(parameter::ENTITY_MONIKER)?;
        let catalog = self.catalog.clone();
        let table = catalog.table(&target.table)?;
        let row = self.tx.get(&table.name, target.id)?;
        let row = row.ok_or_else(|| Fault::no_such_row(&table.name, target.id))?;
        let mut changes = Attributes::new();
        for (name, column) in [(parameter::STATE, "statecode"), (parameter::STATUS, "statuscode")] {
            match request.parameters.get(name) {
                None => {}
                // -1 asks for the default status, as on the platform.
                Some(Parameter::Value(v)) if v.as_option() == Some(-1) => {}
                Some(Parameter::Value(v)) if v.as_option().is_some() => {
                    let value = Value::Option(v.as_option().unwrap_or_default());
                    changes.insert(column.to_owned(), value);
                }
                Some(_) => return Err(request.missing(name, "an option value")),
            }
        }
        if changes.is_empty() || table.column("statecode").is_none() {
            return Err(request.missing(parameter::STATE, "an option value"));
        }
        Self::settle_state(table, &mut changes, Some(&row))?;
        self.write_changes(table, &row, target.id, changes)
    }

    pub(super) fn assign(&mut self) -> Result<(), Fault> {
        let request = self.request();
        let target = request.reference(parameter::TARGET)?;
        let assignee = request.reference(parameter::ASSIGNEE)?.clone();
        let catalog = self.catalog.clone();
        let table = catalog.table(&target.table)?;
        let row = self.tx.get(&table.name, target.id)?;
        let row = row.ok_or_else(|| Fault::no_such_row(&table.name, target.id))?;
        let Some(owner) = table.column("ownerid") else {
            return Err(Fault::new(
                code::INVALID_ARGUMENT,
                format!("Rows of '{}' have no owner.", table.name),
            ));
        };
        let value = owner.check(&table.name, "ownerid", &Value::Reference(assignee.clone()))?;
        if !self.tx.exists(&assignee.table, assignee.id)? {
            return Err(Fault::no_such_row(&assignee.table, assignee.id));
        }
        let (id, table_name) = (target.id, table.name.clone());
        self.write_changes(table, &row, id, Attributes::from([("ownerid".to_owned(), value)]))?;
        for relationship in catalog.children_of(&table_name) {
            if relationship.assign != Cascade::Cascade {
                continue;
            }
            for child in self.children(&relationship.child, &relationship.lookup, id)? {
                let to = Parameter::Value(Value::Reference(assignee.clone()));
                self.cascade(relationship, child, |table, id| {
                    Request::new(message::ASSIGN)
                        .with(parameter::TARGET, Parameter::Value(Value::reference(table, id)))
                        .with(parameter::ASSIGNEE, to)
                })?;
            }
        }
        Ok(())
    }
}
