//! What a request, or a change of a context, touches: as capabilities, one for each column in every
//! part of it. Never decides.
//!
//! Create, Retrieve, RetrieveMultiple, Update, Upsert and Delete are their tables' verbs; every
//! other message is a capability of its own beside what it touches.

use offstage_model::metadata::{Catalog, Relationship};
use offstage_model::registration::ImageDeclaration;
use offstage_model::request::{message, parameter};
use offstage_model::{ContextChange, Entity, ExecutionContext, Parameter, Query, Request, Value};
use offstage_policy::{Capability, Column, Verb};
use offstage_query::sql::navigation;
use std::collections::BTreeSet;

/// Messages that are the verbs of their tables.
const ROW_MESSAGES: [&str; 6] = [
    message::CREATE,
    message::RETRIEVE,
    message::RETRIEVE_MULTIPLE,
    message::UPDATE,
    message::UPSERT,
    message::DELETE,
];

/// Collects what is touched; the same thing may be in it twice.
pub(crate) struct Touched<'a> {
    catalog: &'a Catalog,
    pub(crate) capabilities: Vec<Capability<'a>>,
}

impl<'a> Touched<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, capabilities: Vec::with_capacity(8) }
    }

    /// What a request touches.
    pub(crate) fn by_request(catalog: &'a Catalog, request: &'a Request) -> Self {
        let mut touched = Self::new(catalog);
        touched.request(request);
        touched
    }

    /// What an image shows.
    pub(crate) fn by_image(
        catalog: &'a Catalog,
        table: &'a str,
        image: &'a ImageDeclaration,
    ) -> Self {
        let mut touched = Self::new(catalog);
        let columns = (!image.attributes.is_empty()).then_some(image.attributes.as_slice());
        touched.read(table, columns);
        touched
    }

    /// What a change of the context of a step before the main operation makes the request touch.
    pub(crate) fn by_change(
        catalog: &'a Catalog,
        context: &'a ExecutionContext,
        change: &'a ContextChange,
    ) -> Self {
        let mut touched = Self::new(catalog);
        let table = context.primary_entity_name.as_str();
        match change {
            ContextChange::SetAttribute { column, .. }
            | ContextChange::RemoveAttribute { column, .. } => {
                touched.written(table, &context.message_name, column);
            }
            ContextChange::SetInput(_, Parameter::Entity(entity)) => {
                let old = context.input_parameters.get(parameter::TARGET);
                touched.replaced(&context.message_name, old, entity);
            }
            ContextChange::SetInput(_, Parameter::Query(query)) => touched.query(query),
            ContextChange::SetInput(name, Parameter::Columns(columns))
                if name == parameter::COLUMN_SET =>
            {
                touched.read(table, columns.as_deref());
            }
            ContextChange::SetInput(name, _) | ContextChange::RemoveInput(name) => {
                touched.input(table, &context.message_name, name);
            }
            ContextChange::SetOutput(..)
            | ContextChange::RemoveOutput(_)
            | ContextChange::SetSharedVariable(..)
            | ContextChange::RemoveSharedVariable(_) => {}
        }
        touched
    }

    fn request(&mut self, request: &'a Request) {
        let name = request.message.as_str();
        if !ROW_MESSAGES.contains(&name) {
            self.capabilities.push(Capability::Message(name));
        }
        let table = request.primary_table();
        match name {
            message::CREATE => self.target(request, &[Verb::Create]),
            message::UPDATE => self.target(request, &[Verb::Update]),
            message::UPSERT => self.target(request, &[Verb::Create, Verb::Update]),
            message::DELETE => {
                self.row(table, Verb::Delete);
                self.key(request);
            }
            message::RETRIEVE => {
                let columns = match request.parameters.get(parameter::COLUMN_SET) {
                    Some(Parameter::Columns(columns)) => columns.as_deref(),
                    _ => None,
                };
                self.read(table, columns);
                self.key(request);
            }
            message::RETRIEVE_MULTIPLE => match request.parameters.get(parameter::QUERY) {
                Some(Parameter::Query(query)) => self.query(query),
                _ => self.read(table, None),
            },
            message::SET_STATE => {
                self.column(table, Verb::Update, "statecode");
            }
            message::ASSIGN => self.column(table, Verb::Update, "ownerid"),
            message::ASSOCIATE => self.link(request, Verb::Create),
            message::DISASSOCIATE => self.link(request, Verb::Delete),
            message::EXECUTE_TRANSACTION => {
                if let Some(Parameter::Requests(requests)) =
                    request.parameters.get(parameter::REQUESTS)
                {
                    requests.iter().for_each(|request| self.request(request));
                }
            }
            _ => {}
        }
    }

    fn target(&mut self, request: &'a Request, verbs: &[Verb]) {
        let Some(Parameter::Entity(target)) = request.parameters.get(parameter::TARGET) else {
            return;
        };
        for verb in verbs {
            self.row(&target.table, *verb);
            for column in target.attributes.keys() {
                self.column(&target.table, *verb, column);
            }
        }
        self.key(request);
    }

    /// An alternate key finds a row by its values.
    fn key(&mut self, request: &'a Request) {
        if let Some(Parameter::Entity(target)) = request.parameters.get(parameter::TARGET) {
            for column in target.key.keys() {
                self.column(&target.table, Verb::Read, column);
            }
        }
    }

    fn query(&mut self, query: &'a Query) {
        self.read(&query.table, query.columns.as_deref());
        for order in &query.orders {
            self.column(&query.table, Verb::Read, &order.column);
        }
        for condition in query.filter.iter().flat_map(|filter| filter.conditions()) {
            let mut table = query.table.as_str();
            let mut found = true;
            for segment in &condition.path {
                match navigation(self.catalog, table, segment) {
                    Ok((lookup, target)) => {
                        self.column(table, Verb::Read, lookup);
                        table = target;
                    }
                    // The query cannot be compiled; the caller must not learn more than that.
                    Err(_) => {
                        self.column(table, Verb::Read, segment);
                        found = false;
                        break;
                    }
                }
            }
            if found {
                self.column(table, Verb::Read, &condition.column);
            }
        }
    }

    fn read(&mut self, table: &'a str, columns: Option<&'a [String]>) {
        match columns {
            None => self.touch(table, Verb::Read, Column::Every),
            Some(columns) => {
                self.row(table, Verb::Read);
                columns.iter().for_each(|column| self.column(table, Verb::Read, column));
            }
        }
    }

    /// Associate and Disassociate write a lookup of the child, or a row that links both. Both say
    /// whether the rows that they link exist, which whoever may read them may know.
    fn link(&mut self, request: &'a Request, verb: Verb) {
        let related = match request.parameters.get(parameter::RELATED_ENTITIES) {
            Some(Parameter::References(related)) => related.as_slice(),
            _ => &[],
        };
        let others = related.iter().map(|row| row.table.as_str());
        for table in others.chain([request.primary_table()]).collect::<BTreeSet<_>>() {
            self.row(table, Verb::Read);
        }
        let name = match request.parameters.get(parameter::RELATIONSHIP) {
            Some(Parameter::Value(Value::Text(name))) => name,
            _ => return,
        };
        match self.catalog.relationships.get(name) {
            Some(Relationship::OneToMany(r)) => self.column(&r.child, Verb::Update, &r.lookup),
            Some(Relationship::ManyToMany(r)) => self.row(&r.intersect, verb),
            None => {}
        }
    }

    /// A column of the row in Target, as the message writes it.
    fn written(&mut self, table: &'a str, message_name: &'a str, column: &'a str) {
        match message_name {
            message::CREATE => self.column(table, Verb::Create, column),
            message::UPDATE => self.column(table, Verb::Update, column),
            _ => self.capabilities.push(Capability::Message(message_name)),
        }
    }

    /// A whole row in place of another one: what differs is written.
    fn replaced(&mut self, message_name: &'a str, old: Option<&'a Parameter>, new: &'a Entity) {
        let old = match old {
            Some(Parameter::Entity(old)) => Some(&old.attributes),
            _ => None,
        };
        for column in old.into_iter().flat_map(|old| old.keys()) {
            if !new.attributes.contains_key(column) {
                self.written(&new.table, message_name, column);
            }
        }
        for (column, value) in &new.attributes {
            if old.and_then(|old| old.get(column)) != Some(value) {
                self.written(&new.table, message_name, column);
            }
        }
    }

    /// Any other input parameter: what it decides about under its message.
    fn input(&mut self, table: &'a str, message_name: &'a str, name: &str) {
        match (message_name, name) {
            (message::SET_STATE, parameter::STATE | parameter::STATUS) => {
                self.column(table, Verb::Update, "statecode");
            }
            (message::ASSIGN, parameter::ASSIGNEE) => self.column(table, Verb::Update, "ownerid"),
            (message::RETRIEVE, parameter::COLUMN_SET) => self.read(table, None),
            _ => self.capabilities.push(Capability::Message(message_name)),
        }
    }

    /// State and status are one thing: each settles the other when it is written.
    fn column(&mut self, table: &'a str, verb: Verb, column: &'a str) {
        let other = match column {
            "statecode" => "statuscode",
            "statuscode" => "statecode",
            _ => "",
        };
        self.one_column(table, verb, column);
        let writes = matches!(verb, Verb::Create | Verb::Update) && !other.is_empty();
        if writes && self.catalog.column(table, other).is_ok() {
            self.one_column(table, verb, other);
        }
    }

    /// The primary id is the row's name, not a column to be protected.
    fn one_column(&mut self, table: &'a str, verb: Verb, column: &'a str) {
        let is_id = self.catalog.tables.get(table).is_some_and(|t| t.primary_id == column);
        self.touch(table, verb, if is_id { Column::Row } else { Column::Named(column) });
    }

    fn row(&mut self, table: &'a str, verb: Verb) {
        self.touch(table, verb, Column::Row);
    }

    fn touch(&mut self, table: &'a str, verb: Verb, column: Column<'a>) {
        self.capabilities.push(Capability::Table { table, verb, column });
    }
}

#[cfg(test)]
mod tests;
