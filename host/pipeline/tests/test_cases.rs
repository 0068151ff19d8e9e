//! Runs the behavioural cases of `tests/cases/*.case`, each in a world of its own.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs every case of a file and names all that fail, not only the first.
fn run_file(name: &str, cases_min: usize) {
    let path = format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the case file is there");
    let cases = support::scenario::cases(&text);
    let mut failed = Vec::new();
    for case in &cases {
        let run = AssertUnwindSafe(|| support::scenario::run(name, case));
        if catch_unwind(run).is_err() {
            failed.push(case.title.clone());
        }
    }
    assert!(failed.is_empty(), "{} of {} cases fail: {failed:#?}", failed.len(), cases.len());
    assert!(cases.len() >= cases_min, "{name} has lost its cases");
}

#[test]
fn pipeline_cases() {
    run_file("pipeline.case", 55);
}

#[test]
fn reconcile_cases() {
    run_file("reconcile.case", 52);
}

#[test]
fn effect_cases() {
    run_file("effects.case", 19);
}
