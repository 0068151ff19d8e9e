//! Says what a client lacks: subscriptions, PrepareSync, GetSyncData, PostSync.
//!
//! A subscription belongs to one device. It has data filters, and a list of what the device is known
//! to hold (SyncEntry), with what was prepared for it and not yet acknowledged. Everything works
//! inside the caller's transaction; nothing depends on the time of day.
//!
//! Never changes a business row.

mod error;
mod filters;
pub mod outlook;
mod sync;
mod token;
mod verify;

pub use error::SyncError;
pub use filters::{DataFilter, FILTERS_MAX, SYSTEM_PREFIX, default_filters, subset};
pub use offstage_store::ChildRule;
pub use outlook::OutlookFilter;
pub use sync::{
    Specific, SyncPage, TableCount, filters, get_specific, get_sync_data, open, post_sync,
    prepare_sync, reset, set_filters, set_system_filters, synced_on, system_filters,
};
pub use verify::{RowDigest, TableDigest, digest, digest_rows};
