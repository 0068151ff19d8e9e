//! testkit
pub use crate::host::{Host, with_host};
