//! The chained sync token: each acknowledgement makes the next link, so that two copies of a device
//! cannot both go on.
//!
//! Accepted are the current link, and the one before until the current one has been seen: its
//! answer may have been lost. Anything older is a fork. Never uses a clock.

use crate::SyncError;
use offstage_model::Uuid;
use offstage_model::identity::digest;
use offstage_store::SubscriptionRow;

/// Where a presented token stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Current,
    Previous,
}

/// Checks a presented token, and forgets the one before once the current one is seen. Returns
/// whether `row` changed.
pub(crate) fn accept(row: &mut SubscriptionRow, token: &str) -> Result<(Link, bool), SyncError> {
    if token == row.token {
        let changed = row.previous_token.take().is_some() || !row.seen;
        row.seen = true;
        return Ok((Link::Current, changed));
    }
    if row.previous_token.as_deref() == Some(token) {
        return Ok((Link::Previous, false));
    }
    Err(SyncError::Forked { device: row.device })
}

/// Makes the next link. `fresh` is random, so that a copy of the device cannot foretell it.
pub(crate) fn rotate(row: &mut SubscriptionRow, fresh: Uuid) {
    let next = link(&row.token, fresh);
    row.previous_token = Some(std::mem::replace(&mut row.token, next));
    row.seen = false;
}

/// The link after `token`.
pub(crate) fn link(token: &str, fresh: Uuid) -> String {
    let bytes = digest(&[b"sync-token", token.as_bytes(), fresh.as_bytes()]);
    bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
