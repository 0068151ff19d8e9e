//! Package files, taken apart: only what `PackageFile::join` makes is a signed package, to the byte.

mod support;

use offstage_model::registration::{DECLARATIONS_SECTION, PackageDeclaration};
use offstage_sandbox::{
    COMPONENT_BYTES_MAX, PackageFile, SIGNATURE_COMMENT, SandboxError, inspect, with_declarations,
};
use serde_json::json;
use support::component;

/// The largest manifest or signature, in bytes.
const SECTION_BYTES_MAX: usize = 2 << 20;

/// Four lines as minisign writes them; whether they are right is nothing that this crate decides.
fn signature() -> String {
    format!("untrusted comment: {SIGNATURE_COMMENT}\nabc=\ntrusted comment: a test\ndef=\n")
}

fn parts() -> (Vec<u8>, Vec<u8>) {
    let component = component("(func $run)");
    let manifest = PackageFile::read(&component).expect("a package").manifest();
    (component, manifest)
}

/// A custom section whose sizes are written with `pad` bytes more than they need.
fn section(name: &str, content: &[u8], pad: usize) -> Vec<u8> {
    let mut body = number(name.len(), pad);
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    [vec![0], number(body.len(), pad), body].concat()
}

/// A number in LEB128.
fn number(mut value: usize, pad: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        bytes.push(low | 0x80);
        if value == 0 {
            break;
        }
    }
    bytes.extend(std::iter::repeat_n(0x80, pad));
    *bytes.last_mut().expect("a byte") &= 0x7f;
    bytes
}

