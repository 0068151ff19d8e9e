//! The codecs and stores through their public doors.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail where they stand; campaigns say what they did"
)]

mod corpus;
mod dovecot;
mod graph_double;
mod servers;
mod suite;
#[path = "../../../outlook/tests/support/mod.rs"]
mod support;
mod test_corpus;
mod test_dav;
mod test_dav_requests;
mod test_engine;
mod test_graph;
mod test_icalendar;
mod test_imap;
mod test_left_alone;
mod test_no_forgotten;
mod test_pst;
mod test_replay;
mod test_slow_servers;
mod test_vcard;
