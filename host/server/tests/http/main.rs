//! The server over real HTTP on loopback, with a real pipeline and store. No other network.

mod test_control;
mod test_refusals;
mod test_sync;
mod test_token;
mod test_web_api;
mod world;
