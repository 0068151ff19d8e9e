//! Checks a value against its column: type, range, length, choices. Never changes a stored row.

use super::column::{Column, ColumnType, DateBehavior};
use crate::value::Timestamp;
use crate::{Fault, Value, code};
use rust_decimal::Decimal;

const DAY_MS: i64 = 86_400_000;
/// 1753-01-01, the first date that the platform stores.
const TIME_MIN: Timestamp = Timestamp(-6_847_804_800_000);
/// 9999-12-31T23:59:59.999Z.
const TIME_MAX: Timestamp = Timestamp(253_402_300_799_999);

impl Column {
    /// The value as it is stored: numbers rounded to the column's precision, dates cut, choices
    /// sorted, and integers taken for choices and wider numbers.
    ///
    /// # Errors
    /// A value of another type ([`code::INVALID_VALUE`]), out of range, not among the choices or
    /// too long ([`code::STRING_TOO_LONG`]).
    pub fn check(&self, table: &str, name: &str, value: &Value) -> Result<Value, Fault> {
        let stored = match (self.kind, value) {
            (_, Value::Null) => Value::Null,
            (kind, Value::Text(text)) if kind.is_text() => {
                return self.check_text(table, name, text);
            }
            (ColumnType::Boolean, Value::Boolean(_))
            | (ColumnType::UniqueIdentifier, Value::Guid(_)) => value.clone(),
            (ColumnType::Integer, Value::Integer(v)) => {
                self.in_range(table, name, f64::from(*v))?;
                value.clone()
            }
            (ColumnType::BigInt, Value::BigInt(_)) => value.clone(),
            (ColumnType::BigInt, Value::Integer(v)) => Value::BigInt(i64::from(*v)),
            (ColumnType::Double, Value::Double(v)) if v.is_finite() => {
                self.in_range(table, name, *v)?;
                Value::Double(*v)
            }
            (ColumnType::Double, Value::Integer(v)) => Value::Double(f64::from(*v)),
            (ColumnType::Decimal, _) => Value::Decimal(self.check_decimal(table, name, value)?),
            (ColumnType::Money, _) => Value::Money(self.check_decimal(table, name, value)?),
            (ColumnType::DateTime, Value::DateTime(v)) => self.check_time(table, name, *v)?,
            (ColumnType::Picklist | ColumnType::State | ColumnType::Status, v) => {
                let choice = v.as_option().ok_or_else(|| self.mismatch(table, name, value))?;
                self.check_choice(table, name, choice)?;
                Value::Option(choice)
            }
            (ColumnType::MultiSelect, Value::Options(options)) => {
                let mut sorted = options.clone();
                sorted.sort_unstable();
                sorted.dedup();
                for option in &sorted {
                    self.check_choice(table, name, *option)?;
                }
                if sorted.is_empty() { Value::Null } else { Value::Options(sorted) }
            }
            (kind, Value::Reference(reference)) if kind.is_reference() => {
                if !self.targets.contains(&reference.table) {
                    let targets = self.targets.join(" or ");
                    return Err(Fault::new(
                        code::INVALID_VALUE,
                        format!(
                            "The column '{table}.{name}' refers to {targets}, not to '{}'.",
                            reference.table
                        ),
                    ));
                }
                value.canonical()
            }
            (ColumnType::Image | ColumnType::File, Value::Bytes(bytes)) => {
                if bytes.len() > self.length_max() as usize {
                    return Err(self.too_long(table, name, "bytes"));
                }
                value.clone()
            }
            _ => return Err(self.mismatch(table, name, value)),
        };
        Ok(stored)
    }

    fn check_text(&self, table: &str, name: &str, text: &str) -> Result<Value, Fault> {
        let length_max = self.length_max() as usize;
        if text.len() > length_max && text.chars().count() > length_max {
            return Err(self.too_long(table, name, "characters"));
        }
        // SQLite and PostgreSQL disagree about NUL in text; neither ever gets one.
        if text.contains('\0') {
            return Err(Fault::new(
                code::INVALID_VALUE,
                format!("The text for '{table}.{name}' holds a NUL character."),
            ));
        }
        Ok(if text.is_empty() { Value::Null } else { Value::text(text) })
    }

    fn check_decimal(&self, table: &str, name: &str, value: &Value) -> Result<Decimal, Fault> {
        let number = match value {
            Value::Decimal(v) | Value::Money(v) => *v,
            Value::Integer(v) => Decimal::from(*v),
            Value::BigInt(v) => Decimal::from(*v),
            _ => return Err(self.mismatch(table, name, value)),
        };
        let rounded = number.round_dp_with_strategy(
            self.scale(),
            rust_decimal::RoundingStrategy::MidpointNearestEven,
        );
        // Both stores keep the number as an integer of 10^-scale units.
        let mut scaled = rounded;
        scaled.rescale(self.scale());
        let fits = scaled.scale() == self.scale() && i64::try_from(scaled.mantissa()).is_ok();
        let as_float: f64 = rounded.try_into().unwrap_or(f64::INFINITY);
        self.in_range(table, name, if fits { as_float } else { f64::INFINITY })?;
        Ok(rounded.normalize())
    }

    fn check_time(&self, table: &str, name: &str, time: Timestamp) -> Result<Value, Fault> {
        if !(TIME_MIN..=TIME_MAX).contains(&time) {
            return Err(Fault::new(
                code::INVALID_VALUE,
                format!("The date for '{table}.{name}' must lie between 1753 and 9999."),
            ));
        }
        let stored = match self.behavior {
            DateBehavior::DateOnly => Timestamp(time.0.div_euclid(DAY_MS) * DAY_MS),
            DateBehavior::UserLocal | DateBehavior::TimeZoneIndependent => time,
        };
        Ok(Value::DateTime(stored))
    }

    fn check_choice(&self, table: &str, name: &str, choice: i32) -> Result<(), Fault> {
        if self.choice_label(choice).is_some() {
            return Ok(());
        }
        let known: Vec<String> =
            self.choices.iter().take(12).map(|c| format!("{} {}", c.value, c.label)).collect();
        Err(Fault::new(
            code::INVALID_VALUE,
            format!("{choice} is not a choice of '{table}.{name}': {}.", known.join(", ")),
        ))
    }

    fn in_range(&self, table: &str, name: &str, number: f64) -> Result<(), Fault> {
        let min = self.min.unwrap_or(f64::MIN);
        let max = self.max.unwrap_or(f64::MAX);
        if (min..=max).contains(&number) {
            return Ok(());
        }
        let range = match (self.min, self.max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => {
                format!("a number of at most 18 digits, {} after the point", self.scale())
            }
        };
        Err(Fault::new(
            code::INVALID_VALUE,
            format!("The value for '{table}.{name}' must be {range}."),
        ))
    }

    fn too_long(&self, table: &str, name: &str, unit: &str) -> Fault {
        let length_max = self.length_max();
        Fault::new(
            code::STRING_TOO_LONG,
            format!("The value for '{table}.{name}' is longer than {length_max} {unit}."),
        )
    }

    fn mismatch(&self, table: &str, name: &str, value: &Value) -> Fault {
        let kind = format!("{:?}", self.kind).to_lowercase();
        let shown: String = value.to_string().chars().take(40).collect();
        Fault::new(
            code::INVALID_VALUE,
            format!("The column '{table}.{name}' is of type {kind}; '{shown}' does not fit."),
        )
    }
}
