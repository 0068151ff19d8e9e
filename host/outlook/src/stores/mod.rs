//! The mail stores: each is one file or folder here and knows one technology.
//!
//! Never knows a record, the sync cache or the plan.

pub mod embedded;
