//! A report for people: the judgements first, then what they rest on.

use super::report::{Report, Severity};
use crate::commands::reconcile::verdict_text;
use crate::output::{Output, Tone, grouped};
use offstage_model::registration::PlaybackMode;
use serde_json::json;

/// The report as an answer.
pub(crate) fn show(report: &Report) -> Output {
    let judgements = report
        .judgements
        .iter()
        .map(|one| {
            let head = format!("{:7}", one.severity.word());
            (tone(one.severity), head, one.area.to_owned(), one.text.clone())
        })
        .collect();
    let head = format!(
        "{} {}, {} bytes, SHA-256 {}",
        report.package,
        report.version,
        grouped(report.bytes),
        report.sha256
    );
    let mut output = Output::new(json!(report)).text(head).text("").judgements(judgements).text("");
    output = steps(report, output);
    output = requests(report, output);
    output = effects(report, output);
    output = modes(report, output);
    output = capabilities(report, output);
    output = cost(report, output);
    output.exit(report.verdict.exit())
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Good => Tone::Good,
        Severity::Note => Tone::Plain,
        Severity::Look => Tone::Warning,
        Severity::Denied | Severity::Hostile => Tone::Bad,
    }
}

fn mode_name(mode: PlaybackMode) -> &'static str {
    match mode {
        PlaybackMode::Reconcile => "reconcile",
        PlaybackMode::Authoritative => "authoritative",
        PlaybackMode::Classic => "classic",
        PlaybackMode::Once => "once",
    }
}

fn steps(report: &Report, output: Output) -> Output {
    let rows = report
        .steps
        .iter()
        .map(|step| {
            vec![
                step.key.clone(),
                step.deployment.to_owned(),
                mode_name(step.playback).to_owned(),
                step.runs_offline.to_string(),
                step.runs_playback.to_string(),
                step.runs_online.to_string(),
                step.without.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headers = ["Step", "Where", "Playback", "Offline runs", "In playback", "Online", "Note"];
    output.table(&headers, rows, "No steps.").text("")
}

fn requests(report: &Report, output: Output) -> Output {
    let rows = report
        .requests
        .iter()
        .map(|one| vec![one.name.clone(), one.offline.clone(), one.server.clone()])
        .collect();
    output.table(&["Request of the sample", "Offline", "On the server"], rows, "").text("")
}

fn effects(report: &Report, output: Output) -> Output {
    let rows: Vec<Vec<String>> = report
        .effects
        .iter()
        .map(|effect| {
            vec![
                effect.step.clone(),
                effect.operation.clone(),
                effect.column.clone().unwrap_or_default(),
                effect.count.to_string(),
                verdict_text(effect.verdict).to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return output;
    }
    output.table(&["Step", "Effect", "Column", "Times", "In the two runs"], rows, "").text("")
}

fn modes(report: &Report, output: Output) -> Output {
    let rows: Vec<Vec<String>> = report
        .modes
        .iter()
        .map(|seen| {
            let declared = report
                .steps
                .iter()
                .any(|step| step.deployment == "both" && step.playback == seen.mode);
            let name = mode_name(seen.mode);
            let numbers = [
                seen.paired,
                seen.carried_over,
                seen.dropped,
                seen.added_by_server,
                seen.differs,
                seen.twice,
                seen.refused,
            ];
            let name = if declared { format!("{name} (declared)") } else { name.to_owned() };
            std::iter::once(name).chain(numbers.map(|number| number.to_string())).collect()
        })
        .collect();
    // Without effects the modes have nothing to tell apart.
    if rows.is_empty() || report.effects.is_empty() {
        return output;
    }
    let headers = [
        "Playback mode",
        "Same",
        "Carried over",
        "Dropped",
        "Server only",
        "Differs",
        "Twice",
        "Not applied",
    ];
    output.table(&headers, rows, "").text("")
}

fn capabilities(report: &Report, output: Output) -> Output {
    let rows: Vec<Vec<String>> = report
        .capabilities
        .iter()
        .map(|seen| {
            let used = match (seen.used, seen.unused.as_slice()) {
                (true, []) => "all of it".to_owned(),
                (true, unused) => format!("not {}", unused.join(", ")),
                (false, _) => "nothing of it".to_owned(),
            };
            vec![seen.request.clone(), seen.reason.clone(), used]
        })
        .collect();
    let output = if rows.is_empty() {
        output
    } else {
        output.table(&["It requests", "Because", "Used"], rows, "").text("")
    };
    let rows: Vec<Vec<String>> = report
        .denials
        .iter()
        .map(|denial| {
            let cause = format!("{} ({})", denial.cause, denial.count);
            vec![denial.step.clone(), denial.capability.clone(), cause, denial.remedy.clone()]
        })
        .collect();
    if rows.is_empty() {
        return output;
    }
    output.table(&["Step", "It tried", "Why not", "What would allow it"], rows, "").text("")
}

fn cost(report: &Report, output: Output) -> Output {
    let rows = report
        .cost
        .iter()
        .map(|cost| {
            vec![
                cost.step.clone(),
                cost.place.text().to_owned(),
                cost.runs.to_string(),
                grouped(cost.fuel_max),
                format!("{} KiB", grouped(cost.memory_bytes_max / 1024)),
                grouped(cost.calls_max as u64),
            ]
        })
        .collect();
    let headers = ["Step", "Run", "Runs", "Most fuel", "Most memory", "Most host calls"];
    output.table(&headers, rows, "Nothing ran.")
}
