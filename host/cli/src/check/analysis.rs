//! Turns what a pass left behind (entries, captures, what the policy heard) into the parts of a
//! report.
//!
//! Never judges and never runs anything against a store; runs are repeated from their captures.

use super::capability;
use super::report::{
    CostSeen, DenialSeen, EffectSeen, ModeSeen, Played, Repetition, Report, RequestSeen, Severity,
    SourceSeen, StepSeen, ViolationSeen,
};
use super::sample::Sample;
use super::world::{Passed, Setup, operation};
use crate::commands::reconcile::verdict_text;
use offstage_model::Fault;
use offstage_model::journal::{EntryState, ReportLine, Verdict};
use offstage_model::registration::{Deployment, PlaybackMode, StepDeclaration};
use offstage_model::request::message;
use offstage_replication::EntryDetail;
use offstage_sandbox::capture::{Capture, Outcome, Place};
use offstage_sandbox::{PackageFile, Plugin};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that an analysis looks at.
pub(crate) struct Seen<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) content: &'a PackageFile<'a>,
    pub(crate) sample: &'a Sample,
    pub(crate) plugin: &'a Plugin,
    pub(crate) passed: &'a Passed,
}

/// The report of a pass, not judged yet.
pub(crate) fn report(seen: &Seen<'_>) -> Report {
    let heard = seen.passed.watch.seen();
    let declaration = &seen.content.declaration;
    Report {
        package: declaration.package.clone(),
        version: declaration.version.clone(),
        sha256: seen.content.sha256.clone(),
        bytes: seen.content.component.len() as u64,
        verdict: Severity::Good,
        judgements: Vec::new(),
        steps: steps(seen),
        requests: requests(seen),
        repetition: repetition(seen),
        sources: sources(seen),
        effects: effects(seen),
        modes: Vec::new(),
        capabilities: capability::seen(declaration, &heard.used),
        denials: denials(&heard.denied),
        cost: cost(&seen.passed.captures),
        time_percent: time_percent(seen.passed),
        violations: violations(seen),
    }
}

fn declarations<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = &'a StepDeclaration> {
    seen.content.declaration.types.iter().flat_map(|one| &one.steps)
}

fn steps(seen: &Seen<'_>) -> Vec<StepSeen> {
    let count = |key: &str, place: Place| {
        let of = |capture: &&Capture| capture.context.step_key == key && capture.place == place;
        seen.passed.captures.iter().filter(of).count()
    };
    let step = |step: &StepDeclaration| StepSeen {
        key: step.key.clone(),
        deployment: match step.deployment {
            Deployment::Server => "server",
            Deployment::Offline => "offline",
            Deployment::Both => "both",
        },
        playback: step.playback,
        runs_offline: count(&step.key, Place::Offline),
        runs_playback: count(&step.key, Place::Playback),
        runs_online: count(&step.key, Place::Online),
        without: seen
            .sample
            .without
            .iter()
            .find(|(key, _)| *key == step.key)
            .map(|(_, reason)| reason.clone()),
    };
    declarations(seen).map(step).collect()
}

/// A fault that names no step is the platform's own.
fn fault_text(fault: &Fault) -> String {
    match &fault.step {
        Some(step) => format!("refused by {step}: {}", fault.message),
        None => format!("refused by the platform: {}", fault.message),
    }
}

fn requests(seen: &Seen<'_>) -> Vec<RequestSeen> {
    let entry = |sequence: u64| seen.passed.entries.iter().find(|e| e.row.sequence == sequence);
    let mut found = Vec::new();
    for (one, ran) in seen.sample.requests.iter().zip(&seen.passed.ran) {
        let (offline, server) = match &ran.offline {
            Err(fault) => (fault_text(fault), "-".to_owned()),
            Ok(None) => {
                let answer = ran.online.as_ref().map(|online| match online {
                    Ok(()) => "done".to_owned(),
                    Err(fault) => fault_text(fault),
                });
                ("done".to_owned(), answer.unwrap_or_else(|| "-".to_owned()))
            }
            Ok(Some(sequence)) => {
                let outcome = entry(*sequence).map(outcome_text);
                ("done".to_owned(), outcome.unwrap_or_else(|| "not played".to_owned()))
            }
        };
        let unusable = matches!(&ran.offline, Err(fault) if fault.step.is_none());
        let left_entry = ran.offline.as_ref().ok().copied().flatten();
        let playback = left_entry.map(|sequence| played(seen, entry(sequence)));
        found.push(RequestSeen { name: one.name.clone(), offline, server, unusable, playback });
    }
    found
}

