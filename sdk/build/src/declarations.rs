//! From `plugin.toml` to the lines of the declarations: one JSON object each, the package first.
//!
//! It translates names that people write (`stage = "PreOperation"`) into those of the platform and
//! leaves everything else to the host, which judges declarations; so it never needs to know all
//! that can be declared.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// What may stand for a number of the platform: the key, and the names in the order of preference.
const NAMES: [(&str, &[(&str, u32)]); 3] = [
    (
        "stage",
        &[
            ("PreValidation", 10),
            ("PreOperation", 20),
            ("MainOperation", 30),
            ("PostOperation", 40),
        ],
    ),
    ("mode", &[("synchronous", 0), ("asynchronous", 1)]),
    ("deployment", &[("server", 0), ("offline", 1), ("both", 2)]),
];

/// Writes the declarations of a package.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn lines(
    package: &str,
    version: &str,
    requests: &[toml::Table],
    types: &[toml::Table],
) -> Result<String, String> {
    let mut first = json!({ "package": package, "version": version });
    if !requests.is_empty() {
        first["requests"] = plain(requests)?;
    }
    let mut lines = vec![first.to_string()];
    for declared in types {
        let Some(name) = declared.get("name").and_then(toml::Value::as_str) else {
            return Err("a [[type]] has no `name = \"vendor.area.Name\"`".to_owned());
        };
        let mut steps = match declared.get("step") {
            Some(steps) => plain(steps)?,
            None => json!([]),
        };
        for step in steps.as_array_mut().into_iter().flatten() {
            let step =
                step.as_object_mut().ok_or_else(|| format!("a step of {name} is no table"))?;
            numbers(name, step)?;
        }
        lines.push(json!({ "type": name, "steps": steps }).to_string());
    }
    if lines.len() == 1 {
        return Err("no [[type]] is declared; a package has at least one plug-in type".to_owned());
    }
    Ok(lines.join("\n") + "\n")
}

/// Replaces names by the platform's numbers.
fn numbers(plugin_type: &str, step: &mut Map<String, Value>) -> Result<(), String> {
    let key = step.get("key").and_then(Value::as_str).unwrap_or("without a key").to_owned();
    for (what, names) in NAMES {
        let Some(Value::String(name)) = step.get(what) else {
            continue;
        };
        let known = names.iter().find(|(known, _)| known == name);
        let Some((_, number)) = known else {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "the step {key} of {plugin_type} has the {what} \"{name}\"; it is one of {}",
                names.join(", ")
            ));
        };
        step.insert(what.to_owned(), Value::from(*number));
    }
    Ok(())
}

fn plain(value: &(impl Serialize + ?Sized)) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}
