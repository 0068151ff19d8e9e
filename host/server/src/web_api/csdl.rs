//! `$metadata`: the tables as a CSDL document (OData 4.0 CSDL XML).
//!
//! Never says more than the service does: no navigation that cannot be followed is declared as
//! contained, and only the functions that exist are listed.

use super::Call;
use super::answer::Answer;
use super::entity_json::property_name;
use super::options::{self, Options};
use offstage_model::metadata::{Column, ColumnType, DateBehavior, Table};
use offstage_model::{Catalog, Fault};
use std::fmt::Write as _;

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">"#,
    r#"<edmx:DataServices>"#,
    r#"<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" "#,
    r#"xmlns="http://docs.oasis-open.org/odata/ns/edm">"#,
);
const FUNCTIONS: &str = concat!(
    r#"<ComplexType Name="WhoAmIResponse">"#,
    r#"<Property Name="BusinessUnitId" Type="Edm.Guid" Nullable="false"/>"#,
    r#"<Property Name="UserId" Type="Edm.Guid" Nullable="false"/>"#,
    r#"<Property Name="OrganizationId" Type="Edm.Guid" Nullable="false"/></ComplexType>"#,
    r#"<ComplexType Name="RetrieveVersionResponse">"#,
    r#"<Property Name="Version" Type="Edm.String" Unicode="false"/></ComplexType>"#,
    r#"<Function Name="WhoAmI"><ReturnType Type="mscrm.WhoAmIResponse" Nullable="false"/></Function>"#,
    r#"<Function Name="RetrieveVersion">"#,
    r#"<ReturnType Type="mscrm.RetrieveVersionResponse" Nullable="false"/></Function>"#,
);
const TAIL: &str = "</Schema></edmx:DataServices></edmx:Edmx>";

/// The whole document.
pub(super) fn document(call: &Call<'_>) -> Result<Answer, Fault> {
    Options::parse(&call.request.query, options::NONE)?;
    let mut xml = String::from(HEAD);
    xml.push_str(r#"<EntityType Name="crmbaseentity" Abstract="true"/>"#);
    for table in call.catalog.tables.values() {
        entity_type(&mut xml, &call.catalog, table);
    }
    xml.push_str(FUNCTIONS);
    xml.push_str(r#"<EntityContainer Name="System">"#);
    for table in call.catalog.tables.values() {
        entity_set(&mut xml, table);
    }
    xml.push_str(r#"<FunctionImport Name="WhoAmI" Function="mscrm.WhoAmI"/>"#);
    xml.push_str(r#"<FunctionImport Name="RetrieveVersion" Function="mscrm.RetrieveVersion"/>"#);
    xml.push_str("</EntityContainer>");
    xml.push_str(TAIL);
    Ok(Answer::bytes("application/xml", xml.into_bytes()))
}

// Names in a catalog are lower-case letters, digits and underscores, so nothing needs escaping.
// Writing into a String cannot fail; the results are dropped for that reason.

fn entity_type(xml: &mut String, catalog: &Catalog, table: &Table) {
    let _ = write!(
        xml,
        r#"<EntityType Name="{}" BaseType="mscrm.crmbaseentity"><Key><PropertyRef Name="{}"/></Key>"#,
        table.name, table.primary_id
    );
    for (name, column) in &table.columns {
        let property = property_name(name, column);
        let nullable = if *name == table.primary_id { r#" Nullable="false""# } else { "" };
        let kind = edm_type(column);
        let _ = write!(xml, r#"<Property Name="{property}" Type="{kind}"{nullable}/>"#);
    }
    for (navigation, property, target) in navigations(table) {
        let Some(key) = catalog.tables.get(target).map(|t| &t.primary_id) else { continue };
        let _ = write!(
            xml,
            r#"<NavigationProperty Name="{navigation}" Type="mscrm.{target}"><ReferentialConstraint Property="{property}" ReferencedProperty="{key}"/></NavigationProperty>"#,
        );
    }
    xml.push_str("</EntityType>");
}

fn entity_set(xml: &mut String, table: &Table) {
    let _ = write!(xml, r#"<EntitySet Name="{}" EntityType="mscrm.{}"/>"#, table.set, table.name);
}

/// Single-valued navigation properties: name, foreign key property, target table.
fn navigations(table: &Table) -> Vec<(String, String, &str)> {
    let references = table.columns.iter().filter(|(_, column)| column.kind.is_reference());
    references
        .flat_map(|(name, column)| {
            let one = column.targets.len() == 1;
            column.targets.iter().map(move |target| {
                let navigation = if one { name.clone() } else { format!("{name}_{target}") };
                (navigation, property_name(name, column), target.as_str())
            })
        })
        .collect()
}

fn edm_type(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::String | ColumnType::Memo | ColumnType::MultiSelect => "Edm.String",
        ColumnType::Integer | ColumnType::Picklist | ColumnType::State | ColumnType::Status => {
            "Edm.Int32"
        }
        ColumnType::BigInt => "Edm.Int64",
        ColumnType::Decimal | ColumnType::Money => "Edm.Decimal",
        ColumnType::Double => "Edm.Double",
        ColumnType::Boolean => "Edm.Boolean",
        ColumnType::DateTime if column.behavior == DateBehavior::DateOnly => "Edm.Date",
        ColumnType::DateTime => "Edm.DateTimeOffset",
        ColumnType::Lookup | ColumnType::Customer | ColumnType::Owner => "Edm.Guid",
        ColumnType::UniqueIdentifier => "Edm.Guid",
        ColumnType::Image | ColumnType::File => "Edm.Binary",
    }
}
