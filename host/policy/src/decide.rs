//! The decision about one package: whether it may run at all.
//!
//! Never looks at the order of the rules: what is allowed does not change when they are shuffled.

use crate::{Publisher, TrustFile};
use minisign_verify::{PublicKey, Signature};
use offstage_model::Timestamp;
use semver::Version;

/// What is known of a package. Whoever calls took all of it from the very bytes that will run.
#[derive(Clone, Copy, Debug)]
pub struct PackageFacts<'a> {
    /// The package id.
    pub id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// SHA-256 of the component, in hex.
    pub sha256: &'a str,
    /// Manifest and signature; `None` for an unsigned package. The caller has compared the manifest
    /// with the component: id, version, hash and declarations are the same.
    pub signed: Option<Signed<'a>>,
}

/// A manifest and what is said to be its signature.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The bytes that were signed.
    pub manifest: &'a [u8],
    /// The signature in minisign's text form.
    pub signature: &'a str,
}

/// Whether a package may run, and which rule says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed {
        /// The rule, as `file:line`.
        rule: String,
        /// Why the operator allowed it.
        reason: String,
        /// The publisher that signed it; `None` when a pin allows it.
        publisher: Option<String>,
        /// The first moment at which the rule does not hold any more.
        until: Option<Timestamp>,
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

/// Decides about a package at a moment.
///
/// Revoked contents and minimum versions come before everything that allows; then a pin of the
/// content, whoever signed it; then the signature of a publisher, unless its key is revoked.
#[must_use]
pub fn decide(trust: &TrustFile, package: &PackageFacts<'_>, now: Timestamp) -> Decision {
    let sha256 = package.sha256.to_ascii_lowercase();
    if let Some(denied) = revoked_hash(trust, &sha256).or_else(|| too_old(trust, package)) {
        return denied;
    }
    let mut of_package = trust.pins().iter().filter(|pin| pin.package == package.id);
    if let Some(pin) = of_package.clone().find(|pin| pin.sha256 == sha256) {
        return Decision::Allowed {
            rule: place(trust, pin.line),
            reason: pin.reason.clone(),
            publisher: None,
            until: None,
        };
    }
    let file = trust.file();
    let reason = match (of_package.next(), package.signed) {
        _ if file.is_empty() => "no trust file is set, so nothing is allowed".to_owned(),
        _ if trust.is_missing() => {
            format!("there is no trust file '{file}', so nothing is allowed")
        }
        (_, Some(signed)) => return by_signature(trust, package, &signed, now),
        (Some(pin), None) => {
            format!("its hash is {sha256}, and {file}:{} allows another build of it", pin.line)
        }
        (None, None) => format!("it is not signed, and no rule in '{file}' allows it"),
    };
    denied(reason, pin_hint(trust, package.id, &sha256))
}

fn place(trust: &TrustFile, line: usize) -> String {
    format!("{}:{line}", trust.file())
}

fn denied(reason: impl Into<String>, hint: impl Into<String>) -> Decision {
    Decision::Denied { reason: reason.into(), hint: hint.into() }
}

fn pin_hint(trust: &TrustFile, package: &str, sha256: &str) -> String {
    let to = if trust.file().is_empty() { "a trust file" } else { trust.file() };
    let lines = TrustFile::pin_lines(package, sha256, "…");
    format!("If you trust it, add to {to}:\n{lines}")
}

fn revoked_hash(trust: &TrustFile, sha256: &str) -> Option<Decision> {
    let entry = trust.revoked().iter().find(|entry| entry.what == sha256)?;
    let rule = place(trust, entry.line);
    Some(denied(
        format!("its content is revoked by {rule}: {}", entry.reason),
        "Use another version of it.",
    ))
}

fn too_old(trust: &TrustFile, package: &PackageFacts<'_>) -> Option<Decision> {
    let mut minimums = trust.minimums().iter().filter(|m| m.package.matches(package.id)).peekable();
    minimums.peek()?;
    let Ok(version) = Version::parse(package.version) else {
        let reason = format!("'{}' is not a version that can be compared", package.version);
        return Some(denied(reason, "Give the package a version such as 1.2.0."));
    };
    let minimum = minimums.find(|minimum| version < minimum.version)?;
    let rule = place(trust, minimum.line);
    Some(denied(
        format!(
            "its version is {version}, and {rule} asks for {} or newer: {}",
            minimum.version, minimum.reason
        ),
        "Use a newer version of it.",
    ))
}

fn by_signature(
    trust: &TrustFile,
    package: &PackageFacts<'_>,
    signed: &Signed<'_>,
    now: Timestamp,
) -> Decision {
    let Ok(signature) = Signature::decode(signed.signature) else {
        return denied("its signature is damaged", "Get the package again from its publisher.");
    };
    // The first publisher whose key verifies. Keys are unique in the file, so there is one at most.
    let signer = trust.publishers().iter().find(|publisher| {
        PublicKey::from_base64(&publisher.key)
            .is_ok_and(|key| key.verify(signed.manifest, &signature, false).is_ok())
    });
    let Some(publisher) = signer else {
        return denied(
            format!("no publisher in '{}' has signed this content", trust.file()),
            "It is signed with a key that is not trusted here, or was changed after it was signed. \
             If you trust the publisher, add a [[publisher]] entry with its key.",
        );
    };
    by_publisher(trust, publisher, package, now)
}

fn by_publisher(
    trust: &TrustFile,
    publisher: &Publisher,
    package: &PackageFacts<'_>,
    now: Timestamp,
) -> Decision {
    let (name, rule) = (&publisher.name, place(trust, publisher.line));
    if let Some(entry) = trust.revoked().iter().find(|entry| entry.what == publisher.key) {
        return denied(
            format!(
                "the key of '{name}' is revoked by {}: {}",
                place(trust, entry.line),
                entry.reason
            ),
            "Get the package again, signed with a key that is not revoked.",
        );
    }
    if !publisher.signs(package.id) {
        let packages: Vec<_> = publisher.packages.iter().map(ToString::to_string).collect();
        return denied(
            format!("'{name}' signed it and may sign {} only ({rule})", packages.join(", ")),
            "Add the package to `packages` of the publisher if it is theirs.",
        );
    }
    if publisher.valid_from.is_some_and(|from| now < from) {
        let hint = "Wait, or change valid_from; check this machine's clock.";
        return denied(format!("the key of '{name}' is not valid yet ({rule})"), hint);
    }
    if publisher.valid_until.is_some_and(|until| now >= until) {
        let hint = "Get the package again, signed with the publisher's new key.";
        return denied(format!("the key of '{name}' is not valid any more ({rule})"), hint);
    }
    Decision::Allowed {
        rule,
        reason: publisher.reason.clone(),
        publisher: Some(name.clone()),
        until: publisher.valid_until,
    }
}
