//! Turns rows into OData JSON and OData JSON into rows, typed by metadata.
//!
//! Never checks ranges or rules: the pipeline does. A wrong type is refused here, by column.

use super::errors;
use super::headers::{Annotations, etag};
use super::path::{self, RowAddress};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offstage_model::metadata::{Column, ColumnType, DateBehavior, Table};
use offstage_model::value::Timestamp;
use offstage_model::{Catalog, Decimal, Entity, EntityReference, Fault, Uuid, Value};
use serde_json::{Map, Value as Json, json};

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";

/// The property that a column has in JSON: `_x_value` for references.
pub(crate) fn property_name(name: &str, column: &Column) -> String {
    if column.kind.is_reference() { format!("_{name}_value") } else { name.to_owned() }
}

/// A row as JSON. `columns`: the selected ones; `None` means all but pictures and files.
pub(crate) fn row(
    table: &Table,
    entity: &Entity,
    columns: Option<&[String]>,
    annotations: &Annotations,
) -> Map<String, Json> {
    let mut json = Map::new();
    if let Some(version) = entity.version {
        json.insert("@odata.etag".into(), Json::String(etag(version)));
    }
    for (name, column) in &table.columns {
        let selected = match columns {
            Some(columns) => columns.contains(name),
            None => !matches!(column.kind, ColumnType::Image | ColumnType::File),
        };
        if selected && *name != table.primary_id {
            put(&mut json, name, column, entity.value(name), annotations);
        }
    }
    if let Some(id) = entity.id {
        json.insert(table.primary_id.clone(), Json::String(id.to_string()));
    }
    json
}

fn put(
    json: &mut Map<String, Json>,
    name: &str,
    column: &Column,
    value: &Value,
    annotations: &Annotations,
) {
    let property = property_name(name, column);
    if let Value::Reference(reference) = value {
        if annotations.includes(NAVIGATION) {
            let navigation = match column.targets.len() {
                1 => name.to_owned(),
                _ => format!("{name}_{}", reference.table),
            };
            json.insert(format!("{property}@{NAVIGATION}"), Json::String(navigation));
        }
        if annotations.includes(LOOKUP_TABLE) {
            let table = Json::String(reference.table.clone());
            json.insert(format!("{property}@{LOOKUP_TABLE}"), table);
        }
    }
    if annotations.includes(FORMATTED)
        && let Some(text) = formatted(column, value)
    {
        json.insert(format!("{property}@{FORMATTED}"), Json::String(text));
    }
    json.insert(property, value_json(column, value));
}

/// What a person reads in place of the value, where that is something else.
fn formatted(column: &Column, value: &Value) -> Option<String> {
    match value {
        Value::Option(choice) => column.choice_label(*choice).map(str::to_owned),
        Value::Options(choices) => {
            let labels: Vec<&str> =
                choices.iter().filter_map(|c| column.choice_label(*c)).collect();
            Some(labels.join("; "))
        }
        Value::Boolean(yes) => Some(if *yes { "Yes" } else { "No" }.to_owned()),
        Value::Reference(reference) => reference.name.clone(),
        _ => None,
    }
}

/// One value as JSON.
pub(crate) fn value_json(column: &Column, value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(v) => json!(v),
        Value::Integer(v) | Value::Option(v) => json!(v),
        Value::BigInt(v) => json!(v),
        Value::Double(v) => json!(v),
        Value::Decimal(v) | Value::Money(v) => number(*v),
        Value::Text(v) => json!(v),
        Value::DateTime(v) if column.behavior == DateBehavior::DateOnly => json!(v.date_text()),
        Value::DateTime(v) => json!(v.to_string()),
        Value::Options(v) => {
            let texts: Vec<String> = v.iter().map(ToString::to_string).collect();
            json!(texts.join(","))
        }
        Value::Reference(v) => json!(v.id),
        Value::Guid(v) => json!(v),
        Value::Bytes(v) => json!(STANDARD.encode(v)),
    }
}

