//! A sample that somebody wrote: JSON with the rows that are there before, and the requests.
//!
//! Values are written as on the command line (`parentaccountid` = `account:$alpine`), where `$name`
//! stands for the id of a row of the file. Never guesses what a column means.

use super::sample::{Sample, SampleRequest, row_id};
use crate::error::CliError;
use crate::values::{self, Assignment, FileArgument, Source};
use offstage_model::entity::Attributes;
use offstage_model::request::ParameterMap;
use offstage_model::{Catalog, Entity, Request, Uuid, Value};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rows: Vec<Row>,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    table: String,
    columns: BTreeMap<String, Json>,
}

/// One of `create`, `update`, `delete` and `message` says what it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    create: Option<String>,
    update: Option<String>,
    delete: Option<String>,
    message: Option<String>,
    row: Option<String>,
    #[serde(default)]
    columns: BTreeMap<String, Json>,
    #[serde(default)]
    parameters: ParameterMap,
}

/// Reads a sample; `user` owns its rows.
pub(crate) fn read(file: &FileArgument, catalog: &Catalog, user: Uuid) -> Result<Sample, CliError> {
    let shown = file.0.display().to_string();
    let parsed: File = serde_json::from_str(&file.read_text()?).map_err(|error| {
        CliError::usage(format!("'{shown}' is no sample: {error}.")).hint(
            "A sample is { \"rows\": [ { \"name\": …, \"table\": …, \"columns\": { … } } ], \
             \"requests\": [ { \"create\": \"TABLE\", \"columns\": { … } } ] }.",
        )
    })?;
    let names: BTreeMap<&str, Uuid> =
        parsed.rows.iter().map(|row| (row.name.as_str(), row_id(&row.table, &row.name))).collect();
    let reader = Reader { catalog, names };
    let mut sample = Sample::default();
    for row in &parsed.rows {
        let mut entity = Entity::with_id(&row.table, reader.names[row.name.as_str()]);
        entity.attributes = reader.columns(&row.table, &row.columns)?;
        if catalog.table(&row.table)?.column("ownerid").is_some() {
            let owner = Value::reference("systemuser", user);
            entity.attributes.entry("ownerid".to_owned()).or_insert(owner);
        }
        sample.rows.push(entity);
    }
    for (index, asked) in parsed.requests.iter().enumerate() {
        let request = reader.request(asked).map_err(|error| CliError {
            message: format!("Request {} of '{shown}': {}", index + 1, error.message),
            ..error
        })?;
        let table = request.primary_table();
        let name = format!("{}. {} {table}", index + 1, request.message);
        sample.requests.push(SampleRequest { name: name.trim_end().to_owned(), request });
    }
    Ok(sample)
}

struct Reader<'a> {
    catalog: &'a Catalog,
    names: BTreeMap<&'a str, Uuid>,
}

impl Reader<'_> {
    fn request(&self, asked: &Asked) -> Result<Request, CliError> {
        let kinds = [&asked.create, &asked.update, &asked.delete, &asked.message];
        if kinds.iter().filter(|kind| kind.is_some()).count() != 1 {
            return Err(CliError::usage(
                "it has not exactly one of create, update, delete and message.",
            ));
        }
        if let Some(message) = &asked.message {
            return Ok(Request { message: message.clone(), parameters: asked.parameters.clone() });
        }
        if let Some(table) = &asked.create {
            let mut row = Entity::new(table);
            row.attributes = self.columns(table, &asked.columns)?;
            return Ok(Request::create(row));
        }
        let id = || match asked.row.as_deref() {
            Some(name) => self.id(name),
            None => Err(CliError::usage("it names no row.").hint("Add \"row\": \"NAME\".")),
        };
        if let Some(table) = &asked.update {
            let mut row = Entity::with_id(table, id()?);
            row.attributes = self.columns(table, &asked.columns)?;
            return Ok(Request::update(row));
        }
        Ok(Request::delete(asked.delete.as_deref().unwrap_or_default(), id()?))
    }

    fn id(&self, name: &str) -> Result<Uuid, CliError> {
        self.names.get(name).copied().ok_or_else(|| {
            let known: Vec<&str> = self.names.keys().copied().collect();
            CliError::usage(format!("there is no row '{name}' in the sample."))
                .hint(format!("It has: {}.", known.join(", ")))
        })
    }

    fn columns(
        &self,
        table: &str,
        columns: &BTreeMap<String, Json>,
    ) -> Result<Attributes, CliError> {
        let mut assignments = Vec::new();
        for (column, json) in columns {
            let source = match json {
                Json::Null => Source::Nothing,
                Json::String(text) => Source::Text(self.resolved(text)?),
                other => Source::Text(other.to_string()),
            };
            assignments.push(Assignment { column: column.clone(), source });
        }
        values::attributes(self.catalog, table, &assignments)
    }

    /// `account:$alpine` with the row's id.
    fn resolved(&self, text: &str) -> Result<String, CliError> {
        match text.split_once(":$") {
            Some((table, name)) if self.catalog.tables.contains_key(table) => {
                Ok(format!("{table}:{}", self.id(name)?))
            }
            _ => Ok(text.to_owned()),
        }
    }
}
