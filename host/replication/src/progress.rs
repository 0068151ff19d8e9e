//! How long work tells what it does. Never prints; the command line draws it.

/// Watches long work: going offline, going online, syncing.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` is how many steps it has, where that is known.
    fn start(&self, stage: &str, total: Option<u64>);
    /// `n` more steps are done.
    fn advance(&self, n: u64);
    /// Something that a person may want to know.
    fn note(&self, text: &str);
    /// The stage is done.
    fn finish(&self);
    /// Whether to stop at the next safe place; the work can be resumed.
    fn cancelled(&self) -> bool;
}

/// Watches nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _stage: &str, _total: Option<u64>) {}
    fn advance(&self, _n: u64) {}
    fn note(&self, _text: &str) {}
    fn finish(&self) {}
    fn cancelled(&self) -> bool {
        false
    }
}
