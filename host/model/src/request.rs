//! Requests and responses: a message name and parameters, as the platform's organization service
//! has them.
//!
//! Never executes anything.

use crate::{Entity, EntityCollection, EntityReference, Fault, Query, Value, code};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Message names that the platform itself handles.
pub mod message {
    /// Makes a row.
    pub const CREATE: &str = "Create";
    /// Reads one row.
    pub const RETRIEVE: &str = "Retrieve";
    /// Reads many rows.
    pub const RETRIEVE_MULTIPLE: &str = "RetrieveMultiple";
    /// Changes a row.
    pub const UPDATE: &str = "Update";
    /// Changes a row, or makes it.
    pub const UPSERT: &str = "Upsert";
    /// Removes a row.
    pub const DELETE: &str = "Delete";
    /// Links rows.
    pub const ASSOCIATE: &str = "Associate";
    /// Unlinks rows.
    pub const DISASSOCIATE: &str = "Disassociate";
    /// Changes state and status.
    pub const SET_STATE: &str = "SetState";
    /// Changes the owner.
    pub const ASSIGN: &str = "Assign";
    /// Runs requests in one transaction.
    pub const EXECUTE_TRANSACTION: &str = "ExecuteTransaction";
    /// Names the caller.
    pub const WHO_AM_I: &str = "WhoAmI";
    /// Names the version of the program.
    pub const RETRIEVE_VERSION: &str = "RetrieveVersion";
    /// Puts an HTTP request into the outbox; for plug-ins only, and no step listens to it.
    pub const ENQUEUE_HTTP: &str = "EnqueueHttpRequest";
    /// All of them that callers and steps may name.
    pub const ALL: &[&str] = &[
        CREATE,
        RETRIEVE,
        RETRIEVE_MULTIPLE,
        UPDATE,
        UPSERT,
        DELETE,
        ASSOCIATE,
        DISASSOCIATE,
        SET_STATE,
        ASSIGN,
        EXECUTE_TRANSACTION,
        WHO_AM_I,
        RETRIEVE_VERSION,
    ];
}

/// Parameter names of the platform.
pub mod parameter {
    /// The row that a request is about.
    pub const TARGET: &str = "Target";
    /// The columns of a Retrieve.
    pub const COLUMN_SET: &str = "ColumnSet";
    /// The query of a RetrieveMultiple.
    pub const QUERY: &str = "Query";
    /// The id that a Create made.
    pub const ID: &str = "id";
    /// The row that a Retrieve found.
    pub const BUSINESS_ENTITY: &str = "BusinessEntity";
    /// The rows that a RetrieveMultiple found.
    pub const BUSINESS_ENTITY_COLLECTION: &str = "BusinessEntityCollection";
    /// The relationship of an Associate.
    pub const RELATIONSHIP: &str = "Relationship";
    /// The other rows of an Associate.
    pub const RELATED_ENTITIES: &str = "RelatedEntities";
    /// The row of a SetState.
    pub const ENTITY_MONIKER: &str = "EntityMoniker";
    /// The new state.
    pub const STATE: &str = "State";
    /// The new status.
    pub const STATUS: &str = "Status";
    /// The new owner.
    pub const ASSIGNEE: &str = "Assignee";
    /// The requests of an ExecuteTransaction.
    pub const REQUESTS: &str = "Requests";
    /// The answers of an ExecuteTransaction.
    pub const RESPONSES: &str = "Responses";
    /// Whether an Upsert made the row.
    pub const RECORD_CREATED: &str = "RecordCreated";
}

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// A plain value.
    Value(Value),
    /// A row.
    Entity(Entity),
    /// Rows.
    Entities(EntityCollection),
    /// References to rows.
    References(Vec<EntityReference>),
    /// A column set; `None` means all columns.
    Columns(Option<Vec<String>>),
    /// A query.
    Query(Query),
    /// Requests to run.
    Requests(Vec<Request>),
    /// Their answers.
    Responses(Vec<Response>),
}

/// Parameters by name.
pub type ParameterMap = BTreeMap<String, Parameter>;

/// One request to the organization service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The message name, such as `Create`.
    pub message: String,
    /// The parameters.
    #[serde(default)]
    pub parameters: ParameterMap,
}

