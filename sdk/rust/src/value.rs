//! The value of one column or parameter.
//!
//! It never converts between types silently: a money column is not a decimal column.

use rust_decimal::Decimal;

use crate::entity::EntityReference;
use crate::guid::Guid;
use crate::timestamp::Timestamp;

/// One typed value. A column that is cleared holds [`Value::Null`].
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A yes/no column.
    Boolean(bool),
    /// A whole number.
    Integer(i32),
    /// A big integer.
    BigInt(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// A floating-point number.
    Double(f64),
    /// An amount in the row's currency.
    Money(Decimal),
    /// A string or memo.
    Text(String),
    /// A date and time.
    DateTime(Timestamp),
    /// A picklist, state or status value.
    OptionValue(i32),
    /// The values of a multi-select picklist.
    OptionValues(Vec<i32>),
    /// A lookup, customer or owner.
    Reference(EntityReference),
    /// A unique identifier.
    Guid(Guid),
    /// An image or file.
    Bytes(Vec<u8>),
}

impl Value {
    /// Tells whether there is no value.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the type's name as error messages give it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::BigInt(_) => "big integer",
            Self::Decimal(_) => "decimal",
            Self::Double(_) => "double",
            Self::Money(_) => "money",
            Self::Text(_) => "text",
            Self::DateTime(_) => "date-time",
            Self::OptionValue(_) => "option value",
            Self::OptionValues(_) => "option values",
            Self::Reference(_) => "reference",
            Self::Guid(_) => "unique identifier",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// An amount of money, to tell it from a plain decimal: `entity.set("estimatedvalue", Money(total))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(pub Decimal);

/// A picklist, state or status value, to tell it from a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OptionValue(pub i32);

macro_rules! value_from {
    ($($source:ty => |$value:ident| $made:expr),+ $(,)?) => {
        $(impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $made
            }
        })+
    };
}

value_from! {
    bool => |value| Self::Boolean(value),
    i32 => |value| Self::Integer(value),
    i64 => |value| Self::BigInt(value),
    Decimal => |value| Self::Decimal(value),
    f64 => |value| Self::Double(value),
    Money => |value| Self::Money(value.0),
    &str => |value| Self::Text(value.to_owned()),
    String => |value| Self::Text(value),
    &String => |value| Self::Text(value.clone()),
    Timestamp => |value| Self::DateTime(value),
    OptionValue => |value| Self::OptionValue(value.0),
    EntityReference => |value| Self::Reference(value),
    &EntityReference => |value| Self::Reference(value.clone()),
    Guid => |value| Self::Guid(value),
    Vec<u8> => |value| Self::Bytes(value),
    Vec<OptionValue> => |value| {
        Self::OptionValues(value.into_iter().map(|option| option.0).collect())
    },
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
