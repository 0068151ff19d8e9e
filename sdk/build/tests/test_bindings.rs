//! The bindings in `sdk/c/bindings` are those of the contract as it is now.
//!
//! To write them anew: `OFFSTAGE_WRITE_BINDINGS=1 cargo nextest run -p offstage-build bindings`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

#[test]
fn the_c_bindings_are_fresh() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(here.join("../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut files = Files::default();
    let options = wit_bindgen_c::Opts { no_object_file: true, ..Default::default() };
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    for (name, content) in files.iter() {
        let path = here.join("../c/bindings").join(name);
        if std::env::var_os("OFFSTAGE_WRITE_BINDINGS").is_some() {
            fs::write(&path, content).unwrap();
        }
        let kept = fs::read(&path).unwrap_or_default();
        assert!(kept == content, "sdk/c/bindings/{name} is not what sdk/wit makes; write it anew");
    }
}
