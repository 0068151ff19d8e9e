//! Services that write down what passes through them.
//!
//! Never changes an answer. A recording has a size limit; beyond it calls are answered and not kept.

use crate::Services;
use crate::capture::Call;
use crate::capture::document::CAPTURE_BYTES_MAX;
use crate::capture::redaction::Redaction;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
};
use std::io::Write;

/// The calls of one run.
#[derive(Debug, Default)]
pub struct Recording {
    /// In order.
    pub calls: Vec<Call>,
    /// Later calls were left out because the recording was full.
    pub truncated: bool,
}

/// Records the calls that `S` answers.
pub struct Recorder<S> {
    services: S,
    redaction: Redaction,
    recording: Recording,
    bytes_left: usize,
}

impl<S: Services> Recorder<S> {
    /// Records `services` for a run with this context.
    pub fn new(services: S, context: &ExecutionContext) -> Self {
        Self {
            services,
            redaction: Redaction::new(&context.secure_configuration),
            recording: Recording::default(),
            bytes_left: CAPTURE_BYTES_MAX,
        }
    }

    /// Gives the services back with what was recorded.
    pub fn finish(self) -> (S, Recording) {
        (self.services, self.recording)
    }

    fn keep(&mut self, mut call: Call) {
        if self.recording.truncated {
            return;
        }
        if self.redaction.is_needed() {
            call.texts_mut(&mut |text| self.redaction.hide(text));
        }
        let size = json_size(&call);
        if size > self.bytes_left {
            self.recording.truncated = true;
            return;
        }
        self.bytes_left -= size;
        self.recording.calls.push(call);
    }
}

/// How long the JSON form is; without making it.
pub(crate) fn json_size<T: serde::Serialize>(value: &T) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("BUG: model types always have a JSON form");
    counter.0
}

impl<S: Services> Services for Recorder<S> {
    fn execute(&mut self, request: Request) -> Result<Response, Fault> {
        if self.recording.truncated {
            return self.services.execute(request);
        }
        let asked = request.clone();
        let answer = self.services.execute(request);
        self.keep(Call::Execute { request: asked, answer: answer.clone() });
        answer
    }

    fn capability(&mut self, call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        if self.recording.truncated {
            return self.services.capability(call);
        }
        let asked = call.clone();
        let answer = self.services.capability(call);
        self.keep(Call::Capability { call: asked, answer: answer.clone() });
        answer
    }

    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
        let answer = self.services.parent_context(level);
        self.keep(Call::ParentContext { level, answer: answer.clone().map(Box::new) });
        answer
    }

    fn is_offline_playback(&mut self) -> bool {
        let answer = self.services.is_offline_playback();
        self.keep(Call::IsOfflinePlayback { answer });
        answer
    }

    fn now(&mut self) -> Timestamp {
        let answer = self.services.now();
        self.keep(Call::Now { answer });
        answer
    }

    fn server_now(&mut self) -> Timestamp {
        let answer = self.services.server_now();
        self.keep(Call::ServerNow { answer });
        answer
    }

    fn new_guid(&mut self) -> Uuid {
        let answer = self.services.new_guid();
        self.keep(Call::NewGuid { answer });
        answer
    }

    fn random(&mut self) -> u64 {
        let answer = self.services.random();
        self.keep(Call::Random { answer });
        answer
    }

    fn keyed_guid(&mut self, key: &str) -> Uuid {
        let answer = self.services.keyed_guid(key);
        self.keep(Call::KeyedGuid { key: key.to_owned(), answer });
        answer
    }
}
