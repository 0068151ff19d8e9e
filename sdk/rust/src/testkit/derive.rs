//! Derived ids and numbers of the testkit: the same inputs give the same bits, on every machine.
//!
//! It is not the host's derivation, and tests must not depend on the bits themselves.

use crate::guid::Guid;

/// Mixes the parts into 128 bits (FNV-1a, with each part's length in front of it).
pub(crate) fn bits(parts: &[&str]) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut mix = |byte: u8| hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    for part in parts {
        (part.len() as u64).to_be_bytes().into_iter().for_each(&mut mix);
        part.bytes().for_each(&mut mix);
    }
    hash
}

/// Makes an id of the parts, in the shape of a version 8 UUID.
pub(crate) fn guid(parts: &[&str]) -> Guid {
    let version = 0x8 << 76;
    let variant = 0x2 << 62;
    Guid::from_u128((bits(parts) & !(0xf << 76) & !(0x3 << 62)) | version | variant)
}
