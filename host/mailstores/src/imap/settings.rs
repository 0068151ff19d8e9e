//! What a person says about an IMAP account, and the limits of every exchange with its server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How the connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 993), with the public authorities, or with those of a PEM file
    /// in their place.
    Tls {
        /// Authorities of one's own.
        ca_file: Option<PathBuf>,
    },
    /// None. Only to an address of this machine.
    PlainToLoopback,
}

/// An IMAP account.
#[derive(Clone, PartialEq, Eq)]
pub struct ImapSettings {
    /// The name of the server, which its certificate has to show.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Who signs in.
    pub user: String,
    /// The password; never shown.
    pub password: String,
    /// The folders that take part, by the names that people see; empty for INBOX and the folder of
    /// sent mail.
    pub folders: Vec<String>,
    /// Tracked messages get a keyword that other clients can see, where the server permits it.
    pub keywords: bool,
    /// The limits.
    pub limits: ImapLimits,
}

impl fmt::Debug for ImapSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("user", &self.user)
            .field("folders", &self.folders)
            .field("keywords", &self.keywords)
            .finish_non_exhaustive()
    }
}

/// The limits of every exchange with the server. Beyond one, the exchange ends with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImapLimits {
    /// How much of a message is read; what is beyond is neither fetched nor tracked.
    pub message_bytes_max: u32,
    /// How many messages of a folder a scan looks at, the newest ones.
    pub scan_messages_max: u32,
    /// How many messages one command of a scan asks for.
    pub page_messages_max: u32,
    /// How many bytes the server may answer to one command.
    pub answer_bytes_max: u64,
    /// How long it may take to connect, and how long the server may stay silent.
    pub silence_max: Duration,
    /// How long the answer to one command may take in all.
    pub answer_time_max: Duration,
}

impl Default for ImapLimits {
    /// 256 KiB of a message, 50,000 messages of a folder in pages of 1,000, 16 MiB for an answer,
    /// 15 s of silence, 120 s for an answer.
    fn default() -> Self {
        Self {
            message_bytes_max: 256 * 1024,
            scan_messages_max: 50_000,
            page_messages_max: 1_000,
            answer_bytes_max: 16 * 1024 * 1024,
            silence_max: Duration::from_secs(15),
            answer_time_max: Duration::from_secs(120),
        }
    }
}
