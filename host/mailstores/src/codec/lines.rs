//! Content lines of vCard and iCalendar objects, kept byte for byte.
//!
//! A document is the list of its logical lines with the bytes that each was read from. What nobody
//! changes is written back as it was read: folding, case, order, line ends, even broken lines. A
//! line that is replaced keeps its place. It never interprets a value.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use super::LimitExceeded;

/// Longer objects are refused: an item is text that a person wrote, and a photograph.
pub const OBJECT_BYTES_MAX: usize = 16 << 20;
/// More lines than this are refused.
pub const LINES_MAX: usize = 200_000;
/// Components nested deeper than this are refused.
pub const DEPTH_MAX: usize = 16;

/// A text of content lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    lines: Vec<Line>,
    line_end: &'static str,
    /// The components, once somebody asked; forgotten when a line comes or goes.
    blocks: OnceLock<Vec<Block>>,
}

/// One logical line: a name, parameters and a value, or something that is no content line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The bytes that it was read from, with folds and the line end.
    raw: Vec<u8>,
    group: Option<String>,
    name: String,
    parameters: Vec<Param>,
    value: String,
}

/// A parameter of a line. `TEL;HOME:` of vCard 2.1 has the name `TYPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// In upper case.
    pub name: String,
    /// The values, without quotation marks.
    pub values: Vec<String>,
    /// As it was written.
    pub raw: String,
}

/// A component: the lines from its `BEGIN` to its `END`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// In upper case.
    pub name: String,
    /// How many components it lies in.
    pub depth: usize,
    /// The line with `BEGIN`.
    pub begin: usize,
    /// The line with `END`.
    pub end: usize,
}

impl Document {
    /// Reads a document; any bytes are one, unless they exceed a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, LimitExceeded> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(LimitExceeded { what: "bytes", limit: OBJECT_BYTES_MAX });
        }
        let mut lines = Vec::new();
        for range in logical_lines(bytes) {
            if lines.len() == LINES_MAX {
                return Err(LimitExceeded { what: "lines", limit: LINES_MAX });
            }
            lines.push(Line::read(&bytes[range]));
        }
        let bare = bytes.iter().position(|byte| *byte == b'\n').is_some_and(|at| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            before != Some(&b'\r')
        });
        Ok(Self { lines, line_end: if bare { "\n" } else { "\r\n" }, blocks: OnceLock::new() })
    }

    /// Writes the document: the bytes of every line in order.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.raw.iter().copied()).collect()
    }

    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The components that have both ends, in the order of their `BEGIN`.
    pub fn blocks(&self) -> Result<&[Block], LimitExceeded> {
        if let Some(blocks) = self.blocks.get() {
            return Ok(blocks);
        }
        let found = self.find_blocks()?;
        Ok(self.blocks.get_or_init(|| found))
    }

    fn find_blocks(&self) -> Result<Vec<Block>, LimitExceeded> {
        let mut open: Vec<(String, usize)> = Vec::new();
        let mut blocks = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let named = || line.value.trim().to_ascii_uppercase();
            if line.name == "BEGIN" {
                if open.len() == DEPTH_MAX {
                    return Err(LimitExceeded { what: "nested components", limit: DEPTH_MAX });
                }
                open.push((named(), at));
            } else if line.name == "END" {
                // A forgotten END closes with the component around it.
                let name = named();
                if let Some(depth) = open.iter().rposition(|(opened, _)| *opened == name) {
                    let begin = open[depth].1;
                    open.truncate(depth);
                    blocks.push(Block { name, depth, begin, end: at });
                }
            }
        }
        blocks.sort_by_key(|block| block.begin);
        Ok(blocks)
    }

    /// The places of a component's own lines, without those of the components in it.
    #[must_use]
    pub fn own_lines(&self, block: &Block) -> Vec<usize> {
        let mut depth = 0usize;
        let mut own = Vec::new();
        for at in block.begin + 1..block.end {
            match self.lines[at].name.as_str() {
                "BEGIN" => depth += 1,
                "END" => depth = depth.saturating_sub(1),
                _ if depth == 0 => own.push(at),
                _ => {}
            }
        }
        own
    }

    /// Puts a line in the place of another one, unless it says the same already.
    pub fn replace(&mut self, at: usize, line: NewLine) {
        let line = line.build(self.line_end);
        let old = &self.lines[at];
        let same = old.group == line.group
            && old.name == line.name
            && old.parameters == line.parameters
            && old.value == line.value;
        if !same {
            self.lines[at] = line;
        }
    }

    /// Adds a line before the one at `at`.
    pub fn insert(&mut self, at: usize, line: NewLine) {
        // A last line without an end would swallow what follows it.
        if let Some(before) = at.checked_sub(1).and_then(|before| self.lines.get_mut(before))
            && !before.raw.ends_with(b"\n")
        {
            before.raw.extend_from_slice(self.line_end.as_bytes());
        }
        self.lines.insert(at, line.build(self.line_end));
        self.blocks = OnceLock::new();
    }

    /// Takes a line out.
    pub fn remove(&mut self, at: usize) {
        self.lines.remove(at);
        self.blocks = OnceLock::new();
    }

    /// Puts whole lines, as text, before the line at `at`.
    pub fn splice(&mut self, at: usize, text: &str) -> Result<(), LimitExceeded> {
        let lines = Self::parse(text.as_bytes())?.lines;
        self.lines.splice(at..at, lines);
        self.blocks = OnceLock::new();
        Ok(())
    }
}