/// What became of an entry; `None`: it is not there any more.
fn played(seen: &Seen<'_>, entry: Option<&EntryDetail>) -> Played {
    let Some(entry) = entry else { return Played::NotApplied };
    if entry.row.state == EntryState::Applied {
        return Played::Applied;
    }
    let fault = entry.outcome.as_ref().and_then(|outcome| outcome.fault.as_ref());
    let refused_by = fault.and_then(|fault| fault.step.as_ref());
    let for_server_only = |step: &StepDeclaration| step.deployment == Deployment::Server;
    let step = declarations(seen).find(|step| Some(&step.key) == refused_by);
    if step.is_some_and(for_server_only) { Played::RefusedOnServer } else { Played::NotApplied }
}

fn outcome_text(entry: &EntryDetail) -> String {
    let state = match entry.row.state {
        EntryState::Applied => return "applied".to_owned(),
        EntryState::Pending | EntryState::Sent => "left open",
        EntryState::Conflict => "conflict",
        EntryState::Rejected => "rejected",
        EntryState::Blocked => "blocked",
        EntryState::Discarded => "discarded",
    };
    let fault = entry.outcome.as_ref().and_then(|outcome| outcome.fault.as_ref());
    fault.map_or(state.to_owned(), |fault| format!("{state}, {}", fault_text(fault)))
}

/// How a run was ended by the sandbox, in one word and in full.
fn ended(capture: &Capture) -> Option<(&str, &str)> {
    match &capture.outcome {
        Outcome::Failed { ended, details, .. } if ended != "refused" && ended != "busy" => {
            Some((ended, details))
        }
        _ => None,
    }
}

/// Runs that can be repeated in reasonable time and mean something.
fn repeatable<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = &'a Capture> {
    let whole = |capture: &&Capture| !capture.truncated && ended(capture).is_none();
    seen.passed.captures.iter().filter(whole)
}

fn repetition(seen: &Seen<'_>) -> Repetition {
    let mut repetition = Repetition::default();
    let mut different = BTreeSet::new();
    for capture in repeatable(seen) {
        let key = &capture.context.step_key;
        let step = declarations(seen).find(|step| step.key == *key);
        let secret = step.map(|step| step.secure_configuration.as_str()).unwrap_or_default();
        let replay = seen.setup.sandbox.replay(seen.plugin, capture, Some(secret));
        repetition.runs += 1;
        if replay.is_exact() {
            repetition.exact += 1;
        } else {
            different.insert(format!("{key}, {}", capture.place.text()));
        }
    }
    repetition.different = different.into_iter().collect();
    repetition
}

fn sources(seen: &Seen<'_>) -> Vec<SourceSeen> {
    let mut found = BTreeSet::new();
    for capture in repeatable(seen) {
        for dependence in seen.setup.sandbox.dependences(seen.plugin, capture) {
            found.insert(SourceSeen {
                step: capture.context.step_key.clone(),
                source: dependence.source,
                what: dependence.what,
            });
        }
    }
    found.into_iter().collect()
}

fn lines(passed: &Passed) -> impl Iterator<Item = &ReportLine> {
    let outcomes = passed.entries.iter().filter_map(|entry| entry.outcome.as_ref());
    outcomes.flat_map(|outcome| &outcome.report.lines)
}

/// `Create task` of `Create task(…)`: the same for all requests.
fn kind_of(operation: &str) -> &str {
    operation.split('(').next().unwrap_or_default().trim_end()
}

/// What makes effects of several requests one line of the report, in its order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct EffectKey {
    step: String,
    operation: String,
    column: Option<String>,
    verdict: &'static str,
}

fn effects(seen: &Seen<'_>) -> Vec<EffectSeen> {
    let mut counts: BTreeMap<EffectKey, (usize, Verdict)> = BTreeMap::new();
    for line in lines(seen.passed) {
        let key = EffectKey {
            step: line.step.clone(),
            operation: kind_of(&line.operation).to_owned(),
            column: line.column.clone(),
            verdict: verdict_text(line.verdict),
        };
        counts.entry(key).or_insert((0, line.verdict)).0 += 1;
    }
    let effect = |(EffectKey { step, operation, column, .. }, (count, verdict))| {
        let declared = declarations(seen).find(|one| one.key == step);
        let severity = severity(declared, verdict);
        EffectSeen { step, operation, column, verdict, count, severity }
    };
    counts.into_iter().map(effect).collect()
}

/// How bad it is that an effect of a step had this verdict.
fn severity(step: Option<&StepDeclaration>, verdict: Verdict) -> Severity {
    let runs_once = step.is_some_and(|step| {
        step.deployment != Deployment::Both || step.playback == PlaybackMode::Once
    });
    match verdict {
        Verdict::Paired => Severity::Good,
        Verdict::CarriedOver => Severity::Note,
        Verdict::AddedByServer if runs_once => Severity::Note,
        Verdict::AddedByServer
        | Verdict::Dropped
        | Verdict::Differs
        | Verdict::ServerStands
        | Verdict::DeviceStands => Severity::Look,
    }
}

