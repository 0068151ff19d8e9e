//! The organization service (IOrganizationService).
//!
//! Every call is one request through the whole pipeline, in the caller's transaction; it never
//! goes around steps, rights or the sandbox's grants.

use crate::entity::{Entity, EntityCollection, EntityReference};
use crate::error::{DataError, PluginError};
use crate::guid::Guid;
use crate::host;
use crate::query::{ColumnSet, Query};
use crate::request::{Parameters, Request, wrong_type};
use crate::value::{OptionValue, Value};

/// Rows per page of [`OrganizationService::retrieve_all`] where the query names none.
const PAGE_SIZE: u32 = 500;

/// What an upsert did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// The row.
    pub target: EntityReference,
    /// Whether the row was made.
    pub created: bool,
}

/// Sends requests to the host; get one from [`crate::Context::service`].
///
/// # Errors
/// Every call returns the platform's error (code, text, status) of a failed request. A step that
/// swallows it fails the whole request with 0x8009000C, unless it has `on_nested_error = Catch`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OrganizationService;

#[expect(clippy::missing_errors_doc, reason = "documented once, at the type")]
impl OrganizationService {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Runs any request and returns its output parameters.
    pub fn execute(&self, request: Request) -> Result<Parameters, PluginError> {
        host::current(|host| host.execute(request))
    }

    /// Makes a row and returns its id, which is derived from the operation if the row has none.
    pub fn create(&self, target: Entity) -> Result<Guid, PluginError> {
        let mut output = self.execute(Request::create(target))?;
        match output.take_value("Create", "id")? {
            Value::Guid(id) => Ok(id),
            other => Err(wrong_type("Create", "id", "unique identifier", other.kind()).into()),
        }
    }

    /// Reads one row.
    pub fn retrieve(
        &self,
        target: &EntityReference,
        columns: impl Into<ColumnSet>,
    ) -> Result<Entity, PluginError> {
        let mut output = self.execute(Request::retrieve(target.clone(), columns))?;
        Ok(output.take_entity("Retrieve", "BusinessEntity")?)
    }

    /// Reads one page of rows.
    pub fn retrieve_multiple(&self, query: Query) -> Result<EntityCollection, PluginError> {
        let mut output = self.execute(Request::retrieve_multiple(query))?;
        Ok(output.take_entities("RetrieveMultiple", "BusinessEntityCollection")?)
    }

    /// Reads all rows, page by page. The sandbox's limit of rows per query still holds.
    pub fn retrieve_all(&self, query: Query) -> Result<Vec<Entity>, PluginError> {
        let page_size = query.page_size.unwrap_or(PAGE_SIZE);
        let mut query = query.page_size(page_size);
        let mut rows = Vec::new();
        loop {
            let page = self.retrieve_multiple(query.clone())?;
            rows.extend(page.entities);
            match page.paging_cookie {
                Some(cookie) if page.more_records => query = query.page_after(cookie),
                _ => return Ok(rows),
            }
        }
    }

    /// Changes the columns that the row mentions.
    pub fn update(&self, target: Entity) -> Result<(), PluginError> {
        self.execute(Request::update(target)).map(drop)
    }

    /// Changes the row, or makes it if it does not exist.
    pub fn upsert(&self, target: Entity) -> Result<Upserted, PluginError> {
        let mut output = self.execute(Request::upsert(target))?;
        let target = match output.take_value("Upsert", "Target")? {
            Value::Reference(reference) => reference,
            other => return Err(response_type("Target", "reference", &other).into()),
        };
        match output.take_value("Upsert", "RecordCreated")? {
            Value::Boolean(created) => Ok(Upserted { target, created }),
            other => Err(response_type("RecordCreated", "boolean", &other).into()),
        }
    }

    /// Deletes a row.
    pub fn delete(&self, target: &EntityReference) -> Result<(), PluginError> {
        self.execute(Request::delete(target.clone())).map(drop)
    }

    /// Links rows over a relationship.
    pub fn associate(
        &self,
        target: &EntityReference,
        relationship: &str,
        related: Vec<EntityReference>,
    ) -> Result<(), PluginError> {
        self.execute(relate("Associate", target, relationship, related)).map(drop)
    }

    /// Unlinks rows of a relationship.
    pub fn disassociate(
        &self,
        target: &EntityReference,
        relationship: &str,
        related: Vec<EntityReference>,
    ) -> Result<(), PluginError> {
        self.execute(relate("Disassociate", target, relationship, related)).map(drop)
    }

    /// Sets a row's state and status.
    pub fn set_state(
        &self,
        target: &EntityReference,
        state: OptionValue,
        status: OptionValue,
    ) -> Result<(), PluginError> {
        let request = Request::new("SetState")
            .with("EntityMoniker", target)
            .with("State", state)
            .with("Status", status);
        self.execute(request).map(drop)
    }

    /// Gives a row to another user or team.
    pub fn assign(
        &self,
        target: &EntityReference,
        assignee: &EntityReference,
    ) -> Result<(), PluginError> {
        let request = Request::new("Assign").with("Target", target).with("Assignee", assignee);
        self.execute(request).map(drop)
    }
}

fn relate(
    message: &str,
    target: &EntityReference,
    relationship: &str,
    related: Vec<EntityReference>,
) -> Request {
    Request::new(message)
        .with("Target", target)
        .with("Relationship", relationship)
        .with("RelatedEntities", related)
}

fn response_type(parameter: &str, expected: &'static str, found: &Value) -> DataError {
    wrong_type("Upsert", parameter, expected, found.kind())
}
