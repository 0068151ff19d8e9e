//! Parts of a whole: a change of a part is a change of the whole, so that whoever holds the whole
//! learns of it (the parties of an activity).
//!
//! On the server only: a device gets the whole back with its new version. Runs no step.

use crate::options::Side;
use crate::session::Session;
use offstage_model::entity::Attributes;
use offstage_model::metadata::Relationship;
use offstage_model::{EntityReference, Fault, Value};

impl Session {
    /// Moves modified-on of what the row of `table` with these values is a part of.
    pub(super) fn touch_wholes(&mut self, table: &str, values: &Attributes) -> Result<(), Fault> {
        if self.pipeline.side() != Side::Server {
            return Ok(());
        }
        for whole in self.wholes(table, values) {
            if !self.tx.exists(&whole.table, whole.id)? {
                continue;
            }
            let user = Value::reference("systemuser", self.frame().context.user_id);
            let now = Value::DateTime(self.pipeline.clock().now());
            let changes =
                Attributes::from([("modifiedon".to_owned(), now), ("modifiedby".to_owned(), user)]);
            let stamp = self.root.stamp;
            self.tx.update(&whole.table, whole.id, &changes, &stamp)?;
        }
        Ok(())
    }

    fn wholes(&self, table: &str, values: &Attributes) -> Vec<EntityReference> {
        let relationships = self.catalog.relationships.values();
        let parts = relationships.filter_map(|relationship| match relationship {
            Relationship::OneToMany(r) if r.parts && r.child == table => Some(r),
            _ => None,
        });
        parts
            .filter_map(|r| {
                let whole = values.get(&r.lookup)?.as_reference()?;
                (whole.table == r.parent).then(|| whole.clone())
            })
            .collect()
    }
}
