//! Shows long work: a bar on a terminal, plain lines elsewhere, and as events to the process that
//! asked for it.
//!
//! Never cancels: Ctrl-C ends the process, and the work resumes where it stopped.

use crate::output::{complain, grouped};
use indicatif::{ProgressBar, ProgressStyle};
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two plain lines of one stage.
const LINE_PAUSE: Duration = Duration::from_secs(1);

/// What happens during long work, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A stage begins.
    Start(String, Option<u64>),
    /// Steps are done.
    Advance(u64),
    /// Something to know.
    Note(String),
    /// The stage is done.
    Finish,
}

/// Gives an event to a [`Progress`].
pub(crate) fn replay(event: &Event, progress: &dyn Progress) {
    match event {
        Event::Start(stage, total) => progress.start(stage, *total),
        Event::Advance(n) => progress.advance(*n),
        Event::Note(text) => progress.note(text),
        Event::Finish => progress.finish(),
    }
}

/// The progress display for a command named `verb`.
pub(crate) fn display(verb: &str, quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(offstage_replication::Silent)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bar::default())
    } else {
        Box::new(Plain::new(verb))
    }
}

/// Turns progress into events.
pub(crate) struct Forward<F: Fn(Event) + Send + Sync>(pub(crate) F);

impl<F: Fn(Event) + Send + Sync> Progress for Forward<F> {
    fn start(&self, stage: &str, total: Option<u64>) {
        (self.0)(Event::Start(stage.to_owned(), total));
    }
    fn advance(&self, n: u64) {
        (self.0)(Event::Advance(n));
    }
    fn note(&self, text: &str) {
        (self.0)(Event::Note(text.to_owned()));
    }
    fn finish(&self) {
        (self.0)(Event::Finish);
    }
    fn cancelled(&self) -> bool {
        false
    }
}

/// A bar on a terminal.
#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bar {
    fn start(&self, stage: &str, total: Option<u64>) {
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{msg:24} {bar:30} {human_pos}/{human_len} {per_sec}")
            }
            None => (ProgressBar::new_spinner(), "{msg:24} {spinner} {human_pos}"),
        };
        let style =
            ProgressStyle::with_template(template).expect("BUG: the templates above are valid");
        bar.set_style(style);
        bar.set_message(stage.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        if let Some(before) = self.bar().replace(bar) {
            before.finish_and_clear();
        }
    }
    fn advance(&self, n: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(n);
        }
    }
    fn note(&self, text: &str) {
        match &*self.bar() {
            Some(bar) => bar.suspend(|| complain(text)),
            None => complain(text),
        }
    }
    fn finish(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
    fn cancelled(&self) -> bool {
        false
    }
}

/// Plain lines, such as `go-offline: contact 1,200/4,000`.
struct Plain {
    verb: String,
    stage: Mutex<Option<Stage>>,
}

struct Stage {
    name: String,
    total: Option<u64>,
    done: u64,
    /// What the last line said, and when.
    said: Option<(u64, Instant)>,
}

impl Plain {
    fn new(verb: &str) -> Self {
        Self { verb: verb.to_owned(), stage: Mutex::new(None) }
    }

    fn stage(&self) -> MutexGuard<'_, Option<Stage>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, stage: &mut Stage) {
        complain(&format!("{}: {}", self.verb, stage.line()));
        stage.said = Some((stage.done, Instant::now()));
    }
}

impl Stage {
    fn line(&self) -> String {
        match (self.total, self.done) {
            (Some(total), done) => format!("{} {}/{}", self.name, grouped(done), grouped(total)),
            (None, 0) => self.name.clone(),
            (None, done) => format!("{} {}", self.name, grouped(done)),
        }
    }
}

impl Progress for Plain {
    fn start(&self, stage: &str, total: Option<u64>) {
        self.finish();
        *self.stage() = Some(Stage { name: stage.to_owned(), total, done: 0, said: None });
    }
    fn advance(&self, n: u64) {
        if let Some(stage) = &mut *self.stage() {
            stage.done += n;
            let due = stage.said.is_none_or(|(_, when)| when.elapsed() >= LINE_PAUSE);
            if due && stage.total != Some(stage.done) {
                self.say(stage);
            }
        }
    }
    fn note(&self, text: &str) {
        complain(&format!("{}: {text}", self.verb));
    }
    fn finish(&self) {
        if let Some(mut stage) = self.stage().take()
            && stage.said.is_none_or(|(said, _)| said != stage.done)
        {
            self.say(&mut stage);
        }
    }
    fn cancelled(&self) -> bool {
        false
    }
}
