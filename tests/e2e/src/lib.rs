//! What the end-to-end campaigns share: seeds, work with a known result, the check of that result,
//! a network that fails, a server with devices in one process, and the real program.
//!
//! Never decides whether the product is right; [`oracle`] compares what it did with what was asked.

pub mod oracle;
pub mod program;
pub mod proxy;
pub mod seeds;
pub mod work;
pub mod world;
