//! The reference page of policy and trust files says what the program reads: its keys, words, limits
//! and defaults.

mod support;

use offstage_policy::{FileAccess, Limit, PROTECTED_COLUMNS, PolicyFile, TrustFile, Verb};
use std::collections::BTreeSet;
use support::World;
use support::hostile::repository;

fn page() -> String {
    let path = repository("docs/guide/policy-reference.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The text below a heading, to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let text = &page[start + heading.len() + 2..];
    &text[..text.find("\n#").unwrap_or(text.len())]
}

/// The cells of the rows of a section's table.
fn rows(section: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    section.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

fn keys(section: &str) -> BTreeSet<String> {
    rows(section).into_iter().map(|row| row[0].clone()).collect()
}

/// The keys that the parser knows: it names them when it meets another one.
fn expected(reason: &str) -> BTreeSet<String> {
    let (_, known) = reason.split_once("expected ").unwrap_or_else(|| panic!("{reason}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_files_is_on_the_page_and_no_other() {
    let page = page();
    let policy = |text: &str| PolicyFile::parse(text, "policy.toml").expect_err(text).reason;
    let trust = |text: &str| TrustFile::parse(text, "trust.toml").expect_err(text).reason;
    let (mut entries, mut checked) = (BTreeSet::new(), 0);
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `[["));
    for entry in headings.filter_map(|line| line.strip_suffix("]]`")) {
        entries.insert(entry.to_owned());
        let text = format!("[[{entry}]]\nno_such_key = 1\n");
        let is_of_policy = ["grant", "deny", "registration", "directory"].contains(&entry);
        let reason = if is_of_policy { policy(&text) } else { trust(&text) };
        let written = keys(section(&page, &format!("### `[[{entry}]]`")));
        assert_eq!(expected(&reason), written, "[[{entry}]]: {reason}");
        checked += 1;
    }
    assert_eq!(checked, 8);
    let known = expected(&policy("no_such_entry = 1")).into_iter();
    let known: BTreeSet<_> = known.chain(expected(&trust("no_such_entry = 1"))).collect();
    assert_eq!(known, entries);
    let capability = "[[grant]]\npackage = \"*\"\nreason = \"r\"\nallow = [{ no_such_key = 1 }]";
    assert_eq!(expected(&policy(capability)), keys(section(&page, "## Capability")));
}

/// What the page says a key belongs to is what the parser says.
#[test]
fn a_key_belongs_where_the_page_says() {
    let page = page();
    for row in rows(section(&page, "## Capability")) {
        let (key, owner) = (row[0].as_str(), row[1].as_str());
        let value = match key {
            "verbs" | "columns" | "access" | "origins" => "[\"read\"]",
            "bytes_max" | "files_max" | "value" => "1",
            _ => continue,
        };
        let other = if owner == "message" { "{ table = \"a\"" } else { "{ message = \"WhoAmI\"" };
        let text = format!(
            "[[grant]]\npackage = \"*\"\nreason = \"r\"\nallow = [{other}, {key} = {value} }}]"
        );
        let reason = PolicyFile::parse(&text, "policy.toml").expect_err(&text).reason;
        assert!(reason.starts_with(&format!("'{key}' does not belong")), "{reason}");
        assert!(!owner.is_empty(), "{key}");
    }
}

#[test]
fn the_words_of_the_page_are_those_of_the_program() {
    let page = page();
    let capability = section(&page, "## Capability");
    let row = |key: &str| {
        let all = rows(capability);
        let found = all.into_iter().find(|row| row[0] == key);
        found.unwrap_or_else(|| panic!("no {key}")).join(" ")
    };
    for verb in Verb::ALL {
        assert!(row("verbs").contains(verb.name()), "{}", verb.name());
    }
    for access in FileAccess::ALL {
        assert!(row("access").contains(access.name()), "{}", access.name());
    }
    for column in PROTECTED_COLUMNS {
        assert!(row("columns").contains(column), "{column}");
    }
}

#[test]
fn the_limits_of_the_page_are_those_of_the_program() {
    let page = page();
    let section = section(&page, "## Limits");
    let rows = rows(section);
    let names: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, Limit::ALL.map(Limit::name).into());
    let world = World::new();
    let held = world.server.limits_of("test/script").expect("limits").expect("it runs here");
    for limit in &held {
        let value = limit.value.to_string();
        match rows.iter().find(|row| row[0] == limit.name) {
            Some(row) => assert_eq!(row[1], value, "{}", limit.name),
            // Fixed ones are in the sentence below the table.
            None => {
                let is_there = section.split([' ', ',', '.']).any(|word| word == value);
                assert!(is_there, "{}: {value}", limit.name);
            }
        }
    }
    // The most that there is, where there is one.
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let rule = format!("{{ limit = \"{}\", value = 4000000000 }}", row[0]);
        let text = PolicyFile::grant_lines("test/*", "tests", &[rule]);
        let policy = PolicyFile::parse(&text, "policy.toml").expect("it is valid");
        world.server.set_policy(policy);
        let held = world.server.limits_of("test/script").expect("limits").expect("it runs here");
        let limit = held.iter().find(|limit| limit.name == row[0]).expect("it is there");
        assert_eq!(limit.value.to_string(), row[2], "{}", row[0]);
    }
}

/// Files that people start from are valid.
#[test]
fn the_shipped_files_are_valid() {
    for entry in std::fs::read_dir(repository("policies")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let result = if name.starts_with("trust") {
            TrustFile::parse(&text, &name).map(drop)
        } else {
            PolicyFile::parse(&text, &name).map(drop)
        };
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}
