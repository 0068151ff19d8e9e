//! The trace of one run: what the plug-in wrote, up to a limit.
//!
//! Never keeps control characters: the text ends up on terminals and in logs.

/// Collects trace text up to a number of bytes.
pub(crate) struct Trace {
    text: String,
    bytes_max: usize,
    full: bool,
}

impl Trace {
    /// An empty trace that keeps at most `bytes_max` bytes of what the plug-in writes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max, full: false }
    }

    /// Adds one line of the plug-in; what does not fit is dropped, and that is said once.
    pub(crate) fn line(&mut self, line: &str) {
        if self.full {
            return;
        }
        let separator = usize::from(!self.text.is_empty());
        let room = self.bytes_max.saturating_sub(self.text.len() + separator);
        // What stands for a control character is longer than it.
        let fits = prefix(line, room);
        let clean = printable(fits);
        let kept = prefix(&clean, room);
        if separator == 1 && (line.is_empty() || !kept.is_empty()) {
            self.text.push('\n');
        }
        self.text.push_str(kept);
        if kept.len() < clean.len() || fits.len() < line.len() {
            self.full = true;
            let bytes_max = self.bytes_max;
            self.host_line(&format!("the trace is cut off here: it has {bytes_max} bytes at most"));
        }
    }

    /// Adds a line of the host; it always fits.
    pub(crate) fn host_line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str("[host] ");
        push_printable(&mut self.text, line);
    }

    /// The whole text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and whole characters.
pub(crate) fn prefix(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// `text` without control characters other than line ends and tabs.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    push_printable(&mut clean, text);
    clean
}

fn push_printable(clean: &mut String, text: &str) {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    clean.extend(text.chars().map(|c| if allowed(c) { c } else { '\u{FFFD}' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_whole_characters_and_says_once_that_it_is_cut_off() {
        let mut trace = Trace::new(7);
        trace.line("ab");
        trace.line("cdéf");
        trace.line("never");
        let text = trace.into_text();
        assert_eq!(text, "ab\ncdé\n[host] the trace is cut off here: it has 7 bytes at most");
    }

    #[test]
    fn control_characters_do_not_stretch_the_limit() {
        let mut trace = Trace::new(7);
        trace.line(&"\0".repeat(7));
        let (text, _) = trace.text.split_once("\n[host]").expect("it is cut off");
        assert_eq!(text, "\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn terminal_escapes_do_not_pass() {
        let mut trace = Trace::new(100);
        trace.line("a\u{1b}[2Jb\tc");
        assert_eq!(trace.into_text(), "a\u{FFFD}[2Jb\tc");
    }
}
