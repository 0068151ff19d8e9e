//! The doors to the clock and to randomness: passed in, so that a simulator can run the same code.
//!
//! Never implemented with the real machine in this crate; the CLI owns those implementations.

use crate::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The current time of this machine.
    fn now(&self) -> Timestamp;
}

/// Makes random bytes that nobody can guess: ids, secrets and salts.
pub trait Randomness: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random GUID (version 4).
    fn guid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
