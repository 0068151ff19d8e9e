//! Turns the contract's types into those of `offstage-model` and back, by hand.
//!
//! Towards the plug-in nothing can fail. From the plug-in everything is checked: counts, lengths,
//! depth, numbers; what does not fit is a typed error and never a panic.

mod filter;
pub(crate) mod from_guest;
pub(crate) mod to_guest;

/// The most parameters of one request or result.
pub(crate) const PARAMETERS_MAX: usize = 256;
/// The most attributes of one entity (a table has at most 1,024 columns on the platform).
pub(crate) const ATTRIBUTES_MAX: usize = 1_024;
/// The most entities or references in one parameter.
pub(crate) const ENTITIES_MAX: usize = 5_000;
/// The most changes that one run may return.
pub(crate) const CHANGES_MAX: usize = 10_000;
/// The most sort keys of a query.
pub(crate) const ORDERS_MAX: usize = 32;
/// The most headers of an HTTP request.
pub(crate) const HEADERS_MAX: usize = 64;
/// The most values of one multi-select value.
pub(crate) const OPTIONS_MAX: usize = 1_000;
/// The longest name of a table, column, parameter or message, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// The longest paging cookie, in bytes.
pub(crate) const COOKIE_BYTES_MAX: usize = 64 << 10;
/// The longest text of a decimal number, in bytes.
pub(crate) const DECIMAL_BYTES_MAX: usize = 40;

/// Data of a plug-in that has no place in a request or result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Too many of something.
    #[error("it has {count} {what}; at most {count_max} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        count_max: usize,
    },
    /// A text is too long.
    #[error("the {what} '{start}…' has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// How it starts.
        start: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A name with a character that no name has.
    #[error("the name '{name}' has a control character")]
    ControlCharacter {
        /// The name, made fit to print.
        name: String,
    },
    /// A name is there twice.
    #[error("the {what} '{name}' is given twice")]
    Twice {
        /// What the name names.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Text that is not a decimal number.
    #[error(
        "'{text}' is not a decimal number: write digits with at most one point, such as -12.50"
    )]
    BadDecimal {
        /// The text.
        text: String,
    },
    /// A filter node names a node that does not come before it.
    #[error("filter node {node} refers to node {child}, which does not come before it")]
    BadFilterReference {
        /// The node.
        node: usize,
        /// What it names.
        child: u32,
    },
    /// A filter node belongs to no other node, or to two.
    #[error("filter node {node} must belong to exactly one other node")]
    FilterNotATree {
        /// The node.
        node: usize,
    },
    /// A filter is nested too deeply.
    #[error("the filter is nested more than {depth_max} levels deep")]
    FilterTooDeep {
        /// The limit.
        depth_max: usize,
    },
}

pub(crate) fn at_most(
    what: &'static str,
    count: usize,
    count_max: usize,
) -> Result<(), ConvertError> {
    if count > count_max {
        return Err(ConvertError::TooMany { what, count, count_max });
    }
    Ok(())
}

pub(crate) fn short(
    what: &'static str,
    text: String,
    bytes_max: usize,
) -> Result<String, ConvertError> {
    if text.len() > bytes_max {
        let start = crate::trace::printable(crate::trace::prefix(&text, 32));
        return Err(ConvertError::TooLong { what, start, bytes: text.len(), bytes_max });
    }
    Ok(text)
}
