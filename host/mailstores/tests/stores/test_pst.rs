//! PST files: a small one that is checked in always, the public ones where they are present.

use std::path::{Path, PathBuf};

use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::pst::{ImportReport, PstStore, import};
use offstage_outlook::{ItemKind, MailStore, MailStoreError, NewItem, Property, PropertyValue};

fn home() -> Zone {
    Zone::named("Asia/Tokyo").unwrap()
}

fn run(path: &Path) -> (ImportReport, Vec<NewItem>) {
    let mut items = Vec::new();
    let report = import(path, &home(), |item| {
        items.push(item);
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(report) = report.unwrap_or_else(|error| panic!("{error}"));
    (report, items)
}

pub(crate) fn public() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pst");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no public PST files at {}", folder.display());
    None
}

/// The file of the public folder whose name ends so.
pub(crate) fn named(folder: &Path, end: &str) -> PathBuf {
    let mut files = crate::corpus::files(folder, &["pst"]).into_iter();
    files.find(|path| path.to_string_lossy().ends_with(end)).unwrap()
}

/// The checked-in file, unpacked.
pub(crate) fn empty(folder: &Path) -> PathBuf {
    let path = folder.join("empty.pst");
    std::fs::write(&path, unpacked(include_bytes!("../corpus/Empty.pst.gz"))).unwrap();
    path
}

/// The checked-in file with messages.
fn bodies() -> Vec<u8> {
    unpacked(include_bytes!("../corpus/various-bodies.pst.gz"))
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
    bytes
}

pub(crate) fn store(path: &Path) -> PstStore {
    PstStore::open(path, home()).unwrap()
}

#[test]
fn an_empty_file_has_folders_and_nothing_in_them() {
    let place = tempfile::tempdir().unwrap();
    let path = empty(place.path());
    let (report, items) = run(&path);
    assert_eq!((report, items), (ImportReport::default(), Vec::new()));
    let mut store = PstStore::open(&path, home()).unwrap();
    for folder in store.folders().unwrap() {
        assert_eq!(store.scan(&folder.id, None).unwrap().rows, [], "{}", folder.name);
    }
}

/// Runs over files that are no part of the project: `cargo nextest run -p offstage-mailstores public_pst`.
#[test]
fn all_public_pst_files_import() {
    let Some(folder) = public() else { return };
    let mut total = 0;
    for path in crate::corpus::files(&folder, &["pst"]) {
        let (report, items) = run(&path);
        println!(
            "{}: read {:?}, imported {:?}, not read {:?}, notes {:?}",
            path.file_name().unwrap().to_string_lossy(),
            report.read,
            report.imported,
            report.unread,
            report.notes
        );
        assert_eq!(report.unread, [], "{}", path.display());
        assert_eq!(items.len(), report.imported.values().sum::<usize>());
        total += report.messages();
    }
    assert!(total >= 19, "{total} messages");
}

#[test]
fn a_birthday_is_the_day_that_the_file_keeps() {
    let Some(folder) = public() else { return };
    let (_, items) = run(&named(&folder, "_contacts.pst"));
    let contact = items.iter().find(|item| item.kind == ItemKind::Contact).unwrap();
    let day = PropertyValue::Date("2000-01-01".parse().unwrap());
    assert_eq!(contact.properties.get(&Property::Birthday), Some(&day));
}

#[test]
fn a_series_keeps_its_rule() {
    let Some(folder) = public() else { return };
    let (_, items) = run(&named(&folder, "_dist-list.pst"));
    let appointment = items.iter().find(|item| item.kind == ItemKind::Appointment).unwrap();
    let rule = appointment.properties.get(&Property::Recurrence).unwrap().to_string();
    assert!(rule.starts_with("RRULE:FREQ=WEEKLY") && rule.contains("BYDAY=TU"), "{rule}");
    let zone = PropertyValue::text("America/Los_Angeles");
    assert_eq!(appointment.properties.get(&Property::TimeZone), Some(&zone));
}

#[test]
fn a_file_is_a_store_that_refuses_to_be_written() {
    let Some(folder) = public() else { return };
    let mut store = PstStore::open(&named(&folder, "_contacts.pst"), home()).unwrap();
    let contacts =
        store.folders().unwrap().into_iter().find(|folder| folder.kind == ItemKind::Contact);
    let scan = store.scan(&contacts.unwrap().id, None).unwrap();
    assert!(scan.complete && !scan.rows.is_empty());
    let id = scan.rows[0].entry_id.clone();
    let item = store.read(std::slice::from_ref(&id)).unwrap().remove(0).unwrap();
    assert_eq!(item.kind, ItemKind::Contact);
    assert!(matches!(store.delete(&id, None), Err(MailStoreError::Refused { .. })));
}

#[test]
fn a_message_that_cannot_be_read_is_listed_and_the_others_are_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("damaged.pst");
    let whole = bodies();
    std::fs::write(&path, &whole).unwrap();
    let (report, all) = run(&path);
    assert!(report.unread.is_empty() && all.len() > 1, "{report:?}");
    // One part of the file after the other is damaged, until it is one of a single message.
    let zeroed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at..(at + 64).min(whole.len())].fill(0);
        bytes
    };
    let found = (0..whole.len()).step_by(512).find_map(|at| {
        std::fs::write(&path, zeroed(at)).unwrap();
        let mut items = Vec::new();
        let taken = |item| {
            items.push(item);
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(Ok(report)) = import(&path, &home(), taken) else { return None };
        let one = report.unread.len() == 1 && items.len() == all.len() - 1;
        one.then_some((report, items))
    });
    let (report, items) = found.expect("a damage of one message");
    assert!(items.iter().all(|item| all.contains(item)), "the others are as they were");
    assert_eq!(report.messages(), report.read.values().sum::<usize>() + 1);
    let unread = &report.unread[0];
    assert!(unread.place.contains('/') && !unread.reason.is_empty(), "{unread:?}");
}

/// Cuts and flips of a real file: an error or less messages, never a panic that leaves the reader.
#[test]
fn damaged_files_are_survived() {
    let whole = bodies();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("damaged.pst");
    std::panic::set_hook(Box::new(|_| {}));
    for seed in 0..40u64 {
        let mut bytes = whole.clone();
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
        for _ in 0..64 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state).unwrap() % bytes.len();
            bytes[at] ^= (state >> 32) as u8 | 1;
        }
        if seed % 4 == 0 {
            bytes.truncate(bytes.len() / (seed as usize + 2));
        }
        std::fs::write(&path, &bytes).unwrap();
        let result = import(&path, &home(), |_| Ok::<(), std::convert::Infallible>(()));
        println!("seed {seed}: {:?}", result.map(|Ok(report)| report.messages()));
    }
    let _default = std::panic::take_hook();
}

#[test]
fn what_is_no_pst_file_says_so() {
    let place = tempfile::tempdir().unwrap();
    let cases =
        [("empty.pst", &b""[..]), ("text.pst", &b"no pst file"[..]), ("magic.pst", &b"!BDN"[..])];
    for (name, bytes) in cases {
        let path = place.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = PstStore::open(&path, home()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let missing = PstStore::open(&place.path().join("missing.pst"), home()).unwrap_err();
    assert!(missing.to_string().contains("missing.pst"), "{missing}");
}
