//! Judges a report: one sentence for each area, and the worst of them for the whole.
//!
//! Never looks at anything but the report.

use super::report::{Judgement, Played, Report, RequestSeen, Severity, StepSeen};
use crate::output::counted;
use offstage_model::journal::Verdict;
use offstage_model::registration::PlaybackMode;
use std::collections::BTreeSet;

/// Share of the fuel limit from which on a person should look, in percent.
const FUEL_SHARE_LOOK: u64 = 50;

/// Judges `report`; `agree`: both sides held the same after the playback.
pub(crate) fn judge(report: &mut Report, agree: bool) {
    let judgements = vec![
        coverage(report),
        repetition(report),
        sources(report),
        both_runs(report, agree),
        capabilities(report),
        cost(report),
        behaviour(report),
    ];
    let worst = judgements.iter().map(|judgement| judgement.severity).max();
    report.verdict = worst.unwrap_or(Severity::Good);
    report.judgements = judgements;
}

fn judgement(area: &'static str, severity: Severity, text: impl Into<String>) -> Judgement {
    Judgement { area, severity, text: text.into() }
}

fn times(count: usize, one: &str, many: &str) -> String {
    counted(count as u64, one, many)
}

fn coverage(report: &Report) -> Judgement {
    let area = "Coverage";
    let steps = times(report.steps.len(), "step", "steps");
    let idle: Vec<&str> =
        report.steps.iter().filter(|step| step.runs() == 0).map(|s| s.key.as_str()).collect();
    let unusable = report.requests.iter().filter(|request| request.unusable).count();
    if report.steps.is_empty() {
        return judgement(area, Severity::Look, "The package declares no steps: nothing ran.");
    }
    if !idle.is_empty() {
        let text = format!("{} of {steps} never ran: {}.", idle.len(), idle.join(", "));
        return judgement(area, Severity::Look, text);
    }
    let requests = times(report.requests.len(), "request", "requests");
    let text = format!("All of {steps} ran, for {requests} of the sample.");
    if unusable > 0 {
        let text = format!("{text} The platform itself refused {unusable}.");
        return judgement(area, Severity::Note, text);
    }
    judgement(area, Severity::Good, text)
}

fn repetition(report: &Report) -> Judgement {
    let area = "Same input twice";
    let seen = &report.repetition;
    let runs = times(seen.runs, "run", "runs");
    match (seen.runs, seen.different.as_slice()) {
        (0, _) => judgement(area, Severity::Note, "No run could be repeated."),
        (_, []) => {
            let text = format!("{runs} repeated: same calls, same result, same fuel.");
            judgement(area, Severity::Good, text)
        }
        (_, different) => {
            let text = format!(
                "{} of {runs} did something else: {}.",
                seen.runs - seen.exact,
                different.join("; ")
            );
            judgement(area, Severity::Look, text)
        }
    }
}

fn sources(report: &Report) -> Judgement {
    let area = "Determinism";
    let (own, foreign): (Vec<_>, Vec<_>) =
        report.sources.iter().partition(|seen| seen.source.is_of_operation());
    if !foreign.is_empty() {
        let what: Vec<&str> = foreign.iter().map(|seen| seen.what.as_str()).collect();
        let text =
            format!("The machine's clock decides {}: the two runs differ in it.", what.join(", "));
        return judgement(area, Severity::Look, text);
    }
    if own.is_empty() {
        return judgement(area, Severity::Good, "No data follows from a time or a random number.");
    }
    // Several steps may do the same.
    let what: BTreeSet<String> =
        own.iter().map(|seen| format!("{} ({})", seen.what, seen.source.name())).collect();
    let what: Vec<String> = what.into_iter().collect();
    let text = format!(
        "Another operation gets other data, the two runs of one the same: {}.",
        what.join(", ")
    );
    judgement(area, Severity::Note, text)
}

