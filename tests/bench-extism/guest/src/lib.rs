//! The benchmark's plug-in with Extism: reads the context, asks the host for the time, sets one column.
//!
//! Context and changes are the product's JSON, which is how Extism passes what is more than bytes; of
//! the context it reads what the product's plug-in looks at. Never runs in the product.

use extism_pdk::{FnResult, host_fn, plugin_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the plug-in reads of the context.
#[derive(Deserialize)]
struct Context {
    message_name: String,
    stage: u32,
    input_parameters: BTreeMap<String, Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    entity: Entity,
}

#[derive(Deserialize)]
struct Entity {
    attributes: BTreeMap<String, Value>,
}

#[host_fn]
extern "ExtismHost" {
    fn now(nothing: String) -> String;
}

/// Takes an execution context and returns the changes of it.
#[plugin_fn]
pub fn execute(context: Vec<u8>) -> FnResult<Vec<u8>> {
    let context: Context = serde_json::from_slice(&context)?;
    let before_create = context.message_name == "Create" && context.stage == 20;
    let columns = context.input_parameters.get("Target").map(|p| p.entity.attributes.len());
    if !before_create || columns != Some(12) {
        return Ok(b"[]".to_vec());
    }
    // SAFETY: a host function of Extism; memory is passed by handles that the host checks.
    let now = unsafe { now(String::new()) }?;
    let change = json!([{"set_attribute": {
        "parameter": "Target", "column": "description", "value": {"s": now},
    }}]);
    Ok(serde_json::to_vec(&change)?)
}
