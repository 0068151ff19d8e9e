//! Images: snapshots of the row before and after the main operation.
//!
//! There is one snapshot of each kind per operation: every step sees the same one (case I34).

use crate::session::Session;
use offstage_model::registration::{ImageDeclaration, ImageKind, Stage, Step};
use offstage_model::{Entity, ExecutionContext, Fault};

impl Session {
    /// Puts a step's images into its context.
    pub(crate) fn add_images(
        &mut self,
        step: &Step,
        context: &mut ExecutionContext,
    ) -> Result<(), Fault> {
        for image in &step.declaration.images {
            if image.kind != ImageKind::Post
                && let Some(row) = self.row_before()?
            {
                context.pre_entity_images.insert(image.alias.clone(), projected(row, image));
            }
            if image.kind != ImageKind::Pre
                && step.declaration.stage == Stage::PostOperation
                && let Some(row) = self.row_after()?
            {
                context.post_entity_images.insert(image.alias.clone(), projected(row, image));
            }
        }
        Ok(())
    }

    /// The row before the main operation; read once.
    pub(crate) fn row_before(&mut self) -> Result<Option<&Entity>, Fault> {
        if self.frame().pre_row.is_none() {
            let row = self.read_primary_row()?;
            self.frame_mut().pre_row = row;
        }
        Ok(self.frame().pre_row.as_ref())
    }

    /// The row after the main operation; read once, before the first step of stage 40 runs.
    pub(crate) fn row_after(&mut self) -> Result<Option<&Entity>, Fault> {
        if self.frame().post_row.is_none() {
            let row = self.read_primary_row()?;
            self.frame_mut().post_row = row;
        }
        Ok(self.frame().post_row.as_ref())
    }

    fn read_primary_row(&mut self) -> Result<Option<Entity>, Fault> {
        let table = self.frame().context.primary_entity_name.clone();
        let id = self.frame().context.primary_entity_id;
        if id.is_nil() || !self.catalog.tables.contains_key(&table) {
            return Ok(None);
        }
        Ok(self.tx.get(&table, id)?)
    }
}

fn projected(row: &Entity, image: &ImageDeclaration) -> Entity {
    let columns = (!image.attributes.is_empty()).then_some(image.attributes.as_slice());
    row.project(columns)
}
