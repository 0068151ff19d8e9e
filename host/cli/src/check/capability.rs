//! What a package requests, beside what it used.
//!
//! Whether a request covers a use is decided by `offstage-policy`, as when it runs.

use super::GRANTED;
use super::report::CapabilitySeen;
use super::watch::Named;
use crate::error::CliError;
use crate::exit::Exit;
use offstage_model::registration::{CapabilityDeclaration, PackageDeclaration};
use offstage_policy::{Capability, CapabilitySet, PolicyFile, grant_line, questions, rule_line};
use std::collections::BTreeSet;

/// A policy that grants what a package requests, wherever the operator's directories are.
pub(crate) fn grant_requested(declaration: &PackageDeclaration) -> Result<PolicyFile, CliError> {
    let requests = declaration.all_requests();
    let rules: Vec<String> = requests.map(|request| grant_line(declaration, request)).collect();
    if rules.is_empty() {
        return Ok(PolicyFile::missing(GRANTED));
    }
    let mut lines = PolicyFile::grant_lines(&declaration.package, "it is checked", &rules);
    let directories: BTreeSet<&str> =
        declaration.all_requests().filter_map(|request| request.directory.as_deref()).collect();
    for name in directories {
        // Each pass puts it somewhere.
        lines.push_str(&format!("\n[[directory]]\nname = {name:?}\npath = \"/{name}\"\n"));
    }
    PolicyFile::parse(&lines, GRANTED).map_err(|error| {
        let package = &declaration.package;
        let text = format!("What '{package}' requests cannot be granted: {}.", error.reason);
        CliError::new(Exit::Denied, text).hint("The package's author must correct its requests.")
    })
}

/// Each request with what of it was used.
pub(crate) fn seen(
    declaration: &PackageDeclaration,
    used: &BTreeSet<Named>,
) -> Vec<CapabilitySeen> {
    let used: Vec<Capability<'_>> =
        used.iter().filter_map(|(kind, resource)| Capability::parse(kind, resource).ok()).collect();
    let of = |request: &CapabilityDeclaration| {
        let rule = rule_line(request);
        let questions = questions(request).unwrap_or_default();
        let unused: Vec<String> = questions
            .iter()
            .filter(|question| !used.iter().any(|one| covers(question, one)))
            .map(Capability::resource)
            .collect();
        CapabilitySeen {
            request: rule,
            reason: request.reason.clone(),
            // A limit is taken by every run.
            used: questions.is_empty() || unused.len() < questions.len(),
            unused,
        }
    };
    declaration.all_requests().map(of).collect()
}

/// Whether a rule for exactly `question` would allow `used`.
fn covers(question: &Capability<'_>, used: &Capability<'_>) -> bool {
    let table = format!("rule = {}", question.rule_line());
    let parsed: Result<Rule, _> = toml::from_str(&table);
    let Ok(Rule { rule }) = parsed else { return false };
    let request = CapabilityDeclaration { reason: "it is compared".into(), ..rule };
    let set = CapabilitySet::of_requests([&request]);
    let names_column = matches!(used, Capability::Table { column, .. }
        if *column != offstage_policy::Column::Row);
    let of_column = matches!(question, Capability::Table { column, .. }
        if *column != offstage_policy::Column::Row);
    // That a row is touched comes with every column of it, and shows no column.
    (names_column || !of_column) && set.is_ok_and(|set| set.covers(used).is_some())
}

#[derive(serde::Deserialize)]
struct Rule {
    rule: CapabilityDeclaration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_covered_by_what_names_it() {
        let cases = [
            ("read:contact.fullname", "read:contact.fullname", true),
            ("read:contact.fullname", "read:contact.lastname", false),
            ("read:contact.*", "read:contact.lastname", true),
            ("read:contact.*", "read:contact.*", true),
            ("read:contact.fullname", "read:contact", false),
            ("read:*.*", "read:task.subject", true),
            ("delete:task", "delete:task", true),
            ("update:task.subject", "read:task.subject", false),
        ];
        for (question, used, expected) in cases {
            let question = Capability::parse("table", question).unwrap();
            let used = Capability::parse("table", used).unwrap();
            assert_eq!(covers(&question, &used), expected, "{question} {used}");
        }
    }
}
