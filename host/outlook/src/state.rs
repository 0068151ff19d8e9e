//! What one side says about an item: the mapped properties that it speaks of, in canonical form.
//!
//! A property that is absent here is one of which the side says nothing; one that is present and
//! empty is `None`. Never knows which side it is.

use crate::property::{Property, PropertyValue};
use std::collections::BTreeMap;

/// New values of properties; `None` clears one.
pub type Changes = BTreeMap<Property, Option<PropertyValue>>;

/// The mapped properties of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(BTreeMap<Property, Option<PropertyValue>>);

impl State {
    /// Whether the side says something about a property.
    #[must_use]
    pub fn speaks_of(&self, property: Property) -> bool {
        self.0.contains_key(&property)
    }

    /// The value; `None` when it is empty or the side says nothing.
    #[must_use]
    pub fn get(&self, property: Property) -> Option<&PropertyValue> {
        self.0.get(&property)?.as_ref()
    }

    /// Sets a value, in canonical form.
    pub fn set(&mut self, property: Property, value: Option<PropertyValue>) {
        self.0.insert(property, value.and_then(|value| value.canonical()));
    }

    /// Sets a value; for building states in one expression.
    #[must_use]
    pub fn with(mut self, property: Property, value: PropertyValue) -> Self {
        self.set(property, Some(value));
        self
    }

    /// The side says nothing of a property.
    pub fn silence(&mut self, property: Property) {
        self.0.remove(&property);
    }

    /// Takes over new values.
    pub fn apply(&mut self, changes: &Changes) {
        for (property, value) in changes {
            self.set(*property, value.clone());
        }
    }

    /// The properties that have a value.
    pub fn values(&self) -> impl Iterator<Item = (Property, &PropertyValue)> {
        self.0.iter().filter_map(|(property, value)| Some((*property, value.as_ref()?)))
    }
}
