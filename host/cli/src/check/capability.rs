//! What a package requests, beside what it used.
//!
//! Whether a request covers a use is decided by `offstage-policy`, as when it runs.

use super::GRANTED;
use super::report::CapabilitySeen;
use super::watch::Named;
use offstage_model::registration::{CapabilityDeclaration, PackageDeclaration};
use offstage_policy::{Capability, CapabilitySet, PolicyFile, questions, rule_line};
use std::collections::BTreeSet;

/// A policy for a check.
pub(crate) struct Granted {
    pub(crate) policy: PolicyFile,
    /// Requests that cannot be granted here, with the reason.
    pub(crate) ungranted: Vec<(String, String)>,
}

/// Grants what a package requests, as far as that is possible without knowing the operator's
/// directories and secrets.
pub(crate) fn grant_requested(declaration: &PackageDeclaration) -> Granted {
    let parse = |rules: &[String]| {
        let lines = PolicyFile::grant_lines(&declaration.package, "it is checked", rules);
        PolicyFile::parse(&lines, GRANTED)
    };
    let (mut rules, mut ungranted) = (Vec::new(), Vec::new());
    for request in declaration.all_requests() {
        let rule = rule_line(request);
        match parse(std::slice::from_ref(&rule)) {
            Ok(_) => rules.push(rule),
            Err(error) => ungranted.push((rule, error.reason.clone())),
        }
    }
    if rules.is_empty() {
        return Granted { policy: PolicyFile::missing(GRANTED), ungranted };
    }
    let mut lines = PolicyFile::grant_lines(&declaration.package, "it is checked", &rules);
    let directories: BTreeSet<&str> =
        declaration.all_requests().filter_map(|request| request.directory.as_deref()).collect();
    for name in directories {
        // Each pass puts it somewhere.
        lines.push_str(&format!("\n[[directory]]\nname = {name:?}\npath = \"/{name}\"\n"));
    }
    let policy = PolicyFile::parse(&lines, GRANTED);
    Granted { policy: policy.unwrap_or_else(|_| PolicyFile::missing(GRANTED)), ungranted }
}

/// Each request with what of it was used.
pub(crate) fn seen(
    declaration: &PackageDeclaration,
    used: &BTreeSet<Named>,
    ungranted: &[(String, String)],
) -> Vec<CapabilitySeen> {
    let used: Vec<Capability<'_>> =
        used.iter().filter_map(|(kind, resource)| Capability::parse(kind, resource).ok()).collect();
    let of = |request: &CapabilityDeclaration| {
        let rule = rule_line(request);
        let ungranted =
            ungranted.iter().find(|(other, _)| *other == rule).map(|(_, reason)| reason.clone());
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
            ungranted,
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
