//! Ids, times, rows and errors: what an author types and reads.
#![allow(missing_docs, reason = "a test")]

use offstage_sdk::{
    DataError, Decimal, Entity, Guid, Money, OptionValue, PluginError, Timestamp, Value, codes,
};

#[test]
fn a_guid_reads_what_it_writes() {
    let text = "2f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d2";
    let guid: Guid = text.parse().unwrap();
    assert_eq!(guid.to_string(), text);
    assert_eq!(format!("{{{}}}", text.to_uppercase()).parse::<Guid>().unwrap(), guid);
    let (high, low) = guid.halves();
    assert_eq!((high, Guid::from_halves(high, low)), (0x2f6b_0c1e_8d1a_4c35, guid));
    let wrong = [
        "",
        "2f6b0c1e8d1a4c359a7051f6a1f0c9d2",
        "2f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9dg",
        "2f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d",
        "{2f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d2",
        "éf6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d",
        "+f6b0c1e-8d1a-4c35-9a70-51f6a1f0c9d2",
    ];
    for text in wrong {
        assert!(text.parse::<Guid>().is_err(), "{text}");
    }
}

#[test]
fn a_timestamp_reads_what_it_writes() {
    let cases = [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-02T09:00:00Z", 1_772_442_000_000),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1600-03-01T00:00:00Z", -11_670_912_000_000),
    ];
    for (text, millis) in cases {
        let timestamp: Timestamp = text.parse().unwrap();
        assert_eq!((timestamp.as_millis(), timestamp.to_string().as_str()), (millis, text));
    }
    for text in ["2023-02-29", "2026-13-01", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "x"] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
    let monday: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    assert_eq!(monday.add_days(7).start_of_day().to_string(), "2026-03-09T00:00:00Z");
}

#[test]
fn a_row_reads_by_type_and_says_what_is_wrong() {
    let mut row = Entity::new("opportunity")
        .with("estimatedvalue", Money(Decimal::new(1250, 2)))
        .with("statecode", OptionValue(0))
        .with("name", None::<&str>);
    assert_eq!(row.money("estimatedvalue").unwrap(), Some(Decimal::new(1250, 2)));
    assert_eq!(row.option_value("statecode").unwrap(), Some(0));
    assert_eq!(row.text("name").unwrap(), None);
    assert!(row.contains("name") && !row.contains("ownerid"));
    let error = row.text("estimatedvalue").unwrap_err();
    assert_eq!(error.to_string(), "column `estimatedvalue` of `opportunity` holds money, not text");
    assert_eq!(PluginError::from(error).code(), codes::UNEXPECTED);
    assert!(
        matches!(row.reference(), Err(DataError::MissingId { table }) if table == "opportunity")
    );
    assert_eq!(row.remove("name"), Some(Value::Null));
    assert_eq!(row.attributes().len(), 2);
}

#[test]
fn a_refusal_has_the_platforms_code() {
    let error = PluginError::new("no");
    assert_eq!((error.code(), error.status(), error.message()), (0x8004_0265, 0, "no"));
    let error = error.with_code(7).with_status(409);
    assert_eq!((error.code(), error.status()), (7, 409));
}
