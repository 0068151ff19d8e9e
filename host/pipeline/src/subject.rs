//! What a request is about: a plug-in may change the columns of its row, but never which row, which
//! table or which query it is. Rights were checked for that one.

use crate::step_run::Columns;
use offstage_model::journal::ColumnChange;
use offstage_model::request::parameter;
use offstage_model::{ContextChange, Entity, ExecutionContext, Fault, Parameter, Value, code};

/// The parameters that say what a request is about.
const SUBJECTS: [&str; 5] = [
    parameter::TARGET,
    parameter::ENTITY_MONIKER,
    parameter::QUERY,
    parameter::RELATIONSHIP,
    parameter::RELATED_ENTITIES,
];

/// Refuses a change that would make the request be about something else. An id that a plug-in left
/// out of a new Target is filled in.
///
/// # Errors
/// [`code::ISV_UNEXPECTED`].
pub(crate) fn keep(
    step: &str,
    context: &ExecutionContext,
    change: &mut ContextChange,
) -> Result<(), Fault> {
    let kept = match change {
        ContextChange::SetInput(name, new) if SUBJECTS.contains(&name.as_str()) => {
            match (context.input_parameters.get(name.as_str()), new) {
                (Some(old), new) if *old == *new => true,
                (Some(Parameter::Entity(old)), Parameter::Entity(new)) => keep_row(old, new),
                (Some(Parameter::Query(old)), Parameter::Query(new)) => old.table == new.table,
                (
                    Some(Parameter::Value(Value::Reference(old))),
                    Parameter::Value(Value::Reference(new)),
                ) => old.same_row(new),
                _ => false,
            }
        }
        ContextChange::RemoveInput(name) => !SUBJECTS.contains(&name.as_str()),
        _ => true,
    };
    if kept {
        return Ok(());
    }
    Err(Fault::new(
        code::ISV_UNEXPECTED,
        format!("The step '{step}' changed what the request is about."),
    )
    .hint("A plug-in may change columns of Target, but not which row or table it is."))
}

fn keep_row(old: &Entity, new: &mut Entity) -> bool {
    new.id = new.id.or(old.id);
    new.table == old.table && new.id == old.id && new.key == old.key
}

/// What a change does to columns of Target.
pub(crate) fn column_changes(context: &ExecutionContext, change: &ContextChange) -> Columns {
    let mut columns = Columns::new();
    match change {
        ContextChange::SetAttribute { parameter, column, value }
            if parameter == parameter::TARGET =>
        {
            columns.insert(column.clone(), ColumnChange::Set(value.clone()));
        }
        ContextChange::RemoveAttribute { parameter, column } if parameter == parameter::TARGET => {
            columns.insert(column.clone(), ColumnChange::Removed);
        }
        ContextChange::SetInput(name, Parameter::Entity(new)) if name == parameter::TARGET => {
            if let Some(Parameter::Entity(old)) = context.input_parameters.get(name.as_str()) {
                let gone = old.attributes.keys().filter(|c| !new.attributes.contains_key(*c));
                columns.extend(gone.map(|c| (c.clone(), ColumnChange::Removed)));
            }
            let set = new.attributes.iter();
            columns.extend(set.map(|(c, v)| (c.clone(), ColumnChange::Set(v.clone()))));
        }
        _ => {}
    }
    columns
}
