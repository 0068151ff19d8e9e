//! From the model to the contract: what a plug-in sees.
//!
//! Never shows what the contract has no form for: alternate keys, lists of requests, and the hints
//! of a fault, which are for people.

use super::filter;
use crate::bindings::offstage::plugin::types;
use offstage_model::context::ISOLATION_MODE_SANDBOX;
use offstage_model::{
    Entity, EntityCollection, EntityReference, ExecutionContext, Fault, Parameter, ParameterMap,
    Query, Uuid, Value,
};
use std::collections::BTreeMap;

/// The table of steps, for a context that runs none.
const STEP_TABLE: &str = "sdkmessageprocessingstep";

pub(crate) fn guid(id: Uuid) -> types::Guid {
    let (high, low) = id.as_u64_pair();
    types::Guid { high, low }
}

fn reference(reference: &EntityReference) -> types::EntityReference {
    types::EntityReference {
        table: reference.table.clone(),
        id: guid(reference.id),
        name: reference.name.clone(),
    }
}

pub(crate) fn value(value: &Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Boolean(value) => types::Value::Boolean(*value),
        Value::Integer(value) => types::Value::Integer(*value),
        Value::BigInt(value) => types::Value::BigInt(*value),
        Value::Decimal(value) => types::Value::Decimal(value.to_string()),
        Value::Double(value) => types::Value::Double(*value),
        Value::Money(value) => types::Value::Money(value.to_string()),
        Value::Text(value) => types::Value::Text(value.clone()),
        Value::DateTime(value) => types::Value::DateTime(value.0),
        Value::Option(value) => types::Value::OptionValue(*value),
        Value::Options(values) => types::Value::OptionValues(values.clone()),
        Value::Reference(value) => types::Value::Reference(reference(value)),
        Value::Guid(value) => types::Value::UniqueIdentifier(guid(*value)),
        Value::Bytes(value) => types::Value::Bytes(value.clone()),
    }
}

fn entity(entity: &Entity) -> types::Entity {
    let attribute = |(column, held): (&String, &Value)| types::Attribute {
        column: column.clone(),
        value: value(held),
    };
    types::Entity {
        table: entity.table.clone(),
        id: entity.id.map(guid),
        row_version: entity.version,
        attributes: entity.attributes.iter().map(attribute).collect(),
    }
}

fn collection(page: &EntityCollection) -> types::EntityCollection {
    types::EntityCollection {
        table: page.table.clone(),
        entities: page.entities.iter().map(entity).collect(),
        more_records: page.more_records,
        paging_cookie: page.paging_cookie.clone(),
        total_count: page.total_count,
    }
}

fn query(query: &Query) -> types::Query {
    let order = |order: &offstage_model::query::Order| types::Order {
        column: order.column.clone(),
        descending: order.descending,
    };
    types::Query {
        table: query.table.clone(),
        columns: query.columns.clone(),
        filter: query.filter.as_ref().map(filter::to_guest).unwrap_or_default(),
        orders: query.orders.iter().map(order).collect(),
        top: query.top,
        page_size: query.page_size,
        paging_cookie: query.paging_cookie.clone(),
        total_count: query.total_count,
    }
}

fn parameter(parameter: &Parameter) -> Option<types::Parameter> {
    Some(match parameter {
        Parameter::Value(held) => types::Parameter::Value(value(held)),
        Parameter::Entity(held) => types::Parameter::Entity(entity(held)),
        Parameter::Entities(held) => types::Parameter::Entities(collection(held)),
        Parameter::References(held) => {
            types::Parameter::References(held.iter().map(reference).collect())
        }
        Parameter::Columns(held) => types::Parameter::Columns(held.clone()),
        Parameter::Query(held) => types::Parameter::Query(query(held)),
        Parameter::Requests(_) | Parameter::Responses(_) => return None,
    })
}

pub(crate) fn parameters(parameters: &ParameterMap) -> Vec<types::NamedParameter> {
    let named = |(name, held): (&String, &Parameter)| {
        parameter(held).map(|parameter| types::NamedParameter { name: name.clone(), parameter })
    };
    parameters.iter().filter_map(named).collect()
}

pub(crate) fn fault(fault: &Fault) -> types::Fault {
    types::Fault { code: fault.code, message: fault.message.clone(), status: fault.http_status() }
}

fn images(images: &BTreeMap<String, Entity>) -> Vec<types::Image> {
    let image = |(alias, held): (&String, &Entity)| types::Image {
        alias: alias.clone(),
        entity: entity(held),
    };
    images.iter().map(image).collect()
}

pub(crate) fn context(context: &ExecutionContext) -> types::Context {
    let no_step = || EntityReference::new(STEP_TABLE, Uuid::nil());
    types::Context {
        business_unit_id: guid(context.business_unit_id),
        correlation_id: guid(context.correlation_id),
        depth: context.depth,
        initiating_user_id: guid(context.initiating_user_id),
        user_id: guid(context.user_id),
        authenticated_user_id: guid(context.authenticated_user_id),
        input_parameters: parameters(&context.input_parameters),
        output_parameters: parameters(&context.output_parameters),
        is_executing_offline: context.is_executing_offline,
        is_in_transaction: context.is_in_transaction,
        isolation_mode: ISOLATION_MODE_SANDBOX,
        message_name: context.message_name.clone(),
        mode: context.mode,
        operation_id: guid(context.operation_id),
        operation_created_on: context.operation_created_on.0,
        organization_id: guid(context.organization_id),
        organization_name: context.organization_name.clone(),
        environment_id: context.environment_id.clone(),
        owning_extension: reference(&context.owning_extension.clone().unwrap_or_else(no_step)),
        step_key: context.step_key.clone(),
        primary_entity_id: guid(context.primary_entity_id),
        primary_entity_name: context.primary_entity_name.clone(),
        secondary_entity_name: context.secondary_entity_name.clone(),
        pre_entity_images: images(&context.pre_entity_images),
        post_entity_images: images(&context.post_entity_images),
        request_id: guid(context.request_id),
        shared_variables: parameters(&context.shared_variables),
        stage: context.stage,
        initiating_user_agent: context.initiating_user_agent.clone(),
        is_application_user: context.is_application_user,
        configuration: context.configuration.clone(),
        secure_configuration: context.secure_configuration.clone(),
    }
}
