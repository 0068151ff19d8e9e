//! Named places in the middle of a run where a campaign may end the process or inject an error.
//!
//! Without the feature `crash-points` every place compiles to nothing.

/// Stops here when a test asked for it; a no-op in normal builds.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::engine::crash::reached($name)?;
    };
}
pub(crate) use crash_point;

/// The places, in the order in which a run meets them.
pub const CRASH_POINTS: &[&str] = &[
    "outlook.folder-noted",
    "outlook.observed",
    "crm.page-noted",
    "crm.before-post",
    "crm.after-post",
    "crm.observed",
    "pair.item-written",
    "pair.record-written",
    "pair.base-written",
    "pair.record-created",
    "pair.item-created",
    "pair.record-deleted",
    "pair.item-deleted",
    "pairs.done",
    "verify.noted",
];

/// The places in the undoing of a run, in the order in which a pair meets them.
pub const UNDO_CRASH_POINTS: &[&str] = &["undo.held", "undo.parted", "undo.written", "undo.tied"];

#[cfg(feature = "crash-points")]
mod hook {
    use crate::engine::EngineError;
    use std::cell::RefCell;

    /// Whether to stop at a place.
    type Hook = Box<dyn FnMut(&'static str) -> bool>;

    thread_local! {
        /// Of one thread, so that tests do not disturb each other.
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Sets what decides, at each place that this thread reaches, whether to stop there; `None`
    /// removes it.
    pub fn set_crash_hook(hook: Option<Hook>) {
        HOOK.with_borrow_mut(|set| *set = hook);
    }

    pub(crate) fn reached(place: &'static str) -> Result<(), EngineError> {
        let stops = HOOK.with_borrow_mut(|hook| hook.as_mut().is_some_and(|stop| stop(place)));
        if stops { Err(EngineError::Crash { place }) } else { Ok(()) }
    }
}

#[cfg(feature = "crash-points")]
pub(crate) use hook::reached;
#[cfg(feature = "crash-points")]
pub use hook::set_crash_hook;

#[cfg(feature = "negative-control")]
mod broken {
    use std::cell::Cell;

    thread_local! {
        static POSTS_EARLY: Cell<bool> = const { Cell::new(false) };
    }

    /// Makes the engines of this thread acknowledge rows before they keep them.
    pub fn set_posts_early(on: bool) {
        POSTS_EARLY.set(on);
    }

    pub(crate) fn posts_early() -> bool {
        POSTS_EARLY.get()
    }
}

#[cfg(feature = "negative-control")]
pub(crate) use broken::posts_early;
#[cfg(feature = "negative-control")]
pub use broken::set_posts_early;