/// A JSON number: whole ones exactly, others as the nearest double.
fn number(value: Decimal) -> Json {
    let value = value.normalize();
    if value.scale() == 0
        && let Ok(whole) = i64::try_from(value)
    {
        return json!(whole);
    }
    json!(f64::try_from(value).unwrap_or(f64::NAN))
}

/// Resolves an alternate key in a body to a row id.
pub(crate) type Resolve<'a> = &'a dyn Fn(&RowAddress) -> Result<Uuid, Fault>;

/// The row that a body describes.
///
/// # Errors
/// Unknown or read-only properties (case W5), values of another type, links to no row: 400.
pub(crate) fn parse_row(
    catalog: &Catalog,
    table: &Table,
    body: &Map<String, Json>,
    resolve: Resolve<'_>,
) -> Result<Entity, Fault> {
    let mut entity = Entity::new(table.name.clone());
    for (property, json) in body {
        if let Some(navigation) = property.strip_suffix("@odata.bind") {
            let (column, value) = parse_bind(catalog, table, navigation, json, resolve)?;
            entity.attributes.insert(column, value);
        } else if property == "@odata.type" {
            check_type(table, json)?;
        } else if property.contains('@') {
            // Other annotations come back with rows that a client read and sends again.
        } else {
            let column = writable(table, property)?;
            let value = parse_value(&table.name, property, column, json)?;
            if *property == table.primary_id {
                entity.id = match value {
                    Value::Guid(id) => Some(id),
                    _ => None,
                };
            } else {
                entity.attributes.insert(property.clone(), value);
            }
        }
    }
    Ok(entity)
}

fn check_type(table: &Table, json: &Json) -> Result<(), Fault> {
    let text = json.as_str().unwrap_or_default().trim_start_matches('#');
    match text.strip_prefix("Microsoft.Dynamics.CRM.") {
        Some(name) if name == table.name => Ok(()),
        _ => Err(errors::payload(format!(
            "The body says that it is '{}'; the URL names the table '{}'.",
            errors::shorten(text),
            table.name
        ))),
    }
}

fn writable<'a>(table: &'a Table, property: &str) -> Result<&'a Column, Fault> {
    let bare = path::bare_column(table, property);
    if bare != property {
        return Err(errors::payload(format!(
            "'{property}' is read only; set the reference by \"{bare}@odata.bind\"."
        )));
    }
    match table.column(property) {
        Some(column) if column.kind.is_reference() => Err(errors::payload(format!(
            "The reference '{property}' of '{}' is set by \"{property}@odata.bind\": \
             \"/{}(…)\".",
            table.name,
            column.targets.first().map_or("set", String::as_str)
        ))),
        Some(column) => Ok(column),
        None => Err(errors::invalid_property(&table.name, property)),
    }
}

/// Reads `"column@odata.bind": "/set(key)"`. A reference to several tables may be written as
/// `column_table`, as the platform names its navigation properties.
fn parse_bind(
    catalog: &Catalog,
    table: &Table,
    navigation: &str,
    json: &Json,
    resolve: Resolve<'_>,
) -> Result<(String, Value), Fault> {
    let (name, column, target) = navigation_column(table, navigation)
        .ok_or_else(|| errors::invalid_property(&table.name, navigation))?;
    let url = match json {
        Json::Null => return Ok((name, Value::Null)),
        Json::String(url) => url,
        _ => return Err(wrong_type(&table.name, navigation, "the URL of a row, or null", json)),
    };
    let address = path::parse_row_url(url, catalog)?;
    let allowed = match &target {
        Some(target) => *target == address.table,
        None => column.targets.contains(&address.table),
    };
    if !allowed {
        return Err(errors::payload(format!(
            "'{navigation}' of '{}' refers to {}, not to '{}'.",
            table.name,
            target.unwrap_or_else(|| column.targets.join(" or ")),
            address.table
        )));
    }
    let id = resolve(&address)?;
    Ok((name, Value::Reference(EntityReference::new(address.table, id))))
}

