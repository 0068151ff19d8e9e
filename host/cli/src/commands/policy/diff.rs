//! `offstage policy diff`: what a change of the policy file would change, whatever the order of its
//! entries.

use crate::error::CliError;
use crate::output::Output;
use crate::policy_file;
use crate::values::FileArgument;
use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{PolicyFile, questions, rule_line};
use serde_json::json;
use std::collections::BTreeSet;

pub(super) fn run(old: &FileArgument, new: &FileArgument) -> Result<Output, CliError> {
    let (old, new) = (lines(&read(old)?), lines(&read(new)?));
    let removed: Vec<&String> = old.difference(&new).collect();
    let added: Vec<&String> = new.difference(&old).collect();
    let rows = removed.iter().map(|line| vec!["-".to_owned(), (*line).clone()]);
    let rows = rows.chain(added.iter().map(|line| vec!["+".to_owned(), (*line).clone()]));
    let json = json!({ "removed": removed, "added": added });
    Ok(Output::new(json).table(&["", "Rule"], rows.collect(), "Both say the same."))
}

fn read(file: &FileArgument) -> Result<PolicyFile, CliError> {
    policy_file::parse(&file.0, &file.read_text()?)
}

/// Everything that a policy says, one thing a line.
fn lines(policy: &PolicyFile) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for grant in policy.grants() {
        let package = grant.package.as_ref().map(ToString::to_string);
        let publisher = grant.publisher.as_ref().map(|name| format!("signed by {name}"));
        let whom: Vec<String> = package.into_iter().chain(publisher).collect();
        lines.extend(said(&format!("grant {}", whom.join(", ")), &grant.rules));
    }
    for deny in policy.denies() {
        lines.extend(said(&format!("deny {}", deny.package), &deny.rules));
    }
    let registrations = policy.registrations().iter();
    lines.extend(registrations.map(|bounds| format!("registration {bounds}")));
    let directories = policy.directories();
    lines.extend(directories.map(|d| format!("directory {} is {}", d.name, d.path)));
    lines
}

fn said(whom: &str, rules: &[CapabilityDeclaration]) -> Vec<String> {
    let mut lines = Vec::new();
    for rule in rules {
        let questions = questions(rule).unwrap_or_default();
        // Limits and quotas are said by the rule itself.
        if rule.limit.is_some() || rule.bytes_max.is_some() || rule.files_max.is_some() {
            lines.push(format!("{whom}: {}", rule_line(rule)));
        }
        lines.extend(questions.iter().map(|question| format!("{whom}: {question}")));
    }
    lines
}
