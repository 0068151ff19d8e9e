//! What answers requests of the Web API: the server's pipeline, or a device that is online or
//! offline.
//!
//! Never knows HTTP.

use offstage_model::{Catalog, Fault, Request, Response};
use offstage_pipeline::{CallOptions, Caller, Organization, Pipeline, PluginState};
use std::sync::Arc;

/// Runs requests on behalf of callers. Calls block.
pub trait Engine: Send + Sync {
    /// Runs one request.
    ///
    /// # Errors
    /// Whatever refused it.
    fn execute(
        &self,
        caller: &Caller,
        request: Request,
        options: CallOptions,
    ) -> Result<Response, Fault>;

    /// The metadata of this moment.
    fn catalog(&self) -> Arc<Catalog>;

    /// `online` or `offline` on a device, for the header `x-offstage-state`; `None` on a server.
    fn state(&self) -> Option<&'static str>;

    /// The organization.
    fn organization(&self) -> Organization;

    /// The plug-ins that are registered here, with the reason when one does not run for whoever may
    /// know it.
    ///
    /// # Errors
    /// The store cannot be read.
    fn plugins(&self, caller: &Caller) -> Result<Vec<PluginState>, Fault>;
}

impl Engine for Pipeline {
    fn execute(
        &self,
        caller: &Caller,
        request: Request,
        options: CallOptions,
    ) -> Result<Response, Fault> {
        Pipeline::execute(self, caller, request, options)
    }

    fn catalog(&self) -> Arc<Catalog> {
        Pipeline::catalog(self)
    }

    fn state(&self) -> Option<&'static str> {
        None
    }

    fn organization(&self) -> Organization {
        Pipeline::organization(self).clone()
    }

    fn plugins(&self, caller: &Caller) -> Result<Vec<PluginState>, Fault> {
        let states = self.plugin_states()?;
        let all = caller.administrator;
        let shown = |state: PluginState| if all { state } else { state.without_reason() };
        Ok(states.into_iter().map(shown).collect())
    }
}
