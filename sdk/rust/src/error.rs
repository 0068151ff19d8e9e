//! What a plug-in or a nested request fails with.
//!
//! It never hides the platform's code: what the host said reaches the plug-in unchanged.

use crate::guid::Guid;

/// Platform codes that plug-ins look at.
pub mod codes {
    /// A plug-in refused the operation (InvalidPluginExecutionException).
    pub const ISV_ABORTED: u32 = 0x8004_0265;
    /// A plug-in failed in a way that it did not intend.
    pub const UNEXPECTED: u32 = 0x8004_0216;
    /// A right, or a grant of the operator, is missing.
    pub const PRIVILEGE_DENIED: u32 = 0x8004_0220;
    /// The row does not exist.
    pub const OBJECT_DOES_NOT_EXIST: u32 = 0x8004_0217;
    /// A row with this id exists already.
    pub const DUPLICATE_RECORD: u32 = 0x8004_0237;
    /// A parameter is missing or has the wrong type.
    pub const INVALID_ARGUMENT: u32 = 0x8004_0203;
    /// The message is not known, or not for this table.
    pub const MESSAGE_NOT_SUPPORTED: u32 = 0x8004_0800;
}

/// An error with the platform's code: what a plug-in refuses an operation with
/// (InvalidPluginExecutionException), and what a failed nested request returns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginError {
    message: String,
    code: u32,
    status: u16,
}

impl PluginError {
    /// Makes an error that the caller sees as it is, with code 0x80040265.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: codes::ISV_ABORTED, status: 0 }
    }

    /// Replaces the code.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = code;
        self
    }

    /// Replaces the HTTP status; 0 means the default of the code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Returns the text for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the HRESULT-style code.
    pub const fn code(&self) -> u32 {
        self.code
    }

    /// Returns the HTTP status, or 0 for the default of the code.
    pub const fn status(&self) -> u16 {
        self.status
    }
}

/// Something that the data at hand does not hold, or holds in another shape.
///
/// It turns into a [`PluginError`] with `?`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A column holds a value of another type than asked for.
    #[error("column `{column}` of `{table}` holds {found}, not {expected}")]
    WrongColumnType {
        /// The row's table.
        table: String,
        /// The column.
        column: String,
        /// The type that was asked for.
        expected: &'static str,
        /// The type that is there.
        found: &'static str,
    },
    /// A column that the plug-in needs is absent or null.
    #[error("column `{column}` of `{table}` has no value; add it to the image or the column set")]
    MissingColumn {
        /// The row's table.
        table: String,
        /// The column.
        column: String,
    },
    /// A request or response has no parameter of this name.
    #[error("message `{message}` has no parameter `{parameter}`")]
    MissingParameter {
        /// The message.
        message: String,
        /// The parameter.
        parameter: String,
    },
    /// A parameter is there with another type.
    #[error("parameter `{parameter}` of `{message}` is {found}, not {expected}")]
    WrongParameterType {
        /// The message.
        message: String,
        /// The parameter.
        parameter: String,
        /// The type that was asked for.
        expected: &'static str,
        /// The type that is there.
        found: &'static str,
    },
    /// The step has no image of this alias, or the platform could not make it.
    #[error("step `{step}` has no {kind} image `{alias}`; declare it with image(...)")]
    MissingImage {
        /// The step's key.
        step: String,
        /// `pre` or `post`.
        kind: &'static str,
        /// The alias.
        alias: String,
    },
    /// A row has no id yet.
    #[error("a row of `{table}` has no id here; only saved rows have one")]
    MissingId {
        /// The row's table.
        table: String,
    },
    /// A number that the host sent does not fit a decimal.
    #[error("`{text}` is not a decimal of at most 28 digits")]
    BadDecimal {
        /// The number as it came.
        text: String,
    },
    /// A filter that the host sent is not a tree.
    #[error("filter node {node} of the query is not a tree node: {reason}")]
    BadFilter {
        /// The index of the node.
        node: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The package has no plug-in type of this name.
    #[error("this package exports no plug-in type `{type_name}`; it exports {exported}")]
    UnknownPluginType {
        /// The name that the host asked for.
        type_name: String,
        /// The names that there are.
        exported: String,
    },
    /// A row of this id does not exist.
    #[error("{table} with id {id} does not exist")]
    NoSuchRow {
        /// The table.
        table: String,
        /// The id.
        id: Guid,
    },
}

impl DataError {
    /// Returns the platform code that fits.
    pub const fn code(&self) -> u32 {
        match self {
            Self::NoSuchRow { .. } => codes::OBJECT_DOES_NOT_EXIST,
            Self::MissingParameter { .. } | Self::WrongParameterType { .. } => {
                codes::INVALID_ARGUMENT
            }
            _ => codes::UNEXPECTED,
        }
    }
}

impl From<DataError> for PluginError {
    fn from(error: DataError) -> Self {
        Self::new(error.to_string()).with_code(error.code())
    }
}
