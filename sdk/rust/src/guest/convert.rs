//! Conversions between the SDK's types and those generated from the contract.
//!
//! Into the contract nothing can fail; out of it a decimal or a filter may be refused.

use rust_decimal::Decimal;

use super::bindings::offstage::plugin::types;
use crate::change::Change;
use crate::context::{ExecutionContext, Image};
use crate::entity::{Entity, EntityCollection, EntityReference};
use crate::error::{DataError, PluginError};
use crate::filter::{self, Node};
use crate::guid::Guid;
use crate::query::{ColumnSet, Condition, Operator, Order, Query};
use crate::request::{Parameter, Parameters};
use crate::timestamp::Timestamp;
use crate::value::Value;

impl From<types::Guid> for Guid {
    fn from(guid: types::Guid) -> Self {
        Self::from_halves(guid.high, guid.low)
    }
}

impl From<Guid> for types::Guid {
    fn from(guid: Guid) -> Self {
        let (high, low) = guid.halves();
        Self { high, low }
    }
}

impl From<types::EntityReference> for EntityReference {
    fn from(reference: types::EntityReference) -> Self {
        Self { table: reference.table, id: reference.id.into(), name: reference.name }
    }
}

impl From<EntityReference> for types::EntityReference {
    fn from(reference: EntityReference) -> Self {
        Self { table: reference.table, id: reference.id.into(), name: reference.name }
    }
}

fn decimal(text: String) -> Result<Decimal, DataError> {
    text.parse().map_err(|_| DataError::BadDecimal { text })
}

