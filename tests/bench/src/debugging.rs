//! What capture and debugging cost: a call that is captured, a call in a host that debugs another
//! plug-in, and a call of the debugged plug-in itself, each beside the same call without.

use crate::measure::{Rounds, sample};
use crate::plugin_call::{Answers, PLUGIN_TYPE, context};
use crate::report::Line;
use crate::{Setting, world};
use anyhow::{Result, ensure};
use offstage_model::{Timestamp, Uuid};
use offstage_sandbox::capture::{Capture, CaptureHead, Place, Recorder};
use offstage_sandbox::{DebugPlugins, Plugin, RunLimits, Sandbox, SandboxOptions};
use std::time::Duration;

/// Who debugs one plug-in must not slow the others down.
const OTHERS_TARGET: f64 = 1.05;

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let count = setting.size(50, 5_000, 20_000);
    let bytes = world::script()?;
    let sandbox = |debug| Sandbox::new(SandboxOptions { debug, ..SandboxOptions::default() });
    let plain = sandbox(DebugPlugins::None)?;
    let beside = sandbox(DebugPlugins::Named(vec!["some/other".into()]))?;
    let debugged = sandbox(DebugPlugins::All)?;
    let plugins = [plain.load(&bytes)?, beside.load(&bytes)?, debugged.load(&bytes)?];
    let mut rounds = [Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default()];
    for round in 0..=setting.rounds {
        let times = [
            sample(|| calls(&plain, &plugins[0], count))?.0,
            sample(|| captured_calls(&plain, &plugins[0], count))?.0,
            sample(|| calls(&beside, &plugins[1], count))?.0,
            sample(|| calls(&debugged, &plugins[2], count))?.0,
        ];
        // The first round warms the pools up.
        if round > 0 {
            for (rounds, time) in rounds.iter_mut().zip(times) {
                rounds.push(time, count);
            }
        }
    }
    let [plain, captured, beside, debugged] = rounds;
    Ok(vec![
        Line::beside("plug-in call, captured and frozen", &captured, &plain)
            .note("12 attributes, one host call; beside the same call with capture off"),
        Line::beside("plug-in call, another plug-in is debugged", &beside, &plain)
            .target(format!("CPU <= {OTHERS_TARGET} x"), |line| {
                line.cpu_ratio <= Some(OTHERS_TARGET)
            })
            .note("beside the same call in a host that debugs nothing"),
        Line::beside("plug-in call, itself debugged", &debugged, &plain)
            .note("a release build on the engine for debugging"),
    ])
}

fn limits() -> RunLimits {
    RunLimits { wall_time: Duration::from_secs(60), ..RunLimits::default() }
}

fn calls(sandbox: &Sandbox, plugin: &Plugin, count: usize) -> Result<()> {
    let (context, limits) = (context(), limits());
    for _ in 0..count {
        let (_, run) = sandbox.run(plugin, PLUGIN_TYPE, &context, &limits, Answers);
        ensure!(run.result.is_ok_and(|changes| changes.len() == 1), "the plug-in did nothing");
    }
    Ok(())
}

fn captured_calls(sandbox: &Sandbox, plugin: &Plugin, count: usize) -> Result<()> {
    let (context, limits) = (context(), limits());
    for _ in 0..count {
        let recorder = Recorder::new(Answers, &context);
        let (recorder, run) = sandbox.run(plugin, PLUGIN_TYPE, &context, &limits, recorder);
        let head = CaptureHead {
            id: Uuid::from_u128(1),
            time: Timestamp(1),
            place: Place::Online,
            package: "tests/script".into(),
            sha256: plugin.sha256(),
            plugin_type: PLUGIN_TYPE.into(),
        };
        let capture = Capture::new(head, &limits, &context, recorder.finish().1, &run);
        ensure!(capture.calls.len() == 1 && !capture.freeze().is_empty(), "nothing was captured");
    }
    Ok(())
}
