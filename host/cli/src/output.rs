//! What a command answers, and how it is shown: a JSON document, or text and tables for people.
//!
//! Answers are data until the very end, because a command may run in another process than the one
//! that has the terminal. A reader that goes away ends the program quietly.

use crate::error::CliError;
use crate::exit::Exit;
use comfy_table::{Cell, ContentArrangement, LineStyle, Table, TableStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::io::{IsTerminal as _, Write as _};

/// A line under the headers, and nothing else: tables stay readable in a narrow terminal, and lines
/// can be cut out with ordinary tools.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// The longest text shown in one cell; the rest is in `--json`.
const CELL_CHARS_MAX: usize = 240;
/// Columns shown when the terminal does not say how wide it is.
const WIDTH_DEFAULT: u16 = 120;

/// What a command answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Output {
    /// For programs.
    pub(crate) json: Json,
    /// For people.
    pub(crate) blocks: Vec<Block>,
    /// How the program ends.
    pub(crate) exit: Exit,
}

/// A part of an answer for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Block {
    /// Lines of text.
    Text(String),
    /// Rows under headers.
    Table {
        /// The headers.
        headers: Vec<String>,
        /// The rows, as wide as the headers.
        rows: Vec<Vec<String>>,
    },
    /// Names with their values.
    Pairs(Vec<(String, String)>),
    /// Judgements: their tone, the word for it, what they are about, and the sentence.
    Judgements(Vec<(Tone, String, String, String)>),
}

/// How a judgement sounds. The word beside it says the same to those who see no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tone {
    /// Green.
    Good,
    /// As all text.
    Plain,
    /// Yellow.
    Warning,
    /// Red.
    Bad,
}

