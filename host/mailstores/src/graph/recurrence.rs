//! Graph's recurrence, which has no exceptions (see `exceptions`), and the canonical text of a rule.
//!
//! A rule that Graph has no words for is refused, never simplified.

use offstage_outlook::PropertyValue;
use serde_json::{Value, json};

use super::map::Unsaid;
use crate::codec::icalendar::canonical_rule;
use crate::codec::zone::Zone;

const DAYS: [(&str, &str); 7] = [
    ("MO", "monday"),
    ("TU", "tuesday"),
    ("WE", "wednesday"),
    ("TH", "thursday"),
    ("FR", "friday"),
    ("SA", "saturday"),
    ("SU", "sunday"),
];
const INDEX: [(&str, &str); 5] =
    [("1", "first"), ("2", "second"), ("3", "third"), ("4", "fourth"), ("-1", "last")];

const FOREIGN: &str = "Graph has no words for the rule of this series";

/// The canonical text of a `patternedRecurrence`.
pub(super) fn to_text(json: &Value) -> Option<String> {
    let (pattern, range) = (json.get("pattern")?, json.get("range")?);
    let number =
        |from: &Value, name: &str| from.get(name).and_then(Value::as_i64).filter(|n| *n > 0);
    let short = |word: &str| DAYS.iter().find(|(_, long)| *long == word).map(|(short, _)| *short);
    let days: Vec<&str> = pattern
        .get("daysOfWeek")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|day| short(day.as_str()?))
        .collect();
    let kind = pattern.get("type")?.as_str()?;
    let month =
        number(pattern, "month").map(|month| format!(";BYMONTH={month}")).unwrap_or_default();
    let day =
        number(pattern, "dayOfMonth").map(|day| format!(";BYMONTHDAY={day}")).unwrap_or_default();
    let index = pattern.get("index").and_then(Value::as_str).unwrap_or("first");
    let index = INDEX.iter().find(|(_, long)| *long == index).map(|(short, _)| *short)?;
    let nth = match days.as_slice() {
        [day] => format!(";BYDAY={index}{day}"),
        days => format!(";BYDAY={};BYSETPOS={index}", days.join(",")),
    };
    let (frequency, by) = match kind {
        "daily" => ("DAILY", String::new()),
        "weekly" => ("WEEKLY", format!(";BYDAY={}", days.join(","))),
        "absoluteMonthly" => ("MONTHLY", day),
        "relativeMonthly" => ("MONTHLY", nth),
        "absoluteYearly" => ("YEARLY", month + &day),
        "relativeYearly" => ("YEARLY", month + &nth),
        _ => return None,
    };
    let mut rule = format!("FREQ={frequency}{by}");
    if let Some(interval) = number(pattern, "interval") {
        rule.push_str(&format!(";INTERVAL={interval}"));
    }
    match range.get("type")?.as_str()? {
        "numbered" => rule.push_str(&format!(";COUNT={}", number(range, "numberOfOccurrences")?)),
        "endDate" => {
            rule.push_str(&format!(";UNTIL={}", range.get("endDate")?.as_str()?.replace('-', "")));
        }
        _ => {}
    }
    let first = pattern.get("firstDayOfWeek").and_then(Value::as_str).and_then(short);
    if let Some(first) = first.filter(|_| frequency == "WEEKLY") {
        rule.push_str(&format!(";WKST={first}"));
    }
    canonical_rule(&rule).map(|rule| format!("RRULE:{rule}"))
}

