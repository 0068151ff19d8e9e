//! What is typed to add a store. A password or token is never an argument, where other users of the
//! machine could see it: it comes from a file, or from the environment.

use super::kept::{Access, Imap, Kept};
use crate::error::CliError;
use crate::values::FileArgument;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The environment variable with a password or token.
const VARIABLE: &str = "OFFSTAGE_STORE_SECRET";
const IMAPS_PORT: u16 = 993;

/// A store to add.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Add {
    /// CardDAV and CalDAV: contacts, appointments and tasks, both ways
    Dav {
        /// The address of the server, of a home, or of one collection
        address: String,
        /// Who signs in
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        common: Common,
    },
    /// Microsoft Graph: contacts, appointments and tasks both ways, e-mail to be tracked
    Graph {
        /// The address of the service; a national cloud has another one
        #[arg(default_value = "https://graph.microsoft.com/v1.0")]
        address: String,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        common: Common,
    },
    /// IMAP: e-mail to be tracked; messages are only read
    Imap {
        /// The server: HOST, or HOST:PORT
        server: ServerArgument,
        /// Who signs in
        #[arg(long, value_name = "NAME")]
        user: String,
        /// A folder that takes part, by the name that you see; INBOX and sent mail when left out
        #[arg(long = "folder", value_name = "NAME")]
        folders: Vec<String>,
        /// Show no keywords of tracked messages to other programs
        #[arg(long)]
        no_keywords: bool,
        /// Trust these certificates (PEM) and not the public authorities
        #[arg(long, value_name = "FILE")]
        ca_file: Option<FileArgument>,
        /// No TLS; only to this machine
        #[arg(long, conflicts_with = "ca_file")]
        plain: bool,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        common: Common,
    },
    /// A PST file: what is tracked goes to the CRM; the file is only read
    Pst {
        /// The file
        file: FileArgument,
        #[command(flatten)]
        common: Common,
    },
}

/// What can be changed of an IMAP store; what is left out stays.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct ImapChange {
    /// The folders that take part, by the names that you see, in place of those that did
    #[arg(long = "folder", value_name = "NAME")]
    folders: Vec<String>,
    /// INBOX and the folder of sent mail take part
    #[arg(long, conflicts_with = "folders")]
    usual_folders: bool,
    /// Show keywords of tracked messages to other programs
    #[arg(long)]
    keywords: Option<bool>,
    /// Trust these certificates (PEM) and not the public authorities
    #[arg(long, value_name = "FILE")]
    ca_file: Option<FileArgument>,
}

impl ImapChange {
    pub(super) fn apply(self, imap: &mut Imap) {
        if self.usual_folders || !self.folders.is_empty() {
            imap.folders = self.folders;
        }
        imap.keywords = self.keywords.unwrap_or(imap.keywords);
        if let Some(file) = self.ca_file {
            imap.authorities = Some(file.0);
        }
    }
}

/// What every store has.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Common {
    /// What to call it; its kind when left out
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Your time zone, as an IANA name; that of the store in use when left out
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

/// Where a password or token comes from.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct SecretArguments {
    /// A file with the password or token; OFFSTAGE_STORE_SECRET when left out
    #[arg(long, value_name = "FILE")]
    secret_file: Option<FileArgument>,
    // Read where the command is typed: the process that has the directory has another environment.
    #[arg(skip = Secret::of_environment())]
    environment: Option<Secret>,
}

/// A password or token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    fn of_environment() -> Option<Self> {
        // The environment belongs to the user who runs the command.
        std::env::var(VARIABLE).ok().map(Self)
    }
}

/// `HOST` or `HOST:PORT`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerArgument {
    host: String,
    port: u16,
}

impl FromStr for ServerArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write HOST or HOST:PORT, such as imap.example.org:993".to_owned();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (text, IMAPS_PORT),
        };
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains('/') {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Add {
    /// How the store is reached, its secret, and the user's time zone if one was given.
    pub(super) fn resolve(self) -> Result<(Kept, Option<Secret>, Option<String>), CliError> {
        let (access, secret, common) = match self {
            Self::Dav { address, user, secret, common } => {
                let secret = match user {
                    Some(_) => Some(secret.required()?),
                    None => secret.none_wanted()?,
                };
                (Access::Dav { address, user }, secret, common)
            }
            Self::Graph { address, secret, common } => {
                (Access::Graph { address }, Some(secret.required()?), common)
            }
            Self::Imap { server, user, folders, no_keywords, ca_file, plain, secret, common } => {
                let imap = Imap {
                    host: server.host,
                    port: server.port,
                    user,
                    folders,
                    keywords: !no_keywords,
                    plain,
                    authorities: ca_file.map(|file| file.0),
                };
                (Access::Imap(imap), Some(secret.required()?), common)
            }
            Self::Pst { file, common } => (Access::Pst { file: file.0 }, None, common),
        };
        let name = common.name.unwrap_or_else(|| access.kind().to_owned());
        Ok((Kept { name, access }, secret, common.time_zone))
    }
}

impl SecretArguments {
    /// A store without a user takes no secret; one that was named would be left out quietly.
    fn none_wanted(self) -> Result<Option<Secret>, CliError> {
        if self.secret_file.is_none() {
            return Ok(None);
        }
        Err(CliError::usage("--secret-file goes with --user, and there is none.")
            .hint("Add `--user NAME`, or leave the file out where nobody signs in."))
    }

    pub(super) fn required(self) -> Result<Secret, CliError> {
        let Some(file) = self.secret_file else {
            return self.environment.ok_or_else(|| {
                CliError::usage("This store needs a password or token.").hint(format!(
                    "Put it into a file and name that with --secret-file, or into {VARIABLE}."
                ))
            });
        };
        let text = file.read_text()?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(CliError::usage(format!("'{}' is empty.", file.0.display()))
                .hint("Write the password or token into it, and nothing else."));
        }
        Ok(Secret(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_host_and_a_port() {
        let cases = [
            ("imap.example.org", Some(("imap.example.org", 993))),
            ("imap.example.org:143", Some(("imap.example.org", 143))),
            ("[::1]", Some(("::1", 993))),
            ("[::1]:1143", Some(("::1", 1143))),
            ("imap.example.org:many", None),
            ("imaps://imap.example.org", None),
            (":993", None),
        ];
        for (text, wanted) in cases {
            let parsed = text.parse::<ServerArgument>().ok();
            let wanted = wanted.map(|(host, port)| ServerArgument { host: host.into(), port });
            assert_eq!(parsed, wanted, "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret("hidden".into())), "Secret(..)");
    }
}
