//! Makes components of the hostile plug-ins: the text of a plug-in becomes a component in memory.
//!
//! The pipeline's tests include this file as well. Never builds with cargo.

use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A path in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The component of `tests/hostile-plugins/wat/<name>.wat`.
pub(crate) fn hostile(name: &str) -> Vec<u8> {
    let path = repository("tests/hostile-plugins/wat").join(format!("{name}.wat"));
    let body = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    component(&body)
}

/// The component of a core module that has the fields `body` after the prelude.
pub(crate) fn component(body: &str) -> Vec<u8> {
    component_with_declarations(body, r#"{"package":"tests/hostile","version":"1.0.0"}"#)
}

/// The same with these lines in the section `offstage:declarations`.
pub(crate) fn component_with_declarations(body: &str, declarations: &str) -> Vec<u8> {
    let prelude = repository("tests/hostile-plugins/wat/prelude.wat.in");
    let prelude = std::fs::read_to_string(prelude).expect("the prelude is in the repository");
    let escaped: String = declarations.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let section = format!("(@custom \"offstage:declarations\" \"{escaped}\")\n");
    let module = prelude.replace(";; BODY", &format!("{body}\n{section}"));
    encode(&wat::parse_str(module).expect("the text is WebAssembly"))
}

/// Makes a component of the contract's world of a core module.
pub(crate) fn encode(module: &[u8]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(repository("sdk/wit")).expect("sdk/wit is valid");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has the world");
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the world fits");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(false).encode())
        .expect("the module makes a component")
}

/// Appends an empty core module to a component, and instances of it.
pub(crate) fn with_instances(mut component: Vec<u8>, count: usize) -> Vec<u8> {
    let modules = wasmparser::Parser::new(0)
        .parse_all(&component)
        .filter(|payload| matches!(payload, Ok(wasmparser::Payload::ModuleSection { .. })))
        .count();
    // Section 1 is a core module, section 2 holds core instances; all numbers are below 128.
    component.extend([1, 8]);
    component.extend(b"\0asm\x01\0\0\0");
    let instance = [0, u8::try_from(modules).expect("a small number"), 0];
    let body = 1 + instance.len() * count;
    component.extend([2, u8::try_from(body).expect("a small number")]);
    component.push(u8::try_from(count).expect("a small number"));
    component.extend(instance.repeat(count));
    component
}
