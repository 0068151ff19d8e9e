//! The Dataverse Web API (OData v4) under `/api/data/v9.2/`: path and options are read, turned
//! into requests of the organization service, and the answers into OData JSON.
//!
//! Never changes or reads a row but through the [`Engine`]; knows no store and no pipeline.

mod answer;
mod csdl;
mod entity_json;
mod errors;
mod headers;
mod links;
mod metadata;
mod options;
mod path;
mod read;
mod write;

pub(crate) use answer::{Answer, ApiRequest};
pub(crate) use errors::body as error_body;
pub(crate) use headers::body_is_json;
pub(crate) use links::BASE;
pub(crate) use path::{Plus, percent_decode};

use crate::engine::Engine;
use axum::http::Method;
use headers::{Conditions, Preferences};
use offstage_model::{Catalog, Fault, Request, Response, Uuid};
use offstage_pipeline::{CallOptions, Caller};
use path::{Resource, RowAddress, RowKey};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One request on its way: who asks, what, and of whom.
pub(crate) struct Call<'a> {
    engine: &'a dyn Engine,
    caller: &'a Caller,
    request: &'a ApiRequest,
    catalog: Arc<Catalog>,
    conditions: Conditions,
    preferences: Preferences,
    /// Packages that requests of this call went on without.
    skipped: RefCell<BTreeSet<String>>,
}

impl Call<'_> {
    fn execute(&self, request: Request) -> Result<Response, Fault> {
        let response = self.engine.execute(self.caller, request, CallOptions::default())?;
        self.skipped.borrow_mut().extend(response.skipped.iter().cloned());
        Ok(response)
    }

    /// The id of the row that an address names.
    fn row_id(&self, address: &RowAddress) -> Result<Uuid, Fault> {
        if let RowKey::Id(id) = address.key {
            return Ok(id);
        }
        let table = self.catalog.table(&address.table)?;
        let key = read::key_values(table, &address.key)?;
        read::find_by_key(self, table, &key)?.ok_or_else(|| errors::no_row_with_key(&table.name))
    }
}

/// Answers one request; a fault becomes an error answer.
pub(crate) fn answer(engine: &dyn Engine, caller: &Caller, request: &ApiRequest) -> Answer {
    dispatch(engine, caller, request).unwrap_or_else(|fault| Answer::fault(&fault))
}

fn dispatch(engine: &dyn Engine, caller: &Caller, request: &ApiRequest) -> Result<Answer, Fault> {
    headers::check(&request.headers)?;
    let catalog = engine.catalog();
    let resource = path::parse(&request.path, &catalog)?;
    let call = Call {
        engine,
        caller,
        request,
        catalog,
        conditions: Conditions::of(&request.headers),
        preferences: Preferences::of(&request.headers)?,
        skipped: RefCell::default(),
    };
    if !matches!(resource, Resource::Metadata | Resource::Count(_) | Resource::Property { .. }) {
        headers::accepts_json(&request.headers)?;
    }
    let answer = if request.method == Method::GET {
        get(&call, &resource)
    } else {
        change(&call, &resource)
    };
    let skipped: Vec<String> = call.skipped.take().into_iter().collect();
    Ok(answer?.skipped(&skipped))
}

fn get(call: &Call<'_>, resource: &Resource) -> Result<Answer, Fault> {
    match resource {
        Resource::Service => metadata::service_document(call),
        Resource::Metadata => csdl::document(call),
        Resource::WhoAmI => read::who_am_i(call),
        Resource::RetrieveVersion => read::version(call),
        Resource::Set(table) => read::set(call, call.catalog.table(table)?),
        Resource::Count(table) => read::count(call, call.catalog.table(table)?),
        Resource::Row(address) => read::row(call, address),
        Resource::Property { row, name, raw } => read::property(call, row, name, *raw),
        Resource::Definitions => metadata::definitions(call),
        Resource::Definition(key) => metadata::definition(call, key),
        Resource::Attributes { of, cast } => metadata::attributes(call, of, cast.as_deref()),
    }
}

fn change(call: &Call<'_>, resource: &Resource) -> Result<Answer, Fault> {
    let method = &call.request.method;
    match resource {
        Resource::Set(table) if method == Method::POST => {
            write::create(call, call.catalog.table(table)?)
        }
        Resource::Row(address) if method == Method::PATCH => write::patch(call, address),
        Resource::Row(address) if method == Method::DELETE => write::delete(call, address),
        Resource::Property { row, name, raw: false } if method == Method::PUT => {
            write::put_property(call, row, name)
        }
        Resource::Property { row, name, raw: false } if method == Method::DELETE => {
            write::delete_property(call, row, name)
        }
        Resource::Definitions | Resource::Definition(_) | Resource::Attributes { .. } => {
            Err(errors::not_supported("Changing metadata by the Web API")
                .hint("`offstage table add FILE` adds tables and columns."))
        }
        _ => Err(errors::method_not_allowed(method.as_str())),
    }
}
