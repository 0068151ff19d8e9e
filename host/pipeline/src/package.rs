//! What trust and policy are asked about a package file. Never decides.

use offstage_policy::{PackageFacts, Signed};
use offstage_sandbox::PackageFile;

/// What the trust decision is about: all of it is of the bytes that `file` was read from.
#[must_use]
pub fn facts<'a>(file: &'a PackageFile<'a>) -> PackageFacts<'a> {
    PackageFacts {
        id: &file.declaration.package,
        version: &file.declaration.version,
        sha256: &file.sha256,
        signed: file.signed.map(|(manifest, signature)| Signed { manifest, signature }),
    }
}
