//! Literals, read by the type of the column that they are compared with.

use super::invalid_at;
use super::token::{Token, TokenKind};
use offstage_model::metadata::{Column, ColumnType};
use offstage_model::{Decimal, Fault, Timestamp, Uuid, Value};

/// The value of a literal for a column; `null` is [`Value::Null`].
pub(super) fn literal(name: &str, column: &Column, token: &Token) -> Result<Value, Fault> {
    let wrong = |wanted: &str| {
        let message =
            format!("'{name}' is compared with {wanted}, not with {}", token.kind.shown());
        invalid_at(token.position, &message)
    };
    let (text, quoted) = match &token.kind {
        TokenKind::Word(word) if word == "null" => return Ok(Value::Null),
        TokenKind::Word(word) => (word.as_str(), false),
        TokenKind::Text(text) => (text.as_str(), true),
        TokenKind::Mark(_) | TokenKind::End => return Err(wrong("a value")),
    };
    let number = |text: &str| text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text));
    match column.kind {
        ColumnType::String | ColumnType::Memo => {
            if quoted {
                Ok(Value::text(text))
            } else {
                Err(wrong("a text in quotes"))
            }
        }
        ColumnType::Integer | ColumnType::BigInt | ColumnType::Decimal | ColumnType::Money
            if !quoted =>
        {
            number(text).map(Value::Decimal).map_err(|_| wrong("a number"))
        }
        ColumnType::Double if !quoted => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Double(value)),
            _ => Err(wrong("a number")),
        },
        ColumnType::Picklist | ColumnType::State | ColumnType::Status if !quoted => {
            text.parse().map(Value::Option).map_err(|_| wrong("the number of a choice"))
        }
        ColumnType::MultiSelect => options(text).ok_or_else(|| wrong("choices like '1,3'")),
        ColumnType::Boolean if text == "true" && !quoted => Ok(Value::Boolean(true)),
        ColumnType::Boolean if text == "false" && !quoted => Ok(Value::Boolean(false)),
        // Many clients quote dates and ids; the platform takes both.
        ColumnType::DateTime => {
            Timestamp::parse(text).map(Value::DateTime).map_err(|_| wrong("a date"))
        }
        ColumnType::UniqueIdentifier
        | ColumnType::Lookup
        | ColumnType::Customer
        | ColumnType::Owner => {
            Uuid::try_parse(text).map(Value::Guid).map_err(|_| wrong("an id (GUID)"))
        }
        ColumnType::Boolean => Err(wrong("true or false")),
        ColumnType::Image | ColumnType::File => Err(wrong("null only")),
        _ => Err(wrong("a number without quotes")),
    }
}

fn options(text: &str) -> Option<Value> {
    let list: Vec<i32> =
        text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    Some(Value::Options(list))
}