/// What reconciliation made of all effects.
pub(crate) fn mode(mode: PlaybackMode, passed: &Passed) -> ModeSeen {
    let count = |verdict| lines(passed).filter(|line| line.verdict == verdict).count();
    let refused = passed.entries.iter().filter(|e| e.row.state != EntryState::Applied).count();
    ModeSeen {
        mode,
        paired: count(Verdict::Paired),
        carried_over: count(Verdict::CarriedOver),
        dropped: count(Verdict::Dropped),
        added_by_server: count(Verdict::AddedByServer),
        differs: count(Verdict::Differs),
        twice: passed.entries.iter().map(twice).sum(),
        refused,
    }
}

/// Rows of one entry that both runs made and that are kept from both. An update that happens twice
/// leaves what it leaves once.
fn twice(entry: &EntryDetail) -> usize {
    let Some(outcome) = &entry.outcome else { return 0 };
    let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let makes_row = |line: &&ReportLine| {
        line.column.is_none() && kind_of(&line.operation).starts_with(message::CREATE)
    };
    for line in outcome.report.lines.iter().filter(makes_row) {
        let count = counts.entry((&line.step, kind_of(&line.operation))).or_default();
        match line.verdict {
            Verdict::CarriedOver => count.0 += 1,
            Verdict::AddedByServer => count.1 += 1,
            _ => {}
        }
    }
    counts.into_values().map(|(offline, server)| offline.min(server)).sum()
}

fn denials(records: &[offstage_pipeline::DenialRecord]) -> Vec<DenialSeen> {
    let mut found: BTreeMap<(String, String), DenialSeen> = BTreeMap::new();
    for record in records {
        let key = (record.step.clone(), record.capability.clone());
        let denial = found.entry(key).or_insert_with(|| DenialSeen {
            capability: record.capability.clone(),
            step: record.step.clone(),
            cause: record.cause,
            remedy: record.remedy.clone(),
            count: 0,
        });
        denial.count += 1;
    }
    found.into_values().collect()
}

fn cost(captures: &[Capture]) -> Vec<CostSeen> {
    let mut found: BTreeMap<(String, &str), CostSeen> = BTreeMap::new();
    for capture in captures {
        let step = &capture.context.step_key;
        let cost = found.entry((step.clone(), capture.place.text())).or_insert_with(|| CostSeen {
            step: step.clone(),
            place: capture.place,
            runs: 0,
            fuel_max: 0,
            fuel_limit: capture.limits.fuel(),
            memory_bytes_max: 0,
            calls_max: 0,
        });
        cost.runs += 1;
        cost.fuel_max = cost.fuel_max.max(capture.fuel);
        cost.memory_bytes_max = cost.memory_bytes_max.max(capture.memory_bytes_peak);
        cost.calls_max = cost.calls_max.max(capture.calls.len());
    }
    found.into_values().collect()
}

fn time_percent(passed: &Passed) -> u64 {
    // Deeper runs are within these.
    let outermost = |one: &&Capture| one.place == Place::Offline && one.context.depth == 1;
    let runs_us: u64 = passed.captures.iter().filter(outermost).map(|one| one.duration_us).sum();
    let all_us = u64::try_from(passed.time.as_micros()).unwrap_or(u64::MAX);
    (runs_us.saturating_mul(100)).checked_div(all_us).unwrap_or(0).min(100)
}

fn violations(seen: &Seen<'_>) -> Vec<ViolationSeen> {
    let names: BTreeMap<_, &str> = seen
        .sample
        .requests
        .iter()
        .enumerate()
        .map(|(index, one)| (operation(index), one.name.as_str()))
        .collect();
    let mut found: BTreeMap<(String, &str, String), ViolationSeen> = BTreeMap::new();
    for capture in &seen.passed.captures {
        let Some((ended, details)) = ended(capture) else { continue };
        let step = &capture.context.step_key;
        let key = (step.clone(), capture.place.text(), ended.to_owned());
        let violation = found.entry(key).or_insert_with(|| ViolationSeen {
            step: step.clone(),
            place: capture.place,
            ended: ended.to_owned(),
            details: details.lines().next().unwrap_or_default().to_owned(),
            request: names.get(&capture.operation()).copied().unwrap_or_default().to_owned(),
            count: 0,
        });
        violation.count += 1;
    }
    found.into_values().collect()
}
