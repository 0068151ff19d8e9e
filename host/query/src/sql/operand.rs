//! The value of a comparison, turned into the physical form of its column. Wider than storing: any
//! number compares with any numeric column, and an id with a reference.

use super::invalid;
use crate::SqlValue;
use crate::physical::{scaled, to_sql};
use offstage_model::metadata::{Column, ColumnType};
use offstage_model::{Decimal, Fault, Value};

/// The bound form of `value` for a comparison with the column.
pub(super) fn operand(
    table: &str,
    name: &str,
    column: &Column,
    value: &Value,
) -> Result<SqlValue, Fault> {
    let wrong = || {
        let shown: String = value.to_string().chars().take(40).collect();
        let kind = format!("{:?}", column.kind).to_lowercase();
        invalid(format!(
            "'{table}.{name}' is of type {kind} and cannot be compared with '{shown}'."
        ))
    };
    Ok(match (column.kind, value) {
        (ColumnType::Decimal | ColumnType::Money, v) => {
            let number = decimal(v).ok_or_else(wrong)?;
            match scaled(number, column.scale()) {
                Some(units) => SqlValue::Integer(units),
                // More digits than the column has: between two stored numbers.
                None => SqlValue::Real(float(number) * 10f64.powi(column.scale().cast_signed())),
            }
        }
        (ColumnType::Double, Value::Double(v)) if v.is_finite() => SqlValue::Real(*v),
        (ColumnType::Double, v) => SqlValue::Real(float(decimal(v).ok_or_else(wrong)?)),
        (ColumnType::Integer | ColumnType::BigInt, v) => {
            let number = decimal(v).ok_or_else(wrong)?;
            scaled(number, 0).map_or(SqlValue::Real(float(number)), SqlValue::Integer)
        }
        (ColumnType::Picklist | ColumnType::State | ColumnType::Status, v) => {
            SqlValue::Integer(i64::from(v.as_option().ok_or_else(wrong)?))
        }
        (kind, Value::Guid(id)) if kind.is_reference() => SqlValue::Guid(*id),
        (ColumnType::UniqueIdentifier, Value::Reference(r)) => SqlValue::Guid(r.id),
        (ColumnType::Image | ColumnType::File, _) => return Err(wrong()),
        (_, v) => to_sql(name, column, v).map_err(|_| wrong())?,
    })
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(v) => Some(Decimal::from(*v)),
        Value::BigInt(v) => Some(Decimal::from(*v)),
        Value::Decimal(v) | Value::Money(v) => Some(*v),
        Value::Double(v) => Decimal::try_from(*v).ok(),
        _ => None,
    }
}

fn float(number: Decimal) -> f64 {
    number.try_into().unwrap_or(f64::MAX)
}
