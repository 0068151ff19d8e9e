//! The execution context that a plug-in gets: IExecutionContext and IPluginExecutionContext up to
//! version 7, and the changes that it hands back.
//!
//! Never holds services; those are host calls.

use crate::{Entity, EntityReference, Parameter, ParameterMap, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// `IsolationMode`: plug-ins always run in the sandbox.
pub const ISOLATION_MODE_SANDBOX: u32 = 2;

/// What a plug-in is told about the operation that it runs in
/// (`pipeline.md`, "Context given to the plug-in"). Its JSON form is that of captures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecutionContext {
    /// The business unit of the calling user.
    pub business_unit_id: Uuid,
    /// Tracks the whole chain of operations.
    pub correlation_id: Uuid,
    /// 1 for the outermost operation.
    pub depth: u32,
    /// The real caller.
    pub initiating_user_id: Uuid,
    /// The user that the step acts as.
    pub user_id: Uuid,
    /// The user who signed in.
    pub authenticated_user_id: Uuid,
    /// Request parameters.
    pub input_parameters: ParameterMap,
    /// Response parameters; filled in stage 40.
    pub output_parameters: ParameterMap,
    /// Running on a device that is offline.
    pub is_executing_offline: bool,
    /// Running because a device plays its journal back; plug-ins read it by a host call.
    pub is_offline_playback: bool,
    /// Inside a database transaction.
    pub is_in_transaction: bool,
    /// The message name.
    pub message_name: String,
    /// 0 synchronous, 1 asynchronous.
    pub mode: u32,
    /// The id of the root operation.
    pub operation_id: Uuid,
    /// When the operation was made, on the clock of the device that made it.
    pub operation_created_on: Timestamp,
    /// The organization.
    pub organization_id: Uuid,
    /// The organization's name.
    pub organization_name: String,
    /// The environment's id.
    pub environment_id: String,
    /// The step that runs.
    pub owning_extension: Option<EntityReference>,
    /// The author's stable key of the step that runs.
    pub step_key: String,
    /// The row that the operation is about; nil when there is none.
    pub primary_entity_id: Uuid,
    /// The table; "none" when there is none.
    pub primary_entity_name: String,
    /// The second table of messages that have one; "none" otherwise.
    pub secondary_entity_name: String,
    /// Images before the main operation, by alias.
    pub pre_entity_images: BTreeMap<String, Entity>,
    /// Images after the main operation, by alias.
    pub post_entity_images: BTreeMap<String, Entity>,
    /// The id of this request.
    pub request_id: Uuid,
    /// Values that steps hand to each other.
    pub shared_variables: ParameterMap,
    /// 10, 20, 30 or 40.
    pub stage: u32,
    /// The program that the caller used.
    pub initiating_user_agent: String,
    /// The caller is an application and not a person.
    pub is_application_user: bool,
    /// The unsecure configuration of the step.
    pub configuration: String,
    /// The secure configuration of the step; server only.
    pub secure_configuration: String,
}

/// One explicit change that a plug-in made to its context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextChange {
    /// Sets a column of the entity in an input parameter; counts also when the value is equal.
    SetAttribute {
        /// The parameter, usually `Target`.
        parameter: String,
        /// The column.
        column: String,
        /// The new value.
        value: Value,
    },
    /// Takes a column out of the entity in an input parameter.
    RemoveAttribute {
        /// The parameter, usually `Target`.
        parameter: String,
        /// The column.
        column: String,
    },
    /// Sets an input parameter.
    SetInput(String, Parameter),
    /// Removes an input parameter.
    RemoveInput(String),
    /// Sets an output parameter.
    SetOutput(String, Parameter),
    /// Removes an output parameter.
    RemoveOutput(String),
    /// Sets a shared variable.
    SetSharedVariable(String, Parameter),
    /// Removes a shared variable.
    RemoveSharedVariable(String),
}
