//! Requests: a message name with named parameters, and what a message answers.
//!
//! It never checks a message's parameters: the host knows the messages, custom ones too.

use crate::entity::{Entity, EntityCollection, EntityReference};
use crate::error::DataError;
use crate::query::{ColumnSet, Query};
use crate::value::Value;

/// The value of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// One value. A reference to one row is `Value(Value::Reference(..))`.
    Value(Value),
    /// A row.
    Entity(Entity),
    /// A page of rows.
    Entities(EntityCollection),
    /// References to rows.
    References(Vec<EntityReference>),
    /// A column set.
    Columns(ColumnSet),
    /// A query.
    Query(Query),
}

impl Parameter {
    /// Returns the type's name as error messages give it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Value(value) => value.kind(),
            Self::Entity(_) => "entity",
            Self::Entities(_) => "entity collection",
            Self::References(_) => "references",
            Self::Columns(_) => "column set",
            Self::Query(_) => "query",
        }
    }
}

impl<T: Into<Value>> From<T> for Parameter {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

macro_rules! parameter_from {
    ($($source:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$source> for Parameter {
            fn from(value: $source) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

parameter_from! {
    Entity => Entity,
    EntityCollection => Entities,
    Vec<EntityReference> => References,
    ColumnSet => Columns,
    Query => Query,
}

/// Named parameters in the order they were set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters(Vec<(String, Parameter)>);

impl Parameters {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a parameter and returns the list, to build one in a chain.
    #[must_use]
    pub fn with(mut self, name: &str, parameter: impl Into<Parameter>) -> Self {
        self.set(name, parameter);
        self
    }

    /// Sets a parameter.
    pub fn set(&mut self, name: &str, parameter: impl Into<Parameter>) {
        let parameter = parameter.into();
        match self.get_mut(name) {
            Some(held) => *held = parameter,
            None => self.0.push((name.to_owned(), parameter)),
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) -> Option<Parameter> {
        let at = self.0.iter().position(|(held, _)| held == name)?;
        Some(self.0.remove(at).1)
    }

    /// Returns a parameter.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, parameter)| parameter)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Parameter> {
        self.0.iter_mut().find(|(held, _)| held == name).map(|(_, parameter)| parameter)
    }

    /// Lists the parameters in the order they were set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Parameter)> {
        self.0.iter().map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// Takes a parameter out of a response as a row.
    pub(crate) fn take_entity(&mut self, message: &str, name: &str) -> Result<Entity, DataError> {
        match self.take(message, name)? {
            Parameter::Entity(entity) => Ok(entity),
            other => Err(wrong_type(message, name, "entity", other.kind())),
        }
    }

    /// Takes a parameter out of a response as a page of rows.
    pub(crate) fn take_entities(
        &mut self,
        message: &str,
        name: &str,
    ) -> Result<EntityCollection, DataError> {
        match self.take(message, name)? {
            Parameter::Entities(entities) => Ok(entities),
            other => Err(wrong_type(message, name, "entity collection", other.kind())),
        }
    }

    /// Takes a parameter out of a response as a value.
    pub(crate) fn take_value(&mut self, message: &str, name: &str) -> Result<Value, DataError> {
        match self.take(message, name)? {
            Parameter::Value(value) => Ok(value),
            other => Err(wrong_type(message, name, "value", other.kind())),
        }
    }

    fn take(&mut self, message: &str, name: &str) -> Result<Parameter, DataError> {
        self.remove(name).ok_or_else(|| missing(message, name))
    }
}

pub(crate) fn missing(message: &str, parameter: &str) -> DataError {
    DataError::MissingParameter { message: message.to_owned(), parameter: parameter.to_owned() }
}

pub(crate) fn wrong_type(
    message: &str,
    parameter: &str,
    expected: &'static str,
    found: &'static str,
) -> DataError {
    DataError::WrongParameterType {
        message: message.to_owned(),
        parameter: parameter.to_owned(),
        expected,
        found,
    }
}

impl IntoIterator for Parameters {
    type Item = (String, Parameter);
    type IntoIter = std::vec::IntoIter<(String, Parameter)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Parameter)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Parameter)>>(parameters: I) -> Self {
        Self(parameters.into_iter().collect())
    }
}

/// A message with its parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The message's name, such as `Create`.
    pub message: String,
    /// The parameters.
    pub parameters: Parameters,
}

impl Request {
    /// Starts a request without parameters.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), parameters: Parameters::new() }
    }

    /// Sets a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, parameter: impl Into<Parameter>) -> Self {
        self.parameters.set(name, parameter);
        self
    }

    /// Makes a Create request.
    pub fn create(target: Entity) -> Self {
        Self::new("Create").with("Target", target)
    }

    /// Makes a Retrieve request.
    pub fn retrieve(target: EntityReference, columns: impl Into<ColumnSet>) -> Self {
        Self::new("Retrieve").with("Target", target).with("ColumnSet", columns.into())
    }

    /// Makes a RetrieveMultiple request.
    pub fn retrieve_multiple(query: Query) -> Self {
        Self::new("RetrieveMultiple").with("Query", query)
    }

    /// Makes an Update request; the columns that it mentions are changed.
    pub fn update(target: Entity) -> Self {
        Self::new("Update").with("Target", target)
    }

    /// Makes an Upsert request.
    pub fn upsert(target: Entity) -> Self {
        Self::new("Upsert").with("Target", target)
    }

    /// Makes a Delete request.
    pub fn delete(target: EntityReference) -> Self {
        Self::new("Delete").with("Target", target)
    }
}
