//! The package file: a component, and for a signed one its manifest and signature behind it.
//!
//! ```text
//! ┌───────────────────────┬──────────────────────────┬───────────────────────────┐
//! │ component             │ custom section           │ custom section            │
//! │ (what is hashed and   │ offstage:manifest        │ offstage:signature        │
//! │ compiled; its own     │ (JSON; what is signed)   │ (minisign's text)         │
//! │ declarations inside)  │                          │                           │
//! └───────────────────────┴──────────────────────────┴───────────────────────────┘
//! ```
//!
//! Any WebAssembly tool reads such a file as the component that it is. Never verifies a signature
//! and never decides whether a package may run; `offstage-policy` does.

use crate::inspect::inspect;
use crate::manifest::Manifest;
use crate::{COMPONENT_BYTES_MAX, SandboxError};
use offstage_model::registration::{DECLARATIONS_SECTION, PackageDeclaration};
use sha2::{Digest, Sha256};

/// The section that holds the manifest.
const MANIFEST_SECTION: &str = "offstage:manifest";
/// The section that holds the signature.
const SIGNATURE_SECTION: &str = "offstage:signature";
/// The untrusted comment of every signature. Nothing signs it, so it may say only this.
pub const SIGNATURE_COMMENT: &str = "offstage plug-in";
/// The largest manifest or signature, in bytes.
const SECTION_BYTES_MAX: usize = 2 << 20;
/// The magic and the version of every WebAssembly binary.
const HEADER_BYTES: usize = 8;
/// The id of a custom section.
const CUSTOM: u8 = 0;

/// A package file, taken apart and compared: the manifest says what the component is.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageFile<'a> {
    /// The component: the bytes that are compiled.
    pub component: &'a [u8],
    /// The SHA-256 of the component, in lower-case hex.
    pub sha256: String,
    /// What the component declares about itself.
    pub declaration: PackageDeclaration,
    /// The manifest as it was signed, and the signature as text; `None` in an unsigned package.
    pub signed: Option<(&'a [u8], &'a str)>,
}

impl<'a> PackageFile<'a> {
    /// Takes a package file apart.
    ///
    /// # Errors
    /// The content is no plug-in component, has anything but manifest and signature behind it, or
    /// its manifest is about another component.
    pub fn read(bytes: &'a [u8]) -> Result<Self, SandboxError> {
        let parts = split(bytes)?;
        let declaration = inspect(parts.component)?;
        let sha256 = hex::encode(Sha256::digest(parts.component));
        if let Some((manifest, _)) = parts.signed {
            Manifest::parse(manifest)?.require(&declaration, &sha256, parts.component.len())?;
        }
        Ok(Self { component: parts.component, sha256, declaration, signed: parts.signed })
    }

    /// The manifest that a publisher of this component signs.
    #[must_use]
    pub fn manifest(&self) -> Vec<u8> {
        Manifest::of(&self.declaration, &self.sha256, self.component.len()).to_bytes()
    }

    /// The package file of a component with its manifest and the manifest's signature.
    #[must_use]
    pub fn join(component: &[u8], manifest: &[u8], signature: &str) -> Vec<u8> {
        let mut bytes = component.to_vec();
        push_section(&mut bytes, MANIFEST_SECTION, manifest);
        push_section(&mut bytes, SIGNATURE_SECTION, signature.as_bytes());
        bytes
    }
}

/// A component with its declarations, for languages whose compiler does not put them there.
#[must_use]
pub fn with_declarations(component: &[u8], declaration: &PackageDeclaration) -> Vec<u8> {
    let header = serde_json::json!({
        "package": declaration.package,
        "version": declaration.version,
        "requests": declaration.requests,
    });
    let types = declaration.types.iter().map(serde_json::to_string);
    let mut lines = vec![header.to_string()];
    lines.extend(types.map(|line| line.expect("BUG: model types always have a JSON form")));
    let mut bytes = component.to_vec();
    push_section(&mut bytes, DECLARATIONS_SECTION, (lines.join("\n") + "\n").as_bytes());
    bytes
}