impl Line {
    fn read(raw: &[u8]) -> Self {
        let text = joined(raw);
        // The parser wants UTF-8; an old card may be in a national encoding. One character a byte
        // keeps the structure, and each part is decoded for itself.
        let latin: String = match text {
            Cow::Borrowed(bytes) => bytes.iter().copied().map(char::from).collect(),
            Cow::Owned(bytes) => bytes.into_iter().map(char::from).collect(),
        };
        let Some(parsed) = vparser::Parser::new(&latin).next() else {
            return Self::opaque(raw);
        };
        let name = decoded(&parsed.name());
        let (group, name) = match name.rsplit_once('.') {
            Some((group, name)) => (Some(group.to_owned()), name),
            None => (None, name.as_str()),
        };
        let colon = latin.len() > parsed.name().len();
        if !colon || name.is_empty() {
            return Self::opaque(raw);
        }
        Self {
            raw: raw.to_vec(),
            group,
            name: name.trim().to_ascii_uppercase(),
            parameters: super::text::parameters(&decoded(&parsed.params())),
            value: decoded(&parsed.value()),
        }
    }

    /// A line that is no content line: it is kept, and nobody finds it.
    fn opaque(raw: &[u8]) -> Self {
        let (group, name, value) = (None, String::new(), String::new());
        Self { raw: raw.to_vec(), group, name, parameters: Vec::new(), value }
    }

    /// The property's name in upper case, without a group.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group before the name: the `item1` of `item1.TEL`.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The value, unfolded and still escaped.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The whole line, unfolded and decoded, without its end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(group) = &self.group {
            text.push_str(group);
            text.push('.');
        }
        text.push_str(&self.name);
        for parameter in &self.parameters {
            text.push(';');
            text.push_str(&parameter.raw);
        }
        text.push(':');
        text.push_str(&self.value);
        text
    }

    /// The bytes that it is written as.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// All parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Param] {
        &self.parameters
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|parameter| parameter.name == name)?;
        found.values.first().map(String::as_str)
    }

    /// Whether one of the line's types is `kind`, in any case.
    #[must_use]
    pub fn is_type(&self, kind: &str) -> bool {
        self.parameters
            .iter()
            .filter(|parameter| parameter.name == "TYPE")
            .flat_map(|parameter| &parameter.values)
            .any(|value| value.eq_ignore_ascii_case(kind))
    }

    /// This line as the beginning of one that takes its place.
    #[must_use]
    pub fn patched(&self) -> NewLine {
        NewLine {
            group: self.group.clone(),
            name: self.name.clone(),
            parameters: self.parameters.clone(),
            value: self.value.clone(),
        }
    }
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    group: Option<String>,
    name: String,
    parameters: Vec<Param>,
    value: String,
}

