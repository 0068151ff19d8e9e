//! One host call of a run: what the plug-in asked, and what it was answered.
//!
//! Never makes a call. The JSON form is that of captures, and changes only with their format.

use crate::capture::texts;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A host call with its answer. Traces are no calls here: they carry nothing into the plug-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// A request of the organization service.
    Execute {
        /// What was asked for.
        request: Request,
        /// The answer, or the fault.
        answer: Result<Response, Fault>,
    },
    /// ParentContext.
    ParentContext {
        /// How many operations up.
        level: u32,
        /// The context, if there is one.
        answer: Option<Box<ExecutionContext>>,
    },
    /// IsOfflinePlayback.
    IsOfflinePlayback {
        /// Whether it is.
        answer: bool,
    },
    /// When the operation was made.
    Now {
        /// The time.
        answer: Timestamp,
    },
    /// The clock of the machine.
    ServerNow {
        /// The time.
        answer: Timestamp,
    },
    /// The next derived GUID.
    NewGuid {
        /// The GUID.
        answer: Uuid,
    },
    /// The next derived random number.
    Random {
        /// The number.
        answer: u64,
    },
    /// The GUID of a key.
    KeyedGuid {
        /// The key.
        key: String,
        /// The GUID.
        answer: Uuid,
    },
    /// Files, or an HTTP request for later.
    Capability {
        /// What was asked for.
        call: CapabilityCall,
        /// The answer, or the fault.
        answer: Result<CapabilityAnswer, Fault>,
    },
}

/// What a plug-in asks in one host call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// A request of the organization service.
    Execute(Request),
    /// ParentContext, so many operations up.
    ParentContext(u32),
    /// IsOfflinePlayback.
    IsOfflinePlayback,
    /// When the operation was made.
    Now,
    /// The clock of the machine.
    ServerNow,
    /// The next derived GUID.
    NewGuid,
    /// The next derived random number.
    Random,
    /// The GUID of this key.
    KeyedGuid(String),
    /// Files, or an HTTP request for later.
    Capability(CapabilityCall),
}

impl Call {
    /// What the plug-in asked.
    #[must_use]
    pub fn question(&self) -> Question {
        match self {
            Self::Execute { request, .. } => Question::Execute(request.clone()),
            Self::ParentContext { level, .. } => Question::ParentContext(*level),
            Self::IsOfflinePlayback { .. } => Question::IsOfflinePlayback,
            Self::Now { .. } => Question::Now,
            Self::ServerNow { .. } => Question::ServerNow,
            Self::NewGuid { .. } => Question::NewGuid,
            Self::Random { .. } => Question::Random,
            Self::KeyedGuid { key, .. } => Question::KeyedGuid(key.clone()),
            Self::Capability { call, .. } => Question::Capability(call.clone()),
        }
    }

    /// Whether it asked for a change of data.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self {
            Self::Execute { request, .. } => !request.is_read(),
            Self::Capability { call, .. } => call.is_write(),
            _ => false,
        }
    }

    /// The answer in a few words.
    #[must_use]
    pub fn answer_text(&self) -> String {
        match self {
            Self::Execute { answer: Err(fault), .. } => format!("fault: {}", fault.message),
            Self::Execute { answer: Ok(response), .. } => {
                match (response.id(), response.collection()) {
                    (Some(id), _) => id.to_string(),
                    (None, Some(rows)) => format!("{} rows", rows.entities.len()),
                    (None, None) => "done".into(),
                }
            }
            Self::ParentContext { answer, .. } => answer.as_ref().map_or("none".into(), |parent| {
                format!("{} {}", parent.message_name, parent.primary_entity_name)
            }),
            Self::IsOfflinePlayback { answer } => answer.to_string(),
            Self::Now { answer } | Self::ServerNow { answer } => answer.to_string(),
            Self::NewGuid { answer } | Self::KeyedGuid { answer, .. } => answer.to_string(),
            Self::Random { answer } => answer.to_string(),
            Self::Capability { answer: Err(fault), .. } => format!("fault: {}", fault.message),
            Self::Capability { answer: Ok(answer), .. } => answer.to_string(),
        }
    }

    /// Hands every text that may hold data to `change`.
    pub(crate) fn texts_mut(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Execute { request, answer } => {
                texts::of_parameters(&mut request.parameters, change);
                match answer {
                    Ok(response) => texts::of_parameters(&mut response.parameters, change),
                    Err(fault) => texts::of_fault(fault, change),
                }
            }
            Self::ParentContext { answer, .. } => {
                if let Some(context) = answer {
                    texts::of_context(context, change);
                }
            }
            Self::KeyedGuid { key, .. } => change(key),
            Self::Capability { call, answer } => {
                texts::of_capability_call(call, change);
                match answer {
                    Ok(answer) => texts::of_capability_answer(answer, change),
                    Err(fault) => texts::of_fault(fault, change),
                }
            }
            Self::IsOfflinePlayback { .. }
            | Self::Now { .. }
            | Self::ServerNow { .. }
            | Self::NewGuid { .. }
            | Self::Random { .. } => {}
        }
    }
}

impl Question {
    /// What makes two questions the same, whatever a number that is none equals.
    pub(crate) fn identity(&self) -> String {
        serde_json::to_string(self).expect("BUG: model types always have a JSON form")
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute(request) => {
                f.write_str(&request.message)?;
                match (request.primary_table(), request.primary_id()) {
                    ("", _) => Ok(()),
                    (table, Some(id)) => write!(f, " {table}({id})"),
                    (table, None) => write!(f, " {table}"),
                }?;
                texts::summary(request, f)
            }
            Self::ParentContext(level) => write!(f, "ParentContext {level}"),
            Self::IsOfflinePlayback => f.write_str("IsOfflinePlayback"),
            Self::Now => f.write_str("now"),
            Self::ServerNow => f.write_str("server-now"),
            Self::NewGuid => f.write_str("new-guid"),
            Self::Random => f.write_str("random"),
            Self::KeyedGuid(key) => write!(f, "keyed-guid {key:?}"),
            Self::Capability(call) => write!(f, "{call}"),
        }
    }
}
