//! Reads the cells of system rows by type. A cell of another type means that the store is damaged.

use crate::StoreError;
use offstage_model::value::Timestamp;
use offstage_model::{Fault, Uuid};
use offstage_query::SqlValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The cells of one row, read from the left.
pub(crate) struct Cells<'a> {
    what: &'static str,
    cells: &'a mut [SqlValue],
    next: usize,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(what: &'static str, cells: &'a mut [SqlValue]) -> Self {
        Self { what, cells, next: 0 }
    }

    fn take(&mut self) -> SqlValue {
        let cell = self.cells.get_mut(self.next).map(SqlValue::take).unwrap_or_default();
        self.next += 1;
        cell
    }

    /// The next cell, whatever it is.
    pub(crate) fn any(&mut self) -> SqlValue {
        self.take()
    }

    fn wrong(&self) -> StoreError {
        StoreError::UnreadableSystemRow { what: self.what }
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.opt_text()?.ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.take() {
            SqlValue::Null => Ok(None),
            SqlValue::Text(text) => Ok(Some(text)),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<i64, StoreError> {
        self.opt_integer()?.ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_integer(&mut self) -> Result<Option<i64>, StoreError> {
        match self.take() {
            SqlValue::Null => Ok(None),
            cell => cell.as_i64().map(Some).ok_or_else(|| self.wrong()),
        }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, StoreError> {
        self.take().as_u64().ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_unsigned(&mut self) -> Result<Option<u64>, StoreError> {
        match self.take() {
            SqlValue::Null => Ok(None),
            cell => cell.as_u64().map(Some).ok_or_else(|| self.wrong()),
        }
    }

    pub(crate) fn small(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.unsigned()?).map_err(|_| self.wrong())
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, StoreError> {
        self.take().as_bool().ok_or_else(|| self.wrong())
    }

    pub(crate) fn guid(&mut self) -> Result<Uuid, StoreError> {
        self.take().as_guid().ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_guid(&mut self) -> Result<Option<Uuid>, StoreError> {
        match self.take() {
            SqlValue::Null => Ok(None),
            cell => cell.as_guid().map(Some).ok_or_else(|| self.wrong()),
        }
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.integer().map(Timestamp)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.opt_bytes()?.ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.take() {
            SqlValue::Null => Ok(None),
            SqlValue::Blob(bytes) => Ok(Some(bytes)),
            // Every blob of 16 bytes looks like an id to the backend.
            SqlValue::Guid(id) => Ok(Some(id.as_bytes().to_vec())),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.opt_json()?.ok_or_else(|| self.wrong())
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let what = self.what;
        self.opt_text()?.map(|text| from_json(what, text.as_bytes())).transpose()
    }
}

pub(crate) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    json: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(|source| StoreError::Document { what, source })
}

pub(crate) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<SqlValue, StoreError> {
    serde_json::to_string(value)
        .map(SqlValue::Text)
        .map_err(|source| StoreError::Document { what, source })
}

/// A value or NULL.
pub(crate) fn optional<T>(value: Option<T>, to_sql: impl FnOnce(T) -> SqlValue) -> SqlValue {
    value.map_or(SqlValue::Null, to_sql)
}

pub(crate) fn limit(rows: usize) -> SqlValue {
    SqlValue::Integer(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// The name of a state or kind as serde writes it: its only spelling.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<SqlValue, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(SqlValue::Text(word)),
        Ok(_) => Err(StoreError::Query(Fault::new(
            offstage_model::code::INTERNAL,
            "A state has no name of its own.",
        ))),
        Err(source) => Err(StoreError::Document { what: "state", source }),
    }
}

/// Reads what [`word`] wrote.
pub(crate) fn from_word<T: DeserializeOwned>(
    what: &'static str,
    word: String,
) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|source| StoreError::Document { what, source })
}
