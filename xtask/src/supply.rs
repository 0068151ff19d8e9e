//! Licences, sources and bans of what the build takes in, by the rules of `deny.toml`: the part of
//! `cargo deny check` that needs neither a network nor a program that takes minutes to build.
//!
//! Never looks at advisories; those are news, and `cargo deny check advisories` fetches them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::workspace;

/// The part of `deny.toml` that is looked at. A key that is not known here is an error: it would be a
/// rule that nothing enforces.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    graph: Graph,
    #[serde(rename = "advisories")]
    _advisories: toml::Table,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    #[serde(rename = "version")]
    _version: u32,
    allow: BTreeSet<String>,
    private: Private,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Private {
    ignore: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    #[serde(rename = "multiple-versions")]
    _multiple_versions: String,
    wildcards: String,
    #[serde(rename = "allow-wildcard-paths")]
    _allow_wildcard_paths: bool,
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

/// Compares what the build takes in with the rules.
pub(crate) fn check(problems: &mut Vec<String>) -> Result<()> {
    let path = workspace::root().join("deny.toml");
    let text = fs::read_to_string(&path).context("cannot read deny.toml")?;
    let rules: Rules = toml::from_str(&text).context("deny.toml has a rule that tidy lacks")?;
    let mut cargo = workspace::cargo();
    cargo.current_dir(workspace::root());
    cargo.args(["metadata", "--format-version=1", "--locked"]);
    for target in &rules.graph.targets {
        cargo.args(["--filter-platform", target]);
    }
    let output = cargo.output().context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    if metadata.packages.iter().filter(|package| package.source.is_some()).count() < 100 {
        bail!("cargo metadata names hardly any package; this check sees nothing");
    }
    judge(&rules, &metadata, problems);
    Ok(())
}

fn judge(rules: &Rules, metadata: &Metadata, problems: &mut Vec<String>) {
    let mut registries = BTreeSet::new();
    for package in &metadata.packages {
        let id = format!("{} {}", package.name, package.version);
        let is_private = package.publish.as_ref().is_some_and(Vec::is_empty);
        if !(is_private && rules.licenses.private.ignore)
            && let Err(reason) = licence(package.license.as_deref(), &rules.licenses.allow)
        {
            problems.push(format!("{id}: {reason}"));
        }
        if rules.bans.deny.iter().any(|banned| banned.name == package.name) {
            problems.push(format!("{id}: deny.toml bans it"));
        }
        for dependency in &package.dependencies {
            let is_wild = dependency.req == "*" && dependency.path.is_none();
            if rules.bans.wildcards == "deny" && package.source.is_none() && is_wild {
                problems.push(format!("{id}: takes any version of {}", dependency.name));
            }
        }
        match package.source.as_deref() {
            Some(source) if source.starts_with("registry+") => drop(registries.insert(source)),
            Some(source) if rules.sources.unknown_git == "deny" => {
                problems.push(format!("{id}: comes from {source}"));
            }
            _ => {}
        }
    }
    // The lock file has the hashes of what comes from a registry; there is one.
    if rules.sources.unknown_registry == "deny" && registries.len() > 1 {
        let all: Vec<&str> = registries.into_iter().collect();
        problems.push(format!("packages come from several registries: {}", all.join(", ")));
    }
}

fn licence(license: Option<&str>, allow: &BTreeSet<String>) -> Result<(), String> {
    let license = license.ok_or("it names no licence")?;
    let expression = Expression::parse_mode(license, ParseMode::LAX)
        .map_err(|error| format!("its licence {license:?} cannot be read: {}", error.reason))?;
    if expression.evaluate(|required| allow.contains(&required.to_string())) {
        return Ok(());
    }
    Err(format!("deny.toml does not allow its licence {license:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let text = fs::read_to_string(workspace::root().join("deny.toml")).unwrap();
        toml::from_str(&text).unwrap()
    }

    fn problems(change: &str) -> Vec<String> {
        let good = r#"{ "packages": [
            { "name": "a", "version": "1.0.0", "license": "MIT OR GPL-3.0", "publish": null,
              "source": "registry+one", "dependencies": [] },
            { "name": "own", "version": "1.0.0", "license": null, "publish": [],
              "source": null, "dependencies": [{ "name": "a", "req": "^1", "path": null }] } ] }"#;
        let (from, to) = change.split_once(" => ").unwrap_or(("", ""));
        assert!(good.contains(from), "{from}");
        let metadata = serde_json::from_str(&good.replacen(from, to, 1)).unwrap();
        let mut problems = Vec::new();
        judge(&rules(), &metadata, &mut problems);
        problems
    }

    #[test]
    fn what_the_rules_forbid_is_found() {
        assert_eq!(problems(""), Vec::<String>::new());
        for (change, expected) in [
            ("MIT OR GPL-3.0 => MIT AND GPL-3.0", "does not allow its licence"),
            ("\"MIT OR GPL-3.0\" => null", "names no licence"),
            ("MIT OR GPL-3.0 => whatever you like", "cannot be read"),
            ("registry+one => git+https://example.com/a", "comes from git+"),
            ("\"name\": \"a\" => \"name\": \"wasmtime-wasi\"", "bans it"),
            ("\"^1\" => \"*\"", "any version of a"),
            ("\"publish\": [] => \"publish\": null", "names no licence"),
        ] {
            let found = problems(change);
            assert!(
                matches!(found.as_slice(), [one] if one.contains(expected)),
                "{change}: {found:?}"
            );
        }
        let second = "\"source\": null => \"source\": \"registry+two\"";
        assert!(problems(second).iter().any(|problem| problem.contains("several registries")));
    }

    #[test]
    fn a_rule_that_nothing_enforces_is_refused() {
        let text = fs::read_to_string(workspace::root().join("deny.toml")).unwrap();
        let more = text.replace("[licenses]", "[licenses]\nexceptions = []");
        assert!(toml::from_str::<Rules>(&text).is_ok() && toml::from_str::<Rules>(&more).is_err());
    }
}
