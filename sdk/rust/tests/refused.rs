//! Declarations that do not compile, and what the compiler says.
#![allow(missing_docs, reason = "a test")]

#[test]
fn wrong_declarations_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
