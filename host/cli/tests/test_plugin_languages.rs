//! `offstage plugin new --lang` and `plugin build`, for a language whose tools are quick: C.
//!
//! Needs the tools: `cargo xtask setup`. The other languages are built by the pipeline's tests.

mod common;

use common::Place;
use std::fs;

#[test]
fn a_project_in_c_is_made_and_built() {
    let place = Place::new();
    let folder = place.path().with_file_name("tidy-title");
    let shown = folder.to_str().expect("a path");
    let made = place.json(&["plugin", "new", shown, "--lang", "c", "--vendor", "acme"]).good();
    assert_eq!(made["package"], "acme/tidy-title");
    assert!(folder.join("sdk/offstage.h").exists(), "the SDK is beside it");

    let built = place.json(&["plugin", "build", shown]).good();
    assert_eq!(built["package"], "acme/tidy-title");
    let declared = &built["declaration"];
    assert_eq!(declared["types"][0]["steps"][0]["key"], "tidy-title-on-create");
    assert_eq!(declared["requests"][0]["table"], "contact");
    assert!(folder.join("tidy_title.wasm").exists());

    let source = folder.join("tidy_title.c");
    let text = fs::read_to_string(&source).expect("the source is there");
    let files = text.replace(
        "    title = offstage_trimmed",
        "    fopen(\"x\", \"r\");\n    title = offstage_trimmed",
    );
    fs::write(&source, format!("#include <stdio.h>\n{files}")).expect("it can be written");
    let refused = place.json(&["plugin", "build", shown]);
    assert_ne!(refused.exit, 0);
    assert!(refused.stdout.contains("wasi_snapshot_preview1"), "{refused:?}");
}

#[test]
fn an_unknown_language_is_named_with_those_that_there_are() {
    let place = Place::new();
    let refused = place.json(&["plugin", "new", "x", "--lang", "cobol"]);
    assert_ne!(refused.exit, 0);
    assert!(refused.stdout.contains("rust, python, javascript, c"), "{refused:?}");
}
