//! Retrieve and RetrieveMultiple. Never changes a row.

use crate::session::Session;
use offstage_model::request::parameter;
use offstage_model::{Fault, Parameter};
use offstage_store::Scope;

impl Session {
    pub(super) fn retrieve(&mut self) -> Result<(), Fault> {
        let request = self.request();
        let target = request.reference(parameter::TARGET)?;
        let table = self.catalog.table(&target.table)?;
        let columns = match request.parameters.get(parameter::COLUMN_SET) {
            None => Some(Vec::new()),
            Some(Parameter::Columns(columns)) => columns.clone(),
            Some(_) => return Err(request.missing(parameter::COLUMN_SET, "a column set")),
        };
        for column in columns.iter().flatten() {
            if table.column(column).is_none() {
                return Err(Fault::unknown_column(&table.name, column));
            }
        }
        let (name, id) = (table.name.clone(), target.id);
        let row = self.tx.get(&name, id)?;
        let row = row.ok_or_else(|| Fault::no_such_row(&name, id))?;
        let row = row.project(columns.as_deref());
        self.output(parameter::BUSINESS_ENTITY, Parameter::Entity(row));
        Ok(())
    }

    pub(super) fn retrieve_multiple(&mut self) -> Result<(), Fault> {
        let request = self.request();
        let Some(Parameter::Query(query)) = request.parameters.get(parameter::QUERY) else {
            return Err(request.missing(parameter::QUERY, "a query"));
        };
        let scope = Scope { user: self.frame().context.user_id };
        let page = self.tx.query(query, &scope)?;
        self.output(parameter::BUSINESS_ENTITY_COLLECTION, Parameter::Entities(page));
        Ok(())
    }
}
