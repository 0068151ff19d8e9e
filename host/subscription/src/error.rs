//! Why a sync call is refused. Never carries row contents.

use offstage_model::{Fault, Uuid, code};
use offstage_store::StoreError;

/// Why a sync call is refused.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The device has no subscription.
    #[error("device {device} is not connected to this server")]
    UnknownDevice {
        /// The device.
        device: Uuid,
    },
    /// The device's token is older than what the server has seen.
    #[error("device {device} presented a sync token from its past: a second copy of it is in use")]
    Forked {
        /// The device.
        device: Uuid,
    },
    /// The stored filters of a device cannot be read.
    #[error("the stored data filters of device {device} cannot be read")]
    DamagedFilters {
        /// The device.
        device: Uuid,
        /// Why.
        source: serde_json::Error,
    },
    /// A filter that the metadata does not allow.
    #[error(transparent)]
    Filter(Fault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SyncError> for Fault {
    fn from(error: SyncError) -> Self {
        let text = error.to_string();
        match error {
            SyncError::UnknownDevice { .. } => Self::new(code::NOT_FOUND, text)
                .hint("`offstage connect URL` makes this directory a device of the server."),
            SyncError::Forked { .. } => Self::new(code::DEVICE_FORKED, text).hint(
                "The directory was copied or restored from a backup. Go on with the newer copy, or connect this one as a new device.",
            ),
            SyncError::DamagedFilters { .. } => Self::new(code::INTERNAL, text)
                .hint("`offstage filter add` writes them anew."),
            SyncError::Filter(fault) => fault,
            SyncError::Store(error) => Self::from(error),
        }
    }
}
