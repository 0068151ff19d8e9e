//! The service document and the read-only metadata sets: `EntityDefinitions` and attributes.
//!
//! Never changes metadata. Metadata ids are derived from names, so that they stay.

use super::answer::Answer;
use super::options::{self, Options};
use super::path::DefinitionKey;
use super::{Call, errors, links};
use offstage_model::identity::digest;
use offstage_model::metadata::{Column, ColumnType, Ownership, RequiredLevel, Table};
use offstage_model::{Fault, Uuid};
use serde_json::{Map, Value as Json, json};

/// The service document: every set.
pub(super) fn service_document(call: &Call<'_>) -> Result<Answer, Fault> {
    Options::parse(&call.request.query, options::NONE)?;
    let sets: Vec<Json> = call
        .catalog
        .tables
        .values()
        .map(|table| json!({ "name": table.set, "kind": "EntitySet", "url": table.set }))
        .collect();
    let context = format!("{}/$metadata", links::root(&call.request.origin));
    Ok(Answer::json(&json!({ "@odata.context": context, "value": sets })))
}

/// `EntityDefinitions`, all or by `$filter=LogicalName eq 'x'` (case W14).
pub(super) fn definitions(call: &Call<'_>) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_METADATA)?;
    no_expand(&options)?;
    let wanted = options.filter.as_deref().map(NameFilter::parse).transpose()?;
    let rows = call
        .catalog
        .tables
        .values()
        .filter(|table| wanted.as_ref().is_none_or(|filter| filter.matches(table)))
        .map(|table| selected(definition_json(table), options.select.as_deref()))
        .collect::<Result<Vec<Json>, Fault>>()?;
    let context = format!("{}/$metadata#EntityDefinitions", links::root(&call.request.origin));
    Ok(Answer::json(&json!({ "@odata.context": context, "value": rows })))
}

/// One table definition.
pub(super) fn definition(call: &Call<'_>, key: &DefinitionKey) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_METADATA)?;
    no_expand(&options)?;
    no_filter(&options)?;
    let table = find(call, key)?;
    let row = selected(definition_json(table), options.select.as_deref())?;
    let root = links::root(&call.request.origin);
    Ok(Answer::json(&with_context(row, format!("{root}/$metadata#EntityDefinitions/$entity"))))
}

/// The attributes of a table, perhaps of one kind (case W15).
pub(super) fn attributes(
    call: &Call<'_>,
    key: &DefinitionKey,
    cast: Option<&str>,
) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_METADATA)?;
    no_filter(&options)?;
    let table = find(call, key)?;
    if let Some(cast) = cast.filter(|cast| !CASTS.contains(cast)) {
        return Err(errors::no_resource(cast));
    }
    let with_options =
        match options.expand.as_deref().map(|e| e.split('(').next().unwrap_or_default()) {
            None => false,
            Some("OptionSet" | "GlobalOptionSet") => true,
            Some(other) => {
                return Err(errors::not_supported(&format!("$expand={other} of metadata")));
            }
        };
    let mut rows = Vec::new();
    for (name, column) in &table.columns {
        if cast.is_some_and(|cast| cast != attribute_class(column)) {
            continue;
        }
        let mut row = attribute_json(table, name, column);
        if !with_options {
            row.remove("OptionSet");
        }
        let option_set = row.remove("OptionSet");
        let mut row = selected(row, options.select.as_deref())?;
        if let Some(option_set) = option_set {
            row["OptionSet"] = option_set;
        }
        rows.push(row);
    }
    let root = links::root(&call.request.origin);
    let context = format!("{root}/$metadata#EntityDefinitions('{}')/Attributes", table.name);
    Ok(Answer::json(&json!({ "@odata.context": context, "value": rows })))
}

fn find<'a>(call: &'a Call<'_>, key: &DefinitionKey) -> Result<&'a Table, Fault> {
    let table = match key {
        DefinitionKey::Name(name) => call.catalog.tables.get(name),
        DefinitionKey::Id(id) => call.catalog.tables.values().find(|t| metadata_id(&t.name) == *id),
    };
    table.ok_or_else(|| {
        let name = match key {
            DefinitionKey::Name(name) => errors::shorten(name),
            DefinitionKey::Id(id) => id.to_string(),
        };
        let mut fault = Fault::unknown_table(&name);
        fault.message = format!("Could not find an entity with name {name}.");
        fault
    })
}

