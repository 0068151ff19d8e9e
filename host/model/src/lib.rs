//! The plain domain types that every part of Offstage speaks: values, entities, requests, metadata,
//! the execution context, journal entries and faults.
//!
//! Invariant: no I/O, no async, no clock. Whatever needs the time or randomness gets it passed in.

pub mod capability;
pub mod context;
pub mod entity;
pub mod fault;
pub mod identity;
pub mod journal;
pub mod metadata;
pub mod ports;
pub mod query;
pub mod registration;
pub mod request;
pub mod value;

pub use capability::{CapabilityAnswer, CapabilityCall, FileEntry, HttpHeader, HttpRequest};
pub use context::{ContextChange, ExecutionContext};
pub use entity::{Entity, EntityCollection};
pub use fault::{Fault, code};
pub use metadata::Catalog;
pub use ports::{Clock, Randomness};
pub use query::Query;
pub use request::{Parameter, ParameterMap, Request, Response};
pub use rust_decimal::Decimal;
pub use uuid::Uuid;
pub use value::{EntityReference, Timestamp, Value};
