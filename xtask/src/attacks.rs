//! Attacks and their tests: each attack of the threat model that a machine can make has a test of its
//! number, and the document names exactly the tests that there are. Never runs one.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace;

/// The document with every attack and its tests.
const MODEL: &str = "docs/design/threat-model.md";
/// The document with what no test shows.
const SECURITY: &str = "SECURITY.md";
/// The attacks, by the parts of the threat model.
const ATTACKS: [(char, &[u8]); 7] = [
    ('a', &[1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20]),
    ('b', &[1, 2, 4, 5, 7, 8, 10, 11, 13, 14]),
    ('c', &[1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16]),
    ('d', &[1, 2, 4, 5, 7, 8, 10, 11, 13, 14]),
    ('e', &[1, 2, 4, 5, 7, 8, 10]),
    // Where they touch plug-ins.
    ('j', &[5, 14]),
    ('k', &[2, 8]),
];

/// Compares tests, threat model and the list of attacks.
pub(crate) fn check(files: &[PathBuf], problems: &mut Vec<String>) -> Result<()> {
    let mut tests = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("xtask/src/attacks.rs")) {
        tests.extend(tests_of(&read(file.clone())?));
    }
    let model = names(&read(workspace::root().join(MODEL))?);
    for name in tests.difference(&model) {
        problems.push(format!("{MODEL}: the test {name} is missing"));
    }
    for name in model.difference(&tests) {
        problems.push(format!("{MODEL}: {name} is no test"));
    }
    let security = read(workspace::root().join(SECURITY))?;
    for (part, numbers) in ATTACKS {
        for number in numbers {
            let id = format!("{part}{number:02}");
            let has_test = tests.iter().any(|name| ids(name).any(|of| of == id));
            let is_told = security.contains(&format!("({})", id.to_uppercase()));
            if !has_test && !is_told {
                let id = id.to_uppercase();
                problems.push(format!("attack {id} has neither a test nor a line in {SECURITY}"));
            }
        }
    }
    Ok(())
}

fn read(path: PathBuf) -> Result<String> {
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The tests of attacks in a source file: functions, and the entries of its list `attacks!`. A name
/// in a comment or a call is none.
fn tests_of(source: &str) -> BTreeSet<String> {
    let entry = |line: &str| {
        let line = line.trim_start();
        let name = line.strip_prefix("fn ").unwrap_or(line);
        let name: String =
            name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let is_attack = ids(&name).next().is_some();
        is_attack.then_some(name)
    };
    source.lines().filter_map(entry).collect()
}

/// The names of tests of attacks in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| ids(word).next().is_some()).map(str::to_owned).collect()
}

/// The attacks that a name is about: `atk_c01_c05_the_corpus` is about c01 and c05.
fn ids(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.strip_prefix("atk_").unwrap_or_default().split('_');
    parts.take_while(|part| {
        let (letter, digits) = part.split_at_checked(1).unwrap_or_default();
        letter.chars().all(|c| ('a'..='k').contains(&c))
            && digits.len() == 2
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_comment_is_no_test() {
        let source = "// atk_a01_said\n    fn atk_a02_made() {\n        atk_a04_listed: \"x\",\n x(atk_a05_y);";
        let found: Vec<_> = tests_of(source).into_iter().collect();
        assert_eq!(found, ["atk_a02_made", "atk_a04_listed"]);
    }

    #[test]
    fn names_say_which_attacks_they_are_about() {
        let about = |name| ids(name).collect::<Vec<_>>();
        assert_eq!(about("atk_c01_c05_the_corpus"), ["c01", "c05"]);
        assert_eq!(about("atk_e10_a_b"), ["e10"]);
        assert!(about("atk_").is_empty() && about("attack_a01").is_empty());
        assert!(about("atk_a1_x").is_empty() && about("atk_z01_x").is_empty());
    }
}
