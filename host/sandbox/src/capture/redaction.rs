//! Takes the secret configuration of a step out of a capture, and puts it back for a replay where
//! it is known.
//!
//! The secret is replaced wherever a text holds it, so what a plug-in copied elsewhere is gone too.
//! Never looks into bytes: a plug-in that encodes its secret puts it where nobody finds it.

/// Stands for the secure configuration in captures.
pub const REDACTED: &str = "[redacted:secure-configuration]";
/// Shorter secrets are taken out of the context only: elsewhere they could be any word.
const SEARCHED_BYTES_MIN: usize = 4;

/// A secret and its stand-in.
#[derive(Debug)]
pub(crate) struct Redaction {
    secret: String,
}

impl Redaction {
    /// For this secure configuration; empty: nothing is secret.
    pub(crate) fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned() }
    }

    /// Whether there is anything to redact.
    pub(crate) fn is_needed(&self) -> bool {
        !self.secret.is_empty()
    }

    /// Takes the secret out of a text.
    pub(crate) fn hide(&self, text: &mut String) {
        if *text == self.secret && self.is_needed() {
            REDACTED.clone_into(text);
        } else if self.secret.len() >= SEARCHED_BYTES_MIN && text.contains(&self.secret) {
            *text = text.replace(&self.secret, REDACTED);
        }
    }

    /// Puts the secret back.
    pub(crate) fn restore(&self, text: &mut String) {
        if self.is_needed() && text.contains(REDACTED) {
            *text = text.replace(REDACTED, &self.secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_and_comes_back() {
        let cases = [
            ("hunter22", "hunter22", REDACTED.to_owned()),
            ("hunter22", "key=hunter22;", format!("key={REDACTED};")),
            ("hunter22", "nothing", "nothing".to_owned()),
            ("abc", "abc", REDACTED.to_owned()),
            ("abc", "abcdef", "abcdef".to_owned()),
            ("", "text", "text".to_owned()),
        ];
        for (secret, text, hidden) in cases {
            let redaction = Redaction::new(secret);
            let mut found = text.to_owned();
            redaction.hide(&mut found);
            assert_eq!(found, hidden, "{secret} in {text}");
            redaction.restore(&mut found);
            assert_eq!(found, text, "{secret} back in {text}");
        }
    }
}