fn no_expand(options: &Options) -> Result<(), Fault> {
    match options.expand {
        Some(_) => Err(errors::not_supported("$expand of table definitions")),
        None => Ok(()),
    }
}

fn no_filter(options: &Options) -> Result<(), Fault> {
    match options.filter {
        Some(_) => Err(errors::not_supported("$filter here")),
        None => Ok(()),
    }
}

/// `LogicalName eq 'x'`, `SchemaName eq`, `EntitySetName eq`, joined by `or`.
struct NameFilter {
    names: Vec<(NameColumn, String)>,
}

#[derive(Clone, Copy)]
enum NameColumn {
    Logical,
    Set,
}

impl NameFilter {
    fn parse(text: &str) -> Result<Self, Fault> {
        let names = text.split(" or ").map(Self::parse_part).collect::<Option<Vec<_>>>();
        names.filter(|n| n.len() <= 100).map(|names| Self { names }).ok_or_else(|| {
            errors::not_supported("A $filter of metadata other than \"LogicalName eq 'name'\"")
        })
    }

    fn parse_part(part: &str) -> Option<(NameColumn, String)> {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        let (column, value) = part.split_once(" eq ")?;
        let column = match column.trim() {
            "LogicalName" | "SchemaName" => NameColumn::Logical,
            "EntitySetName" => NameColumn::Set,
            _ => return None,
        };
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        Some((column, value.to_ascii_lowercase()))
    }

    fn matches(&self, table: &Table) -> bool {
        self.names.iter().any(|(column, name)| match column {
            NameColumn::Logical => table.name == *name,
            NameColumn::Set => table.set == *name,
        })
    }
}

fn selected(row: Map<String, Json>, select: Option<&str>) -> Result<Json, Fault> {
    let Some(select) = select else { return Ok(Json::Object(row)) };
    let mut kept = Map::new();
    for name in select.split(',').map(str::trim).chain(["MetadataId", "@odata.type"]) {
        match row.get(name) {
            Some(value) => {
                kept.insert(name.to_owned(), value.clone());
            }
            None if name == "@odata.type" => {}
            None => {
                let shown = errors::shorten(name);
                return Err(errors::not_supported(&format!("The metadata property '{shown}'")));
            }
        }
    }
    Ok(Json::Object(kept))
}

fn with_context(row: Json, context: String) -> Json {
    let mut map = Map::from_iter([("@odata.context".to_owned(), Json::String(context))]);
    if let Json::Object(row) = row {
        map.extend(row);
    }
    Json::Object(map)
}

