//! The server over real HTTP on loopback, with a real pipeline and store. No other network.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod test_control;
mod test_plugins;
mod test_refusals;
mod test_sync;
mod test_token;
mod test_web_api;
mod world;
