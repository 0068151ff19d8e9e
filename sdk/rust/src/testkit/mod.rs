//! Unit tests for plug-ins: a fake organization in memory, and both passes of an operation.
//!
//! Native only. It runs declared steps with stages, ranks, filtering, images, nested requests,
//! rollback and depth as the platform does; it never checks rights, metadata or cascades, and runs
//! asynchronous steps right after the synchronous ones.
//!
//! ```
//! use offstage_sdk::testkit::Organization;
//! use offstage_sdk::{Context, Entity, PluginError, Request, new_guid, plugin};
//!
//! #[plugin(
//!     type = "contoso.Log",
//!     step(key = "log", message = "Create", table = "contact", stage = PostOperation,
//!          deployment = Both)
//! )]
//! fn log(context: &mut Context) -> Result<(), PluginError> {
//!     context.service().create(Entity::new("annotation").with("subject", "made")).map(drop)
//! }
//!
//! let organization = Organization::new().with_plugin(&log::PLUGIN);
//! let runs = organization.run_twice(Request::create(Entity::new("contact")));
//! runs.assert_clean();
//! assert_eq!(runs.reconciliation.paired(), 1);
//! ```

mod derive;
mod effects;
mod evaluate;
mod organization;
mod pipeline;
mod reconcile;
mod session;
mod store;

pub use crate::host::{Host, with_host};
pub use organization::{Organization, Pass, Run, StepRun, TwoRuns};
pub use reconcile::{Outcome, Paired, Reconciliation};
pub use session::Operation;
