//! Decides whether a package may run, and what it may do (`sandbox.md`, "Capabilities" and
//! "Packages, signatures, allow-list").
//!
//! Invariant: same input, same decision; no rule means denial, and a file that is missing or damaged
//! allows nothing. Pure: reads no file, no clock and no store; whoever calls it hashes the very
//! bytes that will run.

mod capability;
mod decide;
mod error;
mod limit;
mod origin;
mod pattern;
mod permissions;
mod policy_file;
mod publisher;
mod registration;
mod request;
mod rule;
mod set;
mod source;
mod trust;
mod url;

pub use capability::{Capability, Column, FileAccess, Verb};
pub use decide::{Decision, PackageFacts, Signed, decide};
pub use error::PolicyError;
pub use limit::Limit;
pub use origin::{Origin, OriginError, OriginPattern, Scheme};
pub use pattern::PackagePattern;
pub use permissions::{
    Denial, DenialCause, Holder, LimitSource, LimitValue, Permissions, PolicyDecision,
};
pub use policy_file::{Deny, Directory, Grant, POLICY_FILE_BYTES_MAX, PolicyFile};
pub use publisher::{Ceiling, Publisher};
pub use registration::{Registration, RegistrationDenial};
pub use request::{grant_line, questions, rule_line};
pub use rule::RuleError;
pub use set::{CapabilitySet, PROTECTED_COLUMNS, Quota, Rule};
pub use trust::{Minimum, PINS_MAX, Pin, Revoked, TRUST_FILE_BYTES_MAX, TrustFile};
pub use url::{OutboundUrl, URL_BYTES_MAX, UrlError};
