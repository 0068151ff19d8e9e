//! OData query text to the query model: `$filter`, `$orderby` and `$select`.
//!
//! The parser is written by hand, on purpose: the subset is small, literals are typed by metadata,
//! and every error names its position. Everything is limited; no input makes it panic.

mod filter;
mod lists;
mod literal;
mod token;

pub use filter::parse_filter;
pub use lists::{parse_order, parse_select};

use offstage_model::metadata::Catalog;
use offstage_model::{Fault, code};

/// The longest text of one query option, in bytes.
pub const TEXT_LENGTH_MAX: usize = 32 * 1024;

/// An error at a position, counted in characters from 1.
fn invalid_at(position: usize, message: &str) -> Fault {
    Fault::new(code::INVALID_QUERY, format!("{message} (at character {position})."))
}

/// Says in the hint where a fault is whose message clients know by heart (case Q86).
fn placed(mut fault: Fault, position: usize) -> Fault {
    let hint = fault.hint.take().unwrap_or_default();
    fault.hint(format!("Look at character {position} of the text. {hint}").trim_end())
}

fn check_length(text: &str, option: &str) -> Result<(), Fault> {
    if text.len() <= TEXT_LENGTH_MAX {
        return Ok(());
    }
    let message = format!("The text of {option} is longer than {TEXT_LENGTH_MAX} bytes.");
    Err(Fault::new(code::INVALID_QUERY, message))
}

/// The logical name of a property: a column, or `_<lookup>_value` of a lookup.
fn column_of(
    catalog: &Catalog,
    table: &str,
    property: &str,
    position: usize,
) -> Result<String, Fault> {
    let columns = &catalog.table(table)?.columns;
    if columns.contains_key(property) {
        return Ok(property.to_owned());
    }
    let lookup = property.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value"));
    match lookup.filter(|name| columns.get(*name).is_some_and(|c| c.kind.is_reference())) {
        Some(name) => Ok(name.to_owned()),
        None => Err(placed(Fault::unknown_column(table, property), position)),
    }
}