/// The reference column behind a navigation property, with its one target if the name says so.
pub(crate) fn navigation_column<'a>(
    table: &'a Table,
    navigation: &str,
) -> Option<(String, &'a Column, Option<String>)> {
    // Clients write schema names too (`ParentCustomerId_account`).
    let lower = navigation.to_ascii_lowercase();
    if let Some(column) = table.column(&lower).filter(|c| c.kind.is_reference()) {
        return Some((lower, column, None));
    }
    table.columns.iter().filter(|(_, c)| c.kind.is_reference()).find_map(|(name, column)| {
        let target = lower.strip_prefix(name.as_str())?.strip_prefix('_')?;
        let target = column.targets.iter().find(|t| *t == target)?;
        Some((name.clone(), column, Some(target.clone())))
    })
}

/// One value of a body.
///
/// # Errors
/// A value of another JSON type than the column has.
pub(crate) fn parse_value(
    table: &str,
    name: &str,
    column: &Column,
    json: &Json,
) -> Result<Value, Fault> {
    let wrong = |expected: &str| wrong_type(table, name, expected, json);
    let value = match (column.kind, json) {
        (_, Json::Null) => Value::Null,
        (ColumnType::String | ColumnType::Memo, Json::String(text)) => Value::text(text.clone()),
        (ColumnType::String | ColumnType::Memo, _) => return Err(wrong("text")),
        (ColumnType::Boolean, Json::Bool(v)) => Value::Boolean(*v),
        (ColumnType::Boolean, _) => return Err(wrong("true or false")),
        (ColumnType::Integer, _) => {
            Value::Integer(small(json).ok_or_else(|| wrong("a 32-bit integer"))?)
        }
        (ColumnType::BigInt, _) => {
            Value::BigInt(whole(json).ok_or_else(|| wrong("a 64-bit integer"))?)
        }
        (ColumnType::Decimal, _) => Value::Decimal(decimal(json).ok_or_else(|| wrong("a number"))?),
        (ColumnType::Money, _) => Value::Money(decimal(json).ok_or_else(|| wrong("a number"))?),
        (ColumnType::Double, _) => Value::Double(json.as_f64().ok_or_else(|| wrong("a number"))?),
        (ColumnType::DateTime, _) => {
            parse_time(column, json).ok_or_else(|| match column.behavior {
                DateBehavior::DateOnly => wrong("a date YYYY-MM-DD"),
                _ => wrong("a time such as 2026-11-21T09:30:00Z"),
            })?
        }
        (ColumnType::Picklist | ColumnType::State | ColumnType::Status, _) => {
            Value::Option(small(json).ok_or_else(|| wrong("the integer of a choice"))?)
        }
        (ColumnType::MultiSelect, Json::String(text)) => {
            Value::Options(choices(text).ok_or_else(|| wrong("choices such as \"1,2\""))?)
        }
        (ColumnType::MultiSelect, _) => return Err(wrong("choices such as \"1,2\"")),
        (ColumnType::UniqueIdentifier, _) => {
            let id = json.as_str().and_then(|text| Uuid::parse_str(text.trim()).ok());
            Value::Guid(id.ok_or_else(|| wrong("a GUID"))?)
        }
        (ColumnType::Image | ColumnType::File, _) => {
            let bytes = json.as_str().and_then(|text| STANDARD.decode(text).ok());
            Value::Bytes(bytes.ok_or_else(|| wrong("base64 text"))?)
        }
        (ColumnType::Lookup | ColumnType::Customer | ColumnType::Owner, _) => {
            return Err(wrong("a reference by @odata.bind"));
        }
    };
    Ok(value)
}

fn wrong_type(table: &str, name: &str, expected: &str, json: &Json) -> Fault {
    let shown = errors::shorten(&json.to_string());
    errors::payload(format!("The column '{table}.{name}' takes {expected}; {shown} does not fit."))
}

fn whole(json: &Json) -> Option<i64> {
    // Text is how clients with IEEE754Compatible=true write 64-bit numbers.
    json.as_i64().or_else(|| json.as_str()?.parse().ok())
}

