//! What each fuzz target does with its bytes; the replay test does the same.
//!
//! Never looks at a network; the PST target writes its bytes into a file that it removes.

use offstage_mailstores::codec::icalendar::{CalendarObject, Writing};
use offstage_mailstores::codec::lines::Document;
use offstage_mailstores::codec::vcard::VCard;
use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::dav::multistatus::{Multistatus, names_precondition};
use offstage_model::Timestamp;
use offstage_outlook::{ItemPatch, Property, PropertyValue, original as original_xml};

/// Any bytes are a document that is written back as it was read.
fn same_bytes(data: &[u8]) {
    if let Ok(document) = Document::parse(data) {
        assert_eq!(document.to_bytes(), data);
    }
}

fn named(property: Property) -> ItemPatch {
    let value = Some(PropertyValue::text("a; \"b\"\r\nEND:VCARD\r\nEND:VEVENT"));
    ItemPatch { properties: [(property, value)].into(), link: None }
}

/// iCalendar: read, map, write, read.
pub(crate) fn icalendar(data: &[u8]) {
    same_bytes(data);
    let Some(home) = Zone::named("Europe/Berlin") else { return };
    let writing = Writing { home: &home, now: Timestamp(1_790_000_000_000) };
    for mut object in CalendarObject::parse_all(data).unwrap_or_default().into_iter().take(4) {
        let Ok(before) = object.properties(&home) else { continue };
        object.patch(&named(Property::Subject), writing).expect("a subject can be written");
        let after =
            CalendarObject::parse_all(&object.to_bytes()).expect("what was written is read");
        let same =
            after.iter().find(|other| other.uid() == object.uid() && other.kind() == object.kind());
        let after = same.expect("the object is there").properties(&home).expect("and understood");
        assert_eq!(before.get(&Property::Start), after.get(&Property::Start));
        assert!(after.contains_key(&Property::Subject));
    }
}

/// vCard: read, map, write, read.
pub(crate) fn vcard(data: &[u8]) {
    same_bytes(data);
    let cards = VCard::parse_all(data).unwrap_or_default();
    let count = cards.len();
    for mut card in cards.into_iter().take(4) {
        if card.properties().is_err() {
            continue;
        }
        card.patch(&named(Property::JobTitle)).expect("a title can be written");
        let after = VCard::parse_all(&card.to_bytes()).expect("what was written is read");
        assert_eq!(after.len(), count, "a value made a card");
    }
}

/// WebDAV answers.
pub(crate) fn multistatus(data: &[u8]) {
    std::hint::black_box(names_precondition(data, "valid-sync-token"));
    if let Ok(answer) = Multistatus::parse(data, "https://dav.example") {
        for resource in answer.responses {
            assert!(resource.href.starts_with('/') && !resource.href.starts_with("//"));
        }
    }
}

/// PST files: opened and read to their end.
pub(crate) fn pst(data: &[u8]) {
    let Some(home) = Zone::named("Europe/Berlin") else { return };
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if std::fs::write(file.path(), data).is_err() {
        return;
    }
    let taken = |_| Ok::<(), std::convert::Infallible>(());
    // Whatever it says, it says something.
    drop(offstage_mailstores::pst::import(file.path(), &home, taken));
}

/// OriginalXML: what was read is written so that it is read as the same.
pub(crate) fn original(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(original) = original_xml::read(text) else { return };
    let again = original_xml::write("contact", &original.state, original.record_version);
    assert_eq!(original_xml::read(&again).expect("what was written is read"), original);
}
