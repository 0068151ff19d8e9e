//! Contacts: each case is a card's line, the property that it is, and what writing makes of it.

use offstage_mailstores::codec::vcard::{VCard, VCardError};
use offstage_model::Uuid;
use offstage_outlook::{ItemPatch, LinkProperties, LinkState, Property, PropertyValue};

fn card(version: &str, lines: &str) -> VCard {
    let text = format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{lines}\r\nEND:VCARD\r\n");
    VCard::parse(text.as_bytes()).unwrap()
}

fn text(card: &VCard) -> String {
    String::from_utf8(card.to_bytes()).unwrap()
}

fn patch(property: Property, value: Option<PropertyValue>) -> ItemPatch {
    ItemPatch { properties: [(property, value)].into(), link: None }
}

fn date(text: &str) -> PropertyValue {
    PropertyValue::Date(text.parse().unwrap())
}

#[test]
fn birthdays_are_days_and_never_shift() {
    let cases = [
        ("3.0", "BDAY:1990-05-04", Some("1990-05-04")),
        ("3.0", "BDAY;VALUE=date:19900504", Some("1990-05-04")),
        ("4.0", "BDAY:19900504", Some("1990-05-04")),
        // A time and a zone say nothing about the day.
        ("3.0", "BDAY:1999-12-31T15:00:00Z", Some("1999-12-31")),
        ("4.0", "BDAY;VALUE=date-and-or-time:20000101T000000+1400", Some("2000-01-01")),
        // Without a year Outlook has no field for it.
        ("4.0", "BDAY:--0504", None),
        ("3.0", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-04", None),
        ("3.0", "BDAY:in spring", None),
        ("3.0", "BDAY:2026-02-30", None),
    ];
    for (version, line, wanted) in cases {
        let read = card(version, line).properties().unwrap();
        assert_eq!(read.get(&Property::Birthday), wanted.map(date).as_ref(), "{line}");
    }
}

#[test]
fn a_written_day_keeps_the_form_of_its_line() {
    let cases = [
        ("3.0", "BDAY:1990-05-04", "BDAY:2001-02-03\r\n"),
        ("3.0", "BDAY;VALUE=date:19900504", "BDAY:20010203\r\n"),
        ("4.0", "BDAY:--0504", "BDAY:20010203\r\n"),
        ("4.0", "NOTE:x", "BDAY:20010203\r\n"),
        ("3.0", "NOTE:x", "BDAY:2001-02-03\r\n"),
    ];
    for (version, line, wanted) in cases {
        let mut card = card(version, line);
        card.patch(&patch(Property::Birthday, Some(date("2001-02-03")))).unwrap();
        assert!(text(&card).contains(wanted), "{line}: {}", text(&card));
    }
}

#[test]
fn numbers_find_their_field() {
    let cases = [
        ("TEL;TYPE=WORK,VOICE:1", Some(Property::BusinessTelephone)),
        ("TEL;WORK;FAX:1", Some(Property::BusinessFax)),
        ("TEL;TYPE=FAX:1", Some(Property::BusinessFax)),
        ("TEL;TYPE=HOME;TYPE=FAX:1", None),
        ("TEL;TYPE=home:1", Some(Property::HomeTelephone)),
        ("TEL;TYPE=cell,work:1", Some(Property::MobileTelephone)),
        ("TEL;TYPE=PAGER:1", Some(Property::Pager)),
        ("TEL:1", Some(Property::OtherTelephone)),
        ("TEL;TYPE=MAIN:1", None),
        ("TEL;TYPE=CAR:1", None),
        ("X-MS-TEL;TYPE=ASSISTANT:1", Some(Property::AssistantTelephone)),
        ("X-MS-TEL;TYPE=CALLBACK:1", None),
    ];
    for (line, wanted) in cases {
        let read = card("3.0", line).properties().unwrap();
        assert_eq!(read.keys().next().copied(), wanted, "{line}");
    }
}

#[test]
fn an_address_alone_in_third_place_stays_there() {
    for version in ["3.0", "4.0"] {
        for property in [Property::Email1, Property::Email2, Property::Email3] {
            let mut card = card(version, "FN:x");
            let address = PropertyValue::text("a@example.org");
            card.patch(&patch(property, Some(address.clone()))).unwrap();
            let read = card.properties().unwrap();
            assert_eq!(read.get(&property), Some(&address));
            assert_eq!(read.len(), 1, "{read:?}");
        }
    }
}

#[test]
fn the_display_name_follows_only_where_it_was_made_of_the_name() {
    let cases = [
        ("N:Doe;Jo;;;\r\nFN:Jo Doe", "FN:Jo Roe\r\n"),
        ("N:Doe;Jo;;;\r\nFN:The boss", "FN:The boss\r\n"),
        ("N:;;;;\r\nFN:", "FN:Roe\r\n"),
    ];
    for (lines, wanted) in cases {
        let mut card = card("3.0", lines);
        card.patch(&patch(Property::LastName, Some(PropertyValue::text("Roe")))).unwrap();
        assert!(text(&card).contains(wanted), "{lines}: {}", text(&card));
    }
}

#[test]
fn clearing_takes_the_line_and_only_that() {
    let mut card =
        card("3.0", "N:Doe;Jo;;;\r\nFN:Jo Doe\r\nTITLE:x\r\nX-TITLE:kept\r\nADR;TYPE=WORK:;;S;;;;");
    for property in [Property::JobTitle, Property::MailingStreet, Property::LastName] {
        card.patch(&patch(property, None)).unwrap();
    }
    let wanted = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;Jo;;;\r\nFN:Jo\r\nX-TITLE:kept\r\nEND:VCARD\r\n";
    assert_eq!(text(&card), wanted);
}

#[test]
fn a_value_cannot_break_out_of_its_line() {
    let mut card = VCard::new("uid-1");
    let hostile = "a\r\nEND:VCARD\r\nBEGIN:VCARD\nX-EVIL:1\u{0}\u{b}";
    for property in [Property::Body, Property::WebPage, Property::Email1, Property::LastName] {
        card.patch(&patch(property, Some(PropertyValue::text(hostile)))).unwrap();
    }
    assert_eq!(text(&card).matches("BEGIN:VCARD\r\n").count(), 1);
    assert!(!text(&card).contains("\nX-EVIL"));
    assert_eq!(VCard::parse_all(&card.to_bytes()).unwrap().len(), 1);
}

#[test]
fn the_tie_travels_in_lines_of_its_own() {
    let link = LinkProperties {
        crm_id: Some(Uuid::from_u128(7)),
        state: Some(LinkState::Tracked),
        original_xml: Some("<item a=\"ü;,\\\">\r\n</item>".repeat(200)),
        ..LinkProperties::default()
    };
    let mut card = card("3.0", "FN:x");
    card.patch(&ItemPatch { link: Some(link.clone()), ..ItemPatch::default() }).unwrap();
    let read = VCard::parse(&card.to_bytes()).unwrap();
    assert_eq!(read.link(), link);
    assert!(text(&card).lines().all(|line| line.len() <= 75), "folded");
    card.patch(&ItemPatch { link: Some(LinkProperties::default()), ..ItemPatch::default() })
        .unwrap();
    assert_eq!(text(&card), "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n");
}

#[test]
fn what_is_no_contact_is_left_alone() {
    assert_eq!(VCard::parse(b"BEGIN:VCARD\r\n"), Err(VCardError::NoCard));
    assert_eq!(card("4.0", "KIND:group").properties(), Err(VCardError::Group));
    let nested = "BEGIN:VCARD\r\n".repeat(100);
    assert!(matches!(VCard::parse(nested.as_bytes()), Err(VCardError::Limit(_))));
}
