//! What every mail store does, whatever its technology: one suite, and what its capabilities change.

use std::collections::BTreeMap;

use offstage_model::{Timestamp, Uuid};
use offstage_outlook::{
    ChangeKey, EntryId, Folder, ItemKind, ItemPatch, LinkProperties, LinkState, MailStore,
    MailStoreError, NewItem, Presence, Properties, Property, PropertyValue,
};

/// Runs the suite for every kind that the store holds and can be written to.
pub(crate) fn check(store: &mut dyn MailStore) {
    let folders = store.folders().unwrap();
    let kinds = store.capabilities().kinds.clone();
    for kind in kinds.iter().copied() {
        let defaults = folders.iter().filter(|folder| folder.kind == kind && folder.default);
        assert_eq!(defaults.count(), 1, "one default folder for a {kind}");
    }
    check_kinds(store, &kinds);
}

/// Runs the suite for some kinds only.
pub(crate) fn check_kinds(store: &mut dyn MailStore, kinds: &[ItemKind]) {
    let folders = store.folders().unwrap();
    for folder in folders.iter().filter(|folder| folder.default && kinds.contains(&folder.kind)) {
        if store.capabilities().writes {
            check_kind(store, folder);
        } else {
            check_read_only(store, folder);
        }
    }
}

fn check_read_only(store: &mut dyn MailStore, folder: &Folder) {
    let new = sample(folder.kind, 1);
    assert!(matches!(store.create(&new), Err(MailStoreError::Refused { .. })));
    let scan = store.scan(&folder.id, None).unwrap();
    assert!(scan.complete);
    let ids: Vec<EntryId> = scan.rows.iter().map(|row| row.entry_id.clone()).collect();
    for (id, item) in ids.iter().zip(store.read(&ids).unwrap()) {
        assert!(item.is_none_or(|item| item.entry_id == *id));
    }
}

fn check_kind(store: &mut dyn MailStore, folder: &Folder) {
    let kind = folder.kind;
    let before = store.scan(&folder.id, None).unwrap();
    assert!(before.complete, "a scan without a mark gives everything");

    // What is made is read back, and a repeated attempt makes nothing.
    let new = sample(kind, 1);
    let made = store.create(&new).unwrap();
    for (property, value) in &new.properties {
        assert_eq!(made.properties.get(property), Some(value), "{kind}: {property}");
    }
    assert_eq!(store.create(&new).unwrap().entry_id, made.entry_id, "{kind}: a repeat");
    let read = store.read(std::slice::from_ref(&made.entry_id)).unwrap().remove(0).unwrap();
    assert_eq!(read, made, "{kind}");
    if store.capabilities().custom_properties {
        assert_eq!(read.link.crm_id, new.link.crm_id, "{kind}");
    }

    // The scan since the mark tells of it, and tells nothing when nothing happened.
    let scan = store.scan(&folder.id, Some(&before.mark)).unwrap();
    assert!(scan.rows.iter().any(|row| row.entry_id == made.entry_id), "{kind}: {scan:?}");
    let row = scan.rows.iter().find(|row| row.entry_id == made.entry_id).unwrap();
    assert_eq!(row.change_key, made.change_key, "{kind}: one change key");

    // Only what a patch names changes.
    let patch = rename("Changed; \"twice\", ü\nand more", kind);
    let changed = store.update(&made.entry_id, Some(&made.change_key), &patch).unwrap();
    let mut wanted: Properties = made.properties.clone();
    wanted.extend(patch.properties.iter().map(|(name, value)| (*name, value.clone().unwrap())));
    assert_eq!(changed.properties, wanted, "{kind}");
    assert_eq!(changed.link, made.link, "{kind}");
    assert_ne!(changed.change_key, made.change_key, "{kind}");

    // A write on an old state writes nothing.
    let stale = store.update(&made.entry_id, Some(&made.change_key), &rename("Lost", kind));
    assert!(matches!(stale, Err(MailStoreError::Conflict { .. })), "{kind}: {stale:?}");
    let stale = store.delete(&made.entry_id, Some(&made.change_key));
    assert!(matches!(stale, Err(MailStoreError::Conflict { .. })), "{kind}: {stale:?}");
    let read = store.read(std::slice::from_ref(&made.entry_id)).unwrap().remove(0).unwrap();
    assert_eq!(read, changed, "{kind}");

    // The tie goes when it is told to.
    let untie = ItemPatch { link: Some(LinkProperties::default()), ..ItemPatch::default() };
    let untied = store.update(&made.entry_id, None, &untie).unwrap();
    assert_eq!(untied.link, LinkProperties::default(), "{kind}");
    assert_eq!(untied.properties, changed.properties, "{kind}");

    check_end(store, folder, &untied.entry_id, &untied.change_key);
}

