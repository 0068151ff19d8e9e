//! The round trip of every file of the own corpus, and of the public ones where they are present.

use std::path::Path;

use crate::corpus::{Tally, check_file, files};

fn run(folder: &Path) -> Tally {
    let mut tally = Tally::default();
    for path in files(folder, &["ics", "vcf"]) {
        check_file(&path, &mut tally);
    }
    println!(
        "{}: {} files, {} objects, {} mapped; left alone as they are: {:?}",
        folder.display(),
        tally.files,
        tally.objects,
        tally.mapped,
        tally.left_alone
    );
    tally
}

fn assert_none(tally: &Tally) {
    assert!(
        tally.problems.is_empty(),
        "{} problems, the first ones:\n{}",
        tally.problems.len(),
        tally.problems.iter().take(30).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn nothing_is_lost_in_the_own_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let tally = run(&folder);
    assert_none(&tally);
    assert!(tally.mapped >= 10, "the corpus is there: {tally:?}");
}

/// Runs over files that are no part of the project: `cargo nextest run -p offstage-mailstores public_files`.
#[test]
fn nothing_is_lost_in_public_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pim");
    if !folder.is_dir() {
        println!("SKIPPED: no public calendar and card files at {}", folder.display());
        return;
    }
    assert_none(&run(&folder));
}