impl Tone {
    fn coloured(self, text: &str) -> String {
        let code = match self {
            Self::Good => "32",
            Self::Plain => return text.to_owned(),
            Self::Warning => "1;33",
            Self::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Output {
    /// An answer for programs; add blocks for people.
    pub(crate) fn new(json: Json) -> Self {
        Self { json, ..Self::default() }
    }

    /// Adds a line.
    #[must_use]
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// Adds a table, or `empty` when it has no rows.
    #[must_use]
    pub(crate) fn table(self, headers: &[&str], rows: Vec<Vec<String>>, empty: &str) -> Self {
        if rows.is_empty() {
            return self.text(empty);
        }
        let headers = headers.iter().map(|&h| h.to_owned()).collect();
        self.block(Block::Table { headers, rows })
    }

    /// Adds names with values.
    #[must_use]
    pub(crate) fn pairs(self, pairs: Vec<(&str, String)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.block(Block::Pairs(pairs))
    }

    /// Adds judgements.
    #[must_use]
    pub(crate) fn judgements(self, judgements: Vec<(Tone, String, String, String)>) -> Self {
        self.block(Block::Judgements(judgements))
    }

    /// Adds a block.
    #[must_use]
    pub(crate) fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Ends the program with another code than 0.
    #[must_use]
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The text for people, `width` columns wide, with colours or without.
    pub(crate) fn human(&self, width: u16, colour: bool) -> String {
        let blocks: Vec<String> =
            self.blocks.iter().map(|block| block.text(width, colour)).collect();
        blocks.join("\n")
    }
}

impl Block {
    fn text(&self, width: u16, colour: bool) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Table { headers, rows } => {
                let mut table = Table::new();
                table
                    .load_style(STYLE)
                    .set_content_arrangement(ContentArrangement::Dynamic)
                    .set_width(width)
                    .set_header(headers);
                for row in rows {
                    table.add_row(row.iter().map(|cell| Cell::new(shortened(cell))));
                }
                let lines: Vec<String> =
                    table.lines().map(|line| line.trim_end().to_owned()).collect();
                lines.join("\n")
            }
            Self::Pairs(pairs) => {
                let longest = pairs.iter().map(|(name, _)| name.chars().count()).max();
                let column = longest.unwrap_or_default();
                let line = |(name, value): &(String, String)| {
                    let indented = value.replace('\n', &format!("\n{:column$}  ", ""));
                    format!("{name:column$}  {indented}").trim_end().to_owned()
                };
                pairs.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Self::Judgements(judgements) => {
                let longest = judgements.iter().map(|(_, _, about, _)| about.chars().count()).max();
                let column = longest.unwrap_or_default();
                let line = |(tone, word, about, text): &(Tone, String, String, String)| {
                    let text =
                        wrapped(text, usize::from(width).saturating_sub(word.len() + column + 4));
                    let indent = format!("\n{:1$}", "", word.len() + column + 4);
                    let word = if colour { tone.coloured(word) } else { word.clone() };
                    format!("{word}  {about:column$}  {}", text.join(&indent))
                };
                judgements.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// The text in lines of at most `width` characters, broken between words; a longer word has a line
/// of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A cell's text on one line and not too long; control characters never reach a terminal.
pub(crate) fn shortened(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(CELL_CHARS_MAX).map(clean).collect();
    if text.chars().nth(CELL_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// The text with each GUID cut to its first digits, for tables whose rows nobody looks up by id.
pub(crate) fn brief_ids(text: &str) -> String {
    const DIGITS: usize = 8;
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut brief = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        brief.push_str(before);
        if offstage_model::Uuid::try_parse(word).is_ok() {
            brief.push_str(&word[..DIGITS]);
            brief.push('…');
        } else {
            brief.push_str(word);
        }
        rest = after;
    }
    brief + rest
}

/// A number with separators between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,200 rows`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `yes` or `no`.
pub(crate) fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// How wide the output may be.
pub(crate) fn terminal_width() -> u16 {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = if std::io::stdout().is_terminal() { Table::new().width() } else { None };
    width.or_else(columns).unwrap_or(WIDTH_DEFAULT).max(40)
}

/// Whether `stream` may get colours (`NO_COLOR`, no-color.org).
pub(crate) fn may_colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Shows an answer on stdout.
pub(crate) fn show(output: &Output, as_json: bool) -> Exit {
    let text = if as_json {
        output.json.to_string()
    } else {
        output.human(terminal_width(), may_colour(std::io::stdout().is_terminal()))
    };
    if !text.is_empty() {
        say(&text);
    }
    output.exit
}

/// Shows an error: as JSON on stdout, or for people on stderr.
pub(crate) fn show_error(error: &CliError, as_json: bool) -> Exit {
    if as_json {
        say(&error.json().to_string());
        return error.exit;
    }
    let colour = may_colour(std::io::stderr().is_terminal());
    let label = |name: &str, code: &str| match colour {
        true => format!("\u{1b}[{code}m{name}:\u{1b}[0m"),
        false => format!("{name}:"),
    };
    let mut text = format!("{} {}\n", label("error", "1;31"), error.message);
    if let Some(hint) = &error.hint {
        text.push_str(&format!("{} {hint}\n", label("hint", "1;36")));
    }
    let details = [
        ("step", error.step.clone()),
        ("code", error.code.map(|c| format!("0x{c:08x}"))),
        ("trace", error.trace_id.map(|id| id.to_string())),
    ];
    for (name, value) in details {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    complain(text.trim_end());
    error.exit
}

/// Writes a line to stdout. A reader that went away, as `| head` does, is no error.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    if written.and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a line to stderr, as far as that works.
pub(crate) fn complain(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(4_000, "row", "rows"), "4,000 rows");
    }

    #[test]
    fn ids_are_cut_and_other_words_are_not() {
        let id = "7cf4a8f9-5fac-8571-b8a4-d4a3452650bd";
        assert_eq!(brief_ids(&format!("Create task({id}) a-b")), "Create task(7cf4a8f9…) a-b");
        assert_eq!(brief_ids(id), "7cf4a8f9…");
        assert_eq!(brief_ids("añ 12 €"), "añ 12 €");
    }

    #[test]
    fn cells_are_one_short_line_without_control_characters() {
        assert_eq!(shortened("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(shortened(&"x".repeat(500)).chars().count(), CELL_CHARS_MAX + 1);
    }

    #[test]
    fn judgements_are_wrapped_and_keep_their_word_without_colour() {
        let one = (Tone::Bad, "bad".to_owned(), "Cost".to_owned(), "far too much of it".to_owned());
        let output = Output::new(Json::Null).judgements(vec![one]);
        assert_eq!(output.human(23, false), "bad  Cost  far too much\n           of it");
        assert_eq!(output.human(40, true), "\u{1b}[1;31mbad\u{1b}[0m  Cost  far too much of it");
    }

    #[test]
    fn blocks_become_text() {
        let output = Output::new(Json::Null)
            .text("Two rows.")
            .table(&["Name"], vec![vec!["Contoso".into()]], "none")
            .pairs(vec![("State", "online".into()), ("User", "Rosa".into())])
            .table(&["Name"], vec![], "No rows.");
        let text = output.human(40, false);
        assert!(text.starts_with("Two rows.\n"), "{text}");
        assert!(text.contains("Contoso") && text.contains("State  online\nUser   Rosa"), "{text}");
        assert!(text.ends_with("No rows."), "{text}");
    }
}
