//! Sample data for a package: rows and requests made from metadata, such that each declared step has
//! something to run for.
//!
//! The same metadata and steps make the same sample. Never random, and never data of anybody.

use super::values::{Style, value};
use offstage_model::identity::{digest, guid_of};
use offstage_model::metadata::{RequiredLevel, Table};
use offstage_model::registration::{StepDeclaration, TypeDeclaration};
use offstage_model::request::{message, parameter};
use offstage_model::{Catalog, Entity, EntityReference, Parameter, Query, Request, Uuid, Value};
use std::collections::BTreeSet;

/// The table for steps that are about every table.
const ANY_TABLE: &str = "account";
/// Tables whose rows a sample takes from the organization and never makes.
const ADMINISTRATIVE: [&str; 3] = ["systemuser", "team", "businessunit"];

/// What is there before, and what is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Rows that the server has before the package is registered, parents first.
    pub(crate) rows: Vec<Entity>,
    /// The requests, in order.
    pub(crate) requests: Vec<SampleRequest>,
    /// Steps for which there is no request, with the reason.
    pub(crate) without: Vec<(String, String)>,
}

/// One request with its name in the report.
#[derive(Clone, Debug)]
pub(crate) struct SampleRequest {
    /// Such as `Create contact, all columns`.
    pub(crate) name: String,
    /// The request.
    pub(crate) request: Request,
}

/// The id of the row of `table` with a name.
pub(crate) fn row_id(table: &str, name: &str) -> Uuid {
    guid_of(digest(&[b"plugin check", table.as_bytes(), name.as_bytes()]))
}

/// A sample for all steps of a package; `user` owns the rows.
pub(crate) fn generate(catalog: &Catalog, types: &[TypeDeclaration], user: Uuid) -> Sample {
    let mut maker =
        Maker { catalog, user, seeds: BTreeSet::new(), number: 0, sample: Sample::default() };
    let mut done = BTreeSet::new();
    for step in types.iter().flat_map(|one| &one.steps) {
        let table = if step.table.is_empty() { ANY_TABLE } else { &step.table };
        match catalog.tables.get(table) {
            None => {
                let reason = format!("there is no table '{table}'; --tables FILE adds tables");
                maker.sample.without.push((step.key.clone(), reason));
            }
            Some(definition) if maker.knows(step) => {
                let filtering = step.filtering.clone();
                if done.insert((step.message.clone(), table.to_owned(), filtering)) {
                    maker.requests(step, definition);
                }
            }
            Some(_) => {
                let reason = format!(
                    "no sample is made for the message '{}'; --sample FILE has one",
                    step.message
                );
                maker.sample.without.push((step.key.clone(), reason));
            }
        }
    }
    maker.sample
}

struct Maker<'a> {
    catalog: &'a Catalog,
    user: Uuid,
    /// Tables that have a row to refer to.
    seeds: BTreeSet<String>,
    /// Goes into values, so that no two rows have the same ones.
    number: u32,
    sample: Sample,
}

