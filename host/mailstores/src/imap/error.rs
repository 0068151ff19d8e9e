//! What a server's refusal means: try later, wait, or let a person do something.
//!
//! The codes are those of RFC 5530; a server without codes is judged by the command. Never shows
//! more than a short, printable part of what a server says.

use std::time::Duration;

use imap::Error;
use offstage_outlook::MailStoreError;

use super::wire::{AnswerTooLarge, WireError};

/// The name of the store in messages.
pub(super) const STORE: &str = "imap";
/// How much of a server's text is shown.
const TEXT_MAX: usize = 200;
/// How long to wait when a server asks for it without saying how long.
const THROTTLE: Duration = Duration::from_secs(60);

/// What to do about a folder that does not take part.
pub(super) const FOLDERS_HINT: &str =
    "`offstage outlook store set NAME --folder FOLDER` says which folders take part";

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    SignIn,
    Open,
    Command,
}

/// Whether the connection is of no use any more.
pub(super) fn breaks(error: &Error) -> bool {
    !matches!(error, Error::No(_) | Error::Bad(_) | Error::Validate(_))
}

/// The class of an error of a command.
pub(super) fn classify(error: &Error, doing: Doing) -> MailStoreError {
    match error {
        Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<AnswerTooLarge>()) => {
            attention(shown(&io.to_string()), "raise the limit, or ask who runs the server")
        }
        Error::No(no) => refusal(&no.information, doing),
        // The server closes: what it says tells why.
        Error::Bye(bye) if has(&bye.information, "THROTTLED") => throttled(),
        Error::Bad(bad) => refused(&bad.information),
        Error::Validate(invalid) => refused(&invalid.to_string()),
        other => transient(&other.to_string()),
    }
}

fn refusal(text: &str, doing: Doing) -> MailStoreError {
    const LATER: [&str; 5] = ["UNAVAILABLE", "INUSE", "SERVERBUG", "EXPUNGEISSUED", "CONTACTADMIN"];
    if has(text, "THROTTLED") || has(text, "LIMIT") {
        return throttled();
    }
    if has(text, "OVERQUOTA") {
        return attention(shown(text), "make room in the mailbox");
    }
    if LATER.iter().any(|code| has(text, code)) {
        return transient(text);
    }
    match doing {
        Doing::SignIn => attention(
            format!("the server does not let the user in: {}", shown(text)),
            "check user and password; some providers want a password for this program alone",
        ),
        Doing::Open => {
            attention(format!("a folder cannot be opened: {}", shown(text)), FOLDERS_HINT)
        }
        Doing::Command => refused(text),
    }
}

/// Whether a text begins with a response code, which the client library does not read.
fn has(text: &str, code: &str) -> bool {
    let inside = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    inside.is_some_and(|(inside, _)| {
        inside.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(code))
    })
}

/// The class of an error of connecting.
pub(super) fn classify_wire(error: &WireError) -> MailStoreError {
    match error {
        WireError::Network(_) => transient(&error.to_string()),
        WireError::PlainToElsewhere { .. } => attention(error.to_string(), "use TLS"),
        WireError::Name { .. } => attention(error.to_string(), "check the name of the server"),
        WireError::Authorities { .. } => {
            attention(error.to_string(), "give a PEM file with certificates")
        }
        WireError::Tls(_) => attention(
            shown(&error.to_string()),
            "check the server's name; for authorities of your own, give their PEM file",
        ),
    }
}

pub(super) fn transient(detail: &str) -> MailStoreError {
    MailStoreError::Transient { store: STORE, detail: shown(detail) }
}

pub(super) fn refused(reason: &str) -> MailStoreError {
    MailStoreError::Refused { store: STORE, reason: shown(reason) }
}

pub(super) fn attention(problem: String, hint: &'static str) -> MailStoreError {
    MailStoreError::NeedsAttention { store: STORE, problem, hint }
}

fn throttled() -> MailStoreError {
    MailStoreError::Throttled { store: STORE, retry_after: THROTTLE }
}

fn shown(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(TEXT_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_a_class() {
        use MailStoreError as E;
        type Class = fn(&E) -> bool;
        let cases: [(&str, Doing, Class); 8] = [
            ("[AUTHENTICATIONFAILED] no", Doing::SignIn, |e| matches!(e, E::NeedsAttention { .. })),
            ("[UNAVAILABLE] down", Doing::SignIn, |e| matches!(e, E::Transient { .. })),
            ("[NONEXISTENT] no such", Doing::Open, |e| matches!(e, E::NeedsAttention { .. })),
            ("[THROTTLED] slow", Doing::Command, |e| matches!(e, E::Throttled { .. })),
            ("[OVERQUOTA] full", Doing::Command, |e| matches!(e, E::NeedsAttention { .. })),
            ("[EXPUNGEISSUED] gone", Doing::Command, |e| matches!(e, E::Transient { .. })),
            ("not [THROTTLED]", Doing::Command, |e| matches!(e, E::Refused { .. })),
            ("no", Doing::Command, |e| matches!(e, E::Refused { .. })),
        ];
        for (text, doing, wanted) in cases {
            let class = refusal(text, doing);
            assert!(wanted(&class), "{text}: {class:?}");
        }
        let long = refusal(&format!("a\r\n{}", "x".repeat(1_000)), Doing::Command);
        assert!(long.to_string().len() < 300 && !long.to_string().contains('\n'));
    }
}
