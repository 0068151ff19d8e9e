//! How each registered package stands here: for people and programs that ask why a rule did not
//! apply.
//!
//! Never changes it.

use crate::root::Pipeline;
use offstage_model::Fault;
use serde::Serialize;

/// Whether the steps of a package run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginStanding {
    /// They run.
    Runs,
    /// Somebody disabled it: requests go on without it.
    Disabled,
    /// It is not allowed here: requests go on without it.
    Skipped,
    /// It is allowed, and its content is damaged or does not load: on a server its steps refuse.
    Damaged,
    /// Too many of its runs in a row were ended: its steps refuse.
    Suspended,
}

/// A registered package as it stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginState {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The hash of its component.
    pub sha256: String,
    /// How many steps are registered for it.
    pub steps: usize,
    /// Whether they run.
    pub state: PluginStanding,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl PluginState {
    /// Without reason and hint: they name files of this machine.
    #[must_use]
    pub fn without_reason(self) -> Self {
        Self { reason: None, hint: None, ..self }
    }
}

impl Pipeline {
    /// Every registered package as it stands here.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn plugin_states(&self) -> Result<Vec<PluginState>, Fault> {
        let registry = self.registry()?;
        let suspended = self.suspended()?;
        let states = registry.packages.iter().map(|package| {
            let id = &package.id;
            let skip = registry.skip(id);
            let violation = suspended.iter().find(|row| row.package == *id);
            let (state, reason, hint) = match (skip, violation) {
                (Some(skip), _) => {
                    let state = match (package.enabled, skip.damaged) {
                        (false, _) => PluginStanding::Disabled,
                        (true, true) => PluginStanding::Damaged,
                        (true, false) => PluginStanding::Skipped,
                    };
                    (state, Some(skip.reason.clone()), Some(skip.hint.clone()))
                }
                (None, Some(row)) => (
                    PluginStanding::Suspended,
                    Some(format!(
                        "{} of its runs in a row were ended, the last one because {}",
                        row.count, row.reason
                    )),
                    Some(format!("`offstage plugin resume {id}` lets it run again.")),
                ),
                (None, None) => (PluginStanding::Runs, None, None),
            };
            let steps = registry.steps.iter().filter(|step| step.package == *id).count();
            let (package, version) = (id.clone(), package.version.clone());
            let sha256 = registry.build(id).to_owned();
            PluginState { package, version, sha256, steps, state, reason, hint }
        });
        Ok(states.collect())
    }
}
