//! Serving until the process is told to stop: binds, says where, tells other commands by
//! `running.json`, and stops gracefully.
//!
//! Never decides who may call.

use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::random_hex;
use crate::output::say;
use crate::running::{Notice, Running};
use offstage_server::{App, ControlDoor, Exposure, Server, ServerError, router};
use serde_json::{Value as Json, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// How to listen.
pub(crate) struct Listen<'a> {
    /// The address; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Who may reach it.
    pub(crate) exposure: Exposure,
    /// The data directory.
    pub(crate) data: &'a Path,
    /// Whether to say where as JSON.
    pub(crate) as_json: bool,
    /// Names of the plug-ins that run for a debugger.
    pub(crate) debug_plugins: Vec<String>,
    /// What else the first line tells programs.
    pub(crate) extra: Option<(&'a str, Json)>,
}

/// Serves `app` until SIGINT or SIGTERM.
pub(crate) fn serve(
    listen: &Listen<'_>,
    app: impl FnOnce(ControlDoor) -> App,
    control: Arc<dyn offstage_server::Control>,
) -> Result<(), CliError> {
    let server = Server::bind(listen.address, listen.exposure).map_err(cannot_listen)?;
    let url = format!("http://{}", server.local_addr());
    let token = random_hex::<32>();
    let router = router(app(ControlDoor::new(control, &token)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Internal, format!("No runtime: {error}.")))?;
    let _entered = runtime.enter();
    // Installed before anybody hears of the address, so that no signal is missed.
    let stopped = stop_signal()
        .map_err(|error| CliError::new(Exit::Internal, format!("No signal handler: {error}.")))?;
    let running = Running {
        url: local_url(server.local_addr()),
        pid: std::process::id(),
        token,
        debug_plugins: listen.debug_plugins.clone(),
    };
    let notice = Notice::put(listen.data, &running)?;
    if listen.as_json {
        let mut line = json!({ "listening": url });
        if let Some((name, value)) = &listen.extra {
            line[*name] = value.clone();
        }
        say(&line.to_string());
    } else {
        say(&format!("listening on {url}"));
    }
    let result = runtime.block_on(server.serve(router, stopped));
    drop(notice);
    result.map_err(cannot_listen)
}

/// The address by which this machine reaches the listener.
fn local_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

fn cannot_listen(error: ServerError) -> CliError {
    let exit = match &error {
        ServerError::NotLoopback { .. } => Exit::Usage,
        _ => Exit::Internal,
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let error = CliError::new(exit, format!("{message}."));
    if exit == Exit::Internal {
        error.hint("`--listen 127.0.0.1:0` takes a free port.")
    } else {
        error
    }
}
