//! `offstage policy explain`: one question, its answer, and the rule that gave it.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::workspace::Workspace;
use offstage_policy::{Capability, PolicyDecision};
use serde_json::json;

pub(super) fn run(
    workspace: &Workspace,
    package: &str,
    kind: &str,
    resource: &str,
) -> Result<Output, CliError> {
    let capability = Capability::parse(kind, resource)
        .map_err(|reason| CliError::usage(format!("The question is not usable: {reason}.")))?;
    let registry = workspace.pipeline().registry()?;
    let Some(permissions) = registry.permissions(package) else {
        return Err(not_running(&registry, package));
    };
    let json = json!({ "package": package, "capability": capability.to_string() });
    match permissions.decide(&capability) {
        PolicyDecision::Allowed(rule) => {
            let mut json = json;
            json["allowed"] = json!(true);
            json["rule"] = json!(rule.place);
            json["reason"] = json!(rule.reason);
            let text = format!("{package} may: {capability}, by {} ({}).", rule.place, rule.reason);
            Ok(Output::new(json).text(text))
        }
        PolicyDecision::Denied(denial) => {
            let mut json = json;
            json["allowed"] = json!(false);
            json["cause"] = json!(denial.cause.name());
            json["rule"] = json!(denial.rule);
            json["requested"] = json!(denial.requested);
            json["remedy"] = json!(denial.remedy);
            let requested = match &denial.requested {
                Some(reason) => format!("It requests this: {reason}"),
                None => "It does not request this.".to_owned(),
            };
            Ok(Output::new(json)
                .text(format!(
                    "{package} may not: {capability}: {} ({}).",
                    denial.cause.name(),
                    denial.rule
                ))
                .text(requested)
                .text(denial.remedy)
                .exit(Exit::Denied))
        }
    }
}

fn not_running(registry: &offstage_pipeline::Registry, package: &str) -> CliError {
    match registry.skipped.iter().find(|skipped| skipped.package == package) {
        Some(skipped) => {
            let message = format!("{package} does not run here: {}.", skipped.reason);
            CliError::new(Exit::Denied, message).hint(skipped.hint.clone())
        }
        None => {
            let message = format!("There is no plug-in package '{package}'.");
            CliError::new(Exit::NotFound, message)
                .hint("`offstage plugin list` shows the packages.")
        }
    }
}
