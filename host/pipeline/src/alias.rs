//! Aliases: rows that an offline upsert made and the server found to be others.
//!
//! Later entries of the same device mean the server's row ("Found by trying to break it", 16).
//! Never changes the frozen entry; only the copy that is played.

use offstage_model::journal::OperationNode;
use offstage_model::{Entity, EntityReference, Fault, Parameter, Request, Uuid, Value};
use offstage_store::Tx;

/// The operation tree `root` with every aliased row replaced by the one that it means.
pub(crate) fn applied(
    tx: &mut Tx,
    device: Uuid,
    root: &OperationNode,
) -> Result<OperationNode, Fault> {
    let mut root = root.clone();
    if tx.has_aliases(device)? {
        node(&mut Aliases { tx, device }, &mut root)?;
    }
    Ok(root)
}

struct Aliases<'a> {
    tx: &'a mut Tx,
    device: Uuid,
}

impl Aliases<'_> {
    fn replace(&mut self, table: &str, id: &mut Uuid) -> Result<(), Fault> {
        if let Some(meant) = self.tx.alias(self.device, table, *id)? {
            *id = meant;
        }
        Ok(())
    }
}

fn node(aliases: &mut Aliases<'_>, node_: &mut OperationNode) -> Result<(), Fault> {
    let table = node_.request.primary_table().to_owned();
    request(aliases, &mut node_.request)?;
    if let Some(effective) = &mut node_.effective {
        request(aliases, effective)?;
    }
    if let Some(row) = &mut node_.row {
        aliases.replace(&table, row)?;
    }
    for effect in &mut node_.effects {
        aliases.replace(&effect.table, &mut effect.id)?;
    }
    let steps = node_.steps.iter_mut().flat_map(|step| &mut step.operations);
    steps.chain(&mut node_.members).try_for_each(|child| node(aliases, child))
}

fn request(aliases: &mut Aliases<'_>, request_: &mut Request) -> Result<(), Fault> {
    for parameter in request_.parameters.values_mut() {
        match parameter {
            Parameter::Value(v) => value(aliases, v)?,
            Parameter::Entity(row) => entity(aliases, row)?,
            Parameter::Entities(rows) => {
                rows.entities.iter_mut().try_for_each(|row| entity(aliases, row))?;
            }
            Parameter::References(references) => {
                references.iter_mut().try_for_each(|r| reference(aliases, r))?;
            }
            Parameter::Requests(requests) => {
                requests.iter_mut().try_for_each(|r| request(aliases, r))?;
            }
            Parameter::Columns(_) | Parameter::Query(_) | Parameter::Responses(_) => {}
        }
    }
    Ok(())
}

fn entity(aliases: &mut Aliases<'_>, row: &mut Entity) -> Result<(), Fault> {
    if let Some(id) = &mut row.id {
        aliases.replace(&row.table, id)?;
    }
    row.attributes.values_mut().try_for_each(|v| value(aliases, v))
}

fn value(aliases: &mut Aliases<'_>, value: &mut Value) -> Result<(), Fault> {
    match value {
        Value::Reference(r) => reference(aliases, r),
        _ => Ok(()),
    }
}

fn reference(aliases: &mut Aliases<'_>, r: &mut EntityReference) -> Result<(), Fault> {
    aliases.replace(&r.table, &mut r.id)
}