impl NewLine {
    /// A line with a value that is escaped already.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        let (group, parameters) = (None, Vec::new());
        Self { group, name: name.to_owned(), parameters, value: value.into() }
    }

    /// The line with another value, escaped already.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        // Whatever the old value was encoded in, the new one is plain UTF-8. A quotation mark that is
        // never closed would swallow it.
        self.parameters.retain(|parameter| {
            !matches!(parameter.name.as_str(), "ENCODING" | "CHARSET")
                && parameter.raw.matches('"').count() % 2 == 0
        });
        self
    }

    /// The line with a parameter added or replaced.
    #[must_use]
    pub fn parameter(self, name: &str, value: &str) -> Self {
        let same = |there: &Param| there.name == name && there.values == [value];
        if self.parameters.iter().filter(|there| there.name == name).all(same)
            && self.parameters.iter().any(same)
        {
            return self;
        }
        let mut line = self.without(name);
        line.parameters.push(super::text::parameter(name, value));
        line
    }

    /// The line without a parameter.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|parameter| parameter.name != name);
        self
    }

    /// The line with another value of a parameter beside those that are there.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push(super::text::parameter(name, value));
        self
    }

    /// The line by itself, as it would be read.
    #[must_use]
    pub fn into_line(self) -> Line {
        self.build("\r\n")
    }

    /// The whole line, unfolded, without its end.
    #[must_use]
    pub fn text(self) -> String {
        self.into_line().text()
    }

    fn build(self, line_end: &str) -> Line {
        let Self { group, name, parameters, value } = self;
        let mut line = Line { raw: Vec::new(), group, name, parameters, value };
        line.raw = folded(&line.text(), line_end).into_bytes();
        line.raw.extend_from_slice(line_end.as_bytes());
        line
    }
}

/// Splits bytes into logical lines, each with its end; folded parts stay together.
fn logical_lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n');
        let next = end.map_or(bytes.len(), |length| at + length + 1);
        let folded = matches!(bytes.get(next), Some(b' ' | b'\t'));
        let soft = is_quoted_printable(&bytes[start..next])
            && trimmed(&bytes[at..next]).ends_with(b"=")
            && next < bytes.len();
        if !folded && !soft {
            ranges.push(start..next);
            start = next;
        }
        at = next;
    }
    if start < bytes.len() {
        ranges.push(start..bytes.len());
    }
    ranges
}

/// Whether the line says that its value is quoted-printable (vCard 2.1).
fn is_quoted_printable(line: &[u8]) -> bool {
    let head = line.split(|byte| *byte == b':').next().unwrap_or_default();
    head.len() < 512
        && String::from_utf8_lossy(head).to_ascii_uppercase().contains("QUOTED-PRINTABLE")
}

/// The logical line without its end, its folds and soft line breaks taken out.
fn joined(raw: &[u8]) -> Cow<'_, [u8]> {
    let soft = is_quoted_printable(raw);
    let body = trimmed(raw);
    if !body.contains(&b'\n') {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len());
    for (number, part) in body.split(|byte| *byte == b'\n').enumerate() {
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        let continues = soft && out.ends_with(b"=");
        if number == 0 {
            out.extend_from_slice(part);
        } else if continues {
            out.pop();
            out.extend_from_slice(part);
        } else {
            out.extend_from_slice(part.get(1..).unwrap_or_default());
        }
    }
    Cow::Owned(out)
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Decodes one character a byte back into text: UTF-8 where it is that, else one byte a character.
fn decoded(latin: &str) -> String {
    if latin.is_ascii() {
        return latin.to_owned();
    }
    let bytes: Vec<u8> = latin.chars().map(|char| char as u32 as u8).collect();
    String::from_utf8(bytes).unwrap_or_else(|_| latin.to_owned())
}

/// Folds a line so that no part is longer than 75 bytes, between characters.
fn folded(text: &str, line_end: &str) -> String {
    let Some(line) = vparser::Parser::new(text).next() else { return text.to_owned() };
    let folded = line.normalise_folds();
    if line_end == "\r\n" { folded.into_owned() } else { folded.replace("\r\n", line_end) }
}