fn check_end(store: &mut dyn MailStore, folder: &Folder, id: &EntryId, key: &ChangeKey) {
    let kind = folder.kind;
    let other = store.create(&sample(kind, 2)).unwrap();
    let mark = store.scan(&folder.id, None).unwrap().mark;
    store.delete(id, Some(key)).unwrap();
    store.delete(id, None).unwrap();
    let ids = [id.clone(), other.entry_id.clone()];
    let presence = store.presence(&ids).unwrap();
    assert_eq!(presence, [Presence::Gone, Presence::There], "{kind}");
    let read = store.read(&ids).unwrap();
    assert!(read[0].is_none() && read[1].is_some(), "{kind}");
    let scan = store.scan(&folder.id, Some(&mark)).unwrap();
    assert!(!scan.rows.iter().any(|row| row.entry_id == *id), "{kind}");
    if store.capabilities().reports_deletions {
        assert!(scan.removed.contains(id), "{kind}: {:?}", scan.removed);
    }
    let gone = store.update(id, None, &rename("Nowhere", kind));
    assert!(matches!(gone, Err(MailStoreError::Gone { .. })), "{kind}: {gone:?}");
    store.delete(&other.entry_id, Some(&other.change_key)).unwrap();
}

/// An item of a kind, the same for the same number.
pub(crate) fn sample(kind: ItemKind, number: u128) -> NewItem {
    let text = PropertyValue::text;
    let time = |at: &str| PropertyValue::Time(Timestamp::parse(at).unwrap());
    let date = |at: &str| PropertyValue::Date(at.parse().unwrap());
    let properties: Properties = match kind {
        ItemKind::Contact => [
            (Property::FirstName, text("Zoë")),
            (Property::LastName, text("Müller; Sons, Ltd.")),
            (Property::JobTitle, text("Head of \\ research")),
            (Property::Birthday, date("1984-02-29")),
            (Property::Email1, text("zoe@example.org")),
            (Property::MobileTelephone, text("+49 170 5550101")),
            (Property::MailingStreet, text("First line\nsecond line")),
            (Property::MailingCity, text("Köln")),
            (Property::Body, text("A note\n\nwith “marks”")),
        ]
        .into(),
        ItemKind::Task => [
            (Property::Subject, text("Write the offer, soon")),
            (Property::Body, text("First\nsecond")),
            (Property::DueDate, date("2027-03-28")),
            (Property::Importance, PropertyValue::Integer(2)),
            (Property::TaskStatus, PropertyValue::Integer(3)),
        ]
        .into(),
        ItemKind::Appointment => [
            (Property::Subject, text("Review")),
            (Property::Location, text("Room; 1")),
            (Property::Start, time("2027-03-28T00:30:00Z")),
            (Property::End, time("2027-03-28T02:00:00Z")),
            (Property::AllDay, PropertyValue::Boolean(false)),
            (Property::ShowTimeAs, PropertyValue::Integer(4)),
            (Property::Importance, PropertyValue::Integer(1)),
        ]
        .into(),
        ItemKind::Email => BTreeMap::new(),
    };
    let link = LinkProperties {
        crm_id: Some(Uuid::from_u128(number)),
        state: Some(LinkState::Tracked),
        ..LinkProperties::default()
    };
    let transaction = Uuid::from_u128(0x5EED_0000 + number + ((kind as u128) << 64));
    NewItem { kind, folder: None, properties, link, transaction }
}

fn rename(to: &str, kind: ItemKind) -> ItemPatch {
    let property = if kind == ItemKind::Contact { Property::JobTitle } else { Property::Subject };
    let value = Some(PropertyValue::text(to));
    ItemPatch { properties: [(property, value)].into(), link: None }
}
