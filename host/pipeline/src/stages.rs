//! Runs the steps of one stage in order: those registered here and, in playback, those that only
//! the offline run had, each at its rank.
//!
//! Filters are looked at when a step is reached (`playback.md`, "Found by trying to break it", 2).

use crate::session::{Origin, Session};
use offstage_model::Fault;
use offstage_model::journal::StepRun;
use offstage_model::registration::{ImageKind, PlaybackMode, Stage, Step};
use offstage_model::request::message;
use std::sync::Arc;

impl Session {
    /// Runs the steps of `stage` for the innermost operation.
    pub(crate) fn run_stage(&mut self, stage: Stage) -> Result<(), Fault> {
        let context = &self.frame().context;
        let steps =
            self.registry.steps_of(&context.message_name, &context.primary_entity_name, stage);
        if stage == Stage::PostOperation && steps.iter().any(|s| has_image(s, ImageKind::Post)) {
            self.row_after()?;
        }
        for step in steps {
            self.reach_step(&step)?;
        }
        Ok(())
    }

    /// Runs steps of stages 10 and 20 whose filter came to match only through carried columns.
    pub(crate) fn run_newly_matched_steps(&mut self) -> Result<(), Fault> {
        if self.root.origin != Origin::Playback {
            return Ok(());
        }
        // Each round settles at least one step, so this ends.
        loop {
            let context = &self.frame().context;
            let (name, table) = (&context.message_name, &context.primary_entity_name);
            let mut steps = self.registry.steps_of(name, table, Stage::PreValidation);
            steps.extend(self.registry.steps_of(name, table, Stage::PreOperation));
            let next = steps.into_iter().find(|step| {
                !self.frame().settled.contains(&step.declaration.key) && self.runs_here(step)
            });
            match next {
                Some(step) => self.reach_step(&step)?,
                None => return Ok(()),
            }
        }
    }

    /// Snapshots the row for steps of stage 40 that want it as it was before.
    pub(crate) fn read_images_before(&mut self) -> Result<(), Fault> {
        let context = &self.frame().context;
        let steps = self.registry.steps_of(
            &context.message_name,
            &context.primary_entity_name,
            Stage::PostOperation,
        );
        if steps.iter().any(|step| has_image(step, ImageKind::Pre)) {
            self.row_before()?;
        }
        Ok(())
    }

    fn reach_step(&mut self, step: &Arc<Step>) -> Result<(), Fault> {
        let recorded = self.recorded_run(step);
        let replayed = step.declaration.playback == PlaybackMode::Once && recorded.is_some();
        if self.runs_here(step) && !replayed {
            self.settle(step);
            return self.run_step(step, recorded);
        }
        self.note_skipped(step);
        let Some(recorded) = recorded else {
            return Ok(());
        };
        if replayed || !self.is_run_by_server(step) {
            self.settle(step);
            return self.carry_over(step, &recorded);
        }
        // The step is the server's to run, and its trigger is gone. It stays unsettled, because a
        // carried column may still trigger it.
        Ok(())
    }

    /// Drops, and reports, what recorded steps did whose trigger is gone on the server.
    pub(crate) fn drop_unsettled(&mut self) -> Result<(), Fault> {
        let Some(recorded) = &self.frame().recorded else {
            return Ok(());
        };
        let unsettled: Vec<StepRun> = recorded
            .steps
            .iter()
            .filter(|run| !self.frame().settled.contains(&run.key))
            .cloned()
            .collect();
        for run in unsettled {
            if let Some(step) = self.registry.step(&run.key).cloned() {
                self.drop_recorded(&step, &run)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, step: &Step) {
        self.frame_mut().settled.insert(step.declaration.key.clone());
    }

    fn recorded_run(&self, step: &Step) -> Option<StepRun> {
        let recorded = self.frame().recorded.as_ref()?;
        let key = &step.declaration.key;
        recorded.steps.iter().find(|run| &run.key == key).cloned()
    }

    /// Traces that a step would run if its package did, and keeps the package for the answer. About one
    /// that somebody has disabled nobody needs to be told unless every run is traced.
    fn note_skipped(&mut self, step: &Step) {
        let deployment = step.declaration.deployment;
        let fits = match self.root.origin {
            Origin::Offline => deployment.runs_offline(),
            Origin::Online | Origin::Playback => deployment.runs_on_server(),
        };
        if !step.enabled || !fits || !self.matches_filter(step) {
            return;
        }
        let registry = Arc::clone(&self.registry);
        let Some(skip) = registry.skip(&step.package) else { return };
        let is_disabled = registry.is_disabled(&step.package);
        if !is_disabled {
            self.skipped.insert(step.package.clone());
        }
        self.trace_skip(step, skip, is_disabled);
    }

    /// Also a step whose package is damaged here: it refuses when it is reached.
    fn is_run_by_server(&self, step: &Step) -> bool {
        let damaged = || step.enabled && self.registry.damage(&step.package).is_some();
        step.declaration.deployment.runs_on_server()
            && (self.registry.is_runnable(step) || damaged())
    }

    /// Whether the step runs on this side for the innermost operation.
    fn runs_here(&self, step: &Step) -> bool {
        let runs = match self.root.origin {
            Origin::Offline => {
                step.declaration.deployment.runs_offline() && self.registry.is_runnable(step)
            }
            Origin::Online | Origin::Playback => self.is_run_by_server(step),
        };
        runs && self.matches_filter(step)
    }

    /// Filtering attributes apply to Update only: one of them is *included* in the request (F22).
    fn matches_filter(&self, step: &Step) -> bool {
        let filtering = &step.declaration.filtering;
        if filtering.is_empty() || self.frame().context.message_name != message::UPDATE {
            return true;
        }
        let Some(target) = self.frame().target() else {
            return false;
        };
        let only_key = target.attributes.is_empty();
        let primary_id = self.catalog.tables.get(&target.table).map(|t| &t.primary_id);
        filtering.iter().any(|column| {
            target.attributes.contains_key(column) || (only_key && Some(column) == primary_id)
        })
    }
}

fn has_image(step: &Step, kind: ImageKind) -> bool {
    step.declaration.images.iter().any(|i| i.kind == kind || i.kind == ImageKind::Both)
}