impl Maker<'_> {
    fn knows(&self, step: &StepDeclaration) -> bool {
        const KNOWN: [&str; 8] = [
            message::CREATE,
            message::UPDATE,
            message::UPSERT,
            message::DELETE,
            message::RETRIEVE,
            message::RETRIEVE_MULTIPLE,
            message::SET_STATE,
            message::ASSIGN,
        ];
        KNOWN.contains(&step.message.as_str())
    }

    fn requests(&mut self, step: &StepDeclaration, table: &Table) {
        match step.message.as_str() {
            message::CREATE => self.creates(table),
            message::UPDATE => self.updates(step, table),
            message::UPSERT => {
                let fresh = self.filled(table, Style::Plain, Some("upsert"));
                self.push("new row", Request::upsert(fresh));
                let known = self.row(table, "upserted");
                let columns = self.filled(table, Style::Plain, None).attributes;
                let row = Entity { attributes: columns, ..Entity::with_id(&table.name, known) };
                self.push("known row", Request::upsert(row));
            }
            message::DELETE => {
                let id = self.row(table, "deleted");
                self.push("one row", Request::delete(&table.name, id));
            }
            message::RETRIEVE => {
                let id = self.row(table, "retrieved");
                self.push("one row", Request::retrieve(&table.name, id, None));
            }
            message::RETRIEVE_MULTIPLE => {
                self.row(table, "retrieved");
                self.push("all rows", Request::retrieve_multiple(Query::all(&table.name)));
            }
            message::SET_STATE => self.set_state(table),
            message::ASSIGN => {
                let id = self.row(table, "assigned");
                let target = Parameter::Value(Value::reference(&table.name, id));
                let assignee = Parameter::Value(Value::reference("systemuser", self.user));
                let request = Request::new(message::ASSIGN)
                    .with(parameter::TARGET, target)
                    .with(parameter::ASSIGNEE, assignee);
                self.push("to its owner", request);
            }
            _ => unreachable!("BUG: only known messages get requests"),
        }
    }

    fn creates(&mut self, table: &Table) {
        let full = self.filled(table, Style::Plain, None);
        self.push("all columns", Request::create(full));
        let sparse = self.sparse(table);
        self.push("few columns", Request::create(sparse));
        let awkward = self.filled(table, Style::Awkward, None);
        self.push("awkward values", Request::create(awkward));
    }

    fn updates(&mut self, step: &StepDeclaration, table: &Table) {
        for (name, style) in [("other values", Style::Plain), ("awkward values", Style::Awkward)] {
            let id = self.row(table, &format!("updated {name}"));
            let mut columns = self.filled(table, style, None).attributes;
            columns.retain(|column, _| {
                step.filtering.is_empty() || step.filtering.iter().any(|one| one == column)
            });
            let row = Entity { attributes: columns, ..Entity::with_id(&table.name, id) };
            self.push(name, Request::update(row));
        }
        let id = self.row(table, "updated nothing");
        let cleared = table
            .columns
            .iter()
            .filter(|(name, column)| {
                let wanted = step.filtering.is_empty() || step.filtering.contains(name);
                wanted
                    && column.required != RequiredLevel::System
                    && value(table, name, column, Style::Plain, 1).is_some()
            })
            .map(|(name, _)| (name.clone(), Value::Null));
        let mut row = Entity::with_id(&table.name, id);
        row.attributes.extend(cleared);
        self.push("cleared columns", Request::update(row));
    }

    fn set_state(&mut self, table: &Table) {
        let id = self.row(table, "closed");
        // A table without states of its own has Active and Inactive.
        let (state, status) = match table.states.get(1) {
            Some(state) => (state.value, state.statuses.first().map_or(2, |status| status.value)),
            None => (1, 2),
        };
        let moniker = Parameter::Value(Value::reference(&table.name, id));
        let option = |value| Parameter::Value(Value::Option(value));
        let request = Request::new(message::SET_STATE)
            .with(parameter::ENTITY_MONIKER, moniker)
            .with(parameter::STATE, option(state))
            .with(parameter::STATUS, option(status));
        self.push("next state", request);
    }

    fn push(&mut self, what: &str, request: Request) {
        let name = format!("{} {}, {what}", request.message, request.primary_table());
        self.sample.requests.push(SampleRequest { name, request });
    }

    /// A row that the server has; returns its id.
    fn row(&mut self, table: &Table, name: &str) -> Uuid {
        let row = self.filled(table, Style::Plain, Some(name));
        let id = row.id.unwrap_or_default();
        self.sample.rows.push(self.owned(table, row));
        id
    }

    fn owned(&self, table: &Table, row: Entity) -> Entity {
        match table.column("ownerid") {
            Some(_) => row.with("ownerid", Value::reference("systemuser", self.user)),
            None => row,
        }
    }

    /// A row with a value in every column that a caller may set.
    fn filled(&mut self, table: &Table, style: Style, name: Option<&str>) -> Entity {
        let mut row = self.values(table, style, name, |_| true);
        for (column, definition) in &table.columns {
            if definition.system || !definition.kind.is_reference() || column == "ownerid" {
                continue;
            }
            if let Some(reference) = definition.targets.iter().find_map(|t| self.seed(t)) {
                row.attributes.insert(column.clone(), Value::Reference(reference));
            }
        }
        row
    }

    /// A row with what is needed and its name.
    fn sparse(&mut self, table: &Table) -> Entity {
        self.values(table, Style::Plain, None, |required| required != RequiredLevel::None)
    }

    /// A row with its name and a value in every wanted column that is no reference.
    fn values(
        &mut self,
        table: &Table,
        style: Style,
        name: Option<&str>,
        wanted: impl Fn(RequiredLevel) -> bool,
    ) -> Entity {
        self.number += 1;
        let mut row = Entity::new(&table.name);
        row.id = name.map(|name| row_id(&table.name, name));
        for (column, definition) in &table.columns {
            if (wanted(definition.required) || *column == table.primary_name)
                && let Some(value) = value(table, column, definition, style, self.number)
            {
                row.attributes.insert(column.clone(), value);
            }
        }
        row
    }

    /// A row of `table` to refer to.
    fn seed(&mut self, table: &str) -> Option<EntityReference> {
        let definition = self.catalog.tables.get(table)?;
        if definition.intersect || ADMINISTRATIVE.contains(&table) {
            return None;
        }
        let id = row_id(table, "parent");
        if self.seeds.insert(table.to_owned()) {
            let row = self.values(definition, Style::Plain, Some("parent"), |_| true);
            self.sample.rows.insert(0, self.owned(definition, row));
        }
        Some(EntityReference::new(table, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(message: &str, table: &str) -> TypeDeclaration {
        let step = serde_json::json!({ "key": format!("{message}-{table}"), "message": message,
            "table": table });
        serde_json::from_value(serde_json::json!({ "type": "t", "steps": [step] })).unwrap()
    }

    #[test]
    fn every_value_of_every_table_is_one_that_the_platform_takes() {
        let catalog = Catalog::base();
        for (name, table) in &catalog.tables {
            if table.intersect || ADMINISTRATIVE.contains(&name.as_str()) {
                continue;
            }
            let types = [message::CREATE, message::UPDATE].map(|message| step(message, name));
            let sample = generate(&catalog, &types, Uuid::from_u128(1));
            assert_eq!(sample.requests.len(), 6, "{name}");
            let rows = sample.requests.iter().filter_map(|one| one.request.entity("Target").ok());
            for row in rows.chain(&sample.rows) {
                for (column, value) in &row.attributes {
                    let definition = catalog.column(&row.table, column).unwrap();
                    definition.check(&row.table, column, value).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_step_without_a_sample_says_why() {
        let catalog = Catalog::base();
        let types = [step("Win", "account"), step(message::CREATE, "unicorn")];
        let sample = generate(&catalog, &types, Uuid::nil());
        assert_eq!(sample.requests.len(), 0);
        assert!(sample.without[0].1.contains("'Win'") && sample.without[1].1.contains("'unicorn'"));
    }
}