struct Parts<'a> {
    component: &'a [u8],
    signed: Option<(&'a [u8], &'a str)>,
}

/// One section of the outermost level.
struct Section<'a> {
    start: usize,
    end: usize,
    id: u8,
    content: &'a [u8],
}

/// Finds manifest and signature. They are the last two sections or not there at all, and the file
/// has not one byte that neither hash nor signature covers: it is what [`PackageFile::join`] makes.
fn split(bytes: &[u8]) -> Result<Parts<'_>, SandboxError> {
    let size_max = COMPONENT_BYTES_MAX + 2 * SECTION_BYTES_MAX;
    if bytes.len() > size_max {
        return Err(SandboxError::TooLarge { bytes: bytes.len() });
    }
    if !bytes.starts_with(b"\0asm") || bytes.len() < HEADER_BYTES {
        return Err(SandboxError::NotWasm);
    }
    let mut sections = Vec::new();
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let Some(section) = section(bytes, at) else {
            break;
        };
        at = section.end;
        let named = custom(&section).filter(|(name, _)| {
            name == &MANIFEST_SECTION.as_bytes() || name == &SIGNATURE_SECTION.as_bytes()
        });
        match (named, sections.is_empty()) {
            (Some(named), _) => sections.push((section.start, named)),
            (None, true) => {}
            (None, false) => return Err(bad("something follows its manifest")),
        }
    }
    let (start, manifest, signature) = match sections.as_slice() {
        // Damage is for `inspect` to describe.
        [] => return Ok(Parts { component: bytes, signed: None }),
        [(start, (first, manifest)), (_, (second, signature))]
            if *first == MANIFEST_SECTION.as_bytes() && *second == SIGNATURE_SECTION.as_bytes() =>
        {
            (*start, *manifest, *signature)
        }
        _ => return Err(bad("it has not exactly one manifest with one signature behind it")),
    };
    if manifest.len().max(signature.len()) > SECTION_BYTES_MAX {
        return Err(bad("its manifest or signature is too large"));
    }
    let signature = std::str::from_utf8(signature).map_err(|_| bad("its signature is no text"))?;
    let start_line = format!("untrusted comment: {SIGNATURE_COMMENT}\n");
    let framed = signature.starts_with(&start_line)
        && signature.ends_with('\n')
        && !signature.contains('\r')
        && signature.lines().count() == 4;
    if !framed {
        return Err(bad("its signature is not four lines of minisign"));
    }
    let component = &bytes[..start];
    if PackageFile::join(component, manifest, signature) != bytes {
        return Err(bad("its manifest or signature is not framed as it should be"));
    }
    Ok(Parts { component, signed: Some((manifest, signature)) })
}

fn bad(reason: &'static str) -> SandboxError {
    SandboxError::BadPackage { reason: reason.to_owned() }
}

fn section(bytes: &[u8], start: usize) -> Option<Section<'_>> {
    let id = *bytes.get(start)?;
    let (size, content) = leb128(bytes, start + 1)?;
    let end = content.checked_add(size)?;
    Some(Section { start, end, id, content: bytes.get(content..end)? })
}

/// Name and content of a custom section.
fn custom<'a>(section: &Section<'a>) -> Option<(&'a [u8], &'a [u8])> {
    if section.id != CUSTOM {
        return None;
    }
    let (size, start) = leb128(section.content, 0)?;
    let end = start.checked_add(size)?;
    Some((section.content.get(start..end)?, section.content.get(end..)?))
}

/// A 32-bit number of variable length, and where it ends.
fn leb128(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.get(start..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, start + index + 1));
        }
    }
    None
}

fn push_section(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::with_capacity(name.len() + content.len() + 5);
    push_leb128(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    bytes.push(CUSTOM);
    push_leb128(bytes, body.len());
    bytes.extend_from_slice(&body);
}

fn push_leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("BUG: seven bits fit");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