/// The `patternedRecurrence` of a canonical text.
///
/// A series begins on a day of its own zone.
pub(super) fn of_text(text: &str, start: &PropertyValue, zone: &Zone) -> Result<Value, Unsaid> {
    let rule = text.strip_prefix("RRULE:").ok_or("Graph knows no dates without a rule")?;
    if rule.contains('\n') {
        return Err("Graph has one rule for a series, and no single dates");
    }
    let parts: Vec<(&str, &str)> =
        rule.split(';').filter_map(|part| part.split_once('=')).collect();
    let part = |name: &str| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let known = [
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "BYDAY",
        "BYMONTHDAY",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
    ];
    let foreign = FOREIGN;
    if parts.iter().any(|(name, _)| !known.contains(name)) {
        return Err(foreign);
    }
    let start = match start {
        PropertyValue::Date(date) => *date,
        PropertyValue::Time(time) => zone.local(*time).ok_or(foreign)?.date(),
        _ => return Err(foreign),
    };
    let pattern = pattern(&part, start)?;
    let mut range = json!({"type": "noEnd", "startDate": start.to_string()});
    if let Some(count) = part("COUNT") {
        range["type"] = json!("numbered");
        range["numberOfOccurrences"] = json!(count.parse::<u32>().map_err(|_| foreign)?);
    } else if let Some(until) = part("UNTIL") {
        let date = until
            .get(..8)
            .and_then(|digits| digits.parse::<jiff::civil::Date>().ok())
            .ok_or(foreign)?;
        range["type"] = json!("endDate");
        range["endDate"] = json!(date.to_string());
    }
    Ok(json!({"pattern": pattern, "range": range}))
}

/// When a series repeats, without its end.
fn pattern<'a>(
    part: &dyn Fn(&str) -> Option<&'a str>,
    start: jiff::civil::Date,
) -> Result<Value, Unsaid> {
    let foreign = FOREIGN;
    let interval: u32 = part("INTERVAL").map_or(Ok(1), str::parse).map_err(|_| foreign)?;
    let mut pattern = json!({"interval": interval});
    let (days, nth) = weekdays(part("BYDAY"), part("BYSETPOS")).ok_or(foreign)?;
    let month =
        part("BYMONTH").map_or(Ok(i64::from(start.month())), str::parse).map_err(|_| foreign)?;
    let day =
        part("BYMONTHDAY").map_or(Ok(i64::from(start.day())), str::parse).map_err(|_| foreign)?;
    if day < 1 {
        return Err(foreign);
    }
    pattern["type"] = json!(match (part("FREQ"), days.is_empty(), nth) {
        (Some("DAILY"), true, _) => "daily",
        (Some("WEEKLY"), _, None) => {
            pattern["daysOfWeek"] =
                json!(if days.is_empty() { vec![weekday(start)] } else { days });
            pattern["firstDayOfWeek"] = json!(long(part("WKST").unwrap_or("MO")).ok_or(foreign)?);
            "weekly"
        }
        (Some("MONTHLY"), true, _) => {
            pattern["dayOfMonth"] = json!(day);
            "absoluteMonthly"
        }
        (Some("MONTHLY"), false, Some(index)) => {
            pattern["daysOfWeek"] = json!(days);
            pattern["index"] = json!(index);
            "relativeMonthly"
        }
        (Some("YEARLY"), true, _) => {
            pattern["month"] = json!(month);
            pattern["dayOfMonth"] = json!(day);
            "absoluteYearly"
        }
        (Some("YEARLY"), false, Some(index)) => {
            pattern["month"] = json!(month);
            pattern["daysOfWeek"] = json!(days);
            pattern["index"] = json!(index);
            "relativeYearly"
        }
        _ => return Err(foreign),
    });
    Ok(pattern)
}

fn long(short: &str) -> Option<&'static str> {
    DAYS.iter().find(|(known, _)| *known == short).map(|(_, long)| *long)
}

fn weekday(date: jiff::civil::Date) -> &'static str {
    let at = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
    DAYS[at].1
}

/// The days of a rule, and which of them in a month.
fn weekdays(
    days: Option<&str>,
    position: Option<&str>,
) -> Option<(Vec<&'static str>, Option<&'static str>)> {
    let index =
        |number: &str| INDEX.iter().find(|(short, _)| *short == number).map(|(_, long)| *long);
    let Some(days) = days else { return Some((Vec::new(), None)) };
    let mut found = Vec::new();
    let mut nth = position.map(|position| index(position).ok_or(())).transpose().ok()?;
    for day in days.split(',') {
        let at = day.len().checked_sub(2)?;
        let (number, short) = day.split_at_checked(at)?;
        found.push(long(short)?);
        if !number.is_empty() {
            // Different numbers on different days have no words.
            let this = index(number.trim_start_matches('+'))?;
            if nth.is_some_and(|there| there != this) {
                return None;
            }
            nth = Some(this);
        }
    }
    Some((found, nth))
}
