//! What a package requests, beside what it gets here: for people who decide about it.
//!
//! Never decides; `offstage-policy` does.

use crate::output::Output;
use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{Permissions, questions, rule_line};
use serde::Serialize;

/// One request, and whether all of it is allowed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Asked {
    /// The request as a rule.
    pub(crate) request: String,
    /// The author's reason.
    pub(crate) reason: String,
    /// Whether all of it is allowed.
    pub(crate) allowed: bool,
    /// What of it is denied, and why.
    pub(crate) denied: Vec<String>,
    /// How much harm it can do, from 0.
    #[serde(skip)]
    danger: u8,
}

/// Every request of a package with its answer.
pub(crate) fn of<'a>(
    permissions: &Permissions,
    requests: impl Iterator<Item = &'a CapabilityDeclaration>,
) -> Vec<Asked> {
    let asked = |request: &CapabilityDeclaration| {
        let questions = questions(request).unwrap_or_default();
        let denied: Vec<String> = questions
            .iter()
            .filter_map(|question| match permissions.decide(question) {
                offstage_policy::PolicyDecision::Allowed(_) => None,
                offstage_policy::PolicyDecision::Denied(denial) => {
                    Some(format!("{} ({})", denial.capability, denial.cause.name()))
                }
            })
            .collect();
        Asked {
            request: rule_line(request),
            reason: request.reason.clone(),
            allowed: denied.is_empty(),
            denied,
            danger: danger(request),
        }
    };
    requests.map(asked).collect()
}

/// Ranks a request, so that a long list does not hide the one that matters (attack E07).
fn danger(request: &CapabilityDeclaration) -> u8 {
    let any = |text: &Option<String>| text.as_deref() == Some("*");
    let writes = request.verbs.iter().any(|verb| verb != "read");
    match request {
        r if r.impersonate.is_some() => 6,
        r if r.secret.is_some() || r.http.is_some() => 5,
        r if r.directory.is_some() => 4,
        r if (any(&r.table) && writes) || any(&r.message) => 4,
        r if r.message.is_some() || any(&r.table) => 3,
        _ if writes => 2,
        r if r.table.is_some() => 1,
        _ => 0,
    }
}

/// Shows requests, the most dangerous first.
pub(crate) fn show(output: Output, asked: &[Asked]) -> Output {
    if asked.is_empty() {
        return output.text("It requests nothing beyond the columns that its steps are given.");
    }
    let mut ranked: Vec<&Asked> = asked.iter().collect();
    ranked.sort_by_key(|asked| std::cmp::Reverse(asked.danger));
    let rows = ranked
        .into_iter()
        .map(|asked| {
            let allowed = if asked.allowed { "yes".to_owned() } else { asked.denied.join("\n") };
            vec![asked.request.clone(), asked.reason.clone(), allowed]
        })
        .collect();
    output.table(&["It requests", "Because", "Granted"], rows, "")
}
