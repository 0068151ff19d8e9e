//! What the policy adds to a call: the questions that a request of a plug-in with twelve columns asks
//! (the row and each column), for a package with few rules and for one with very many. Beside the
//! whole call of a plug-in with wasmtime alone, which asks nothing.

use crate::measure::{Rounds, sample};
use crate::plugin_call::{context, floor_rounds};
use crate::report::Line;
use crate::{Setting, world};
use anyhow::{Context as _, Result, anyhow, ensure};
use offstage_model::Parameter;
use offstage_model::registration::CapabilityDeclaration;
use offstage_policy::{Capability, Column, Holder, Permissions, PolicyFile, Verb};
use std::hint::black_box;

const PACKAGE: &str = "bench/policy";
/// The share of a call that the questions may take.
const TARGET: f64 = 0.1;
/// Rules of the package that has very many, as many as one list may have.
const MANY: usize = 1_000;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(50, 5_000, 20_000);
    let few = permissions(0)?;
    let many = permissions(MANY - 1)?;
    let columns = columns()?;
    let floor = floor_rounds(setting, &world::script()?, count)?;
    let lines = [("one rule", few), ("1,000 rules", many)].map(|(rules, permissions)| {
        let mut rounds = Rounds::default();
        for _ in 0..setting.rounds {
            rounds.push(sample(|| ask(&permissions, &columns, count))?.0, count);
        }
        Ok(Line::beside(format!("policy: 13 questions, {rules}"), &rounds, &floor)
            .target(format!("CPU <= {TARGET} of a call"), |line| line.cpu_ratio <= Some(TARGET))
            .note("beside a whole plug-in call with wasmtime alone"))
    });
    lines.into_iter().collect()
}

fn columns() -> Result<Vec<String>> {
    let context = context();
    let Some(Parameter::Entity(target)) = context.input_parameters.get("Target") else {
        return Err(anyhow!("the context has no Target"));
    };
    Ok(target.attributes.keys().cloned().collect())
}

/// What a package with a rule for the table may do, after `others` rules for other tables.
fn permissions(others: usize) -> Result<Permissions> {
    let names = columns()?;
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let rule = format!(
        r#"{{ table = "account", verbs = ["create"], columns = [{}] }}"#,
        quoted.join(", ")
    );
    let other = |n: usize| format!(r#"{{ table = "table_{n}", verbs = ["create", "read"] }}"#);
    let rules: Vec<String> = (0..others).map(other).chain([rule]).collect();
    let text = PolicyFile::grant_lines(PACKAGE, "a benchmark", &rules);
    let policy = PolicyFile::parse(&text, "policy.toml").context("the policy")?;
    let request = CapabilityDeclaration {
        table: Some("account".into()),
        verbs: vec!["create".into()],
        columns: names,
        reason: "a benchmark".into(),
        ..CapabilityDeclaration::default()
    };
    let holder = Holder { package: PACKAGE, publisher: None, ceiling: None };
    Permissions::new(&policy, &holder, [&request]).map_err(|(_, error)| error.into())
}

fn ask(permissions: &Permissions, columns: &[String], count: usize) -> Result<()> {
    let question = |column| Capability::Table { table: "account", verb: Verb::Create, column };
    for _ in 0..count {
        let row = permissions.allows(&question(Column::Row));
        let each = columns.iter().all(|name| permissions.allows(&question(Column::Named(name))));
        ensure!(black_box(row && each), "the policy denies what it grants");
    }
    Ok(())
}
