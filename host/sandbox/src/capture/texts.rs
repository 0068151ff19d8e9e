//! Walks over every text of requests, answers and contexts that may hold data.
//!
//! Never touches names: tables, columns, messages and parameters come from metadata.

use offstage_model::entity::Attributes;
use offstage_model::query::Filter;
use offstage_model::request::parameter;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ContextChange, Entity, ExecutionContext, Fault, Parameter,
    ParameterMap, Request, Value,
};
use std::fmt;

/// What is done to a text.
pub(crate) type Change<'a> = &'a mut dyn FnMut(&mut String);

/// The longest text of one attribute in a summary, in characters.
const SUMMARY_CHARS_MAX: usize = 40;

pub(crate) fn of_value(value: &mut Value, change: Change<'_>) {
    match value {
        Value::Text(text) => change(text),
        Value::Reference(reference) => {
            if let Some(name) = &mut reference.name {
                change(name);
            }
        }
        _ => {}
    }
}

fn of_attributes(attributes: &mut Attributes, change: Change<'_>) {
    for value in attributes.values_mut() {
        of_value(value, change);
    }
}

pub(crate) fn of_entity(entity: &mut Entity, change: Change<'_>) {
    of_attributes(&mut entity.key, change);
    of_attributes(&mut entity.attributes, change);
}

pub(crate) fn of_parameters(parameters: &mut ParameterMap, change: Change<'_>) {
    for parameter in parameters.values_mut() {
        of_parameter(parameter, change);
    }
}

fn of_parameter(parameter: &mut Parameter, change: Change<'_>) {
    match parameter {
        Parameter::Value(value) => of_value(value, change),
        Parameter::Entity(entity) => of_entity(entity, change),
        Parameter::Entities(collection) => {
            collection.entities.iter_mut().for_each(|entity| of_entity(entity, change));
        }
        Parameter::References(references) => {
            references.iter_mut().filter_map(|r| r.name.as_mut()).for_each(change);
        }
        Parameter::Columns(_) => {}
        Parameter::Query(query) => {
            if let Some(filter) = &mut query.filter {
                of_filter(filter, change);
            }
        }
        Parameter::Requests(requests) => {
            requests.iter_mut().for_each(|r| of_parameters(&mut r.parameters, change));
        }
        Parameter::Responses(responses) => {
            responses.iter_mut().for_each(|r| of_parameters(&mut r.parameters, change));
        }
    }
}

fn of_filter(filter: &mut Filter, change: Change<'_>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            parts.iter_mut().for_each(|part| of_filter(part, change));
        }
        Filter::Not(part) => of_filter(part, change),
        Filter::Condition(condition) => {
            condition.values.iter_mut().for_each(|value| of_value(value, change));
        }
    }
}

pub(crate) fn of_fault(fault: &mut Fault, change: Change<'_>) {
    change(&mut fault.message);
    if let Some(hint) = &mut fault.hint {
        change(hint);
    }
}

/// The texts of a call for files or outbound HTTP.
pub(crate) fn of_capability_call(call: &mut CapabilityCall, change: Change<'_>) {
    match call {
        CapabilityCall::ReadFile { directory, path }
        | CapabilityCall::RemoveFile { directory, path } => {
            change(directory);
            change(path);
        }
        CapabilityCall::WriteFile { directory, path, contents } => {
            change(directory);
            change(path);
            of_bytes(contents, change);
        }
        CapabilityCall::ListFiles { directory, path } => {
            change(directory);
            path.iter_mut().for_each(change);
        }
        CapabilityCall::EnqueueHttp(request) => {
            change(&mut request.method);
            change(&mut request.url);
            for header in &mut request.headers {
                change(&mut header.name);
                change(&mut header.value);
                header.secret.iter_mut().for_each(&mut *change);
            }
            of_bytes(&mut request.body, change);
        }
    }
}

/// The texts of an answer to such a call.
pub(crate) fn of_capability_answer(answer: &mut CapabilityAnswer, change: Change<'_>) {
    match answer {
        CapabilityAnswer::Contents(contents) => of_bytes(contents, change),
        CapabilityAnswer::Files(entries) => {
            entries.iter_mut().for_each(|entry| change(&mut entry.name));
        }
        CapabilityAnswer::Done | CapabilityAnswer::Enqueued(_) => {}
    }
}

/// Bytes that are text are treated as text.
fn of_bytes(bytes: &mut Vec<u8>, change: Change<'_>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let mut text = text.to_owned();
        change(&mut text);
        *bytes = text.into_bytes();
    }
}

pub(crate) fn of_context(context: &mut ExecutionContext, change: Change<'_>) {
    for parameters in [
        &mut context.input_parameters,
        &mut context.output_parameters,
        &mut context.shared_variables,
    ] {
        of_parameters(parameters, change);
    }
    for image in
        context.pre_entity_images.values_mut().chain(context.post_entity_images.values_mut())
    {
        of_entity(image, change);
    }
    change(&mut context.configuration);
    change(&mut context.secure_configuration);
}

pub(crate) fn of_change(made: &mut ContextChange, change: Change<'_>) {
    match made {
        ContextChange::SetAttribute { value, .. } => of_value(value, change),
        ContextChange::SetInput(_, parameter)
        | ContextChange::SetOutput(_, parameter)
        | ContextChange::SetSharedVariable(_, parameter) => of_parameter(parameter, change),
        ContextChange::RemoveAttribute { .. }
        | ContextChange::RemoveInput(_)
        | ContextChange::RemoveOutput(_)
        | ContextChange::RemoveSharedVariable(_) => {}
    }
}

/// The columns that a request sets, or what it looks for: ` name=Pumps estimatedvalue=12.5`.
pub(crate) fn summary(request: &Request, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match request.parameters.get(parameter::TARGET) {
        Some(Parameter::Entity(entity)) => {
            for (column, value) in &entity.attributes {
                write!(f, " {column}={}", shortened(value))?;
            }
        }
        _ => {
            if let Some(Parameter::Query(query)) = request.parameters.get(parameter::QUERY) {
                for condition in query.filter.iter().flat_map(Filter::conditions) {
                    let values: Vec<String> = condition.values.iter().map(shortened).collect();
                    let operator = serde_json::to_value(condition.operator).unwrap_or_default();
                    let operator = operator.as_str().unwrap_or_default();
                    write!(f, " {} {operator} {}", condition.column, values.join(","))?;
                }
            }
        }
    }
    Ok(())
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(SUMMARY_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
