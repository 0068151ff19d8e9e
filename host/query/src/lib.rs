//! Turns queries into parameterised SQL, and OData query text into queries.
//!
//! Invariant: the same input gives the same SQL, and no user byte is ever part of the SQL text:
//! identifiers come from the catalog, every value is bound. Never talks to a database.

pub mod odata;
pub mod physical;
pub mod sql;
pub mod text;
mod value;

pub use physical::Layout;
pub use sql::{Dialect, Scope, Statement};
pub use value::SqlValue;