fn value_from(value: types::Value) -> Result<Value, DataError> {
    Ok(match value {
        types::Value::Null => Value::Null,
        types::Value::Boolean(value) => Value::Boolean(value),
        types::Value::Integer(value) => Value::Integer(value),
        types::Value::BigInt(value) => Value::BigInt(value),
        types::Value::Decimal(text) => Value::Decimal(decimal(text)?),
        types::Value::Double(value) => Value::Double(value),
        types::Value::Money(text) => Value::Money(decimal(text)?),
        types::Value::Text(value) => Value::Text(value),
        types::Value::DateTime(millis) => Value::DateTime(Timestamp::from_millis(millis)),
        types::Value::OptionValue(value) => Value::OptionValue(value),
        types::Value::OptionValues(values) => Value::OptionValues(values),
        types::Value::Reference(reference) => Value::Reference(reference.into()),
        types::Value::UniqueIdentifier(guid) => Value::Guid(guid.into()),
        types::Value::Bytes(bytes) => Value::Bytes(bytes),
    })
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(value),
            Value::Integer(value) => Self::Integer(value),
            Value::BigInt(value) => Self::BigInt(value),
            Value::Decimal(value) => Self::Decimal(value.to_string()),
            Value::Double(value) => Self::Double(value),
            Value::Money(value) => Self::Money(value.to_string()),
            Value::Text(value) => Self::Text(value),
            Value::DateTime(value) => Self::DateTime(value.as_millis()),
            Value::OptionValue(value) => Self::OptionValue(value),
            Value::OptionValues(values) => Self::OptionValues(values),
            Value::Reference(reference) => Self::Reference(reference.into()),
            Value::Guid(guid) => Self::UniqueIdentifier(guid.into()),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

fn entity_from(entity: types::Entity) -> Result<Entity, DataError> {
    let mut row = Entity::new(entity.table);
    row.id = entity.id.map(Into::into);
    row.row_version = entity.row_version;
    for attribute in entity.attributes {
        row.set(&attribute.column, value_from(attribute.value)?);
    }
    Ok(row)
}

impl From<Entity> for types::Entity {
    fn from(entity: Entity) -> Self {
        Self {
            table: entity.table.clone(),
            id: entity.id.map(Into::into),
            row_version: entity.row_version,
            attributes: entity
                .into_attributes()
                .map(|(column, value)| types::Attribute { column, value: value.into() })
                .collect(),
        }
    }
}

fn collection_from(page: types::EntityCollection) -> Result<EntityCollection, DataError> {
    Ok(EntityCollection {
        table: page.table,
        entities: page.entities.into_iter().map(entity_from).collect::<Result<_, _>>()?,
        more_records: page.more_records,
        paging_cookie: page.paging_cookie,
        total_count: page.total_count,
    })
}

impl From<EntityCollection> for types::EntityCollection {
    fn from(page: EntityCollection) -> Self {
        Self {
            table: page.table,
            entities: page.entities.into_iter().map(Into::into).collect(),
            more_records: page.more_records,
            paging_cookie: page.paging_cookie,
            total_count: page.total_count,
        }
    }
}

fn columns_from(columns: Option<Vec<String>>) -> ColumnSet {
    columns.map_or(ColumnSet::All, ColumnSet::Columns)
}

fn columns_to(columns: ColumnSet) -> Option<Vec<String>> {
    match columns {
        ColumnSet::All => None,
        ColumnSet::Columns(columns) => Some(columns),
    }
}

macro_rules! operators {
    ($($name:ident),+ $(,)?) => {
        impl From<types::ConditionOperator> for Operator {
            fn from(operator: types::ConditionOperator) -> Self {
                match operator { $(types::ConditionOperator::$name => Self::$name),+ }
            }
        }

        impl From<Operator> for types::ConditionOperator {
            fn from(operator: Operator) -> Self {
                match operator { $(Operator::$name => Self::$name),+ }
            }
        }
    };
}

operators! {
    Equal, NotEqual, GreaterThan, GreaterEqual, LessThan, LessEqual, IsNull, IsNotNull, In, NotIn,
    Contains, BeginsWith, EndsWith, EqualUserId, NotEqualUserId,
}

fn node_from(node: types::FilterNode) -> Result<Node, DataError> {
    Ok(match node {
        types::FilterNode::All(children) => Node::All(children),
        types::FilterNode::Any(children) => Node::Any(children),
        types::FilterNode::Negate(child) => Node::Negate(child),
        types::FilterNode::Condition(condition) => Node::Condition(Condition {
            path: condition.path,
            column: condition.column,
            operator: condition.operator.into(),
            values: condition.values.into_iter().map(value_from).collect::<Result<_, _>>()?,
        }),
    })
}

impl From<Node> for types::FilterNode {
    fn from(node: Node) -> Self {
        match node {
            Node::All(children) => Self::All(children),
            Node::Any(children) => Self::Any(children),
            Node::Negate(child) => Self::Negate(child),
            Node::Condition(condition) => Self::Condition(types::Condition {
                path: condition.path,
                column: condition.column,
                operator: condition.operator.into(),
                values: condition.values.into_iter().map(Into::into).collect(),
            }),
        }
    }
}

fn query_from(query: types::Query) -> Result<Query, DataError> {
    let arena = query.filter.into_iter().map(node_from).collect::<Result<_, _>>()?;
    let orders = query.orders.into_iter();
    Ok(Query {
        table: query.table,
        columns: columns_from(query.columns),
        filter: filter::from_arena(arena)?,
        orders: orders
            .map(|order| Order { column: order.column, descending: order.descending })
            .collect(),
        top: query.top,
        page_size: query.page_size,
        paging_cookie: query.paging_cookie,
        total_count: query.total_count,
    })
}

impl From<Query> for types::Query {
    fn from(query: Query) -> Self {
        let orders = query.orders.into_iter();
        Self {
            table: query.table,
            columns: columns_to(query.columns),
            filter: filter::to_arena(query.filter).into_iter().map(Into::into).collect(),
            orders: orders
                .map(|order| types::Order { column: order.column, descending: order.descending })
                .collect(),
            top: query.top,
            page_size: query.page_size,
            paging_cookie: query.paging_cookie,
            total_count: query.total_count,
        }
    }
}

fn parameter_from(parameter: types::Parameter) -> Result<Parameter, DataError> {
    Ok(match parameter {
        types::Parameter::Value(value) => Parameter::Value(value_from(value)?),
        types::Parameter::Entity(entity) => Parameter::Entity(entity_from(entity)?),
        types::Parameter::Entities(page) => Parameter::Entities(collection_from(page)?),
        types::Parameter::References(references) => {
            Parameter::References(references.into_iter().map(Into::into).collect())
        }
        types::Parameter::Columns(columns) => Parameter::Columns(columns_from(columns)),
        types::Parameter::Query(query) => Parameter::Query(query_from(query)?),
    })
}

impl From<Parameter> for types::Parameter {
    fn from(parameter: Parameter) -> Self {
        match parameter {
            Parameter::Value(value) => Self::Value(value.into()),
            Parameter::Entity(entity) => Self::Entity(entity.into()),
            Parameter::Entities(page) => Self::Entities(page.into()),
            Parameter::References(references) => {
                Self::References(references.into_iter().map(Into::into).collect())
            }
            Parameter::Columns(columns) => Self::Columns(columns_to(columns)),
            Parameter::Query(query) => Self::Query(query.into()),
        }
    }
}

pub(super) fn parameters_from(
    parameters: Vec<types::NamedParameter>,
) -> Result<Parameters, DataError> {
    let parameters = parameters.into_iter();
    parameters.map(|named| Ok((named.name, parameter_from(named.parameter)?))).collect()
}

pub(super) fn parameters_to(parameters: Parameters) -> Vec<types::NamedParameter> {
    parameters.into_iter().map(|(name, parameter)| named(name, parameter)).collect()
}

fn named(name: String, parameter: Parameter) -> types::NamedParameter {
    types::NamedParameter { name, parameter: parameter.into() }
}

fn images_from(images: Vec<types::Image>) -> Result<Vec<Image>, DataError> {
    let images = images.into_iter();
    images
        .map(|image| Ok(Image { alias: image.alias, entity: entity_from(image.entity)? }))
        .collect()
}

pub(super) fn context_from(context: types::Context) -> Result<ExecutionContext, DataError> {
    Ok(ExecutionContext {
        business_unit_id: context.business_unit_id.into(),
        correlation_id: context.correlation_id.into(),
        depth: context.depth,
        initiating_user_id: context.initiating_user_id.into(),
        user_id: context.user_id.into(),
        authenticated_user_id: context.authenticated_user_id.into(),
        input_parameters: parameters_from(context.input_parameters)?,
        output_parameters: parameters_from(context.output_parameters)?,
        is_executing_offline: context.is_executing_offline,
        is_in_transaction: context.is_in_transaction,
        isolation_mode: context.isolation_mode,
        message_name: context.message_name,
        mode: context.mode,
        operation_id: context.operation_id.into(),
        operation_created_on: Timestamp::from_millis(context.operation_created_on),
        organization_id: context.organization_id.into(),
        organization_name: context.organization_name,
        environment_id: context.environment_id,
        owning_extension: context.owning_extension.into(),
        step_key: context.step_key,
        primary_entity_id: context.primary_entity_id.into(),
        primary_entity_name: context.primary_entity_name,
        secondary_entity_name: context.secondary_entity_name,
        pre_entity_images: images_from(context.pre_entity_images)?,
        post_entity_images: images_from(context.post_entity_images)?,
        request_id: context.request_id.into(),
        shared_variables: parameters_from(context.shared_variables)?,
        stage: context.stage,
        initiating_user_agent: context.initiating_user_agent,
        is_application_user: context.is_application_user,
        configuration: context.configuration,
        secure_configuration: context.secure_configuration,
    })
}

impl From<Change> for types::Change {
    fn from(change: Change) -> Self {
        match change {
            Change::SetAttribute { parameter, column, value } => {
                Self::SetAttribute(types::AttributeChange {
                    parameter,
                    column,
                    value: value.into(),
                })
            }
            Change::RemoveAttribute { parameter, column } => {
                Self::RemoveAttribute(types::AttributeRemoval { parameter, column })
            }
            Change::SetInput { name, parameter } => Self::SetInput(named(name, parameter)),
            Change::RemoveInput { name } => Self::RemoveInput(name),
            Change::SetOutput { name, parameter } => Self::SetOutput(named(name, parameter)),
            Change::RemoveOutput { name } => Self::RemoveOutput(name),
            Change::SetSharedVariable { name, parameter } => {
                Self::SetSharedVariable(named(name, parameter))
            }
            Change::RemoveSharedVariable { name } => Self::RemoveSharedVariable(name),
        }
    }
}

pub(super) fn error_from(fault: types::Fault) -> PluginError {
    PluginError::new(fault.message).with_code(fault.code).with_status(fault.status)
}

pub(super) fn fault(error: PluginError) -> types::Fault {
    types::Fault { code: error.code(), message: error.message().to_owned(), status: error.status() }
}
