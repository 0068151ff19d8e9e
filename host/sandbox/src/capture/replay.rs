//! Runs a captured execution again: the recorded answers are given back, nothing is asked of a
//! store.
//!
//! The same component gives the same result with the same fuel, and the replay says whether it did.
//! Another build may ask something else: the first difference is kept, and from there on a question
//! gets its recorded answer where there is one, and an honest refusal where there is none.

use crate::capture::redaction::Redaction;
use crate::capture::{Call, Capture, Outcome, Question, texts};
use crate::{Plugin, Run, Sandbox, Services};
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
    code,
};

/// Where a replay left the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The number of the call, from 1.
    pub call: usize,
    /// What the recorded run asked there; `None` when it asked nothing more.
    pub expected: Option<Question>,
    /// What this run asked; `None` when it ended.
    pub got: Option<Question>,
    /// The recording itself ends there because it was full, so this need not be a difference.
    pub recording_full: bool,
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replay {
    /// The run.
    pub run: Run,
    /// What came of it, with secrets taken out as in the capture.
    pub outcome: Outcome,
    /// The first call that is not the recorded one.
    pub divergence: Option<Divergence>,
    /// Calls that got their recorded answer.
    pub answered: usize,
    /// The component is the recorded one.
    pub same_plugin: bool,
    /// The result is the recorded one.
    pub same_outcome: bool,
    /// The fuel is the recorded one.
    pub same_fuel: bool,
    /// The trace is the recorded one.
    pub same_trace: bool,
}

impl Replay {
    /// Whether nothing at all differs from the recording.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.divergence.is_none() && self.same_outcome && self.same_fuel && self.same_trace
    }
}

impl Sandbox {
    /// Runs `capture` again with `plugin`, which need not be the component that was captured.
    ///
    /// `secret` is the secure configuration, where it is known: captures do not hold it.
    pub fn replay(&self, plugin: &Plugin, capture: &Capture, secret: Option<&str>) -> Replay {
        let redaction = Redaction::new(secret.unwrap_or_default());
        let mut context = capture.context.clone();
        texts::of_context(&mut context, &mut |text| redaction.restore(text));
        let limits = capture.limits.run_limits();
        let replayer = Replayer::new(capture, redaction);
        let (replayer, run) = self.run(plugin, &capture.plugin_type, &context, &limits, replayer);
        let redaction = &replayer.redaction;
        let mut outcome = Outcome::of(&run.result);
        outcome.texts_mut(&mut |text| redaction.hide(text));
        let mut trace = run.trace.clone();
        redaction.hide(&mut trace);
        Replay {
            same_plugin: plugin.sha256() == capture.sha256,
            same_outcome: outcome.same(&capture.outcome),
            same_fuel: run.usage.fuel == capture.fuel,
            same_trace: trace == capture.trace,
            answered: replayer.answered,
            divergence: replayer.divergence(),
            outcome,
            run,
        }
    }
}

/// Services that answer from a recording.
struct Replayer {
    calls: Vec<Call>,
    identities: Vec<String>,
    at: usize,
    answered: usize,
    truncated: bool,
    redaction: Redaction,
    first: Option<Divergence>,
    /// Answers for what was never asked in the recorded run.
    created_on: Timestamp,
    is_playback: bool,
}

impl Replayer {
    fn new(capture: &Capture, redaction: Redaction) -> Self {
        Self {
            identities: capture.calls.iter().map(|call| call.question().identity()).collect(),
            calls: capture.calls.clone(),
            at: 0,
            answered: 0,
            truncated: capture.truncated,
            redaction,
            first: None,
            created_on: capture.context.operation_created_on,
            is_playback: capture.context.is_offline_playback,
        }
    }

    /// The first difference, also when the run ended before its recording.
    fn divergence(&self) -> Option<Divergence> {
        self.first.clone().or_else(|| {
            let missing = self.calls.get(self.at)?;
            Some(Divergence {
                call: self.at + 1,
                expected: Some(missing.question()),
                got: None,
                recording_full: false,
            })
        })
    }

    /// The recorded call for a question, with the secret in its answer where it belongs.
    fn recorded(&mut self, question: Question) -> Option<Call> {
        let mut hidden = question;
        if let Question::Execute(request) = &mut hidden {
            texts::of_parameters(&mut request.parameters, &mut |text| self.redaction.hide(text));
        } else if let Question::KeyedGuid(key) = &mut hidden {
            self.redaction.hide(key);
        } else if let Question::Capability(call) = &mut hidden {
            texts::of_capability_call(call, &mut |text| self.redaction.hide(text));
        }
        let identity = hidden.identity();
        let found = (self.at..self.calls.len()).find(|&index| self.identities[index] == identity);
        if found != Some(self.at) && self.first.is_none() {
            self.first = Some(Divergence {
                call: self.at + 1,
                expected: self.calls.get(self.at).map(Call::question),
                got: Some(hidden),
                recording_full: self.truncated && self.at == self.calls.len(),
            });
        }
        let index = found?;
        self.at = index + 1;
        self.answered += 1;
        let mut call = self.calls[index].clone();
        call.texts_mut(&mut |text| self.redaction.restore(text));
        Some(call)
    }
}

impl Services for Replayer {
    fn execute(&mut self, request: Request) -> Result<Response, Fault> {
        match self.recorded(Question::Execute(request)) {
            Some(Call::Execute { answer, .. }) => answer,
            _ => Err(Fault::new(
                code::NOT_AVAILABLE,
                "This is a replay, and the recorded run made no such request.",
            )),
        }
    }

    fn capability(&mut self, call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        match self.recorded(Question::Capability(call)) {
            Some(Call::Capability { answer, .. }) => answer,
            _ => Err(Fault::new(
                code::NOT_AVAILABLE,
                "This is a replay, and the recorded run made no such call.",
            )),
        }
    }

    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
        match self.recorded(Question::ParentContext(level)) {
            Some(Call::ParentContext { answer, .. }) => answer.map(|context| *context),
            _ => None,
        }
    }

    fn is_offline_playback(&mut self) -> bool {
        match self.recorded(Question::IsOfflinePlayback) {
            Some(Call::IsOfflinePlayback { answer }) => answer,
            _ => self.is_playback,
        }
    }

    fn now(&mut self) -> Timestamp {
        match self.recorded(Question::Now) {
            Some(Call::Now { answer }) => answer,
            _ => self.created_on,
        }
    }

    fn server_now(&mut self) -> Timestamp {
        match self.recorded(Question::ServerNow) {
            Some(Call::ServerNow { answer }) => answer,
            _ => self.created_on,
        }
    }

    fn new_guid(&mut self) -> Uuid {
        match self.recorded(Question::NewGuid) {
            Some(Call::NewGuid { answer }) => answer,
            _ => Uuid::nil(),
        }
    }

    fn random(&mut self) -> u64 {
        match self.recorded(Question::Random) {
            Some(Call::Random { answer }) => answer,
            _ => 0,
        }
    }

    fn keyed_guid(&mut self, key: &str) -> Uuid {
        match self.recorded(Question::KeyedGuid(key.to_owned())) {
            Some(Call::KeyedGuid { answer, .. }) => answer,
            _ => Uuid::nil(),
        }
    }
}
