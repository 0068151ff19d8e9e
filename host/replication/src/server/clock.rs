//! When a device made an entry, on the server's clock (`playback.md`, hard case *Clocks*).
//!
//! A pure function of what was measured; never looks at a clock.

use offstage_model::Timestamp;
use offstage_pipeline::DeviceClock;

/// Beyond this offset a device's clock is not corrected but disbelieved: more than any time zone, so
/// it is broken and may have jumped between the operation and the handshake.
const OFFSET_MAX_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is known about the clock of the device whose entries are played.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryClock {
    /// The server's clock minus the device's, in milliseconds, if it was measured.
    pub(super) offset_ms: Option<i64>,
    /// When the device was last in step with the server; no entry is older.
    pub(super) last_sync: Timestamp,
    /// When the entries are played; no entry is newer.
    pub(super) now: Timestamp,
}

impl EntryClock {
    /// How far the entries' times can be believed.
    pub(super) fn trust(self) -> DeviceClock {
        match self.offset_ms {
            None => DeviceClock::Unknown,
            Some(offset_ms) if offset_ms.saturating_abs() > OFFSET_MAX_MS => DeviceClock::TooFarOff,
            Some(_) => DeviceClock::Measured,
        }
    }

    /// The time of an entry made at `made` by the device's clock, when the entry before it has the
    /// time `before`: within [last sync, now], and never before `before`.
    pub(super) fn time(self, made: Timestamp, before: Timestamp) -> Timestamp {
        let earliest = self.last_sync.max(before).min(self.now);
        made.plus_ms(self.offset_ms.unwrap_or(0)).clamp(earliest, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(offset_ms: Option<i64>, made: i64, before: i64, time: i64, trust: DeviceClock) {
        let clock =
            EntryClock { offset_ms, last_sync: Timestamp(1_000), now: Timestamp(9_000_000_000) };
        assert_eq!(clock.time(Timestamp(made), Timestamp(before)), Timestamp(time));
        assert_eq!(clock.trust(), trust);
    }

    #[test]
    fn times_are_corrected_and_kept_in_order() {
        use DeviceClock::{Measured, TooFarOff, Unknown};
        check(Some(0), 5_000, 0, 5_000, Measured);
        check(Some(250), 5_000, 0, 5_250, Measured);
        check(Some(-250), 5_000, 0, 4_750, Measured);
        // Not before the last sync, not after now, not before the entry before it.
        check(Some(-250), 1_100, 0, 1_000, Measured);
        check(Some(250), 9_000_000_000, 0, 9_000_000_000, Measured);
        check(Some(0), 5_000, 6_000, 6_000, Measured);
        check(Some(0), 5_000, i64::MAX, 9_000_000_000, Measured);
        check(None, 5_000, 0, 5_000, Unknown);
        check(Some(OFFSET_MAX_MS), 5_000, 0, 5_000 + OFFSET_MAX_MS, Measured);
        check(Some(-OFFSET_MAX_MS - 1), 5_000, 0, 1_000, TooFarOff);
        check(Some(i64::MIN), 5_000, 0, 1_000, TooFarOff);
        check(Some(i64::MAX), i64::MAX, 0, 9_000_000_000, TooFarOff);
    }
}
