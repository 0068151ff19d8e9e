//! Reads a component without running it: is it one, of this contract, small enough to compile, and
//! what does it declare.
//!
//! Never compiles anything and never trusts a length that the component states.

use crate::SandboxError;
use offstage_model::registration::{
    CapabilityDeclaration, DECLARATIONS_SECTION, PackageDeclaration, TypeDeclaration,
};
use serde::Deserialize;
use std::collections::BTreeSet;
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};

/// The largest component, in bytes.
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// The longest declarations, in bytes.
pub(crate) const DECLARATIONS_BYTES_MAX: usize = 1 << 20;
/// The most core modules and inner components together.
const MODULES_MAX: usize = 64;
/// The most functions with a body. A Python or JavaScript runtime has about 20,000.
const FUNCTIONS_MAX: usize = 100_000;
/// The deepest nesting of components.
const DEPTH_MAX: usize = 8;
/// The longest package id, in bytes.
const PACKAGE_ID_BYTES_MAX: usize = 128;
/// The world that plug-ins are made for.
pub(crate) const WORLD: &str = "offstage:plugin/plugin@1.0.0";
/// What a plug-in may import.
pub(crate) const WORLD_IMPORTS: [&str; 6] = [
    "offstage:plugin/types@1.0.0",
    "offstage:plugin/organization@1.0.0",
    "offstage:plugin/operation@1.0.0",
    "offstage:plugin/tracing@1.0.0",
    "offstage:plugin/files@1.0.0",
    "offstage:plugin/http@1.0.0",
];
/// What a plug-in must export.
const WORLD_EXPORT: &str = "execute";

/// Reads what a component declares about itself: its package and its plug-in types with their
/// steps.
///
/// # Errors
/// The content is no component, not one of the contract, too large or too complex, or its
/// declarations are missing or not as they should be. Code is not validated here;
/// [`crate::Sandbox::load`] does.
pub fn inspect(bytes: &[u8]) -> Result<PackageDeclaration, SandboxError> {
    declaration(&check(bytes)?)
}

/// Checks kind, size, shape and world; returns the text of the declarations.
pub(crate) fn check(bytes: &[u8]) -> Result<Vec<u8>, SandboxError> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(SandboxError::TooLarge { bytes: bytes.len() });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(SandboxError::NotWasm);
    }
    let mut shape = Shape::default();
    for payload in Parser::new(0).parse_all(bytes) {
        shape.add(payload.map_err(invalid)?)?;
    }
    if !shape.exports {
        return Err(SandboxError::MissingExport { export: WORLD_EXPORT });
    }
    Ok(shape.declarations)
}

fn invalid(error: wasmparser::BinaryReaderError) -> SandboxError {
    SandboxError::Invalid { reason: error.to_string() }
}

/// What was seen of a component.
#[derive(Default)]
struct Shape {
    depth: usize,
    modules: usize,
    functions: usize,
    exports: bool,
    declarations: Vec<u8>,
}

impl Shape {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), SandboxError> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => {
                return Err(SandboxError::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                self.modules += 1;
                at_most("modules", self.modules, MODULES_MAX)?;
                at_most("levels of components", self.depth, DEPTH_MAX)?;
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                self.functions = self.functions.saturating_add(count as usize);
                at_most("functions", self.functions, FUNCTIONS_MAX)?;
            }
            // Inner components only rename what the outermost one imports.
            Payload::ComponentImportSection(section) if self.depth == 0 => {
                for import in section {
                    let import = import.map_err(invalid)?;
                    // The world's `use` makes an import that only names a type of the contract.
                    let alias = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)));
                    let name = import.name.name;
                    if !alias && !WORLD_IMPORTS.contains(&name) {
                        let import = crate::trace::printable(crate::trace::prefix(name, 200));
                        return Err(SandboxError::ForeignImport { import });
                    }
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 0 => {
                for export in section {
                    self.exports |= export.map_err(invalid)?.name.name == WORLD_EXPORT;
                }
            }
            Payload::CustomSection(section) if section.name() == DECLARATIONS_SECTION => {
                self.declarations.extend_from_slice(section.data());
                let bytes = self.declarations.len();
                if bytes > DECLARATIONS_BYTES_MAX {
                    return Err(SandboxError::DeclarationsTooLarge { bytes });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn at_most(what: &'static str, count: usize, count_max: usize) -> Result<(), SandboxError> {
    if count > count_max {
        return Err(SandboxError::TooComplex { what, count, count_max });
    }
    Ok(())
}

/// The line that names the package.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageLine {
    package: String,
    version: String,
    #[serde(default)]
    requests: Vec<CapabilityDeclaration>,
}

/// Reads the declarations: one JSON object per line, the package first, then each plug-in type.
fn declaration(text: &[u8]) -> Result<PackageDeclaration, SandboxError> {
    let mut lines = text.split(|byte| *byte == b'\n').enumerate();
    let mut lines = lines.by_ref().filter(|(_, line)| !line.trim_ascii().is_empty());
    let Some((index, first)) = lines.next() else {
        return Err(SandboxError::NoDeclarations);
    };
    let header: PackageLine = json(index, first)?;
    check_package_id(index, &header.package)?;
    let mut names = BTreeSet::new();
    let mut types = Vec::new();
    for (index, line) in lines {
        let declared: TypeDeclaration = json(index, line)?;
        if !names.insert(declared.name.clone()) {
            let reason = format!("the type '{}' is declared twice", declared.name);
            return Err(bad_line(index, reason));
        }
        types.push(declared);
    }
    let PackageLine { package, version, requests } = header;
    Ok(PackageDeclaration { package, version, types, requests })
}

fn json<'a, T: Deserialize<'a>>(index: usize, line: &'a [u8]) -> Result<T, SandboxError> {
    serde_json::from_slice(line).map_err(|error| bad_line(index, error.to_string()))
}

/// Ids are plain ASCII, so that none looks like another (attack D08).
fn check_package_id(index: usize, id: &str) -> Result<(), SandboxError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if id.is_empty() || id.len() > PACKAGE_ID_BYTES_MAX || !id.chars().all(allowed) {
        let shown = crate::trace::printable(crate::trace::prefix(id, PACKAGE_ID_BYTES_MAX));
        let reason = format!(
            "'{shown}' is not a package id: use 1 to {PACKAGE_ID_BYTES_MAX} of a-z A-Z 0-9 - _ . /"
        );
        return Err(bad_line(index, reason));
    }
    Ok(())
}

fn bad_line(index: usize, reason: String) -> SandboxError {
    SandboxError::BadDeclaration { line: index + 1, reason }
}
