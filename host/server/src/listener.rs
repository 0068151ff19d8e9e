//! The listener: takes connections within limits, and stops gracefully.
//!
//! Prints nothing; says by its return values where it listens and what went wrong.

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tower::ServiceExt as _;

/// Connections at once; more wait in the system's backlog.
const CONNECTIONS_MAX: usize = 1_024;
/// The head of a request: the URL may have 32 KB (Dataverse), the rest is headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// The longest time in which the head of a request must have come.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// How long requests that run may still take when the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);
/// The wait after the system had no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who may reach a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// This machine only; another address is refused.
    Loopback,
    /// Whoever reaches the address.
    Network,
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is not a loopback address, and must be.
    #[error(
        "{address} can be reached from other machines; this server binds to loopback only (use 127.0.0.1:PORT)"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused what the listener needs.
    #[error("the listener failed")]
    Io(#[from] std::io::Error),
}

/// The address of the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A bound listener that does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds to `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is taken or not of this machine, or `exposure` forbids it.
    pub fn bind(address: SocketAddr, exposure: Exposure) -> Result<Self, ServerError> {
        if exposure == Exposure::Loopback && !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback { address });
        }
        let listener = std::net::TcpListener::bind(address)
            .map_err(|source| ServerError::Bind { address, source })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` resolves; then takes no more connections and lets running requests
    /// end, for 20 s at most.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub async fn serve(
        self,
        router: Router,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServerError> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let place = tokio::select! {
                place = Arc::clone(&connections).acquire_owned() => place,
                () = &mut shutdown => break,
            };
            let (stream, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                () = &mut shutdown => break,
            };
            // Answers are small and waited for.
            drop(stream.set_nodelay(true));
            let service = router.clone().map_request(move |request: hyper::Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                request
            });
            let connection =
                http1().serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            let connection = graceful.watch(connection);
            let _detached = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke");
                }
                drop(place);
            });
        }
        drop(listener);
        if tokio::time::timeout(STOP_TIME_MAX, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still running when the server stopped");
        }
        Ok(())
    }

    /// Serves on a thread and a runtime of its own; for programs that block.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self, router: Router) -> Result<Running, ServerError> {
        let address = self.address;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            // A dropped sender stops the server as well.
            runtime.block_on(self.serve(router, async { drop(stopped.await) }))
        })?;
        Ok(Running { address, stop: Some(stop), thread: Some(thread) })
    }
}

fn http1() -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
}

/// A server that runs on a thread of its own. Dropping it stops it and waits.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Result<(), ServerError>>>,
}

impl Running {
    /// The address with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops taking connections, lets running requests end, and waits for that.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended with an error"),
            Err(_) => tracing::error!("the server's thread panicked"),
        }
    }
}
