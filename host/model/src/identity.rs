//! Derived identity: ids, times and random numbers as functions of (root operation, path of steps,
//! ordinal), so that the offline run and the playback run name the same things.
//!
//! Source: `playback.md`, "Reconciling the two runs" and "Found by trying to break it", 1-3.
//! Never uses a clock or a random source.

use crate::entity::Attributes;
use crate::request::{Parameter, message, parameter};
use crate::{Request, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The place of an operation or a step run below its root operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lineage([u8; 32]);

impl Lineage {
    /// The lineage of a root operation.
    #[must_use]
    pub fn root(operation: Uuid) -> Self {
        Self(digest(&[b"root", operation.as_bytes()]))
    }

    /// The lineage of the `ordinal`th request of a root that has many (ExecuteTransaction).
    #[must_use]
    pub fn member(self, ordinal: u32) -> Self {
        Self(digest(&[&self.0, b"member", &ordinal.to_be_bytes()]))
    }

    /// The lineage of the run of a step by the operation `self`.
    #[must_use]
    pub fn step(self, key: &str) -> Self {
        Self(digest(&[&self.0, b"step", key.as_bytes()]))
    }

    /// The lineage of a step run that must not share identity with the recorded one (`classic`).
    #[must_use]
    pub fn apart(self) -> Self {
        Self(digest(&[&self.0, b"apart"]))
    }

    /// The lineage of an operation that the step run `self` issued.
    #[must_use]
    pub fn operation(self, fingerprint: &Fingerprint, occurrence: u32) -> Self {
        Self(digest(&[&self.0, b"operation", &fingerprint.0, &occurrence.to_be_bytes()]))
    }

    /// The lineage of an operation that the platform cascaded to another row.
    #[must_use]
    pub fn cascade(self, relationship: &str, row: Uuid) -> Self {
        Self(digest(&[&self.0, b"cascade", relationship.as_bytes(), row.as_bytes()]))
    }

    /// The `ordinal`th GUID of this step run.
    #[must_use]
    pub fn guid(self, ordinal: u32) -> Uuid {
        guid_of(digest(&[&self.0, b"guid", &ordinal.to_be_bytes()]))
    }

    /// The GUID for the author's key `key`; depends on the root and the step only.
    #[must_use]
    pub fn keyed_guid(self, key: &str) -> Uuid {
        guid_of(digest(&[&self.0, b"key", key.as_bytes()]))
    }

    /// The `ordinal`th random number of this step run.
    #[must_use]
    pub fn random(self, ordinal: u32) -> u64 {
        let bytes = digest(&[&self.0, b"random", &ordinal.to_be_bytes()]);
        u64::from_be_bytes(bytes[..8].try_into().expect("BUG: a digest has 32 bytes"))
    }

    /// The id of a row that this operation creates without an explicit one.
    #[must_use]
    pub fn row(self) -> Uuid {
        guid_of(digest(&[&self.0, b"row"]))
    }
}

/// What two operations must have in common to be one operation of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a request as a step issued it.
    ///
    /// Creates: table, explicit id, lookup values and alternate key. Updates: table and row, so that
    /// updates of one row fold. Others: message, table, row and all parameters.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let table = request.primary_table();
        let mut parts: Vec<Vec<u8>> = vec![request.message.clone().into(), table.into()];
        parts.push(request.primary_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default());
        match (request.message.as_str(), request.parameters.get(parameter::TARGET)) {
            (message::CREATE | message::UPSERT, Some(Parameter::Entity(target))) => {
                parts.push(json(&target.key));
                parts.push(json(&lookups(&target.attributes)));
            }
            (message::UPDATE, Some(Parameter::Entity(target))) => parts.push(json(&target.key)),
            _ => parts.push(json(&request.parameters)),
        }
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Self(digest(&slices))
    }
}

fn lookups(attributes: &Attributes) -> Attributes {
    attributes
        .iter()
        .filter(|(_, value)| matches!(value, Value::Reference(_)))
        .map(|(column, value)| (column.clone(), value.canonical()))
        .collect()
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("BUG: model types always have a JSON form")
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts collide by concatenation.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A version-8 (custom) GUID from the first 16 bytes of a digest.
#[must_use]
pub fn guid_of(bytes: [u8; 32]) -> Uuid {
    let first: [u8; 16] = bytes[..16].try_into().expect("BUG: a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(first).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entity;

    #[test]
    fn a_create_is_named_by_its_lookups_and_not_by_its_other_columns() {
        let account = Uuid::from_u128(7);
        let task = |subject: &str, account: Uuid| {
            Request::create(
                Entity::new("task")
                    .with("subject", Value::text(subject))
                    .with("regardingobjectid", Value::reference("account", account)),
            )
        };
        let of = |request: &Request| Fingerprint::of(request);
        assert_eq!(of(&task("a", account)), of(&task("b", account)));
        assert_ne!(of(&task("a", account)), of(&task("a", Uuid::from_u128(8))));
    }

    #[test]
    fn both_runs_derive_the_same_ids_and_different_steps_different_ones() {
        let root = Lineage::root(Uuid::from_u128(1));
        assert_eq!(root.step("s").guid(0), Lineage::root(Uuid::from_u128(1)).step("s").guid(0));
        assert_ne!(root.step("s").guid(0), root.step("s").guid(1));
        assert_ne!(root.step("s").guid(0), root.step("t").guid(0));
        assert_ne!(root.step("s").guid(0), root.step("s").apart().guid(0));
    }
}
