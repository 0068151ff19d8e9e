//! The execution context of one plug-in run (IPluginExecutionContext) and its change log.
//!
//! It never changes a row or the request by itself: what a plug-in explicitly sets or removes is
//! logged in order, equal values too, and the host applies the log when the run returns.

use std::ops::Deref;

use crate::change::Change;
use crate::entity::{Entity, EntityReference};
use crate::error::DataError;
use crate::guid::Guid;
use crate::host;
use crate::request::{Parameter, Parameters, missing, wrong_type};
use crate::service::OrganizationService;
use crate::timestamp::Timestamp;
use crate::value::Value;

/// An image of the row, as a step declared it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Image {
    /// The alias given by the step.
    pub alias: String,
    /// The row as it was, or as it became.
    pub entity: Entity,
}

/// The properties of IPluginExecutionContext (versions 1 to 7), by their platform names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExecutionContext {
    /// BusinessUnitId.
    pub business_unit_id: Guid,
    /// CorrelationId: the same in all nested operations of one outermost request.
    pub correlation_id: Guid,
    /// Depth: 1 in the outermost request.
    pub depth: u32,
    /// InitiatingUserId: who made the request.
    pub initiating_user_id: Guid,
    /// UserId: whom the plug-in acts as.
    pub user_id: Guid,
    /// AuthenticatedUserId.
    pub authenticated_user_id: Guid,
    /// InputParameters.
    pub input_parameters: Parameters,
    /// OutputParameters.
    pub output_parameters: Parameters,
    /// IsExecutingOffline: the run is on the device, offline.
    pub is_executing_offline: bool,
    /// IsInTransaction.
    pub is_in_transaction: bool,
    /// IsolationMode; 2: sandbox.
    pub isolation_mode: u32,
    /// MessageName.
    pub message_name: String,
    /// Mode; 0: synchronous, 1: asynchronous.
    pub mode: u32,
    /// OperationId.
    pub operation_id: Guid,
    /// OperationCreatedOn.
    pub operation_created_on: Timestamp,
    /// OrganizationId.
    pub organization_id: Guid,
    /// OrganizationName.
    pub organization_name: String,
    /// EnvironmentId.
    pub environment_id: String,
    /// OwningExtension: the step.
    pub owning_extension: EntityReference,
    /// The author's stable key of the step that runs.
    pub step_key: String,
    /// PrimaryEntityId.
    pub primary_entity_id: Guid,
    /// PrimaryEntityName.
    pub primary_entity_name: String,
    /// SecondaryEntityName.
    pub secondary_entity_name: String,
    /// PreEntityImages.
    pub pre_entity_images: Vec<Image>,
    /// PostEntityImages.
    pub post_entity_images: Vec<Image>,
    /// RequestId.
    pub request_id: Guid,
    /// SharedVariables.
    pub shared_variables: Parameters,
    /// Stage: 10, 20, 30 or 40.
    pub stage: u32,
    /// InitiatingUserAgent.
    pub initiating_user_agent: String,
    /// IsApplicationUser.
    pub is_application_user: bool,
    /// The unsecure configuration of the step.
    pub configuration: String,
    /// The secure configuration of the step.
    pub secure_configuration: String,
}

impl ExecutionContext {
    /// Returns an input parameter.
    ///
    /// # Errors
    /// [`DataError::MissingParameter`].
    pub fn input(&self, name: &str) -> Result<&Parameter, DataError> {
        self.input_parameters.get(name).ok_or_else(|| missing(&self.message_name, name))
    }

    /// Returns the row in `Target`, in Create, Update and Upsert.
    ///
    /// # Errors
    /// [`DataError::MissingParameter`], or [`DataError::WrongParameterType`] where `Target` is a
    /// reference, as in Delete.
    pub fn target(&self) -> Result<&Entity, DataError> {
        match self.input("Target")? {
            Parameter::Entity(entity) => Ok(entity),
            other => Err(wrong_type(&self.message_name, "Target", "entity", other.kind())),
        }
    }

    /// Returns a reference to the row that the message is about.
    ///
    /// # Errors
    /// [`DataError::MissingId`] if the row has no id yet, as before the main operation of a Create.
    pub fn primary_reference(&self) -> Result<EntityReference, DataError> {
        if self.primary_entity_id.is_nil() {
            return Err(DataError::MissingId { table: self.primary_entity_name.clone() });
        }
        Ok(EntityReference::new(self.primary_entity_name.clone(), self.primary_entity_id))
    }

    /// Returns the pre-image of this alias: the row before the main operation.
    ///
    /// # Errors
    /// [`DataError::MissingImage`].
    pub fn pre_image(&self, alias: &str) -> Result<&Entity, DataError> {
        self.image(&self.pre_entity_images, "pre", alias)
    }

    /// Returns the post-image of this alias: the row after the main operation.
    ///
    /// # Errors
    /// [`DataError::MissingImage`].
    pub fn post_image(&self, alias: &str) -> Result<&Entity, DataError> {
        self.image(&self.post_entity_images, "post", alias)
    }

    fn image<'a>(
        &self,
        images: &'a [Image],
        kind: &'static str,
        alias: &str,
    ) -> Result<&'a Entity, DataError> {
        images.iter().find(|image| image.alias == alias).map(|image| &image.entity).ok_or_else(
            || DataError::MissingImage {
                step: self.step_key.clone(),
                kind,
                alias: alias.to_owned(),
            },
        )
    }
}

