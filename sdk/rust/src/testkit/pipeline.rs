//! The event pipeline of the fake organization: stages, rank, filtering, images, rollback, depth.
//!
//! The order is the platform's; rights, metadata and cascades are not part of it.

use std::rc::Rc;

use super::evaluate;
use super::organization::{Pass, StepRun};
use super::session::{Operation, Session};
use crate::context::{Context, ExecutionContext, Image};
use crate::definition::{
    Deployment, ImageKind, Mode, NestedError, Playback, PluginFunction, Stage, StepDefinition,
};
use crate::entity::{Entity, EntityReference};
use crate::error::{PluginError, codes};
use crate::guid::Guid;
use crate::query::ColumnSet;
use crate::request::{Parameter, Parameters, Request, missing, wrong_type};
use crate::value::Value;

/// Operations deeper than this fail, as on the platform.
const DEPTH_MAX: usize = 8;
const DEPTH_EXCEEDED: u32 = 0x8004_4182;
/// A plug-in swallowed the error of a nested request and went on.
const SWALLOWED: u32 = 0x8009_000C;

/// A request on its way through the stages.
struct Flow {
    message: String,
    input: Parameters,
    output: Parameters,
    shared: Parameters,
    table: String,
    id: Option<Guid>,
    before: Option<Entity>,
}

impl Session {
    /// Runs one request through the pipeline; what it wrote is undone if it fails.
    pub(crate) fn request(&self, request: Request) -> Result<Parameters, PluginError> {
        let depth = self.frames.borrow().len() + 1;
        if depth > DEPTH_MAX {
            let text = format!("Depth {depth} is over {DEPTH_MAX}; the steps: {}.", self.path());
            return Err(PluginError::new(text).with_code(DEPTH_EXCEEDED));
        }
        let request = self.as_plain_message(request)?;
        let before = self.state.borrow().store.clone();
        let effects = self.state.borrow().effects.clone();
        let recorded = self.operations.borrow().len();
        let outcome = self.stages(request);
        if outcome.is_err() {
            self.state.borrow_mut().store = before;
            self.state.borrow_mut().effects = effects;
            self.operations.borrow_mut().truncate(recorded);
        }
        outcome
    }

    /// SetState and Assign are updates; Upsert is a create or an update.
    fn as_plain_message(&self, request: Request) -> Result<Request, PluginError> {
        let update = |name: &str, columns: [(&str, &str); 2]| {
            let target = reference(&request, name)?;
            let mut row = Entity::with_id(target.table, target.id);
            for (parameter, column) in columns.iter().filter(|(name, _)| !name.is_empty()) {
                match request.parameters.get(parameter) {
                    Some(Parameter::Value(value)) => row.set(column, value.clone()),
                    _ => return Err(missing(&request.message, parameter).into()),
                }
            }
            Ok(Request::update(row))
        };
        match request.message.as_str() {
            "SetState" => {
                update("EntityMoniker", [("State", "statecode"), ("Status", "statuscode")])
            }
            "Assign" => update("Target", [("Assignee", "ownerid"), ("", "")]),
            _ => Ok(request),
        }
    }

    fn stages(&self, request: Request) -> Result<Parameters, PluginError> {
        if request.message == "Upsert" {
            return self.upsert(&request);
        }
        let (table, id) = primary(&request);
        let before = id.and_then(|id| self.state.borrow().store.get(&table, id).cloned());
        let mut flow = Flow {
            message: request.message,
            input: request.parameters,
            output: Parameters::new(),
            shared: Parameters::new(),
            table,
            id,
            before,
        };
        if let Some(error) = self.state.borrow_mut().take_fault(&flow.message, &flow.table) {
            return Err(error);
        }
        self.stage(Stage::PreValidation, &mut flow)?;
        self.stage(Stage::PreOperation, &mut flow)?;
        self.main_operation(&mut flow)?;
        self.stage(Stage::PostOperation, &mut flow)?;
        Ok(flow.output)
    }

    fn upsert(&self, request: &Request) -> Result<Parameters, PluginError> {
        let Some(Parameter::Entity(target)) = request.parameters.get("Target") else {
            return Err(missing("Upsert", "Target").into());
        };
        let id = target.id.unwrap_or_else(|| self.row_id(target));
        let mut row = target.clone();
        row.id = Some(id);
        let reference = EntityReference::new(row.table.clone(), id);
        let created = self.state.borrow().store.get(&row.table, id).is_none();
        let inner = if created { Request::create(row) } else { Request::update(row) };
        self.stages(inner)?;
        Ok(Parameters::new().with("Target", reference).with("RecordCreated", created))
    }

