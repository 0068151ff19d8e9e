//! Values derived from the operation, so that the offline and the playback run agree.
//!
//! None of them reads the machine: a plug-in that uses only these is deterministic.

use crate::guid::Guid;
use crate::host;
use crate::timestamp::Timestamp;

/// Returns when the operation was made: the same in both runs.
pub fn now() -> Timestamp {
    host::current(|host| host.now())
}

/// Returns the clock of the machine that runs now. It differs between the runs; for deadlines only.
pub fn server_now() -> Timestamp {
    host::current(|host| host.server_now())
}

/// Returns a new id; the n-th call of a step's run returns the same in both runs.
pub fn new_guid() -> Guid {
    host::current(|host| host.new_guid())
}

/// Returns an id that depends on the root operation, the step and `key` only: the choice for rows
/// made in a loop whose order may differ between the runs.
pub fn keyed_guid(key: &str) -> Guid {
    host::current(|host| host.keyed_guid(key))
}

/// Returns 64 random bits; the n-th call of a step's run returns the same in both runs.
pub fn random() -> u64 {
    host::current(|host| host.random())
}

/// Writes one line into the trace; see also [`crate::trace!`].
pub fn trace(text: &str) {
    host::current(|host| host.trace(text));
}

/// Writes one formatted line into the trace: `trace!("{count} rows")`.
#[macro_export]
macro_rules! trace {
    ($($argument:tt)+) => {
        $crate::trace(&::std::format!($($argument)+))
    };
}
