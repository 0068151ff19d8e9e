//! The door to the network: names, and the way to an address. Passed in, so that tests have a network
//! of their own without any rule being weaker.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Names and routes.
pub trait Network: Send + Sync + 'static {
    /// The addresses of a name.
    ///
    /// # Errors
    /// The name is not known, or nobody answers.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// Where packets for `address` go. On a real machine that is its system's to know; a test leads
    /// public addresses to a server of its own.
    fn route(&self, address: SocketAddr) -> SocketAddr {
        address
    }

    /// The certificates, in DER, of those who vouch for servers; `None`: the public ones.
    fn root_certificates(&self) -> Option<Vec<Vec<u8>>> {
        None
    }
}

/// The machine's network.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}