fn metadata_id(name: &str) -> Uuid {
    let bytes = digest(&[b"metadata", name.as_bytes()]);
    let first: [u8; 16] = bytes[..16].try_into().expect("BUG: a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(first).into_uuid()
}

fn label(text: &str) -> Json {
    let label = json!({ "Label": text, "LanguageCode": 1033 });
    json!({ "LocalizedLabels": [label.clone()], "UserLocalizedLabel": label })
}

fn definition_json(table: &Table) -> Map<String, Json> {
    let ownership = match table.ownership {
        Ownership::User => "UserOwned",
        Ownership::Organization => "OrganizationOwned",
    };
    let json = json!({
        "MetadataId": metadata_id(&table.name),
        "LogicalName": table.name,
        "SchemaName": table.name,
        "EntitySetName": table.set,
        "LogicalCollectionName": table.set,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "OwnershipType": ownership,
        "IsAvailableOffline": table.offline,
        "IsIntersect": table.intersect,
        "IsCustomEntity": false,
        "DisplayName": label(table.display_name()),
        "DisplayCollectionName": label(table.display_name()),
    });
    object(json)
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The classes that attributes have here, and so the casts that mean something.
const CASTS: &[&str] = &[
    "StringAttributeMetadata",
    "MemoAttributeMetadata",
    "IntegerAttributeMetadata",
    "BigIntAttributeMetadata",
    "DecimalAttributeMetadata",
    "DoubleAttributeMetadata",
    "MoneyAttributeMetadata",
    "BooleanAttributeMetadata",
    "DateTimeAttributeMetadata",
    "PicklistAttributeMetadata",
    "MultiSelectPicklistAttributeMetadata",
    "StateAttributeMetadata",
    "StatusAttributeMetadata",
    "LookupAttributeMetadata",
    "UniqueIdentifierAttributeMetadata",
    "ImageAttributeMetadata",
    "FileAttributeMetadata",
];

fn attribute_class(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::String => "StringAttributeMetadata",
        ColumnType::Memo => "MemoAttributeMetadata",
        ColumnType::Integer => "IntegerAttributeMetadata",
        ColumnType::BigInt => "BigIntAttributeMetadata",
        ColumnType::Decimal => "DecimalAttributeMetadata",
        ColumnType::Double => "DoubleAttributeMetadata",
        ColumnType::Money => "MoneyAttributeMetadata",
        ColumnType::Boolean => "BooleanAttributeMetadata",
        ColumnType::DateTime => "DateTimeAttributeMetadata",
        ColumnType::Picklist => "PicklistAttributeMetadata",
        ColumnType::MultiSelect => "MultiSelectPicklistAttributeMetadata",
        ColumnType::State => "StateAttributeMetadata",
        ColumnType::Status => "StatusAttributeMetadata",
        ColumnType::Lookup | ColumnType::Customer | ColumnType::Owner => "LookupAttributeMetadata",
        ColumnType::UniqueIdentifier => "UniqueIdentifierAttributeMetadata",
        ColumnType::Image => "ImageAttributeMetadata",
        ColumnType::File => "FileAttributeMetadata",
    }
}

/// The platform's `AttributeType`.
fn attribute_type(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::String => "String",
        ColumnType::Memo => "Memo",
        ColumnType::Integer => "Integer",
        ColumnType::BigInt => "BigInt",
        ColumnType::Decimal => "Decimal",
        ColumnType::Double => "Double",
        ColumnType::Money => "Money",
        ColumnType::Boolean => "Boolean",
        ColumnType::DateTime => "DateTime",
        ColumnType::Picklist => "Picklist",
        ColumnType::State => "State",
        ColumnType::Status => "Status",
        ColumnType::Lookup => "Lookup",
        ColumnType::Customer => "Customer",
        ColumnType::Owner => "Owner",
        ColumnType::UniqueIdentifier => "Uniqueidentifier",
        ColumnType::MultiSelect | ColumnType::Image | ColumnType::File => "Virtual",
    }
}

fn attribute_json(table: &Table, name: &str, column: &Column) -> Map<String, Json> {
    let required = match column.required {
        RequiredLevel::None => "None",
        RequiredLevel::Recommended => "Recommended",
        RequiredLevel::Application => "ApplicationRequired",
        RequiredLevel::System => "SystemRequired",
    };
    let shown = if column.label.is_empty() { name } else { &column.label };
    let mut row = object(json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{}", attribute_class(column)),
        "MetadataId": metadata_id(&format!("{}.{name}", table.name)),
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "AttributeType": attribute_type(column),
        "AttributeTypeName": { "Value": format!("{}Type", attribute_type(column)) },
        "IsPrimaryId": *name == table.primary_id,
        "IsPrimaryName": *name == table.primary_name,
        "IsValidForCreate": !column.system,
        "IsValidForUpdate": !column.system && *name != table.primary_id,
        "IsValidForRead": true,
        "RequiredLevel": { "Value": required },
        "DisplayName": label(shown),
    }));
    let limits = [
        ("MaxLength", column.length.map(|v| json!(v))),
        ("MinValue", column.min.map(|v| json!(v))),
        ("MaxValue", column.max.map(|v| json!(v))),
        ("Precision", column.precision.map(|v| json!(v))),
        ("AutoNumberFormat", column.autonumber.clone().map(|v| json!(v))),
    ];
    row.extend(limits.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    if column.kind.is_reference() {
        row.insert("Targets".into(), json!(column.targets));
    }
    if !column.choices.is_empty() {
        let options: Vec<Json> = column
            .choices
            .iter()
            .map(|choice| json!({ "Value": choice.value, "Label": label(&choice.label) }))
            .collect();
        row.insert("OptionSet".into(), json!({ "IsGlobal": false, "Options": options }));
    }
    row
}
