//! Values for columns, made from their definitions: plain ones, and awkward ones that a plug-in may
//! not expect.

use offstage_model::metadata::{Column, ColumnType, DateBehavior, Table};
use offstage_model::{Decimal, Timestamp, Value};

/// The longest awkward text, in characters.
const AWKWARD_TEXT_MAX: usize = 300;
/// 2026-01-01.
const FIRST_DAY: Timestamp = Timestamp(1_767_225_600_000);
/// 2028-02-29.
const LEAP_DAY: Timestamp = Timestamp(1_835_395_200_000);
const DAY_MS: i64 = 86_400_000;
/// What texts hold that programs trip over: spaces around, quotes, other scripts, combining and
/// right-to-left characters, one outside of the basic plane.
const AWKWARD: &str = "\"x\" <b> %s ; -- ÀÉ e\u{301} 漢字 \u{5d0}\u{5d1} \u{1f600} ";

/// Which values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// What somebody would type.
    Plain,
    /// The longest, the largest, the strangest.
    Awkward,
}

/// A value for a column; `None` for one that callers do not set, and for references.
pub(crate) fn value(
    table: &Table,
    name: &str,
    column: &Column,
    style: Style,
    number: u32,
) -> Option<Value> {
    let is_own = column.system || column.autonumber.is_some() || name == table.primary_id
        // Says when an imported row was made, which is not what callers do.
        || name == "overriddencreatedon";
    if is_own {
        return None;
    }
    let awkward = style == Style::Awkward;
    let value = match column.kind {
        ColumnType::String | ColumnType::Memo => Value::text(match style {
            Style::Plain => plain_text(name, column, number),
            Style::Awkward => awkward_text(column, number),
        }),
        ColumnType::Integer => Value::Integer(whole(column, awkward, number)),
        ColumnType::BigInt => Value::BigInt(if awkward { i64::MAX } else { number.into() }),
        ColumnType::Decimal => Value::Decimal(amount(column, awkward, number)),
        ColumnType::Money => Value::Money(amount(column, awkward, number)),
        ColumnType::Double => {
            let bound = column.max.or(column.min).unwrap_or(1.0e15);
            Value::Double(if awkward { bound } else { f64::from(number) / 2.0 })
        }
        ColumnType::Boolean => Value::Boolean(number % 2 == 1),
        ColumnType::DateTime => Value::DateTime(time(column, awkward, number)),
        ColumnType::Picklist => {
            let count = column.choices.len().max(1);
            Value::Option(column.choices.get(number as usize % count)?.value)
        }
        ColumnType::MultiSelect => {
            let most = if awkward { usize::MAX } else { 2 };
            Value::Options(column.choices.iter().take(most).map(|choice| choice.value).collect())
        }
        ColumnType::State
        | ColumnType::Status
        | ColumnType::Lookup
        | ColumnType::Customer
        | ColumnType::Owner
        | ColumnType::UniqueIdentifier
        | ColumnType::Image
        | ColumnType::File => return None,
    };
    // What the definition does not take is no sample.
    column.check(&table.name, name, &value).is_ok().then_some(value)
}

fn plain_text(name: &str, column: &Column, number: u32) -> String {
    let label = if column.label.is_empty() { name } else { &column.label };
    let text = if name.contains("email") {
        format!("sample{number}@example.com")
    } else if ["phone", "fax", "pager"].iter().any(|part| name.contains(part)) {
        format!("(425) 555-{:04}", 100 + number)
    } else if name.contains("url") || name.contains("site") {
        format!("https://example.com/{number}")
    } else if name.contains("postalcode") {
        format!("{}", 98_000 + number)
    } else {
        // The number first: a short column cuts the end off, and must be unique all the same.
        format!("{number} sample {label}")
    };
    text.chars().take(column.length_max() as usize).collect()
}

/// The number is in it, so that columns which must be unique are.
fn awkward_text(column: &Column, number: u32) -> String {
    let length = (column.length_max() as usize).min(AWKWARD_TEXT_MAX);
    format!("  O'Neil {number} ").chars().chain(AWKWARD.chars().cycle()).take(length).collect()
}

fn whole(column: &Column, awkward: bool, number: u32) -> i32 {
    let (min, max) = (column.min.unwrap_or(f64::MIN), column.max.unwrap_or(f64::MAX));
    let wanted = if awkward { f64::from(i32::MAX) } else { f64::from(number) };
    // A number between the bounds of a column of 32-bit integers is one.
    wanted.clamp(min, max) as i32
}

fn amount(column: &Column, awkward: bool, number: u32) -> Decimal {
    let wanted = Decimal::new(i64::from(number) * 12_505, 1);
    let bound = |bound: f64| Decimal::from(bound.min(1.0e12) as i64);
    match (awkward, column.max) {
        (true, Some(max)) => bound(max),
        (true, None) => Decimal::new(99_999_999_999, column.scale().min(6)),
        (false, Some(max)) => wanted.min(bound(max)),
        (false, None) => wanted,
    }
}

fn time(column: &Column, awkward: bool, number: u32) -> Timestamp {
    let day = if awkward { LEAP_DAY } else { FIRST_DAY.plus_ms(DAY_MS * i64::from(number)) };
    match column.behavior {
        DateBehavior::DateOnly => day,
        DateBehavior::UserLocal | DateBehavior::TimeZoneIndependent => {
            day.plus_ms(if awkward { DAY_MS - 1 } else { 9 * 3_600_000 })
        }
    }
}
