//! The Web API's own faults, and the JSON form of every fault.
//!
//! Never tells internals: an internal fault's text goes to the log, the caller gets a neutral one.

use super::path::Literal;
use offstage_model::metadata::Table;
use offstage_model::{Fault, code};
use serde_json::{Value as Json, json};

/// A URL that cannot be read (Dataverse: ODataSyntaxError).
pub(crate) const URL_SYNTAX: u32 = 0x8006_0888;
/// A segment that names nothing (Dataverse: ODataResourceNotFound).
pub(crate) const NO_RESOURCE: u32 = 0x8006_088A;
/// A key that no row has (Dataverse: EntityKeyNotFound).
pub(crate) const NO_ROW_WITH_KEY: u32 = 0x8006_0891;
/// A body that does not fit the metadata (Dataverse: ODataPayloadError).
pub(crate) const PAYLOAD: u32 = 0x8004_8D19;

/// The body of an error answer.
pub(crate) fn body(fault: &Fault) -> Json {
    let mut error = json!({ "code": fault.code_text(), "message": fault.message });
    let extras = [
        ("@offstage.hint", fault.hint.clone()),
        ("@offstage.step", fault.step.clone()),
        ("@offstage.trace", fault.trace_id.map(|id| id.to_string())),
    ];
    for (name, value) in extras {
        if let Some(value) = value {
            error[name] = Json::String(value);
        }
    }
    json!({ "error": error })
}

/// The URL cannot be read.
pub(crate) fn syntax(message: &str) -> Fault {
    Fault::new(URL_SYNTAX, message)
}

/// The body does not fit.
pub(crate) fn payload(message: impl Into<String>) -> Fault {
    Fault::new(PAYLOAD, message)
}

/// A path segment that names nothing.
pub(crate) fn no_resource(segment: &str) -> Fault {
    let mut fault = Fault::new(
        NO_RESOURCE,
        format!("Resource not found for the segment '{}'.", shorten(segment)),
    )
    .hint("Sets have plural names, such as `accounts`; GET /api/data/v9.2/ lists them.");
    fault.status = Some(404);
    fault
}

/// A part of the Web API that this version does not have.
pub(crate) fn not_supported(what: &str) -> Fault {
    Fault::new(code::NOT_AVAILABLE, format!("{what} is not supported by this version."))
        .hint("The documentation of the Web API lists what is.")
}

/// A method that the resource does not have.
pub(crate) fn method_not_allowed(method: &str) -> Fault {
    let mut fault =
        syntax(&format!("The requested resource does not support http method '{method}'."));
    fault.status = Some(405);
    fault
}

/// The columns are no alternate key.
pub(crate) fn not_a_key(table: &Table, key: &[(String, Literal)]) -> Fault {
    let columns: Vec<&str> = key.iter().map(|(column, _)| column.as_str()).collect();
    let known: Vec<String> = table.keys.iter().map(|k| k.columns.join("+")).collect();
    let hint = if known.is_empty() {
        format!("The table '{}' has no alternate keys; use the row's id.", table.name)
    } else {
        format!("The keys of '{}' are: {}.", table.name, known.join(", "))
    };
    syntax(&format!(
        "'{}' is not an alternate key of the table '{}'.",
        shorten(&columns.join("+")),
        table.name
    ))
    .hint(hint)
}

/// No row has the key.
pub(crate) fn no_row_with_key(table: &str) -> Fault {
    let mut fault = Fault::new(
        NO_ROW_WITH_KEY,
        format!("A record with the specified key values does not exist in {table} entity"),
    );
    fault.status = Some(404);
    fault
}

/// A body names a column that the table does not have (case W5).
pub(crate) fn invalid_property(table: &str, property: &str) -> Fault {
    let property = shorten(property);
    payload(format!(
        "Invalid property '{property}' was found in entity 'Microsoft.Dynamics.CRM.{table}'."
    ))
    .hint(format!("`offstage table show {table}` lists the columns."))
}

/// A stale ETag.
pub(crate) fn version_mismatch() -> Fault {
    Fault::new(
        code::VERSION_MISMATCH,
        "The version of the existing record doesn't match the RowVersion property provided.",
    )
}

/// A row is there although `If-None-Match: *` was sent.
pub(crate) fn exists_already() -> Fault {
    Fault::new(code::DUPLICATE_RECORD, "A record with matching key values already exists.")
}

/// The first 100 characters, for messages that repeat what a caller sent.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}
