//! The real clock and random source; every other crate gets them passed in.
//!
//! Never decides anything by them.

use offstage_model::{Clock, Randomness, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let signed = |ms: u128| i64::try_from(ms).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp(signed(since.as_millis())),
            // A clock that was never set may stand before 1970.
            Err(before) => Timestamp(-signed(before.duration().as_millis())),
        }
    }
}

/// The random source of the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemRandom;

impl Randomness for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("BUG: the operating system has a random source");
    }
}

/// `N` random bytes in hex: tokens and secrets.
pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    SystemRandom.fill(&mut bytes);
    hex::encode(bytes)
}
