//! Comparison of secrets in time that does not depend on where they differ.
//!
//! Never compares secrets themselves: both sides are hashed first, so that not even the length of
//! a secret shows.

use sha2::{Digest, Sha256};

/// SHA-256 of a secret.
pub(crate) fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Whether two hashes are equal.
pub(crate) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_secrets_are_equal() {
        assert!(equal(&hash(b"secret"), &hash(b"secret")));
        assert!(!equal(&hash(b"secret"), &hash(b"secreT")));
        assert!(!equal(&hash(b""), &hash(b"secret")));
    }
}
