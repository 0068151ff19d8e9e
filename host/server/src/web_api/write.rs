//! Writes: create, update, upsert and delete of rows, and of single columns.
//!
//! Never decides between update and create by looking first: the pipeline does, in its transaction.

use super::answer::Answer;
use super::entity_json;
use super::headers::Tag;
use super::links;
use super::options::{self, Options};
use super::path::{RowAddress, RowKey};
use super::read::{self, key_values};
use super::{Call, errors};
use axum::http::StatusCode;
use offstage_model::metadata::Table;
use offstage_model::request::parameter;
use offstage_model::{Entity, Fault, Parameter, Request, Response, Uuid, Value, code};

/// POST to a set: makes a row (cases W1, W2).
pub(super) fn create(call: &Call<'_>, table: &Table) -> Result<Answer, Fault> {
    let options = Options::parse(&call.request.query, options::OF_ROW)?;
    let entity = body_row(call, table)?;
    let response = call.execute(Request::create(entity))?;
    let id = response
        .id()
        .ok_or_else(|| Fault::new(code::INTERNAL, "Create answered without an id."))?;
    written(call, table, id, &options, StatusCode::CREATED)
}

/// PATCH of a row (case W3): with `If-Match` an update, with `If-None-Match: *` a create, and with
/// neither an upsert.
pub(super) fn patch(call: &Call<'_>, address: &RowAddress) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    let options = Options::parse(&call.request.query, options::OF_ROW)?;
    let mut entity = body_row(call, table)?;
    address_row(table, &mut entity, address)?;
    match (&call.conditions.if_match, &call.conditions.if_none_match) {
        (Some(tag), _) => update(call, table, entity, tag, &options),
        (None, Some(Tag::Any)) => create_at(call, table, entity, &options),
        (None, Some(Tag::Versions(_))) => {
            Err(errors::syntax("If-None-Match on a PATCH takes * only."))
        }
        (None, None) => upsert(call, table, entity, &options),
    }
}

/// PUT of one column: `{"value": …}`.
pub(super) fn put_property(
    call: &Call<'_>,
    address: &RowAddress,
    name: &str,
) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    let Some(column) = table.column(name) else { return Err(read::no_property(table, name)) };
    let body = call.request.object()?;
    let json =
        body.get("value").ok_or_else(|| errors::payload("The body must be {\"value\": …}."))?;
    let value = entity_json::parse_value(&table.name, name, column, json)?;
    set_property(call, table, address, name, value)
}

/// DELETE of one column: clears it.
pub(super) fn delete_property(
    call: &Call<'_>,
    address: &RowAddress,
    name: &str,
) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    if table.column(name).is_none() {
        return Err(read::no_property(table, name));
    }
    set_property(call, table, address, name, Value::Null)
}

fn set_property(
    call: &Call<'_>,
    table: &Table,
    address: &RowAddress,
    name: &str,
    value: Value,
) -> Result<Answer, Fault> {
    Options::parse(&call.request.query, options::NONE)?;
    let id = call.row_id(address)?;
    let mut entity = Entity::with_id(table.name.clone(), id).with(name, value);
    if let Some(tag) = &call.conditions.if_match {
        expect_version(&mut entity, tag)?;
    }
    call.execute(strict(Request::update(entity)))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT).entity_id(&links::row(
        &call.request.origin,
        &table.set,
        id,
    )))
}