fn both_runs(report: &Report, agree: bool) -> Judgement {
    let area = "Both runs";
    if !agree {
        let text = "After the playback the device does not hold what the server holds.";
        return judgement(area, Severity::Look, text);
    }
    if report.steps.iter().all(|step| step.runs_offline + step.runs_playback == 0) {
        return judgement(area, Severity::Note, "No step ran in an operation that is played back.");
    }
    if let Some(text) = not_applied(report) {
        return judgement(area, Severity::Look, text);
    }
    let count = |verdict: Verdict| {
        report.effects.iter().filter(|e| e.verdict == verdict).map(|e| e.count).sum::<usize>()
    };
    let words = [
        (Verdict::Paired, "the same in both"),
        (Verdict::CarriedOver, "made offline only and carried over"),
        (Verdict::Dropped, "made offline only and dropped"),
        (Verdict::AddedByServer, "made on the server only"),
        (Verdict::Differs, "different"),
        (Verdict::ServerStands, "changed on both sides"),
        (Verdict::DeviceStands, "changed on both sides"),
    ];
    let parts: Vec<String> = words
        .iter()
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, words)| format!("{} {words}", count(*verdict)))
        .collect();
    let severity = report.effects.iter().map(|e| e.severity).max().unwrap_or(Severity::Good);
    let refused = of_playback(report, Played::RefusedOnServer).count();
    let refused = if refused > 0 {
        let entries = times(refused, "entry", "entries");
        format!(" Its steps for the server only refused {entries} in playback.")
    } else {
        String::new()
    };
    let severity = if refused.is_empty() { severity } else { severity.max(Severity::Note) };
    if parts.is_empty() {
        let text = format!("Neither run has an effect of its own.{refused}");
        return judgement(area, severity, text);
    }
    let classic = report.modes.iter().find(|seen| seen.mode == PlaybackMode::Classic);
    let unguarded = classic.map_or(0, |seen| seen.twice);
    let mut text = format!("Effects: {}.", parts.join(", "));
    let is_classic = report.steps.iter().any(|step| step.playback == PlaybackMode::Classic);
    if is_classic && unguarded > 0 {
        text.push_str(&format!(" {unguarded} are there twice: the step is declared classic."));
        return judgement(area, Severity::Look, text);
    }
    if unguarded > 0 {
        text.push_str(&format!(
            " No guard: without reconciliation (classic) {unguarded} would be there twice."
        ));
    }
    text.push_str(&refused);
    judgement(area, severity, text)
}

fn of_playback(report: &Report, played: Played) -> impl Iterator<Item = &str> {
    let of = move |request: &&RequestSeen| request.playback == Some(played);
    report.requests.iter().filter(of).map(|request| request.name.as_str())
}

/// Why the sample says little about the second run, or that it went wrong.
fn not_applied(report: &Report) -> Option<String> {
    let names: Vec<&str> = of_playback(report, Played::NotApplied).collect();
    if !names.is_empty() {
        let entries = times(names.len(), "entry was", "entries were");
        return Some(format!("{entries} not applied in playback: {}.", names.join(", ")));
    }
    // What the sandbox ended or the policy denied is judged there.
    if !report.violations.is_empty() || !report.denials.is_empty() {
        return None;
    }
    let alone = |step: &&StepSeen| {
        step.deployment == "both"
            && step.playback != PlaybackMode::Once
            && step.runs_offline > 0
            && step.runs_playback == 0
    };
    let alone: Vec<&str> = report.steps.iter().filter(alone).map(|s| s.key.as_str()).collect();
    (!alone.is_empty()).then(|| {
        let steps = alone.join(", ");
        format!("The second run was not seen: no request of the sample got as far with {steps}.")
    })
}

fn capabilities(report: &Report) -> Judgement {
    let area = "Capabilities";
    if !report.denials.is_empty() {
        let what: Vec<&str> = report.denials.iter().map(|d| d.capability.as_str()).collect();
        let text = format!("It tried what it may not do: {}.", what.join(", "));
        return judgement(area, Severity::Denied, text);
    }
    let requests = times(report.capabilities.len(), "request", "requests");
    let unused: Vec<&str> =
        report.capabilities.iter().flat_map(|seen| &seen.unused).map(String::as_str).collect();
    match (report.capabilities.len(), unused.len()) {
        (0, _) => judgement(area, Severity::Good, "It requests nothing and needed nothing."),
        (_, 0) => judgement(area, Severity::Good, format!("{requests}, and all was used.")),
        _ => {
            let text = format!("Requested and never used on this sample: {}.", unused.join(", "));
            judgement(area, Severity::Look, text)
        }
    }
}

fn cost(report: &Report) -> Judgement {
    let area = "Cost";
    let share = |fuel: u64, limit: u64| (fuel.saturating_mul(100)).checked_div(limit).unwrap_or(0);
    let dearest = report
        .cost
        .iter()
        .max_by_key(|cost| (share(cost.fuel_max, cost.fuel_limit), cost.fuel_max));
    let Some(dearest) = dearest else {
        return judgement(area, Severity::Note, "Nothing ran, so nothing was measured.");
    };
    let percent = share(dearest.fuel_max, dearest.fuel_limit);
    let text = format!(
        "At most {} units of fuel in a run ({percent} % of its limit), and {} % of the time of the \
         offline requests.",
        crate::output::grouped(dearest.fuel_max),
        report.time_percent
    );
    let severity = if percent >= FUEL_SHARE_LOOK { Severity::Look } else { Severity::Good };
    judgement(area, severity, text)
}

fn behaviour(report: &Report) -> Judgement {
    let area = "Behaviour";
    let Some(first) = report.violations.first() else {
        return judgement(area, Severity::Good, "No limit was reached and nothing trapped.");
    };
    let count: usize = report.violations.iter().map(|violation| violation.count).sum();
    let runs = times(count, "run", "runs");
    let text = format!(
        "The sandbox ended {runs}: {} {}; first for {}.",
        first.step, first.details, first.request
    );
    judgement(area, Severity::Hostile, text)
}
