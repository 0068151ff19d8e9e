//! The manifest of a signed package: what the publisher's signature is about.
//!
//! It repeats what the component declares, so that it can be read and judged alone; a manifest that
//! says anything else than its component is refused. Never verifies a signature.

use crate::SandboxError;
use crate::inspect::WORLD;
use offstage_model::registration::{CapabilityDeclaration, PackageDeclaration, TypeDeclaration};
use serde::{Deserialize, Serialize};

/// The version of the manifest's form.
const FORMAT: u32 = 1;

/// A manifest, form 1.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    package: String,
    version: String,
    component: ComponentLine,
    world: String,
    types: Vec<TypeDeclaration>,
    #[serde(default)]
    requests: Vec<CapabilityDeclaration>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentLine {
    sha256: String,
    size: u64,
}

impl Manifest {
    /// The manifest of a component.
    pub(crate) fn of(declaration: &PackageDeclaration, sha256: &str, size: usize) -> Self {
        Self {
            format: FORMAT,
            package: declaration.package.clone(),
            version: declaration.version.clone(),
            component: ComponentLine { sha256: sha256.to_owned(), size: size as u64 },
            world: WORLD.to_owned(),
            types: declaration.types.clone(),
            requests: declaration.requests.clone(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("BUG: a manifest always has a JSON form")
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SandboxError> {
        serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("its manifest cannot be read: {error}")))
    }

    /// Refuses a manifest that is not about this component (attack D02).
    pub(crate) fn require(
        &self,
        declaration: &PackageDeclaration,
        sha256: &str,
        size: usize,
    ) -> Result<(), SandboxError> {
        if self.format != FORMAT {
            return Err(bad(format!(
                "its manifest has the form {}; this program reads {FORMAT}",
                self.format
            )));
        }
        if self.world != WORLD {
            return Err(bad(format!("it is made for the world '{}', not '{WORLD}'", self.world)));
        }
        let expected = Self::of(declaration, sha256, size);
        if self.component != expected.component {
            return Err(bad(format!(
                "its manifest is about the content {}, not {sha256}",
                self.component.sha256
            )));
        }
        if *self != expected {
            return Err(bad("its manifest declares something else than its component".to_owned()));
        }
        Ok(())
    }
}

fn bad(reason: String) -> SandboxError {
    let reason = crate::trace::printable(crate::trace::prefix(&reason, 500));
    SandboxError::BadPackage { reason }
}
