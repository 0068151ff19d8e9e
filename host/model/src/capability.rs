//! What a plug-in asks of its host beside data: files, and HTTP requests that are sent later.
//!
//! Never decides whether it may; never touches a disk or a network.

use crate::value::base64_bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A call of a capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapabilityCall {
    /// The content of a file.
    ReadFile {
        /// The granted directory's name.
        directory: String,
        /// The path below it.
        path: String,
    },
    /// New content for a file, after the commit.
    WriteFile {
        /// The granted directory's name.
        directory: String,
        /// The path below it.
        path: String,
        /// The whole content.
        #[serde(with = "base64_bytes")]
        contents: Vec<u8>,
    },
    /// Removal of a file, after the commit.
    RemoveFile {
        /// The granted directory's name.
        directory: String,
        /// The path below it.
        path: String,
    },
    /// The regular files right below a path.
    ListFiles {
        /// The granted directory's name.
        directory: String,
        /// The path below it; `None`: the directory itself.
        path: Option<String>,
    },
    /// An HTTP request, after the commit.
    EnqueueHttp(HttpRequest),
}

/// The answer to a [`CapabilityCall`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapabilityAnswer {
    /// To `ReadFile`.
    Contents(#[serde(with = "base64_bytes")] Vec<u8>),
    /// To `ListFiles`.
    Files(Vec<FileEntry>),
    /// To `WriteFile` and `RemoveFile`.
    Done,
    /// To `EnqueueHttp`: the idempotency key.
    Enqueued(Uuid),
}

/// A regular file in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// An HTTP request that a plug-in wants to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, in order.
    pub headers: Vec<HttpHeader>,
    /// The body.
    #[serde(with = "base64_bytes")]
    pub body: Vec<u8>,
}

/// A header of an [`HttpRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value, or what comes before the secret.
    pub value: String,
    /// The secret whose value the host appends when it sends the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl CapabilityCall {
    /// Whether it asks for a change, rather than for an answer.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::ReadFile { .. } | Self::ListFiles { .. })
    }
}

impl fmt::Display for CapabilityCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadFile { directory, path } => write!(f, "read-file {directory}:{path}"),
            Self::WriteFile { directory, path, .. } => write!(f, "write-file {directory}:{path}"),
            Self::RemoveFile { directory, path } => write!(f, "remove-file {directory}:{path}"),
            Self::ListFiles { directory, path } => {
                write!(f, "list-files {directory}:{}", path.as_deref().unwrap_or_default())
            }
            Self::EnqueueHttp(request) => write!(f, "http {} {}", request.method, request.url),
        }
    }
}

impl fmt::Display for CapabilityAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contents(contents) => write!(f, "{} bytes", contents.len()),
            Self::Files(entries) => write!(f, "{} files", entries.len()),
            Self::Done => f.write_str("done"),
            Self::Enqueued(id) => write!(f, "{id}"),
        }
    }
}
