//! Rows as the answers of commands show them: plain JSON for programs, labels for people.
//!
//! Never reads a row.

use offstage_model::metadata::{Catalog, Column, ColumnType};
use offstage_model::{Entity, Value};
use serde_json::{Map, Value as Json, json};

/// A row as plain JSON: `{"table", "id", "version", "attributes": {column: value}}`.
pub(crate) fn row_json(row: &Entity) -> Json {
    let attributes: Map<String, Json> =
        row.attributes.iter().map(|(c, v)| (c.clone(), value_json(v))).collect();
    let mut json = json!({ "table": row.table, "id": row.id, "attributes": attributes });
    if let Some(version) = row.version {
        json["version"] = json!(version);
    }
    json
}

/// A value as plain JSON. Decimal and money are text, so that no digit is lost.
pub(crate) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(v) => json!(v),
        Value::Integer(v) | Value::Option(v) => json!(v),
        Value::BigInt(v) => json!(v),
        Value::Double(v) => json!(v),
        Value::Options(v) => json!(v),
        Value::Reference(v) => json!({ "table": v.table, "id": v.id, "name": v.name }),
        Value::Bytes(v) => json!({ "bytes": v.len() }),
        Value::Decimal(_)
        | Value::Money(_)
        | Value::Text(_)
        | Value::DateTime(_)
        | Value::Guid(_) => json!(value.to_string()),
    }
}

/// A value with its label, for people.
pub(crate) fn value_text(column: Option<&Column>, value: &Value) -> String {
    let label = |choice: i32| {
        let label = column.and_then(|c| c.choice_label(choice));
        label.map_or_else(|| choice.to_string(), |label| format!("{label} ({choice})"))
    };
    match value {
        Value::Option(choice) => label(*choice),
        Value::Options(choices) => {
            choices.iter().map(|choice| label(*choice)).collect::<Vec<_>>().join(", ")
        }
        Value::DateTime(time) if column.is_some_and(is_date) => time.date_text(),
        Value::Reference(reference) => match &reference.name {
            Some(name) => format!("{name} ({reference})"),
            None => reference.to_string(),
        },
        other => other.to_string(),
    }
}

fn is_date(column: &Column) -> bool {
    column.behavior == offstage_model::metadata::DateBehavior::DateOnly
}

/// The value of a row's column with its label.
pub(crate) fn cell(catalog: &Catalog, row: &Entity, column: &str) -> String {
    let definition = catalog.tables.get(&row.table).and_then(|t| t.column(column));
    value_text(definition, row.value(column))
}

/// The columns that a list shows when nobody asked for some: the name, and what people look at
/// first.
pub(crate) fn list_columns(catalog: &Catalog, table: &str) -> Vec<String> {
    const LISTED_MAX: usize = 5;
    let Some(table) = catalog.tables.get(table) else { return Vec::new() };
    let wanted = [
        "emailaddress1",
        "telephone1",
        "mobilephone",
        "parentcustomerid",
        "parentaccountid",
        "estimatedvalue",
        "totalamount",
        "regardingobjectid",
        "scheduledend",
        "domainname",
        "statuscode",
    ];
    let mut columns = vec![table.primary_name.clone()];
    columns.extend(wanted.iter().filter(|c| table.column(c).is_some()).map(|&c| c.to_owned()));
    columns.truncate(LISTED_MAX);
    columns
}

/// Whether people usually do not want to see the column: set by the platform, or the id itself.
pub(crate) fn is_noise(column: &Column) -> bool {
    column.system || column.kind == ColumnType::UniqueIdentifier
}
