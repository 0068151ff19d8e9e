//! iCalendar events and to-dos to and from the properties of appointments and tasks.
//!
//! An object is everything with one UID: the series and the instances that differ from it. The
//! series is what is mapped; its rule and its instances travel as one canonical text. Attendees are
//! written so that no server mails them. Never drops a line that it does not understand.

mod patch;
mod people;
mod read;
mod recurrence;
mod times;

use offstage_model::Timestamp;
use offstage_outlook::{ItemKind, LinkProperties};

use super::lines::{Block, Document, Line, NewLine};
use super::zone::{Zone, Zones};
use super::{LimitExceeded, link};
pub use people::mails_attendees;
pub(crate) use recurrence::Instance;
pub use recurrence::canonical_rule;

/// An object that cannot be mapped, or not written so; its text is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// Too large.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// Neither an event nor a to-do.
    #[error("the text holds no whole event or to-do")]
    NoItem,
    /// Only instances of a series, without the series.
    #[error("the object holds instances of a series without the series itself")]
    NoSeries,
    /// An event without a start.
    #[error("the event has no start")]
    NoStart,
    /// A value that makes no sense.
    #[error("the value of {name} cannot be read")]
    Unreadable {
        /// The property.
        name: String,
    },
    /// A zone that neither the database nor the object knows.
    #[error(
        "the time zone '{zone}' is neither known nor defined in the object, and is not guessed"
    )]
    UnknownZone {
        /// Its name.
        zone: String,
    },
    /// A time that the calendar does not have.
    #[error("a time lies beyond the calendar")]
    BeyondCalendar,
}

/// What writing needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// The user's zone: of times without a zone, and of the day of a point in time.
    pub home: &'a Zone,
    /// The time that a completed task was completed at.
    pub now: Timestamp,
}

/// One event or to-do of a document.
#[derive(Debug, Clone)]
pub struct CalendarObject {
    document: Document,
    kind: ItemKind,
    uid: String,
}

impl CalendarObject {
    /// Reads the first event or to-do of a text.
    pub fn parse(bytes: &[u8]) -> Result<Self, CalendarError> {
        Self::parse_all(bytes)?.into_iter().next().ok_or(CalendarError::NoItem)
    }

    /// Reads every event and to-do of a text; each keeps the text around it.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, CalendarError> {
        let document = Document::parse(bytes)?;
        let mut found: Vec<(ItemKind, String)> = Vec::new();
        for block in document.blocks()? {
            let Some(kind) = kind_of(block) else { continue };
            let uid = value_of(&document, block, "UID").unwrap_or_default();
            if !found.contains(&(kind, uid.clone())) {
                found.push((kind, uid));
            }
        }
        let object = |(kind, uid)| Self { document: document.clone(), kind, uid };
        Ok(found.into_iter().map(object).collect())
    }

    /// A new event or to-do with nothing but its identity and its making time.
    #[must_use]
    pub fn new(kind: ItemKind, uid: &str, made: Timestamp) -> Self {
        let name = if kind == ItemKind::Task { "VTODO" } else { "VEVENT" };
        let stamp = times::utc_text(made).unwrap_or_else(|| "19700101T000000Z".to_owned());
        let written = super::text::escaped(uid);
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{}\r\nBEGIN:{name}\r\nUID:{written}\r\n\
             DTSTAMP:{stamp}\r\nEND:{name}\r\nEND:VCALENDAR\r\n",
            super::PRODUCT
        );
        let document =
            Document::parse(text.as_bytes()).expect("BUG: an empty event is within the limits");
        Self { document, kind, uid: written }
    }

    /// The text with everything that was in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.document.to_bytes()
    }

    /// An appointment or a task.
    #[must_use]
    pub fn kind(&self) -> ItemKind {
        self.kind
    }

    /// The UID.
    #[must_use]
    pub fn uid(&self) -> String {
        super::text::unescaped(&self.uid)
    }

    /// The tie to a record.
    #[must_use]
    pub fn link(&self) -> LinkProperties {
        let lines = self.document.lines();
        let own = self.series().map(|block| self.document.own_lines(&block)).unwrap_or_default();
        link::read(own.into_iter().map(|at| &lines[at]))
    }

    /// Whether a server that handles invitations would mail somebody when this object changes.
    #[must_use]
    pub fn mails_attendees(&self) -> bool {
        let lines = self.document.lines();
        let of = |block: &Block| self.document.own_lines(block);
        let all = self.components().unwrap_or_default();
        all.iter().flat_map(of).any(|at| mails_attendees(&lines[at]))
    }

    /// The components of the object, in order.
    fn components(&self) -> Result<Vec<Block>, LimitExceeded> {
        let mine = |block: &&Block| {
            kind_of(block) == Some(self.kind)
                && value_of(&self.document, block, "UID").unwrap_or_default() == self.uid
        };
        Ok(self.document.blocks()?.iter().filter(mine).cloned().collect())
    }

    /// The component that is no instance of another.
    fn series(&self) -> Result<Block, CalendarError> {
        let mut components = self.components()?.into_iter().peekable();
        if components.peek().is_none() {
            return Err(CalendarError::NoItem);
        }
        components
            .find(|block| value_of(&self.document, block, "RECURRENCE-ID").is_none())
            .ok_or(CalendarError::NoSeries)
    }

    fn zones(&self) -> Result<Zones, LimitExceeded> {
        Zones::of(&self.document)
    }

    /// The place of the first own line of a component with the name.
    fn place(&self, block: &Block, name: &str) -> Option<usize> {
        let lines = self.document.lines();
        self.document.own_lines(block).into_iter().find(|at| lines[*at].name() == name)
    }

    fn line(&self, block: &Block, name: &str) -> Option<&Line> {
        self.place(block, name).map(|at| &self.document.lines()[at])
    }

    /// Puts a line into a component of the given beginning, in the place of the one with its name.
    fn put(
        &mut self,
        begin: usize,
        name: &str,
        line: Option<NewLine>,
    ) -> Result<(), CalendarError> {
        let block = self.block_at(begin)?;
        match (self.place(&block, name), line) {
            (Some(at), Some(line)) => self.document.replace(at, line),
            (Some(at), None) => self.document.remove(at),
            (None, Some(line)) => self.document.insert(self.end_of_own(&block), line),
            (None, None) => {}
        }
        Ok(())
    }

    /// The component that begins at a line; patching a component never moves its beginning.
    fn block_at(&self, begin: usize) -> Result<Block, CalendarError> {
        let blocks = self.document.blocks()?;
        blocks.iter().find(|block| block.begin == begin).cloned().ok_or(CalendarError::NoItem)
    }

    /// Where a new line of a component goes: behind its own lines, before those of its alarms.
    fn end_of_own(&self, block: &Block) -> usize {
        let lines = self.document.lines();
        (block.begin + 1..block.end).find(|at| lines[*at].name() == "BEGIN").unwrap_or(block.end)
    }
}

fn kind_of(block: &Block) -> Option<ItemKind> {
    match block.name.as_str() {
        "VEVENT" => Some(ItemKind::Appointment),
        "VTODO" => Some(ItemKind::Task),
        _ => None,
    }
}

fn value_of(document: &Document, block: &Block, name: &str) -> Option<String> {
    let lines = document.lines();
    let at = document.own_lines(block).into_iter().find(|at| lines[*at].name() == name)?;
    Some(lines[at].value().trim().to_owned())
}
