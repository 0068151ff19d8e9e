//! Reads: sets, rows, single columns, counts, and the functions that only read.
//!
//! Never changes a row.

use super::answer::Answer;
use super::entity_json::{self, navigation_column};
use super::headers::etag;
use super::links::{self, SkipToken};
use super::options::{self, Options};
use super::path::{self, RowAddress, RowKey};
use super::{Call, errors};
use axum::http::StatusCode;
use axum::http::header::ETAG;
use offstage_model::entity::Attributes;
use offstage_model::metadata::Table;
use offstage_model::query::{Filter, Order, PAGE_SIZE_MAX};
use offstage_model::request::message;
use offstage_model::{
    Entity, EntityCollection, Fault, Parameter, Query, Request, Uuid, Value, code,
};
use offstage_query::odata;
use serde_json::{Map, Value as Json, json};

/// GET of a set.
pub(super) fn set(call: &Call<'_>, table: &Table) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_SET)?;
    let columns = select(call, table, &options)?;
    let token = options.skip_token.as_deref().map(SkipToken::parse).transpose()?;
    let asked = token.as_ref().map(|t| t.page_size).or(call.preferences.page_size);
    // `$top` is ignored with maxpagesize, as on the platform (case W17).
    let top = if asked.is_none() { options.top.map(|top| top.min(PAGE_SIZE_MAX)) } else { None };
    let page_size = asked.unwrap_or(PAGE_SIZE_MAX).clamp(1, PAGE_SIZE_MAX);
    let query = Query {
        table: table.name.clone(),
        columns: columns.clone(),
        filter: filter(call, table, &options)?,
        orders: orders(call, table, &options)?,
        top,
        page_size: top.is_none().then_some(page_size),
        paging_cookie: token.map(|token| token.cookie),
        total_count: options.count,
    };
    let found = query_rows(call, query)?;
    let mut body = Map::new();
    let context =
        links::context(&call.request.origin, &table.set, options.select.as_deref(), false);
    body.insert("@odata.context".into(), Json::String(context));
    if options.count {
        let count = found.total_count.unwrap_or_default();
        body.insert("@odata.count".into(), json!(count));
    }
    let annotations = &call.preferences.annotations;
    let rows: Vec<Json> = found
        .entities
        .iter()
        .map(|row| Json::Object(entity_json::row(table, row, columns.as_deref(), annotations)))
        .collect();
    body.insert("value".into(), Json::Array(rows));
    if let Some(cookie) = found.paging_cookie.filter(|_| found.more_records && top.is_none()) {
        let token = SkipToken { cookie, page_size };
        let request = call.request;
        let link = links::next(&request.origin, &request.path, &request.query, &token);
        body.insert("@odata.nextLink".into(), Json::String(link));
    }
    let answer = Answer::json(&Json::Object(body));
    Ok(match call.preferences.page_size {
        Some(size) => answer.applied(&format!("odata.maxpagesize={size}")),
        None => answer,
    })
}

/// GET of `/$count`: bare text, at most 5,000.
pub(super) fn count(call: &Call<'_>, table: &Table) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_COUNT)?;
    let query = Query {
        columns: Some(vec![table.primary_id.clone()]),
        filter: filter(call, table, &options)?,
        page_size: Some(1),
        total_count: true,
        ..Query::all(table.name.clone())
    };
    let count = query_rows(call, query)?.total_count.unwrap_or_default();
    Ok(Answer::bytes("text/plain", count.to_string().into_bytes()))
}

/// GET of one row.
pub(super) fn row(call: &Call<'_>, address: &RowAddress) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    let options = Options::parse(&call.request.query, options::OF_ROW)?;
    let columns = select(call, table, &options)?;
    let entity = retrieve(call, table, call.row_id(address)?, columns.clone())?;
    let unchanged = call.conditions.if_none_match.as_ref();
    // Annotations are not part of what the tag stands for (case W4).
    if unchanged.is_some_and(|tag| tag.matches(entity.version))
        && !call.preferences.annotations.any()
    {
        let answer = Answer::empty(StatusCode::NOT_MODIFIED);
        return Ok(match entity.version {
            Some(version) => answer.header(ETAG, &etag(version)),
            None => answer,
        });
    }
    if call.conditions.if_match.as_ref().is_some_and(|tag| !tag.matches(entity.version)) {
        return Err(errors::version_mismatch());
    }
    Ok(row_answer(call, table, &entity, options.select.as_deref(), columns.as_deref()))
}

/// The answer that holds one row.
pub(super) fn row_answer(
    call: &Call<'_>,
    table: &Table,
    entity: &Entity,
    select: Option<&str>,
    columns: Option<&[String]>,
) -> Answer {
    let mut body = Map::new();
    let context = links::context(&call.request.origin, &table.set, select, true);
    body.insert("@odata.context".into(), Json::String(context));
    body.extend(entity_json::row(table, entity, columns, &call.preferences.annotations));
    let answer = Answer::json(&Json::Object(body));
    match entity.version {
        Some(version) => answer.header(ETAG, &etag(version)),
        None => answer,
    }
}

