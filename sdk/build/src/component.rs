//! Components: made of a core module, given their declarations, and checked.
//!
//! Never lets through what a host would refuse for its imports.

use crate::BuildError;
use crate::sdk::CONTRACT;
use wasmparser::{ComponentTypeRef, Parser, Payload, TypeBounds, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The custom section in which a package declares its types and steps.
const DECLARATIONS: &str = "offstage:declarations";
/// Every import of a plug-in is an interface of this package.
const CONTRACT_PREFIX: &str = "offstage:plugin/";
const CUSTOM_SECTION: u8 = 0;

/// Makes a component of a core module that uses the contract's names.
pub(crate) fn encode(core: &[u8]) -> Result<Vec<u8>, BuildError> {
    let refuse = |reason: String| BuildError::NoPlugin { reason };
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("plugin.wit", CONTRACT)
        .map_err(|error| refuse(format!("BUG: the contract cannot be read: {error:#}")))?;
    let world = resolve
        .select_world(&[package], Some("plugin"))
        .map_err(|error| refuse(format!("BUG: the contract has no world: {error:#}")))?;
    let mut module = core.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .and_then(|()| ComponentEncoder::default().validate(true).module(&module))
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| match foreign(&format!("{error:#}")) {
            Some(import) => BuildError::ForeignImport { import },
            None => refuse(format!("{error:#}")),
        })
}

/// The module that the encoder found no interface for, if that is what it complains of.
fn foreign(reason: &str) -> Option<String> {
    reason
        .split(['`', '\'', '"'])
        .find(|part| part.starts_with("wasi") || *part == "env")
        .map(str::to_owned)
}

/// Adds the section with a package's declarations.
#[must_use]
pub fn with_declarations(component: &[u8], declarations: &str) -> Vec<u8> {
    let mut section = Vec::new();
    push_length(&mut section, DECLARATIONS.len());
    section.extend_from_slice(DECLARATIONS.as_bytes());
    section.extend_from_slice(declarations.as_bytes());
    let mut whole = component.to_vec();
    whole.push(CUSTOM_SECTION);
    push_length(&mut whole, section.len());
    whole.extend_from_slice(&section);
    whole
}

/// Writes a number as LEB128.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

/// Refuses a component that a host would refuse: foreign imports, or not one set of declarations.
///
/// # Errors
/// [`BuildError::ForeignImport`] or [`BuildError::NoPlugin`].
pub fn check(component: &[u8]) -> Result<(), BuildError> {
    let refuse = |reason: String| BuildError::NoPlugin { reason };
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(component)
        .map_err(|error| refuse(error.to_string()))?;
    let mut depth = 0_usize;
    let mut declarations = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| refuse(error.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Inner components only rename what the outermost one imports.
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| refuse(error.to_string()))?;
                    // The world's `use` makes an import that only names a type of the contract.
                    let alias = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)));
                    let name = import.name.name;
                    if !alias && !name.starts_with(CONTRACT_PREFIX) {
                        return Err(BuildError::ForeignImport { import: name.to_owned() });
                    }
                }
            }
            Payload::CustomSection(section) if section.name() == DECLARATIONS => declarations += 1,
            _ => {}
        }
    }
    if declarations != 1 {
        return Err(refuse(format!(
            "it has {declarations} sections `{DECLARATIONS}` and must have one"
        )));
    }
    Ok(())
}
