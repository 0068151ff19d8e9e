//! Named places in the middle of long work where a campaign may end the process or inject an error.
//!
//! Without the feature `crash-points` every place compiles to nothing.

/// Stops here with a transient fault when a test asked for it; a no-op in normal builds.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::reached($name)?;
    };
}
pub(crate) use crash_point;

/// The places, in the order in which work meets them.
pub const CRASH_POINTS: &[&str] = &[
    "offline.after-handshake",
    "offline.after-adopt",
    "offline.after-prepare",
    "offline.page-applied",
    "offline.before-post",
    "offline.after-post",
    "online.state-written",
    "online.before-send",
    "online.after-send",
    "online.outcomes-recorded",
    "online.page-applied",
    "online.after-pull",
    "online.after-repair",
    "online.before-switch",
    "execute.pending-written",
    "execute.answered",
];

#[cfg(feature = "crash-points")]
mod hook {
    use offstage_model::{Fault, code};
    use std::cell::RefCell;

    /// Whether to stop at a place.
    type Hook = Box<dyn FnMut(&'static str) -> bool>;

    thread_local! {
        /// Of one thread, so that tests do not disturb each other.
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// The environment variable that names the place at which a real process ends itself.
    const VARIABLE: &str = "OFFSTAGE_CRASH_POINT";

    /// Sets what decides, at each place that this thread reaches, whether to stop there; `None`
    /// removes it.
    pub fn set_crash_hook(hook: Option<Hook>) {
        HOOK.with_borrow_mut(|set| *set = hook);
    }

    pub(crate) fn reached(name: &'static str) -> Result<(), Fault> {
        if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == name) {
            std::process::abort();
        }
        let stops = HOOK.with_borrow_mut(|hook| hook.as_mut().is_some_and(|stop| stop(name)));
        if stops {
            let text = format!("stopped at the crash point '{name}'");
            return Err(Fault::new(code::INTERNAL, text));
        }
        Ok(())
    }
}

#[cfg(feature = "crash-points")]
pub(crate) use hook::reached;
#[cfg(feature = "crash-points")]
pub use hook::set_crash_hook;
