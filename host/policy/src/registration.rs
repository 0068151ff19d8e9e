//! Where steps of a package may be registered: messages, tables, stages and ranks (attack D11).
//!
//! Without an entry of the policy about a package it is the administrator's word that counts, for
//! every rank from 1. Never looks at what is registered.

use crate::source::Source;
use crate::{PackagePattern, PolicyError};
use offstage_model::registration::StepDeclaration;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use toml::Spanned;

/// The first rank that needs no entry: a lower one runs before every step that has the usual ranks.
const RANK_FIRST: i32 = 1;
/// The stages that steps can have.
const STAGES: [u32; 3] = [10, 20, 40];

/// Where steps of some packages may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The packages.
    pub package: PackagePattern,
    /// Why.
    pub reason: String,
    /// The place of the entry, as `file:line`.
    pub place: String,
    /// The messages; `None`: any.
    pub messages: Option<BTreeSet<String>>,
    /// The tables; `None`: any, and steps for every table.
    pub tables: Option<BTreeSet<String>>,
    /// The stages; `None`: any.
    pub stages: Option<BTreeSet<u32>>,
    /// The lowest and the highest rank; `None`: 1 and more.
    pub ranks: Option<(i32, i32)>,
}

/// Why a step may not be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationDenial {
    /// What is outside the bounds, as the end of a sentence.
    pub reason: String,
    /// The rule that bounds it, as `file:line`; empty for what holds without one.
    pub rule: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrationForm {
    package: Spanned<String>,
    reason: Spanned<String>,
    messages: Option<BTreeSet<String>>,
    tables: Option<BTreeSet<String>>,
    stages: Option<Spanned<BTreeSet<u32>>>,
    ranks: Option<Spanned<(i32, i32)>>,
}

impl Registration {
    pub(crate) fn of(
        source: &Source<'_>,
        entry: Spanned<RegistrationForm>,
    ) -> Result<Self, PolicyError> {
        let place = source.place(entry.span().start);
        let form = entry.into_inner();
        if let Some(stages) = &form.stages
            && let Some(other) = stages.get_ref().iter().find(|stage| !STAGES.contains(stage))
        {
            let reason = format!("{other} is no stage of steps");
            return Err(source.error(stages.span(), reason, "Use 10, 20 and 40."));
        }
        if let Some(ranks) = &form.ranks
            && ranks.get_ref().0 > ranks.get_ref().1
        {
            let hint = "Give the lowest rank first, such as ranks = [1, 999].";
            return Err(source.error(ranks.span(), "no rank is in this range".to_owned(), hint));
        }
        Ok(Self {
            package: source.pattern(form.package)?,
            reason: source.reason(form.reason, "Say why steps of these packages may be there.")?,
            place,
            messages: form.messages,
            tables: form.tables,
            stages: form.stages.map(Spanned::into_inner),
            ranks: form.ranks.map(Spanned::into_inner),
        })
    }

    /// What of a step is outside this entry.
    fn outside(&self, step: &StepDeclaration) -> Option<String> {
        let stage = step.stage.number();
        let (first, last) = self.ranks.unwrap_or((RANK_FIRST, i32::MAX));
        if self.messages.as_ref().is_some_and(|names| !names.contains(&step.message)) {
            Some(format!("its message '{}' is none of the allowed ones", step.message))
        } else if self.tables.as_ref().is_some_and(|names| !names.contains(&step.table)) {
            Some(match step.table.as_str() {
                "" => "a step for every table is not allowed".to_owned(),
                table => format!("its table '{table}' is none of the allowed ones"),
            })
        } else if self.stages.as_ref().is_some_and(|stages| !stages.contains(&stage)) {
            Some(format!("its stage {stage} is none of the allowed ones"))
        } else if step.rank < first || step.rank > last {
            Some(format!("its rank {} is not from {first} to {last}", step.rank))
        } else {
            None
        }
    }
}

/// The packages and what bounds their steps, whatever the order in the file.
impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.ranks.unwrap_or((RANK_FIRST, i32::MAX));
        write!(f, "{}: ", self.package)?;
        list(f, "messages", self.messages.as_ref())?;
        list(f, "tables", self.tables.as_ref())?;
        list(f, "stages", self.stages.as_ref())?;
        write!(f, "ranks {first} to {last}")
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    names: Option<&BTreeSet<T>>,
) -> fmt::Result {
    let Some(names) = names else {
        return write!(f, "any {what}; ");
    };
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    write!(f, "{what} {}; ", names.join(", "))
}

/// Whether a step of a package may be registered: one entry about the package must cover all of it.
pub(crate) fn decide(
    entries: &[Registration],
    package: &str,
    step: &StepDeclaration,
) -> Result<(), RegistrationDenial> {
    let mut denial = None;
    for entry in entries.iter().filter(|entry| entry.package.matches(package)) {
        match entry.outside(step) {
            None => return Ok(()),
            Some(reason) => {
                denial.get_or_insert(RegistrationDenial { reason, rule: entry.place.clone() });
            }
        }
    }
    match denial {
        Some(denial) => Err(denial),
        None if step.rank < RANK_FIRST => Err(RegistrationDenial {
            reason: format!("its rank {} is below {RANK_FIRST}", step.rank),
            rule: String::new(),
        }),
        None => Ok(()),
    }
}
