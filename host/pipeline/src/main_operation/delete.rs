//! Delete: removes a row, and does to its children what their relationships say.
//!
//! Cascades are the platform's own effects: the journal records them as members keyed by
//! relationship and row, and the server does them again (hard case *Cascades*).

use crate::operation::Operation;
use crate::session::{Origin, Session};
use offstage_model::entity::Attributes;
use offstage_model::journal::{EffectKind, OperationNode, RowEffect};
use offstage_model::metadata::{Cascade, OneToMany, Relationship};
use offstage_model::request::parameter;
use offstage_model::{Fault, Request, Uuid, Value, code};

impl Session {
    pub(super) fn delete(&mut self) -> Result<(), Fault> {
        let target = self.request().reference(parameter::TARGET)?.clone();
        let row = self.tx.get(&target.table, target.id)?;
        let row = row.ok_or_else(|| Fault::no_such_row(&target.table, target.id))?;
        self.check_version(self.expected_version(), &row)?;
        let catalog = self.catalog.clone();
        for relationship in catalog.children_of(&target.table) {
            self.cascade_delete(relationship, target.id)?;
        }
        self.remove_links(&target.table, target.id)?;
        // A cascade may have come back to this row (a contact that is its own grandparent).
        if !self.tx.exists(&target.table, target.id)? {
            return Ok(());
        }
        let stamp = self.root.stamp;
        self.tx.delete(&target.table, target.id, &stamp)?;
        self.touch_wholes(&target.table, &row.attributes)?;
        self.record_effect(RowEffect {
            table: target.table,
            id: target.id,
            kind: EffectKind::Deleted,
            base_version: row.version.filter(|v| *v > 0),
            before: row.attributes,
            after: Attributes::new(),
        });
        Ok(())
    }

    fn expected_version(&self) -> Option<u64> {
        match self.frame().context.input_parameters.get("RowVersion") {
            Some(offstage_model::Parameter::Value(Value::BigInt(v))) => u64::try_from(*v).ok(),
            _ => None,
        }
    }

    fn cascade_delete(&mut self, relationship: &OneToMany, parent: Uuid) -> Result<(), Fault> {
        if relationship.delete == Cascade::None {
            return Ok(());
        }
        for child in self.children(&relationship.child, &relationship.lookup, parent)? {
            match relationship.delete {
                Cascade::Cascade => self.cascade(relationship, child, Request::delete)?,
                Cascade::RemoveLink => self.clear_lookup(relationship, child)?,
                Cascade::Restrict => {
                    return Err(Fault::new(
                        code::DELETE_RESTRICTED,
                        format!(
                            "The row cannot be deleted: {}({child}) refers to it ({}).",
                            relationship.child, relationship.name
                        ),
                    )
                    .hint("Delete or change the rows that refer to it first."));
                }
                Cascade::None => {}
            }
        }
        Ok(())
    }

    /// The rows that refer to `parent`, within the limit.
    pub(super) fn children(
        &mut self,
        child: &str,
        lookup: &str,
        parent: Uuid,
    ) -> Result<Vec<Uuid>, Fault> {
        let rows_max = self.pipeline.limits().cascade_rows_max;
        let children = self.tx.children(child, lookup, parent, rows_max + 1)?;
        if children.len() > rows_max {
            return Err(Fault::new(
                code::TOO_LARGE_A_REQUEST,
                format!("More than {rows_max} rows of '{child}' hang on it."),
            ));
        }
        Ok(children)
    }

    /// Runs the same message on a child, as the platform.
    pub(super) fn cascade(
        &mut self,
        relationship: &OneToMany,
        child: Uuid,
        request: impl FnOnce(&str, Uuid) -> Request,
    ) -> Result<(), Fault> {
        let running = self.frames.iter().any(|frame| {
            frame.context.primary_entity_id == child
                && frame.context.primary_entity_name == relationship.child
        });
        if running || !self.tx.exists(&relationship.child, child)? {
            return Ok(());
        }
        let recorded = self.recorded_cascade(relationship, child)?;
        let frame = self.frame();
        let operation = Operation {
            request: request(&relationship.child, child),
            lineage: frame.lineage.cascade(&relationship.name, child),
            depth: frame.context.depth,
            user: frame.context.user_id,
            occurrence: 0,
            cascade: Some(relationship.name.clone()),
            recorded,
            issuer: None,
        };
        let (_, node) = self.run(operation)?;
        if self.root.origin == Origin::Offline {
            self.frame_mut().node.members.push(node);
        }
        Ok(())
    }

    /// What the offline run recorded of the cascade to this row. A delete that would take a row
    /// along that the device did not know is a conflict ("Found by trying to break it", 12).
    fn recorded_cascade(
        &self,
        relationship: &OneToMany,
        child: Uuid,
    ) -> Result<Option<OperationNode>, Fault> {
        let Some(recorded) = &self.frame().recorded else {
            return Ok(None);
        };
        let node = recorded.members.iter().find(|member| {
            member.row == Some(child) && member.cascade.as_deref() == Some(&relationship.name)
        });
        let deletes = self.frame().context.message_name == offstage_model::request::message::DELETE;
        if node.is_none() && deletes && self.root.origin == Origin::Playback {
            return Err(Fault::new(
                code::CONFLICT,
                format!(
                    "Deleting the row would also delete {}({child}), which the device did not know.",
                    relationship.child
                ),
            )
            .hint("Look at that row, then retry the entry to delete both, or discard the entry."));
        }
        Ok(node.cloned())
    }

    /// Clears a child's lookup; the platform's own effect, without steps.
    fn clear_lookup(&mut self, relationship: &OneToMany, child: Uuid) -> Result<(), Fault> {
        let catalog = self.catalog.clone();
        let table = catalog.table(&relationship.child)?;
        let Some(row) = self.tx.get(&table.name, child)? else {
            return Ok(());
        };
        let changes = Attributes::from([(relationship.lookup.clone(), Value::Null)]);
        self.write_changes(table, &row, child, changes)
    }

    /// Removes the row's links in many-to-many relationships.
    fn remove_links(&mut self, table: &str, id: Uuid) -> Result<(), Fault> {
        let catalog = self.catalog.clone();
        for relationship in catalog.relationships.values() {
            let Relationship::ManyToMany(link) = relationship else {
                continue;
            };
            let (first, second) = link.lookups();
            let sides = [(&link.first, first), (&link.second, second)];
            for (_, lookup) in sides.iter().filter(|(side, _)| *side == table) {
                for row in self.children(&link.intersect, lookup, id)? {
                    self.remove_link(&link.intersect, row)?;
                }
            }
        }
        Ok(())
    }

    /// Removes one link.
    pub(super) fn remove_link(&mut self, intersect: &str, row: Uuid) -> Result<(), Fault> {
        let Some(before) = self.tx.get(intersect, row)? else {
            return Ok(());
        };
        let stamp = self.root.stamp;
        self.tx.delete(intersect, row, &stamp)?;
        self.record_effect(RowEffect {
            table: intersect.to_owned(),
            id: row,
            kind: EffectKind::Deleted,
            base_version: before.version.filter(|v| *v > 0),
            before: before.attributes,
            after: Attributes::new(),
        });
        Ok(())
    }
}
