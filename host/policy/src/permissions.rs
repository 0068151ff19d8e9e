//! What one package may do here: requested ∩ granted ∩ ceiling − denied.
//!
//! Made once per package and registry; asking is a few look-ups. Never looks at the order of the
//! rules, and never answers yes when a rule is missing.

use crate::{Capability, CapabilitySet, Ceiling, Limit, PolicyFile, Quota, Rule};
use offstage_model::registration::CapabilityDeclaration;
use std::fmt;

/// Whose package it is, for the selection of rules.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The package id.
    pub package: &'a str,
    /// The publisher that signed it; `None` for a pinned one.
    pub publisher: Option<&'a str>,
    /// What bounds the publisher; `None` for a pinned package, whose content the operator chose.
    pub ceiling: Option<&'a Ceiling>,
}

/// What one package may do here.
#[derive(Clone, Debug)]
pub struct Permissions {
    package: String,
    policy_file: String,
    requested: CapabilitySet,
    granted: CapabilitySet,
    denied: CapabilitySet,
    ceiling: Option<Ceiling>,
}

/// The answer to one question, with the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDecision {
    /// It may.
    Allowed(Rule),
    /// It may not.
    Denied(Box<Denial>),
}

/// Why a package may not do something; for the operator, never for the plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What was asked, as `kind resource`.
    pub capability: String,
    /// Which of the keys is missing.
    pub cause: DenialCause,
    /// The rule that denies, as `file:line`, or the file in which there is none.
    pub rule: String,
    /// The package's reason, when it requested this.
    pub requested: Option<String>,
    /// What to add, and where, so that it is allowed.
    pub remedy: String,
}

/// Which of the keys is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialCause {
    /// A rule denies it, whoever grants it.
    Denied,
    /// The package did not ask for it.
    NotRequested,
    /// No rule grants it.
    NotGranted,
    /// It is beyond what the publisher may get.
    AboveCeiling,
}

impl DenialCause {
    /// The word in audit records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotRequested => "not-requested",
            Self::NotGranted => "not-granted",
            Self::AboveCeiling => "above-ceiling",
        }
    }
}

/// A limit as it holds for one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitValue {
    /// The value, in the unit that the limit's name says.
    pub value: u64,
    /// What decides it.
    pub source: LimitSource,
}

/// What decides the value of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// Nobody set it.
    Default,
    /// A grant, at `file:line`.
    Grant(String),
    /// The package asked for no more.
    Request,
    /// The ceiling of its publisher, at `file:line`.
    Ceiling(String),
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Grant(place) => f.write_str(place),
            Self::Request => f.write_str("the package asks for no more"),
            Self::Ceiling(place) => write!(f, "ceiling at {place}"),
        }
    }
}