/// DELETE of a row.
pub(super) fn delete(call: &Call<'_>, address: &RowAddress) -> Result<Answer, Fault> {
    let table = call.catalog.table(&address.table)?;
    Options::parse(&call.request.query, options::NONE)?;
    let id = call.row_id(address)?;
    let mut request = Request::delete(&table.name, id);
    if let Some(Tag::Versions(versions)) = &call.conditions.if_match {
        let version = single_version(versions)?;
        request = strict(request.with(ROW_VERSION, Parameter::Value(Value::BigInt(version))));
    }
    call.execute(request)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn update(
    call: &Call<'_>,
    table: &Table,
    mut entity: Entity,
    tag: &Tag,
    options: &Options,
) -> Result<Answer, Fault> {
    let id = match entity.id {
        Some(id) => id,
        None => read::find_by_key(call, table, &entity.key)?
            .ok_or_else(|| errors::no_row_with_key(&table.name))?,
    };
    entity.id = Some(id);
    entity.key.clear();
    expect_version(&mut entity, tag)?;
    call.execute(strict(Request::update(entity)))?;
    written(call, table, id, options, StatusCode::OK)
}

fn create_at(
    call: &Call<'_>,
    table: &Table,
    mut entity: Entity,
    options: &Options,
) -> Result<Answer, Fault> {
    let key = std::mem::take(&mut entity.key);
    entity.attributes.extend(key);
    let asked = entity.id;
    let response = call.execute(Request::create(entity)).map_err(|fault| match fault.code {
        code::DUPLICATE_RECORD | code::DUPLICATE_KEY => errors::exists_already(),
        _ => fault,
    })?;
    let id = response.id().or(asked).ok_or_else(no_id)?;
    written(call, table, id, options, StatusCode::CREATED)
}

fn upsert(
    call: &Call<'_>,
    table: &Table,
    entity: Entity,
    options: &Options,
) -> Result<Answer, Fault> {
    let asked = entity.id;
    let response = call.execute(Request::upsert(entity))?;
    let id = target_id(&response).or(asked).ok_or_else(no_id)?;
    let created = matches!(
        response.parameters.get(parameter::RECORD_CREATED),
        Some(Parameter::Value(Value::Boolean(true)))
    );
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    written(call, table, id, options, status)
}

fn no_id() -> Fault {
    Fault::new(code::INTERNAL, "Upsert answered without a row.")
}

fn target_id(response: &Response) -> Option<Uuid> {
    match response.parameters.get(parameter::TARGET) {
        Some(Parameter::Value(Value::Reference(reference))) => Some(reference.id),
        Some(Parameter::Entity(entity)) => entity.id,
        _ => response.id(),
    }
}

/// The answer after a write: the row's URL, or with `return=representation` the row.
fn written(
    call: &Call<'_>,
    table: &Table,
    id: Uuid,
    options: &Options,
    status: StatusCode,
) -> Result<Answer, Fault> {
    let url = links::row(&call.request.origin, &table.set, id);
    if !call.preferences.representation {
        return Ok(Answer::empty(StatusCode::NO_CONTENT).entity_id(&url));
    }
    let columns = read::select(call, table, options)?;
    let entity = read::retrieve(call, table, id, columns.clone())?;
    let select = options.select.as_deref();
    Ok(read::row_answer(call, table, &entity, select, columns.as_deref())
        .status(status)
        .entity_id(&url)
        .applied("return=representation"))
}

fn body_row(call: &Call<'_>, table: &Table) -> Result<Entity, Fault> {
    let body = call.request.object()?;
    let resolve = |address: &RowAddress| call.row_id(address);
    entity_json::parse_row(&call.catalog, table, &body, &resolve)
}

/// Puts the key of the URL into the entity; a body that names another row is refused.
fn address_row(table: &Table, entity: &mut Entity, address: &RowAddress) -> Result<(), Fault> {
    match &address.key {
        RowKey::Id(id) => {
            if entity.id.is_some_and(|other| other != *id) {
                return Err(errors::payload(format!(
                    "The body's '{}' names another row than the URL.",
                    table.primary_id
                )));
            }
            entity.id = Some(*id);
        }
        RowKey::Alternate(_) => entity.key = key_values(table, &address.key)?,
    }
    Ok(())
}

/// The parameter that carries the version a Delete expects (the platform's `RowVersion`).
const ROW_VERSION: &str = "RowVersion";

/// Asks the pipeline to compare the version that the request carries, if it carries one
/// (the platform's `ConcurrencyBehavior` 1, `IfRowVersionMatches`).
fn strict(request: Request) -> Request {
    request.with("ConcurrencyBehavior", Parameter::Value(Value::Option(1)))
}

/// Makes an update depend on the version in the tag; `*` only asks that the row exists.
fn expect_version(entity: &mut Entity, tag: &Tag) -> Result<(), Fault> {
    entity.version = match tag {
        Tag::Any => None,
        Tag::Versions(versions) => Some(u64::try_from(single_version(versions)?).unwrap_or(0)),
    };
    Ok(())
}

fn single_version(versions: &[u64]) -> Result<i64, Fault> {
    match versions {
        [version] => i64::try_from(*version).map_err(|_| errors::version_mismatch()),
        // A tag that is not ours matches no row.
        [] => Err(errors::version_mismatch()),
        _ => Err(errors::syntax("If-Match on a write takes one tag.")),
    }
}
