//! How the demo tells its story: chapters, plain sentences, and the commands with their answers.
//!
//! Says nothing at all when the answer is for programs.

use super::stage::{Person, Watch};
use crate::error::CliError;
use crate::output::{may_colour, say};
use std::io::IsTerminal as _;

/// Columns of the narration.
const WIDTH: usize = 96;

/// Tells the story.
pub(super) struct Story {
    silent: bool,
    colour: bool,
    chapter: u32,
}

impl Story {
    pub(super) fn new(silent: bool) -> Self {
        Self { silent, colour: may_colour(std::io::stdout().is_terminal()), chapter: 0 }
    }

    fn line(&self, text: &str, code: &str) {
        if self.silent {
            return;
        }
        if self.colour && !code.is_empty() {
            say(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
        } else {
            say(text);
        }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        self.line("", "");
        self.line(&format!("{}. {title}", self.chapter), "1;36");
    }

    /// Says something in plain words.
    pub(super) fn tell(&self, text: &str) {
        for line in wrapped(text, WIDTH - 3) {
            self.line(&format!("   {line}"), "");
        }
    }

    /// Shows what is new and matters.
    pub(super) fn result(&self, text: &str) {
        for (index, line) in wrapped(text, WIDTH - 5).iter().enumerate() {
            let mark = if index == 0 { "=>" } else { "  " };
            self.line(&format!("   {mark} {line}"), "1;32");
        }
    }

    /// Shows a command as its person types it.
    pub(super) fn typed(&self, person: &Person, arguments: &[&str]) {
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        self.line(&format!("   {}$ offstage {}", person.name, words.join(" ")), "2");
    }

    /// Types a command and shows what it answers.
    pub(super) fn show(&self, person: &Person, arguments: &[&str]) -> Result<i32, CliError> {
        self.typed(person, arguments);
        // Its progress would only stand between the lines of the story.
        let mut quietly = vec!["--quiet"];
        quietly.extend(arguments);
        let done = person.run(&quietly, Watch::No)?;
        for line in done.text.lines().chain(done.complaint.lines()) {
            self.line(&format!("     {line}"), "");
        }
        Ok(done.exit)
    }

    /// The last words, in a box.
    pub(super) fn boxed(&self, lines: &[String]) {
        let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
        let edge = "─".repeat(width + 2);
        self.line("", "");
        self.line(&format!("╭{edge}╮"), "1;32");
        for line in lines {
            let gap = width - line.chars().count();
            self.line(&format!("│ {line}{:gap$} │", ""), "1;32");
        }
        self.line(&format!("╰{edge}╯"), "1;32");
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=:/.@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    match word.split_once('=') {
        Some((name, value)) if name.chars().all(plain) => format!("{name}=\"{value}\""),
        _ => format!("\"{word}\""),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("BUG: there is always a line");
        let length = last.chars().count() + 1 + word.chars().count();
        if last.is_empty() {
            last.push_str(word);
        } else if length <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_wants_them() {
        assert_eq!(quoted("go-offline"), "go-offline");
        assert_eq!(quoted("jobtitle=Head Buyer"), "jobtitle=\"Head Buyer\"");
        assert_eq!(quoted("a b"), "\"a b\"");
    }

    #[test]
    fn sentences_are_wrapped_at_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
