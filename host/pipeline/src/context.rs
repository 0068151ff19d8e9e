//! Builds the execution context of an operation and of a step. Never changes a frame.

use crate::options::Side;
use crate::session::{Origin, Session};
use offstage_model::metadata::ColumnType;
use offstage_model::registration::{Stage, Step};
use offstage_model::request::parameter;
use offstage_model::{EntityReference, ExecutionContext, Parameter, Request, Value};

/// The name that the platform gives for "no table".
const NO_TABLE: &str = "none";

/// The context of an operation before its first stage.
pub(crate) fn operation_context(
    session: &Session,
    request: &Request,
    user: offstage_model::Uuid,
    depth: u32,
) -> ExecutionContext {
    let root = &session.root;
    let table = request.primary_table();
    let mut context = ExecutionContext {
        business_unit_id: root.caller.business_unit,
        correlation_id: root.correlation,
        depth,
        initiating_user_id: root.caller.user,
        user_id: user,
        authenticated_user_id: root.caller.user,
        input_parameters: request.parameters.clone(),
        is_executing_offline: root.origin == Origin::Offline,
        is_offline_playback: root.origin == Origin::Playback,
        is_in_transaction: true,
        message_name: request.message.clone(),
        operation_id: root.operation,
        operation_created_on: root.created_on,
        organization_id: session.pipeline.organization().id,
        organization_name: session.pipeline.organization().name.clone(),
        environment_id: session.pipeline.organization().id.to_string(),
        primary_entity_id: request.primary_id().unwrap_or_default(),
        primary_entity_name: if table.is_empty() { NO_TABLE } else { table }.to_owned(),
        secondary_entity_name: secondary_table(request),
        request_id: root.request,
        initiating_user_agent: root.caller.agent.clone(),
        is_application_user: root.caller.application,
        ..ExecutionContext::default()
    };
    if let Some(tag) = &root.tag {
        context.shared_variables.insert("tag".into(), Parameter::Value(Value::text(tag.clone())));
    }
    context
}

fn secondary_table(request: &Request) -> String {
    match request.parameters.get(parameter::RELATED_ENTITIES) {
        Some(Parameter::References(references)) => references.first().map(|r| r.table.clone()),
        _ => None,
    }
    .unwrap_or_else(|| NO_TABLE.to_owned())
}

/// The context that a step gets: the operation's, with what belongs to the step and its images.
pub(crate) fn step_context(session: &Session, step: &Step) -> ExecutionContext {
    let frame = session.frame();
    let declaration = &step.declaration;
    let top_level_validation =
        declaration.stage == Stage::PreValidation && frame.context.depth == 1;
    ExecutionContext {
        stage: declaration.stage.number(),
        mode: declaration.mode.into(),
        // A top-level stage 10 step runs before the platform's transaction (case P11); that its
        // writes join the root's transaction here is a documented departure.
        is_in_transaction: !top_level_validation || session.root.origin == Origin::Playback,
        owning_extension: Some(EntityReference::new("sdkmessageprocessingstep", step.id)),
        step_key: declaration.key.clone(),
        user_id: acting_user(session, step),
        configuration: declaration.configuration.clone(),
        secure_configuration: declaration.secure_configuration.clone(),
        ..frame.context.clone()
    }
}

/// The user that a step acts as: offline always the logged-on user (seed 002, "Impersonation").
pub(crate) fn acting_user(session: &Session, step: &Step) -> offstage_model::Uuid {
    match (session.pipeline.side(), step.declaration.impersonate) {
        (Side::Server, Some(user)) => user,
        _ => session.frame().context.user_id,
    }
}

/// What a person calls an operation: `Create task(…)`.
pub(crate) fn describe(request: &Request, row: Option<offstage_model::Uuid>) -> String {
    let table = request.primary_table();
    match row.or_else(|| request.primary_id()) {
        Some(id) => format!("{} {table}({id})", request.message),
        None => format!("{} {table}", request.message).trim_end().to_owned(),
    }
}

/// Whether the platform computes a column itself, so that it is never carried over.
pub(crate) fn is_platform_column(session: &Session, table: &str, column: &str) -> bool {
    session.catalog.column(table, column).is_ok_and(|c| {
        c.system
            || matches!(c.kind, ColumnType::UniqueIdentifier)
            || matches!(column, "fullname" | "instancetypecode")
    })
}
