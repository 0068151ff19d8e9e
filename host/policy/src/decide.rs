//! The decision about one package.
//!
//! Never looks at the order of the rules: what is allowed does not change when they are shuffled.

use crate::TrustFile;

/// Whether a package may run, and which rule says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed {
        /// The rule, as `file:line`.
        rule: String,
        /// Why the operator allowed it.
        reason: String,
    },
    /// It may not.
    Denied {
        /// Why, as the end of a sentence that names the package.
        reason: String,
        /// What the operator can do.
        hint: String,
    },
}

impl Decision {
    /// Whether the package may run.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Decides about the package `package`, whose component has the hash `sha256` (hex).
#[must_use]
pub fn decide(trust: &TrustFile, package: &str, sha256: &str) -> Decision {
    let sha256 = sha256.to_ascii_lowercase();
    let mut of_package = trust.pins().iter().filter(|pin| pin.package == package);
    if let Some(pin) = of_package.clone().find(|pin| pin.sha256 == sha256) {
        return Decision::Allowed {
            rule: format!("{}:{}", trust.file(), pin.line),
            reason: pin.reason.clone(),
        };
    }
    let file = trust.file();
    let reason = match of_package.next() {
        _ if file.is_empty() => "no trust file is set, so nothing is allowed".to_owned(),
        _ if trust.is_missing() => {
            format!("there is no trust file '{file}', so nothing is allowed")
        }
        Some(pin) => {
            format!("its hash is {sha256}, and {file}:{} allows another build of it", pin.line)
        }
        None => format!("no rule in '{file}' allows it"),
    };
    let to = if file.is_empty() { "a trust file" } else { file };
    let lines = TrustFile::pin_lines(package, &sha256, "…");
    let hint = format!("If you trust it, add to {to}:\n{lines}");
    Decision::Denied { reason, hint }
}
