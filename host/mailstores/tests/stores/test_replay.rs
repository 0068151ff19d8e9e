//! The corpora of the fuzz targets, and seeded changes of them, through the same entries.

#[path = "../../../../tests/fuzz/entries.rs"]
mod entries;

use std::io::Read as _;
use std::path::Path;

use crate::corpus::files;

/// Changed copies of each file, unless `OFFSTAGE_REPLAY_CHANGES` asks for more.
const CHANGES: u64 = 12;

fn replay(name: &str, seeds: &[Vec<u8>], entry: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "{name} has a corpus");
    let asked = std::env::var("OFFSTAGE_REPLAY_CHANGES").ok();
    let changes = asked.map_or(CHANGES, |asked| asked.parse().unwrap());
    for (number, seed) in seeds.iter().enumerate() {
        entry(seed);
        for change in 0..changes {
            let mut state = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ (change + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
            // Shown when it fails: file, change and seed name the bytes.
            println!("{name}: file {number}, change {change}, seed {state:#x}");
            entry(&changed(seed, &mut state));
        }
    }
}

fn next(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below.max(1) as u64).unwrap()
}

fn changed(seed: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=next(state, 8) {
        if bytes.is_empty() {
            break;
        }
        let at = next(state, bytes.len());
        match next(state, 5) {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = next(state, 256) as u8,
            2 => bytes.insert(at, b"\r\n;:,=\"\\<>&A0"[next(state, 13)]),
            3 => bytes.truncate(at),
            _ => {
                let end = (at + next(state, 64)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

fn corpus(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    files(&folder, endings).iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn icalendar() {
    let mut seeds = corpus("tests/corpus", &["ics"]);
    seeds.extend(corpus("../../tests/fuzz/corpus/icalendar", &["ics"]));
    replay("icalendar", &seeds, entries::icalendar);
}

#[test]
fn vcard() {
    replay("vcard", &corpus("tests/corpus", &["vcf"]), entries::vcard);
}

#[test]
fn multistatus() {
    replay(
        "multistatus",
        &corpus("../../tests/fuzz/corpus/multistatus", &["xml"]),
        entries::multistatus,
    );
}

#[test]
fn original() {
    let seeds = corpus("../../tests/fuzz/corpus/original", &["xml"]);
    replay("original", &seeds, entries::original);
}

/// The campaign finds what it looks for: changed files do reach the entry.
#[test]
#[should_panic(expected = "the control")]
fn a_broken_entry_is_found() {
    let seeds = corpus("../../tests/fuzz/corpus/original", &["xml"]);
    let unchanged = seeds.clone();
    let control =
        move |data: &[u8]| assert!(unchanged.iter().any(|seed| seed == data), "the control");
    replay("control", &seeds, control);
}

#[test]
fn pst() {
    let packed = corpus("tests/corpus", &["gz"]);
    let unpacked = packed.iter().map(|packed| {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        bytes
    });
    replay("pst", &unpacked.collect::<Vec<_>>(), entries::pst);
}