fn reason(bytes: &[u8]) -> String {
    match PackageFile::read(bytes) {
        Err(SandboxError::BadPackage { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_joined_is_read_again() {
    let (component, manifest) = parts();
    let signature = signature();
    let bytes = PackageFile::join(&component, &manifest, &signature);
    let sections = [
        section("offstage:manifest", &manifest, 0),
        section("offstage:signature", signature.as_bytes(), 0),
    ];
    assert_eq!(bytes, [component.clone(), sections.concat()].concat(), "the form of the file");
    let package = PackageFile::read(&bytes).expect("a package");
    assert_eq!(package.component, component);
    assert_eq!(package.signed, Some((manifest.as_slice(), signature.as_str())));
    let unsigned = PackageFile::read(&component).expect("a package");
    assert_eq!((unsigned.signed, &unsigned.sha256), (None, &package.sha256));
    assert_eq!(unsigned.declaration, package.declaration);
}

#[test]
fn sections_that_are_not_the_last_two_are_refused() {
    let (component, manifest) = parts();
    let signature = signature();
    let (m, s) = (
        section("offstage:manifest", &manifest, 0),
        section("offstage:signature", signature.as_bytes(), 0),
    );
    let other = section("offstage:other", b"x", 0);
    let type_section = vec![7, 1, 0];
    let cases: [(&str, Vec<&[u8]>); 10] = [
        ("only a manifest", vec![&m]),
        ("only a signature", vec![&s]),
        ("turned round", vec![&s, &m]),
        ("two manifests", vec![&m, &m]),
        ("two signatures", vec![&s, &s]),
        ("three", vec![&m, &s, &s]),
        ("a section between", vec![&m, &other, &s]),
        ("a section behind", vec![&m, &s, &other]),
        ("code behind", vec![&m, &s, &type_section]),
        ("code between", vec![&m, &type_section, &s]),
    ];
    for (what, sections) in cases {
        let bytes = [component.clone(), sections.concat()].concat();
        let reason = reason(&bytes);
        assert!(
            reason.contains("its manifest") || reason.contains("one manifest"),
            "{what}: {reason}"
        );
    }
    // Before them anything may stand that a component may have.
    let longer = [component, other].concat();
    let manifest = PackageFile::read(&longer).expect("a package").manifest();
    let bytes = PackageFile::join(&longer, &manifest, &signature);
    assert_eq!(PackageFile::read(&bytes).expect("a package").component, longer);
}

#[test]
fn sizes_that_are_written_in_another_way_are_refused() {
    let (component, manifest) = parts();
    let signature = signature();
    for (pad_manifest, pad_signature) in [(1, 0), (0, 1), (2, 2)] {
        let bytes = [
            component.clone(),
            section("offstage:manifest", &manifest, pad_manifest),
            section("offstage:signature", signature.as_bytes(), pad_signature),
        ];
        let reason = reason(&bytes.concat());
        assert!(reason.contains("not framed as it should be"), "{reason}");
    }
}

#[test]
fn a_signature_is_four_lines_of_text() {
    let (component, manifest) = parts();
    let good = signature();
    let cases = [
        good.replace(SIGNATURE_COMMENT, "another"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        format!("{good}more\n"),
        good.replace("abc=\n", ""),
        format!("\n{good}"),
        String::new(),
    ];
    for text in cases {
        let bytes = PackageFile::join(&component, &manifest, &text);
        assert_eq!(reason(&bytes), "its signature is not four lines of minisign", "{text:?}");
    }
    let binary = [
        component,
        section("offstage:manifest", &manifest, 0),
        section("offstage:signature", b"\xff\xfe", 0),
    ];
    assert_eq!(reason(&binary.concat()), "its signature is no text");
}

#[test]
fn manifest_and_signature_may_be_large_but_not_larger() {
    let (component, manifest) = parts();
    // White space behind a manifest is part of what is signed.
    let padded = |bytes: usize| {
        let mut manifest = manifest.clone();
        manifest.resize(bytes, b' ');
        manifest
    };
    let long = |bytes: usize| {
        let room = bytes - signature().len();
        signature().replace("def=", &format!("def={}", "=".repeat(room)))
    };
    let read = |manifest: &[u8], signature: &str| {
        PackageFile::read(&PackageFile::join(&component, manifest, signature)).map(|_| ())
    };
    read(&padded(SECTION_BYTES_MAX), &long(SECTION_BYTES_MAX)).expect("as large as it may be");
    let larger = SECTION_BYTES_MAX + 1;
    for (manifest, signature) in [(padded(larger), signature()), (manifest.clone(), long(larger))] {
        let error = read(&manifest, &signature).expect_err("too large").to_string();
        assert!(error.contains("its manifest or signature is too large"), "{error}");
    }
}

#[test]
fn a_file_has_its_largest_size() {
    let size_max = COMPONENT_BYTES_MAX + 2 * SECTION_BYTES_MAX;
    let mut bytes = vec![0; size_max + 1];
    match PackageFile::read(&bytes) {
        Err(SandboxError::TooLarge { bytes }) => assert_eq!(bytes, size_max + 1),
        other => panic!("{other:?}"),
    }
    bytes.truncate(size_max);
    assert!(matches!(PackageFile::read(&bytes), Err(SandboxError::NotWasm)));
}

#[test]
fn what_is_no_package_is_told_apart() {
    for bytes in [&b""[..], b"\0as", b"\0asm", b"\0asm\x0d\0\x01", b"#!/bin/sh -e\n"] {
        assert!(matches!(PackageFile::read(bytes), Err(SandboxError::NotWasm)), "{bytes:?}");
    }
    // From here on it claims to be WebAssembly, and the validator says what it is.
    let (header, damaged) = (b"\0asm\x0d\0\x01\0", b"\0asm\x0d\0\x01\0\0\x05abc");
    assert!(matches!(PackageFile::read(header), Err(SandboxError::MissingExport { .. })));
    assert!(matches!(PackageFile::read(damaged), Err(SandboxError::Invalid { .. })));
}

/// Damage before the manifest ends the search: such a file is no signed package, and its component
/// is not valid.
#[test]
fn a_file_is_not_read_beyond_what_is_damaged() {
    let (component, manifest) = parts();
    let whole = PackageFile::join(&component, &manifest, &signature());
    let behind = whole[component.len()..].to_vec();
    let endless_size = [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let beyond_32_bits = [0, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let beyond_the_end = [0, 0xff, 0xff, 0x03, b'x'];
    for damage in [&endless_size[..], &beyond_32_bits, &beyond_the_end] {
        let bytes = [component.as_slice(), damage, &behind].concat();
        let read = PackageFile::read(&bytes);
        assert!(matches!(read, Err(SandboxError::Invalid { .. })), "{damage:?}: {read:?}");
    }
    // A custom section whose name reaches beyond it has no name.
    let nameless = [0, 2, 0x7f, b'x'];
    let bytes = [component.as_slice(), &nameless, &behind].concat();
    assert!(PackageFile::read(&bytes).is_err());
}

#[test]
fn declarations_that_are_put_in_are_read_again() {
    let mut without = component("(func $run)");
    let name = DECLARATIONS_SECTION.as_bytes();
    let place = without.windows(name.len()).position(|bytes| bytes == name).expect("a section");
    without[place] = b'x';
    assert!(matches!(inspect(&without), Err(SandboxError::NoDeclarations)));
    // Sections whose size has one, two and three bytes.
    for length in [1, 300, 20_000] {
        let declaration: PackageDeclaration = serde_json::from_value(json!({
            "package": "tests/other", "version": "7.1.0",
            "types": [{"type": "tests.T", "steps": [
                {"key": "t", "message": "Create", "configuration": "c".repeat(length)},
            ]}],
        }))
        .expect("a declaration");
        let bytes = with_declarations(&without, &declaration);
        assert_eq!(inspect(&bytes).expect("it declares itself"), declaration, "{length}");
    }
}