/// The context that a plug-in gets: every property is readable as a field
/// (`context.depth`, `context.user_id`), and every change goes through a method that logs it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    execution: ExecutionContext,
    changes: Vec<Change>,
}

impl Deref for Context {
    type Target = ExecutionContext;

    fn deref(&self) -> &ExecutionContext {
        &self.execution
    }
}

impl From<ExecutionContext> for Context {
    fn from(execution: ExecutionContext) -> Self {
        Self { execution, changes: Vec::new() }
    }
}

impl Context {
    /// Returns the organization service, which acts in the caller's transaction.
    pub const fn service(&self) -> OrganizationService {
        OrganizationService::new()
    }

    /// Writes one line into the trace; rows of the trace survive a rollback.
    pub fn trace(&self, text: impl AsRef<str>) {
        host::current(|host| host.trace(text.as_ref()));
    }

    /// Returns IsOfflinePlayback: this is the second run, on the server.
    ///
    /// The host notices the question: what only the offline run did is then carried over.
    pub fn is_offline_playback(&self) -> bool {
        host::current(|host| host.is_offline_playback())
    }

    /// Returns the context `level` operations up; 1 is ParentContext.
    pub fn parent_context(&self, level: u32) -> Option<ExecutionContext> {
        host::current(|host| host.parent_context(level))
    }

    /// Returns the row in `Target` for changing; each set and remove is logged.
    ///
    /// # Errors
    /// As [`ExecutionContext::target`].
    pub fn target_mut(&mut self) -> Result<EntityMut<'_>, DataError> {
        self.entity_mut("Target")
    }

    /// Returns the row in an input parameter for changing; each set and remove is logged.
    ///
    /// # Errors
    /// [`DataError::MissingParameter`] or [`DataError::WrongParameterType`].
    pub fn entity_mut(&mut self, parameter: &str) -> Result<EntityMut<'_>, DataError> {
        let message = &self.execution.message_name;
        match self.execution.input_parameters.get_mut(parameter) {
            None => Err(missing(message, parameter)),
            Some(Parameter::Entity(entity)) => {
                Ok(EntityMut { parameter: parameter.to_owned(), entity, log: &mut self.changes })
            }
            Some(other) => Err(wrong_type(message, parameter, "entity", other.kind())),
        }
    }

    /// Sets an input parameter as a whole.
    pub fn set_input(&mut self, name: &str, parameter: impl Into<Parameter>) {
        let parameter = parameter.into();
        self.execution.input_parameters.set(name, parameter.clone());
        self.changes.push(Change::SetInput { name: name.to_owned(), parameter });
    }

    /// Takes an input parameter out.
    pub fn remove_input(&mut self, name: &str) {
        self.execution.input_parameters.remove(name);
        self.changes.push(Change::RemoveInput { name: name.to_owned() });
    }

    /// Sets an output parameter.
    pub fn set_output(&mut self, name: &str, parameter: impl Into<Parameter>) {
        let parameter = parameter.into();
        self.execution.output_parameters.set(name, parameter.clone());
        self.changes.push(Change::SetOutput { name: name.to_owned(), parameter });
    }

    /// Takes an output parameter out.
    pub fn remove_output(&mut self, name: &str) {
        self.execution.output_parameters.remove(name);
        self.changes.push(Change::RemoveOutput { name: name.to_owned() });
    }

    /// Sets a shared variable, for later steps of the same operation.
    pub fn set_shared_variable(&mut self, name: &str, parameter: impl Into<Parameter>) {
        let parameter = parameter.into();
        self.execution.shared_variables.set(name, parameter.clone());
        self.changes.push(Change::SetSharedVariable { name: name.to_owned(), parameter });
    }

    /// Takes a shared variable out.
    pub fn remove_shared_variable(&mut self, name: &str) {
        self.execution.shared_variables.remove(name);
        self.changes.push(Change::RemoveSharedVariable { name: name.to_owned() });
    }

    /// Lists what was explicitly set and removed so far, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_parts(self) -> (ExecutionContext, Vec<Change>) {
        (self.execution, self.changes)
    }

    /// Returns the change log.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}

/// A row of the request, for changing. Reads are those of [`Entity`]; changes are logged.
#[derive(Debug)]
pub struct EntityMut<'a> {
    parameter: String,
    entity: &'a mut Entity,
    log: &'a mut Vec<Change>,
}

impl Deref for EntityMut<'_> {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        self.entity
    }
}

impl EntityMut<'_> {
    /// Sets a column; it counts as this plug-in's decision even if the value is the same.
    pub fn set(&mut self, column: &str, value: impl Into<Value>) {
        let value = value.into();
        self.entity.set(column, value.clone());
        self.log.push(Change::SetAttribute {
            parameter: self.parameter.clone(),
            column: column.to_owned(),
            value,
        });
    }

    /// Takes a column out of the request, so that it is left as it is stored.
    pub fn remove(&mut self, column: &str) {
        self.entity.remove(column);
        self.log.push(Change::RemoveAttribute {
            parameter: self.parameter.clone(),
            column: column.to_owned(),
        });
    }
}
