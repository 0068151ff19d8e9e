//! The SDK for Offstage plug-ins: write a business rule once; it runs on the device while offline
//! and on the server when the work is played back.
//!
//! A plug-in is a function with its steps declared beside it, and a crate exports a package of them:
//!
//! ```
//! use offstage_sdk::{Context, PluginError, plugin};
//!
//! /// Trims the last name of every new contact.
//! #[plugin(
//!     type = "contoso.TrimName",
//!     step(key = "trim", message = "Create", table = "contact", stage = PreOperation,
//!          deployment = Both)
//! )]
//! fn trim_name(context: &mut Context) -> Result<(), PluginError> {
//!     let mut target = context.target_mut()?;
//!     let trimmed = target.text("lastname")?.map(|name| name.trim().to_owned());
//!     if let Some(name) = trimmed {
//!         target.set("lastname", name);
//!     }
//!     Ok(())
//! }
//!
//! offstage_sdk::export!(package = "contoso/names", plugins = [trim_name]);
//! # fn main() {}
//! ```
//!
//! A plug-in never sees the machine's clock or randomness. What it asks for instead ([`now`],
//! [`new_guid`], [`random`]) is derived from the operation and the same in both runs. Files
//! ([`Directory`]) and other systems ([`HttpRequest`]) it reaches as far as an operator granted them.
//! Unit tests run natively against the `testkit` module's fake organization, in both passes.

mod change;
mod context;
mod definition;
mod entity;
mod error;
mod export;
mod files;
#[cfg(any(target_arch = "wasm32", test))]
mod filter;
#[cfg(target_arch = "wasm32")]
mod guest;
mod guid;
mod host;
mod http;
mod operation;
mod query;
mod request;
mod service;
#[cfg(not(target_arch = "wasm32"))]
pub mod testkit;
mod timestamp;
mod value;

pub use change::Change;
pub use context::{Context, EntityMut, ExecutionContext, Image};
pub use definition::{
    Deployment, ImageDefinition, ImageKind, Mode, NestedError, Playback, PluginDefinition,
    PluginFunction, Stage, StepDefinition,
};
pub use entity::{Entity, EntityCollection, EntityReference};
pub use error::{DataError, PluginError, codes};
pub use files::{Directory, FileEntry};
pub use guid::{Guid, ParseGuidError};
pub use http::{HttpHeader, HttpRequest};
pub use offstage_sdk_macros::plugin;
pub use operation::{keyed_guid, new_guid, now, random, server_now, trace};
pub use query::{Column, ColumnSet, Condition, Filter, Operator, Order, Query, column};
pub use request::{Parameter, Parameters, Request};
pub use rust_decimal::{self, Decimal};
pub use service::{OrganizationService, Upserted};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use value::{Money, OptionValue, Value};

/// What the macros' output needs; not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use crate::export::{check_package, section, section_length};
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{bindings, execute};
    #[cfg(target_arch = "wasm32")]
    pub use crate::host::Host;
}