impl Request {
    /// A request without parameters.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), parameters: ParameterMap::new() }
    }

    /// Sets a parameter; for building requests in one expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Parameter) -> Self {
        self.parameters.insert(name.into(), value);
        self
    }

    /// Create `target`.
    #[must_use]
    pub fn create(target: Entity) -> Self {
        Self::new(message::CREATE).with(parameter::TARGET, Parameter::Entity(target))
    }

    /// Update `target`.
    #[must_use]
    pub fn update(target: Entity) -> Self {
        Self::new(message::UPDATE).with(parameter::TARGET, Parameter::Entity(target))
    }

    /// Upsert `target`.
    #[must_use]
    pub fn upsert(target: Entity) -> Self {
        Self::new(message::UPSERT).with(parameter::TARGET, Parameter::Entity(target))
    }

    /// Delete one row.
    #[must_use]
    pub fn delete(table: &str, id: Uuid) -> Self {
        Self::new(message::DELETE)
            .with(parameter::TARGET, Parameter::Value(Value::reference(table, id)))
    }

    /// Retrieve one row; `None` asks for all columns.
    #[must_use]
    pub fn retrieve(table: &str, id: Uuid, columns: Option<Vec<String>>) -> Self {
        Self::new(message::RETRIEVE)
            .with(parameter::TARGET, Parameter::Value(Value::reference(table, id)))
            .with(parameter::COLUMN_SET, Parameter::Columns(columns))
    }

    /// Run a query.
    #[must_use]
    pub fn retrieve_multiple(query: Query) -> Self {
        Self::new(message::RETRIEVE_MULTIPLE).with(parameter::QUERY, Parameter::Query(query))
    }

    /// The entity in parameter `name`.
    ///
    /// # Errors
    /// It is missing, or something else ([`code::INVALID_ARGUMENT`]).
    pub fn entity(&self, name: &str) -> Result<&Entity, Fault> {
        match self.parameters.get(name) {
            Some(Parameter::Entity(entity)) => Ok(entity),
            _ => Err(self.missing(name, "an entity")),
        }
    }

    /// The reference in parameter `name`.
    ///
    /// # Errors
    /// It is missing, or something else ([`code::INVALID_ARGUMENT`]).
    pub fn reference(&self, name: &str) -> Result<&EntityReference, Fault> {
        match self.parameters.get(name) {
            Some(Parameter::Value(Value::Reference(reference))) => Ok(reference),
            _ => Err(self.missing(name, "a reference")),
        }
    }

    /// The query of a RetrieveMultiple.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match self.parameters.get(parameter::QUERY) {
            Some(Parameter::Query(query)) => Some(query),
            _ => None,
        }
    }

    /// The query of a RetrieveMultiple.
    #[must_use]
    pub fn query_mut(&mut self) -> Option<&mut Query> {
        match self.parameters.get_mut(parameter::QUERY) {
            Some(Parameter::Query(query)) => Some(query),
            _ => None,
        }
    }

    /// The error for a parameter that is absent or of another kind.
    #[must_use]
    pub fn missing(&self, name: &str, expected: &str) -> Fault {
        Fault::new(
            code::INVALID_ARGUMENT,
            format!(
                "The message '{}' needs the parameter '{name}' to be {expected}.",
                self.message
            ),
        )
    }

    /// The table that the request is about; empty when it is about none.
    #[must_use]
    pub fn primary_table(&self) -> &str {
        match self.parameters.get(self.subject()) {
            Some(Parameter::Entity(entity)) => &entity.table,
            Some(Parameter::Value(Value::Reference(reference))) => &reference.table,
            Some(Parameter::Query(query)) => &query.table,
            _ => "",
        }
    }

    /// The row that the request is about, when it names one by id.
    #[must_use]
    pub fn primary_id(&self) -> Option<Uuid> {
        match self.parameters.get(self.subject())? {
            Parameter::Entity(entity) => entity.id,
            Parameter::Value(Value::Reference(reference)) => Some(reference.id),
            _ => None,
        }
    }

    /// The parameter that says what the request is about: the one that its message reads, whatever
    /// else the request carries.
    fn subject(&self) -> &'static str {
        match self.message.as_str() {
            message::SET_STATE => parameter::ENTITY_MONIKER,
            message::RETRIEVE_MULTIPLE => parameter::QUERY,
            _ => parameter::TARGET,
        }
    }

    /// Whether the message only reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(
            self.message.as_str(),
            message::RETRIEVE
                | message::RETRIEVE_MULTIPLE
                | message::WHO_AM_I
                | message::RETRIEVE_VERSION
        )
    }
}

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The output parameters.
    #[serde(default)]
    pub parameters: ParameterMap,
    /// Plug-in packages, by id, that do not run where the request ran, and have steps that it would
    /// have reached. Empty for what a plug-in requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl Response {
    /// Sets a parameter; for building responses in one expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Parameter) -> Self {
        self.parameters.insert(name.into(), value);
        self
    }

    /// The id that a Create made.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self.parameters.get(parameter::ID)? {
            Parameter::Value(Value::Guid(id)) => Some(*id),
            _ => None,
        }
    }

    /// The row that a Retrieve found.
    #[must_use]
    pub fn entity(&self) -> Option<&Entity> {
        match self.parameters.get(parameter::BUSINESS_ENTITY)? {
            Parameter::Entity(entity) => Some(entity),
            _ => None,
        }
    }

    /// The rows that a RetrieveMultiple found.
    #[must_use]
    pub fn collection(&self) -> Option<&EntityCollection> {
        match self.parameters.get(parameter::BUSINESS_ENTITY_COLLECTION)? {
            Parameter::Entities(collection) => Some(collection),
            _ => None,
        }
    }
}
