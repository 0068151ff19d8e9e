//! Takes the secret configuration of a step out of a capture, and puts it back for a replay where
//! it is known.
//!
//! The secret is replaced wherever a text holds it, whole or one of its parts: a plug-in takes the
//! password out of a JSON object or a line and puts it elsewhere. Never looks into bytes: a plug-in
//! that encodes its secret puts it where nobody finds it.

/// Stands for the secure configuration in captures.
pub const REDACTED: &str = "[redacted:secure-configuration]";
/// Shorter secrets are taken out of the context only: elsewhere they could be any word.
const SEARCHED_BYTES_MIN: usize = 4;
/// Shorter parts are not looked for: they are `true` and `https`.
const PART_BYTES_MIN: usize = 6;
/// The most parts that are looked for.
const PARTS_MAX: usize = 100;

/// A secret with its parts, longest first, each with its stand-in.
#[derive(Debug)]
pub(crate) struct Redaction {
    secret: String,
    searched: Vec<(String, String)>,
}

impl Redaction {
    /// For this secure configuration; empty: nothing is secret.
    pub(crate) fn new(secret: &str) -> Self {
        let mut parts = parts(secret);
        parts.retain(|part| part.len() >= PART_BYTES_MIN && part != secret);
        parts.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        parts.dedup();
        parts.truncate(PARTS_MAX);
        let stand_in = |number: usize| format!("[redacted:secure-configuration:{number}]");
        let mut searched = Vec::new();
        if secret.len() >= SEARCHED_BYTES_MIN {
            searched.push((secret.to_owned(), REDACTED.to_owned()));
        }
        searched.extend((1..).zip(parts).map(|(number, part)| (part, stand_in(number))));
        Self { secret: secret.to_owned(), searched }
    }

    /// Whether there is anything to redact.
    pub(crate) fn is_needed(&self) -> bool {
        !self.secret.is_empty()
    }

    /// Takes the secret out of a text.
    pub(crate) fn hide(&self, text: &mut String) {
        if *text == self.secret && self.is_needed() {
            REDACTED.clone_into(text);
            return;
        }
        for (part, stand_in) in &self.searched {
            if text.contains(part) {
                *text = text.replace(part, stand_in);
            }
        }
    }

    /// Puts the secret back.
    pub(crate) fn restore(&self, text: &mut String) {
        let whole = (self.secret.as_str(), REDACTED);
        let parts = self.searched.iter().map(|(part, stand_in)| (part.as_str(), stand_in.as_str()));
        for (part, stand_in) in std::iter::once(whole).chain(parts) {
            if self.is_needed() && text.contains(stand_in) {
                *text = text.replace(stand_in, part);
            }
        }
    }
}

/// What a plug-in is likely to take out of its configuration: the values of a JSON text; otherwise
/// its lines and what stands between semicolons, each whole and behind its name.
fn parts(secret: &str) -> Vec<String> {
    let mut parts = Vec::new();
    if let Ok(json) = serde_json::from_str(secret) {
        values(&json, &mut parts);
        return parts;
    }
    for line in secret.split(['\n', '\r', ';']) {
        let value = line.split_once(['=', ':']).map(|(_, value)| value);
        for text in std::iter::once(line).chain(value) {
            parts.push(text.trim_matches([' ', '\t', '"', '\'']).to_owned());
        }
    }
    parts
}

fn values(json: &serde_json::Value, parts: &mut Vec<String>) {
    match json {
        serde_json::Value::String(text) => parts.push(text.clone()),
        serde_json::Value::Number(number) => parts.push(number.to_string()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| values(item, parts)),
        serde_json::Value::Object(items) => items.values().for_each(|item| values(item, parts)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_and_comes_back() {
        let part = |number: usize| format!("[redacted:secure-configuration:{number}]");
        let json =
            r#"{"url": "https://a.example", "auth": {"key": "s3cr3t-é\"x"}, "pins": [1234567]}"#;
        let lines = "user = ada\npassword = 'hunter22'\n";
        let connection = "Server=db.example;Password=hunter=22;";
        let cases = [
            ("hunter22", "hunter22", REDACTED.to_owned()),
            ("hunter22", "key=hunter22;", format!("key={REDACTED};")),
            ("hunter22", "nothing", "nothing".to_owned()),
            ("abc", "abc", REDACTED.to_owned()),
            ("abc", "abcdef", "abcdef".to_owned()),
            ("", "text", "text".to_owned()),
            // What a plug-in takes out of it.
            (json, json, REDACTED.to_owned()),
            (json, "Bearer s3cr3t-é\"x", format!("Bearer {}", part(2))),
            (json, "pin 1234567 of https://a.example", format!("pin {} of {}", part(3), part(1))),
            (lines, "hunter22", part(3)),
            (lines, "password = 'hunter22", part(1)),
            (lines, "ada", "ada".to_owned()),
            (connection, "hunter=22", part(4)),
            (connection, "at db.example", format!("at {}", part(3))),
        ];
        for (secret, text, hidden) in cases {
            let redaction = Redaction::new(secret);
            let mut found = text.to_owned();
            redaction.hide(&mut found);
            assert_eq!(found, hidden, "{secret} in {text}: {redaction:?}");
            redaction.restore(&mut found);
            assert_eq!(found, text, "{secret} back in {text}");
        }
    }

    #[test]
    fn what_is_looked_for_has_a_bound() {
        let secret: Vec<String> = (0..10_000).map(|number| format!("part-{number:06}")).collect();
        assert_eq!(Redaction::new(&secret.join("\n")).searched.len(), 1 + PARTS_MAX);
    }
}
