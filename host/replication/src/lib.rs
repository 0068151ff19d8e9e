//! Brings the subset down to a device and plays its journal up on the server.
//!
//! [`Device`] is the device's state machine, [`SyncService`] its server, [`ServerLink`] the door
//! between them, in one process or over HTTP ([`HttpLink`]). Every step is safe to repeat; a crash
//! anywhere resumes. Never writes a row except through the pipeline or the replica applier of the
//! store.

mod crash;
mod device;
pub mod device_key;
mod http;
mod link;
mod progress;
pub mod server;
pub mod wire;

pub use crash::CRASH_POINTS;
#[cfg(feature = "crash-points")]
pub use crash::set_crash_hook;
pub use device::{
    Attention, Device, DeviceOptions, DeviceState, EntryDetail, GoOfflineReport, GoOnlineReport,
    PlaybackCounts, RowDifference, Status, SyncReport, TableDifference,
};
pub use device_key::DeviceKey;
pub use http::{BearerToken, HttpLink, HttpOptions};
pub use link::{LocalLink, ServerLink};
pub use progress::{Progress, Silent};
pub use server::{INCARNATION, ReceiptPlacement, SyncService};