    /// Runs the steps of one stage in rank order, the synchronous ones first.
    fn stage(&self, stage: Stage, flow: &mut Flow) -> Result<(), PluginError> {
        let mut steps: Vec<(&'static StepDefinition, PluginFunction)> = Vec::new();
        for plugin in &self.state.borrow().plugins {
            let matching = plugin.steps.iter().filter(|step| step.stage == stage);
            steps.extend(matching.map(|step| (step, plugin.run)));
        }
        steps.retain(|(step, _)| self.applies(step, flow));
        steps.sort_by_key(|(step, _)| (step.mode == Mode::Asynchronous, step.rank, step.key));
        for (step, run) in steps {
            // A step of the same stage may have set a filtering column, so each is asked in turn.
            if is_filtered_in(step, flow) {
                self.run_step(step, run, flow)?;
            }
        }
        Ok(())
    }

    fn applies(&self, step: &StepDefinition, flow: &Flow) -> bool {
        let here = match self.pass {
            Pass::Online => step.deployment != Deployment::Offline,
            Pass::Offline => step.deployment != Deployment::Server,
            Pass::Playback => {
                step.deployment != Deployment::Offline && step.playback != Playback::Once
            }
        };
        here && step.message == flow.message && (step.table.is_empty() || step.table == flow.table)
    }

    fn run_step(
        &self,
        step: &'static StepDefinition,
        run: PluginFunction,
        flow: &mut Flow,
    ) -> Result<(), PluginError> {
        let execution = self.context(step, flow);
        self.enter(step, execution.clone());
        let mut context = Context::from(execution);
        let mut outcome = run(&mut context);
        let frame = self.leave();
        if let (Ok(()), Some(error), NestedError::Fail) =
            (&outcome, frame.nested_error, step.on_nested_error)
        {
            let text = format!("Step {} went on after an error: {error}", step.key);
            outcome = Err(PluginError::new(text).with_code(SWALLOWED));
        }
        let (execution, changes) = context.into_parts();
        self.steps.borrow_mut().push(StepRun {
            path: frame.path,
            step,
            changes,
            asked_playback: frame.asked_playback,
        });
        flow.input = execution.input_parameters;
        flow.output = execution.output_parameters;
        flow.shared = execution.shared_variables;
        outcome
    }

    fn context(&self, step: &StepDefinition, flow: &Flow) -> ExecutionContext {
        let state = self.state.borrow();
        let configured = state.configurations.get(step.key).cloned();
        let after = match step.stage {
            Stage::PostOperation => flow.id.and_then(|id| state.store.get(&flow.table, id)),
            _ => None,
        };
        ExecutionContext {
            correlation_id: self.root,
            operation_id: self.root,
            request_id: self.root,
            depth: u32::try_from(self.frames.borrow().len() + 1).unwrap_or(u32::MAX),
            initiating_user_id: state.user,
            user_id: state.user,
            authenticated_user_id: state.user,
            input_parameters: flow.input.clone(),
            output_parameters: flow.output.clone(),
            is_executing_offline: self.pass == Pass::Offline,
            is_in_transaction: step.mode == Mode::Synchronous,
            isolation_mode: 2,
            message_name: flow.message.clone(),
            mode: step.mode as u32,
            operation_created_on: self.created_on,
            organization_name: "testkit".to_owned(),
            owning_extension: EntityReference {
                name: Some(step.key.to_owned()),
                ..EntityReference::new("sdkmessageprocessingstep", Guid::NIL)
            },
            step_key: step.key.to_owned(),
            primary_entity_id: flow.id.unwrap_or_default(),
            primary_entity_name: flow.table.clone(),
            pre_entity_images: images(step, ImageKind::Pre, flow.before.as_ref()),
            post_entity_images: images(step, ImageKind::Post, after),
            shared_variables: flow.shared.clone(),
            stage: step.stage as u32,
            configuration: configured.unwrap_or_else(|| step.configuration.to_owned()),
            ..ExecutionContext::default()
        }
    }

    fn main_operation(&self, flow: &mut Flow) -> Result<(), PluginError> {
        let request = Request { message: flow.message.clone(), parameters: flow.input.clone() };
        match flow.message.as_str() {
            "Create" => {
                let row = target(&request)?;
                let id = row.id.unwrap_or_else(|| self.row_id(row));
                flow.id = Some(id);
                flow.output.set("id", id);
                let mut created = row.clone();
                created.id = Some(id);
                self.record(&request, created);
                self.state.borrow_mut().store.insert(row.clone(), id)
            }
            "Update" => {
                let row = target(&request)?;
                let id = row.reference()?.id;
                self.record(&request, row.clone());
                self.state.borrow_mut().store.update(row, id)
            }
            "Delete" => {
                let target = reference(&request, "Target")?;
                self.record(&request, Entity::with_id(target.table.clone(), target.id));
                self.state.borrow_mut().store.delete(&target)
            }
            "Retrieve" => {
                let target = reference(&request, "Target")?;
                let columns = match request.parameters.get("ColumnSet") {
                    Some(Parameter::Columns(columns)) => columns.clone(),
                    _ => ColumnSet::All,
                };
                let row = self.state.borrow().store.require(&target.table, target.id)?.clone();
                flow.output.set("BusinessEntity", row.select(&columns));
                Ok(())
            }
            "RetrieveMultiple" => {
                let Some(Parameter::Query(query)) = request.parameters.get("Query") else {
                    return Err(missing(&request.message, "Query").into());
                };
                let state = self.state.borrow();
                let page = evaluate::run(&state.store, query, state.user);
                flow.output.set("BusinessEntityCollection", page);
                Ok(())
            }
            "Associate" | "Disassociate" => self.relate(&request),
            _ => self.custom_message(&request, flow),
        }
    }

    fn relate(&self, request: &Request) -> Result<(), PluginError> {
        let target = reference(request, "Target")?;
        let Some(Parameter::Value(Value::Text(relationship))) =
            request.parameters.get("Relationship")
        else {
            return Err(missing(&request.message, "Relationship").into());
        };
        let Some(Parameter::References(related)) = request.parameters.get("RelatedEntities") else {
            return Err(missing(&request.message, "RelatedEntities").into());
        };
        self.record(request, Entity::with_id(target.table.clone(), target.id));
        let store = &mut self.state.borrow_mut().store;
        for other in related {
            match request.message.as_str() {
                "Associate" => store.link(relationship, target.id, other.id),
                _ => store.unlink(relationship, target.id, other.id),
            }
        }
        Ok(())
    }

    /// The main operation of a custom message is the plug-in in stage 30.
    fn custom_message(&self, request: &Request, flow: &mut Flow) -> Result<(), PluginError> {
        let ran = self.steps.borrow().len();
        let mut row = Entity::new(flow.table.clone());
        row.id = flow.id;
        self.record(request, row);
        self.stage(Stage::MainOperation, flow)?;
        if self.steps.borrow().len() > ran {
            return Ok(());
        }
        let text = format!("No step in stage MainOperation does the message {}.", flow.message);
        Err(PluginError::new(text).with_code(codes::MESSAGE_NOT_SUPPORTED))
    }

    /// Notes what a plug-in asked for; the caller's own request is not one of these.
    fn record(&self, request: &Request, row: Entity) {
        let path = self.path();
        if path.is_empty() {
            return;
        }
        let parameters = match request.message.as_str() {
            "Create" | "Update" | "Delete" => String::new(),
            _ => format!("{:?}", request.parameters),
        };
        let message = request.message.clone();
        self.operations.borrow_mut().push(Operation { path, message, row, parameters });
    }
}

fn is_filtered_in(step: &StepDefinition, flow: &Flow) -> bool {
    step.filtering.is_empty()
        || matches!(flow.input.get("Target"), Some(Parameter::Entity(target))
            if step.filtering.iter().any(|column| target.contains(column)))
}

fn images(step: &StepDefinition, kind: ImageKind, row: Option<&Entity>) -> Vec<Image> {
    let Some(row) = row else { return Vec::new() };
    let wanted =
        step.images.iter().filter(|image| image.kind == kind || image.kind == ImageKind::Both);
    wanted
        .map(|image| {
            let columns = match image.attributes {
                [] => ColumnSet::All,
                columns => ColumnSet::from(columns),
            };
            Image { alias: image.alias.to_owned(), entity: row.select(&columns) }
        })
        .collect()
}

fn primary(request: &Request) -> (String, Option<Guid>) {
    match (request.parameters.get("Target"), request.parameters.get("Query")) {
        (Some(Parameter::Entity(row)), _) => (row.table.clone(), row.id),
        (Some(Parameter::Value(Value::Reference(row))), _) => (row.table.clone(), Some(row.id)),
        (_, Some(Parameter::Query(query))) => (query.table.clone(), None),
        _ => (String::new(), None),
    }
}

fn target(request: &Request) -> Result<&Entity, PluginError> {
    match request.parameters.get("Target") {
        Some(Parameter::Entity(row)) => Ok(row),
        Some(other) => Err(wrong_type(&request.message, "Target", "entity", other.kind()).into()),
        None => Err(missing(&request.message, "Target").into()),
    }
}

fn reference(request: &Request, name: &str) -> Result<EntityReference, PluginError> {
    match request.parameters.get(name) {
        Some(Parameter::Value(Value::Reference(reference))) => Ok(reference.clone()),
        Some(other) => Err(wrong_type(&request.message, name, "reference", other.kind()).into()),
        None => Err(missing(&request.message, name).into()),
    }
}

/// Runs one root request in a session of its own.
pub(crate) fn run_root(session: &Rc<Session>, request: Request) -> Result<Parameters, PluginError> {
    crate::host::with_host(session.clone(), || session.request(request))
}