/// GET of one column of one row; 204 when it is empty.
pub(super) fn property(
    call: &Call<'_>,
    address: &RowAddress,
    name: &str,
    raw: bool,
) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    Options::parse(&call.request.query, options::NONE)?;
    let bare = path::bare_column(table, name);
    let Some(column) = table.column(&bare) else { return Err(no_property(table, name)) };
    if column.kind.is_reference() && bare == name {
        return Err(errors::not_supported(&format!("Following '{name}' to its row")));
    }
    let id = call.row_id(address)?;
    let entity = retrieve(call, table, id, Some(vec![bare.clone()]))?;
    let id_value = Value::Guid(id);
    let value = if bare == table.primary_id { &id_value } else { entity.value(&bare) };
    if value.is_null() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let json = entity_json::value_json(column, value);
    if raw {
        let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        return Ok(Answer::bytes("text/plain;charset=utf-8", text.into_bytes()));
    }
    let context =
        format!("{}/$metadata#{}({id})/{name}", links::root(&call.request.origin), table.set);
    Ok(Answer::json(&json!({ "@odata.context": context, "value": json })))
}

/// The fault for a path below a row that names neither a column nor a navigation property.
pub(super) fn no_property(table: &Table, name: &str) -> Fault {
    if navigation_column(table, name).is_some() {
        return errors::not_supported(&format!("Following '{name}' to its row"));
    }
    errors::no_resource(name)
}

/// `WhoAmI` (case W12).
pub(super) fn who_am_i(call: &Call<'_>) -> Result<Answer, Fault> {
    Options::parse(&call.request.query, options::NONE)?;
    let response = call.execute(Request::new(message::WHO_AM_I))?;
    let guid = |name: &str, otherwise: Uuid| match response.parameters.get(name) {
        Some(Parameter::Value(Value::Guid(id))) => *id,
        _ => otherwise,
    };
    let root = links::root(&call.request.origin);
    Ok(Answer::json(&json!({
        "@odata.context": format!("{root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"),
        "BusinessUnitId": guid("BusinessUnitId", call.caller.business_unit),
        "UserId": guid("UserId", call.caller.user),
        "OrganizationId": guid("OrganizationId", call.engine.organization().id),
    })))
}

/// `RetrieveVersion`.
pub(super) fn version(call: &Call<'_>) -> Result<Answer, Fault> {
    Options::parse(&call.request.query, options::NONE)?;
    let response = call.execute(Request::new(message::RETRIEVE_VERSION))?;
    let text = match response.parameters.get("Version") {
        Some(Parameter::Value(Value::Text(text))) => text.clone(),
        _ => env!("CARGO_PKG_VERSION").to_owned(),
    };
    let root = links::root(&call.request.origin);
    Ok(Answer::json(&json!({
        "@odata.context": format!("{root}/$metadata#Microsoft.Dynamics.CRM.RetrieveVersionResponse"),
        "Version": text,
    })))
}

/// Reads one row.
///
/// # Errors
/// It does not exist (404), or the caller may not read it.
pub(super) fn retrieve(
    call: &Call<'_>,
    table: &Table,
    id: Uuid,
    columns: Option<Vec<String>>,
) -> Result<Entity, Fault> {
    let response = call.execute(Request::retrieve(&table.name, id, columns))?;
    response
        .entity()
        .cloned()
        .ok_or_else(|| Fault::new(code::INTERNAL, "Retrieve answered without a row."))
}

/// The id of the row that has an alternate key; `None` when there is none.
pub(super) fn find_by_key(
    call: &Call<'_>,
    table: &Table,
    key: &Attributes,
) -> Result<Option<Uuid>, Fault> {
    let conditions =
        key.iter().map(|(column, value)| Filter::eq(column.clone(), value.clone())).collect();
    let query = Query {
        columns: Some(vec![table.primary_id.clone()]),
        top: Some(1),
        ..Query::matching(table.name.clone(), Filter::All(conditions))
    };
    Ok(query_rows(call, query)?.entities.first().and_then(|row| row.id))
}

/// The values of an alternate key, typed by metadata.
pub(super) fn key_values(table: &Table, key: &RowKey) -> Result<Attributes, Fault> {
    let RowKey::Alternate(parts) = key else { return Ok(Attributes::new()) };
    let mut values = Attributes::new();
    for (name, literal) in parts {
        let column = table.column(name).ok_or_else(|| Fault::unknown_column(&table.name, name))?;
        let json = match literal {
            path::Literal::Text(text) => Json::String(text.clone()),
            path::Literal::Bare(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))
            }
        };
        if column.kind.is_reference() {
            return Err(errors::not_supported("A reference in an alternate key"));
        }
        values.insert(name.clone(), entity_json::parse_value(&table.name, name, column, &json)?);
    }
    Ok(values)
}

fn query_rows(call: &Call<'_>, query: Query) -> Result<EntityCollection, Fault> {
    let response = call.execute(Request::retrieve_multiple(query))?;
    response
        .collection()
        .cloned()
        .ok_or_else(|| Fault::new(code::INTERNAL, "RetrieveMultiple answered without rows."))
}

/// The columns that `$select` names; `None` without one.
pub(super) fn select(
    call: &Call<'_>,
    table: &Table,
    options: &Options,
) -> Result<Option<Vec<String>>, Fault> {
    let Some(text) = &options.select else { return Ok(None) };
    if text.trim() == "*" {
        return Ok(None);
    }
    odata::parse_select(text, &call.catalog, &table.name).map(Some)
}

fn filter(call: &Call<'_>, table: &Table, options: &Options) -> Result<Option<Filter>, Fault> {
    let Some(text) = &options.filter else { return Ok(None) };
    odata::parse_filter(text, &call.catalog, &table.name).map(Some)
}

fn orders(call: &Call<'_>, table: &Table, options: &Options) -> Result<Vec<Order>, Fault> {
    let Some(text) = &options.order else { return Ok(Vec::new()) };
    odata::parse_order(text, &call.catalog, &table.name)
}
