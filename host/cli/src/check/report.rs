//! What a check found, as data: for programs as it is, for people by `show`.
//!
//! Never judges; `judge` does.

use crate::exit::Exit;
use offstage_model::journal::Verdict;
use offstage_model::registration::PlaybackMode;
use offstage_sandbox::capture::{Place, Source};
use serde::Serialize;

/// Everything that a check found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// The worst of the judgements.
    pub(crate) verdict: Severity,
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) steps: Vec<StepSeen>,
    pub(crate) requests: Vec<RequestSeen>,
    pub(crate) repetition: Repetition,
    pub(crate) sources: Vec<SourceSeen>,
    pub(crate) effects: Vec<EffectSeen>,
    pub(crate) modes: Vec<ModeSeen>,
    pub(crate) capabilities: Vec<CapabilitySeen>,
    pub(crate) denials: Vec<DenialSeen>,
    pub(crate) cost: Vec<CostSeen>,
    /// How much of the offline requests' time the package's runs took, nested work included, in
    /// percent.
    pub(crate) time_percent: u64,
    pub(crate) violations: Vec<ViolationSeen>,
}

/// How bad something is; the worst decides how the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Nothing to say against it.
    Good,
    /// Good to know.
    Note,
    /// A person should look.
    Look,
    /// It tried what it may not do.
    Denied,
    /// The sandbox had to end it.
    Hostile,
}

impl Severity {
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Good | Self::Note => Exit::Done,
            Self::Look => Exit::Attention,
            Self::Denied => Exit::Denied,
            Self::Hostile => Exit::Refused,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Look => "look",
            Self::Denied => "denied",
            Self::Hostile => "hostile",
        }
    }
}

/// One area in one sentence.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judgement {
    pub(crate) area: &'static str,
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// A declared step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepSeen {
    pub(crate) key: String,
    pub(crate) deployment: &'static str,
    pub(crate) playback: PlaybackMode,
    pub(crate) runs_offline: usize,
    pub(crate) runs_playback: usize,
    pub(crate) runs_online: usize,
    /// Why no request of the sample could make it run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) without: Option<String>,
}

impl StepSeen {
    pub(crate) fn runs(&self) -> usize {
        self.runs_offline + self.runs_playback + self.runs_online
    }
}

/// A request of the sample.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestSeen {
    pub(crate) name: String,
    /// `done`, or why not.
    pub(crate) offline: String,
    /// What the server made of its entry, or answered to a read.
    pub(crate) server: String,
    /// The platform itself refused it, so it shows nothing about the package.
    pub(crate) unusable: bool,
    /// What became of its entry, if it left one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) playback: Option<Played>,
}

/// What became of an entry in playback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Played {
    /// The server has it.
    Applied,
    /// A step refused it that the package has for the server only.
    RefusedOnServer,
    /// It was not applied for another reason.
    NotApplied,
}

/// The same input once more.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repetition {
    pub(crate) runs: usize,
    pub(crate) exact: usize,
    /// Steps and places of runs that did not repeat.
    pub(crate) different: Vec<String>,
}

/// Data that follows from a time, a random number or an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct SourceSeen {
    pub(crate) step: String,
    pub(crate) source: Source,
    pub(crate) what: String,
}

/// An effect that is not simply the same in both runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EffectSeen {
    pub(crate) step: String,
    pub(crate) operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) count: usize,
    pub(crate) severity: Severity,
}

/// What reconciliation made of all effects in one playback mode.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModeSeen {
    pub(crate) mode: PlaybackMode,
    pub(crate) paired: usize,
    pub(crate) carried_over: usize,
    pub(crate) dropped: usize,
    pub(crate) added_by_server: usize,
    pub(crate) differs: usize,
    /// Rows that are there twice in the end.
    pub(crate) twice: usize,
    /// Entries that the server did not apply.
    pub(crate) refused: usize,
}

/// A request of the package for capabilities.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CapabilitySeen {
    pub(crate) request: String,
    pub(crate) reason: String,
    /// Something of it was used.
    pub(crate) used: bool,
    /// What of it was not.
    pub(crate) unused: Vec<String>,
}

/// Something that the package tried and may not do.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DenialSeen {
    pub(crate) capability: String,
    pub(crate) step: String,
    pub(crate) cause: &'static str,
    pub(crate) remedy: String,
    pub(crate) count: usize,
}

/// What the runs of a step used, at one place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostSeen {
    pub(crate) step: String,
    pub(crate) place: Place,
    pub(crate) runs: usize,
    pub(crate) fuel_max: u64,
    pub(crate) fuel_limit: u64,
    pub(crate) memory_bytes_max: u64,
    pub(crate) calls_max: usize,
}

/// Runs that the sandbox ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ViolationSeen {
    pub(crate) step: String,
    pub(crate) place: Place,
    /// In one word, such as `out-of-fuel`.
    pub(crate) ended: String,
    pub(crate) details: String,
    /// The first request of the sample that made it do so.
    pub(crate) request: String,
    pub(crate) count: usize,
}