fn small(json: &Json) -> Option<i32> {
    json.as_i64().and_then(|v| i32::try_from(v).ok())
}

fn decimal(json: &Json) -> Option<Decimal> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return None,
    };
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

fn parse_time(column: &Column, json: &Json) -> Option<Value> {
    let text = json.as_str()?.trim();
    if column.behavior == DateBehavior::DateOnly && text.len() != 10 {
        return None;
    }
    Timestamp::parse(text).ok().map(Value::DateTime)
}

fn choices(text: &str) -> Option<Vec<i32>> {
    let mut choices = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<Vec<i32>>>()?;
    choices.sort_unstable();
    choices.dedup();
    Some(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(table: &str, body: Json) -> Result<Entity, Fault> {
        let catalog = Catalog::base();
        let resolve = |address: &RowAddress| match address.key {
            path::RowKey::Id(id) => Ok(id),
            path::RowKey::Alternate(_) => Ok(Uuid::nil()),
        };
        let body = body.as_object().unwrap().clone();
        parse_row(&catalog, catalog.table(table).unwrap(), &body, &resolve)
    }

    #[test]
    fn values_survive_the_way_there_and_back() {
        let catalog = Catalog::base();
        let table = catalog.table("contact").unwrap();
        let body = json!({
            "lastname": "Ünal", "birthdate": "1990-02-28", "numberofchildren": 2,
            "creditlimit": 12.5, "preferredcontactmethods": "3,1", "donotphone": true,
            "gendercode": 2, "entityimage": "AAEC",
        });
        let entity = parse("contact", body.clone()).unwrap();
        let columns: Vec<String> = entity.attributes.keys().cloned().collect();
        let mut expected = body;
        expected["preferredcontactmethods"] = json!("1,3");
        let back = row(table, &entity, Some(&columns), &Annotations::default());
        assert_eq!(Json::Object(back), expected);
    }

    #[test]
    fn references_are_bound_by_url() {
        let id = Uuid::from_u128(7);
        let urls = [
            ("parentcustomerid_account@odata.bind", format!("/accounts({id})")),
            ("parentcustomerid@odata.bind", format!("accounts({id})")),
            (
                "parentcustomerid_account@odata.bind",
                format!("http://x/api/data/v9.2/accounts({id})"),
            ),
        ];
        for (property, url) in urls {
            let entity = parse("contact", json!({ property: url })).unwrap();
            assert_eq!(entity.value("parentcustomerid"), &Value::reference("account", id));
        }
        let cleared = parse("contact", json!({ "parentcustomerid@odata.bind": null })).unwrap();
        assert_eq!(cleared.attributes["parentcustomerid"], Value::Null);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let cases = [
            (json!({"foo_bar": 1}), "Invalid property 'foo_bar' was found in entity"),
            (json!({"name": 1}), "'account.name' takes text; 1"),
            (json!({"numberofemployees": "12"}), "'account.numberofemployees' takes a 32-bit"),
            (json!({"numberofemployees": 1.5}), "'account.numberofemployees' takes a 32-bit"),
            (json!({"revenue": true}), "'account.revenue' takes a number"),
            (json!({"creditonhold": 1}), "'account.creditonhold' takes true or false"),
            (json!({"_primarycontactid_value": "x"}), "is read only"),
            (json!({"primarycontactid": "x"}), "@odata.bind"),
            (json!({"primarycontactid@odata.bind": "/accounts(x)"}), "is not a GUID"),
            (json!({"primarycontactid@odata.bind": 5}), "the URL of a row"),
            (json!({"nosuch@odata.bind": "/accounts(x)"}), "Invalid property 'nosuch'"),
            (json!({"@odata.type": "Microsoft.Dynamics.CRM.contact"}), "the URL names"),
        ];
        for (body, expected) in cases {
            let fault = parse("account", body.clone()).unwrap_err();
            assert_eq!(fault.http_status(), 400);
            assert!(fault.message.contains(expected), "{body}: {}", fault.message);
        }
    }
}
