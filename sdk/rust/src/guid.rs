//! The 128-bit row and operation id.
//!
//! It never makes one up: new ids come from [`crate::new_guid`] or [`crate::keyed_guid`], so that
//! the offline and the playback run name the same things.

use std::fmt;
use std::str::FromStr;

/// A GUID, written `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` in lower case.
// Two halves and not one number of 128 bits: with that, an `Option<Guid>` would be told apart by a tag
// of 128 bits, and gdb reads none of more than 64, nor anything that holds one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid {
    high: u64,
    low: u64,
}

impl Guid {
    /// The empty GUID, all zeros.
    pub const NIL: Self = Self { high: 0, low: 0 };

    /// Makes a GUID from its 128 bits in network order.
    pub const fn from_u128(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Returns the 128 bits in network order.
    pub const fn as_u128(self) -> u128 {
        ((self.high as u128) << 64) | self.low as u128
    }

    /// Makes a GUID from its first and its last eight bytes, as the contract carries it.
    pub const fn from_halves(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// Returns the first and the last eight bytes.
    pub const fn halves(self) -> (u64, u64) {
        (self.high, self.low)
    }

    /// Tells whether all bits are zero.
    pub const fn is_nil(self) -> bool {
        self.high == 0 && self.low == 0
    }
}

/// Text that is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a GUID such as 2f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d2")]
pub struct ParseGuidError {
    /// The refused text.
    pub text: String,
}

impl FromStr for Guid {
    type Err = ParseGuidError;

    /// Reads the hyphenated form, with or without braces, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseGuidError { text: text.to_owned() };
        let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let bytes = bare.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&at| bytes[at] != b'-') {
            return Err(refused());
        }
        let digits: String = bare.chars().filter(|&character| character != '-').collect();
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        u128::from_str_radix(&digits, 16).map(Self::from_u128).map_err(|_| refused())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.as_u128();
        write!(
            formatter,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            (bits >> 80) & 0xffff,
            (bits >> 64) & 0xffff,
            (bits >> 48) & 0xffff,
            bits & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
