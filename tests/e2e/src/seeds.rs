//! Seeds of a campaign, and everything random that follows from one.
//!
//! Never reads the clock or the system's random source: a seed repeats a run.

use offstage_model::Randomness;
use std::sync::{Mutex, PoisonError};

/// One number after the other (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The numbers that follow from `seed` for one `purpose`.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut numbers = Self(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        numbers.next();
        numbers
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// An index of a list of `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index fits")
    }

    /// True in so many of a thousand cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// An id in the form that the program gives its own.
    pub fn id(&mut self) -> offstage_model::Uuid {
        let halves = [self.next(), self.next()];
        let bytes = u128::from(halves[0]) << 64 | u128::from(halves[1]);
        offstage_model::Uuid::from_u128(bytes & !(0xF << 76) | 4 << 76)
    }
}

/// Random bytes that follow from a seed.
#[derive(Debug)]
pub struct SeededBytes(Mutex<Seeded>);

impl SeededBytes {
    /// The bytes of one `purpose`.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(Mutex::new(Seeded::new(seed, purpose)))
    }
}

impl Randomness for SeededBytes {
    fn fill(&self, buffer: &mut [u8]) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&numbers.next().to_be_bytes()[..chunk.len()]);
        }
    }
}

/// The runs of a campaign: `OFFSTAGE_CAMPAIGN_RUNS`, or `default`.
#[must_use]
pub fn runs(default: u64) -> u64 {
    number("OFFSTAGE_CAMPAIGN_RUNS").unwrap_or(default)
}

/// The seeds of a campaign: the one in `OFFSTAGE_SEED`, or 1 up to the number of [`runs`].
#[must_use]
pub fn seeds(default: u64) -> Vec<u64> {
    match number("OFFSTAGE_SEED") {
        Some(seed) => vec![seed],
        None => (1..=runs(default)).collect(),
    }
}

/// The first seed of a campaign that goes on drawing: `OFFSTAGE_SEED`, or 1.
#[must_use]
pub fn first_seed() -> u64 {
    number("OFFSTAGE_SEED").unwrap_or(1)
}

/// The command that repeats a run.
#[must_use]
pub fn repeat(seed: u64, test: &str) -> String {
    format!("OFFSTAGE_SEED={seed} cargo nextest run -p offstage-e2e --no-capture {test}")
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
