//! Values as a database takes and gives them. Never knows columns; see `physical`.

use offstage_model::Uuid;

/// One bound parameter or one cell of a result.
///
/// SQLite has neither a boolean nor a GUID type: it gives 0/1 and 16 bytes back, which
/// [`crate::physical::from_sql`] reads by the column's type.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SqlValue {
    /// NULL.
    #[default]
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// A GUID: 16 bytes in SQLite, `uuid` in PostgreSQL.
    Guid(Uuid),
    /// A boolean: 0 or 1 in SQLite.
    Boolean(bool),
}

impl SqlValue {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An unsigned number. Versions and sequences count up from 1 and never reach 2^63.
    #[must_use]
    pub fn unsigned(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Takes the value out and leaves NULL; saves copying cells of a result row.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Whether this is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer, also of a boolean.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(v) => Some(*v),
            Self::Boolean(v) => Some(i64::from(*v)),
            _ => None,
        }
    }

    /// The integer when it is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i64().and_then(|v| u64::try_from(v).ok())
    }

    /// The text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(v) => Some(v),
            _ => None,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(v) => Some(v),
            _ => None,
        }
    }

    /// The GUID, also from 16 bytes.
    #[must_use]
    pub fn as_guid(&self) -> Option<Uuid> {
        match self {
            Self::Guid(v) => Some(*v),
            Self::Blob(v) => Uuid::from_slice(v).ok(),
            _ => None,
        }
    }

    /// The boolean, also from 0 and 1.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(v) => Some(*v),
            Self::Integer(v @ (0 | 1)) => Some(*v == 1),
            _ => None,
        }
    }
}
