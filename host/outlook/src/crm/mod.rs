//! The CRM's side: the calls of a client to its server, their documents, and the service that
//! answers them.

mod link;
mod service;
pub mod wire;

pub use link::{CrmLink, LocalCrmLink};
pub use service::OutlookService;