impl Permissions {
    /// Selects the rules of `policy` that are about the holder.
    ///
    /// # Errors
    /// A request of the package is not usable; with its index.
    pub fn new<'a>(
        policy: &PolicyFile,
        holder: &Holder<'_>,
        requests: impl IntoIterator<Item = &'a CapabilityDeclaration>,
    ) -> Result<Self, (usize, crate::RuleError)> {
        let requested = CapabilitySet::of_requests(requests)?;
        let mut granted = CapabilitySet::default();
        for grant in policy.grants() {
            let package = grant.package.as_ref().is_none_or(|p| p.matches(holder.package));
            let publisher = grant.publisher.as_deref();
            if package && publisher.is_none_or(|name| Some(name) == holder.publisher) {
                granted.extend(&grant.allow);
            }
        }
        granted.tie_secrets();
        let mut denied = CapabilitySet::default();
        for deny in policy.denies().iter().filter(|deny| deny.package.matches(holder.package)) {
            denied.extend(&deny.deny);
        }
        Ok(Self {
            package: holder.package.to_owned(),
            policy_file: policy.file().to_owned(),
            requested,
            granted,
            denied,
            ceiling: holder.ceiling.cloned(),
        })
    }

    /// The package.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Whether the package may do this; the quick form of [`Permissions::decide`].
    #[must_use]
    pub fn allows(&self, capability: &Capability<'_>) -> bool {
        self.denied.touches(capability).is_none()
            && self.requested.covers(capability).is_some()
            && self.granted.covers(capability).is_some()
            && self
                .ceiling
                .as_ref()
                .is_none_or(|ceiling| ceiling.allows.covers(capability).is_some())
    }

    /// Whether the package may do this, and by which rule.
    #[must_use]
    pub fn decide(&self, capability: &Capability<'_>) -> PolicyDecision {
        let requested = self.requested.covers(capability);
        let denied = self.denied.touches(capability);
        let granted = self.granted.covers(capability);
        let above =
            self.ceiling.as_ref().filter(|ceiling| ceiling.allows.covers(capability).is_none());
        let (cause, rule, remedy) = match (denied, requested, granted, above) {
            (Some(rule), ..) => {
                let remedy = format!("Narrow or remove the rule at {}.", rule.place);
                (DenialCause::Denied, rule.place.clone(), remedy)
            }
            (None, None, ..) => {
                let line = capability.rule_line();
                let remedy = format!(
                    "The package does not request it; its author must add to its requests, with a \
                     reason: {line}"
                );
                (DenialCause::NotRequested, "the package".to_owned(), remedy)
            }
            (None, Some(_), None, _) => {
                let lines = PolicyFile::lines_for(&self.package, capability);
                let remedy = format!("Add to {}:\n{lines}", self.policy_name());
                (DenialCause::NotGranted, self.policy_name().to_owned(), remedy)
            }
            (None, Some(_), Some(_), Some(ceiling)) => {
                let (place, line) = (&ceiling.place, capability.rule_line());
                let remedy = format!("Add to the ceiling of its publisher at {place}: {line}");
                (DenialCause::AboveCeiling, place.clone(), remedy)
            }
            (None, Some(_), Some(rule), None) => return PolicyDecision::Allowed(rule.clone()),
        };
        PolicyDecision::Denied(Box::new(Denial {
            capability: capability.to_string(),
            cause,
            rule,
            requested: requested.map(|rule| rule.reason.clone()),
            remedy,
        }))
    }

    fn policy_name(&self) -> &str {
        if self.policy_file.is_empty() { "a policy file" } else { &self.policy_file }
    }

    /// The value of a limit: what was granted, or `default`; never more than the package asked for
    /// or than its publisher's ceiling.
    #[must_use]
    pub fn limit(&self, limit: Limit, default: u64) -> u64 {
        self.explain_limit(limit, default).value
    }

    /// The value of a limit, and what decides it.
    #[must_use]
    pub fn explain_limit(&self, limit: Limit, default: u64) -> LimitValue {
        let granted = self.granted.placed_limit(limit);
        let ceiling = self.ceiling.as_ref().and_then(|ceiling| {
            let value = ceiling.allows.limit(limit)?;
            Some((value, LimitSource::Ceiling(ceiling.place.clone())))
        });
        let requested = self.requested.limit(limit).map(|value| (value, LimitSource::Request));
        let first = match granted {
            Some((value, place)) => (value, LimitSource::Grant(place.to_owned())),
            None => (default, LimitSource::Default),
        };
        // Of equal values the first decides: without the others it would be the same.
        let (value, source) = [requested, ceiling]
            .into_iter()
            .flatten()
            .fold(first, |least, other| if other.0 < least.0 { other } else { least });
        LimitValue { value, source }
    }

    /// The quota of a directory: the strictest of what was requested, granted and the ceiling.
    #[must_use]
    pub fn quota(&self, directory: &str) -> Quota {
        let ceiling = self.ceiling.as_ref().map(|ceiling| ceiling.allows.quota(directory));
        let quota = self.requested.quota(directory).min(self.granted.quota(directory));
        quota.min(ceiling.unwrap_or_default())
    }

    /// The names of the directories that the package requests.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.requested.directories()
    }
}
