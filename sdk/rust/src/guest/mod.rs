//! The WebAssembly side: the contract's imports as a [`Host`], and its export.
//!
//! Generated types end here; nothing of them reaches a plug-in author.

mod convert;

use std::sync::Once;

use crate::context::{Context, ExecutionContext};
use crate::definition::PluginDefinition;
use crate::error::{DataError, PluginError};
use crate::files::FileEntry;
use crate::guid::Guid;
use crate::host::Host;
use crate::http::{HttpHeader, HttpRequest};
use crate::request::{Parameters, Request};
use crate::timestamp::Timestamp;
use bindings::offstage::plugin::{files, http, operation, organization, tracing, types};
use convert::{fault, parameters_from, parameters_to};

#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::too_many_arguments,
    clippy::allow_attributes_without_reason,
    reason = "generated from sdk/wit by wit-bindgen"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "offstage_sdk::__private::bindings",
    });
}

/// The imports of the contract.
pub(crate) struct Imports;

impl Host for Imports {
    fn execute(&self, request: Request) -> Result<Parameters, PluginError> {
        let request = types::Request {
            message: request.message,
            parameters: parameters_to(request.parameters),
        };
        let output = organization::execute(&request).map_err(convert::error_from)?;
        Ok(parameters_from(output)?)
    }

    fn parent_context(&self, level: u32) -> Option<ExecutionContext> {
        // A parent that cannot be read (a decimal out of range) is a host's bug, not an absence.
        organization::parent_context(level).map(|context| {
            convert::context_from(context).expect("BUG: the host sent an unreadable parent context")
        })
    }

    fn is_offline_playback(&self) -> bool {
        organization::is_offline_playback()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(operation::now())
    }

    fn server_now(&self) -> Timestamp {
        Timestamp::from_millis(operation::server_now())
    }

    fn new_guid(&self) -> Guid {
        operation::new_guid().into()
    }

    fn random(&self) -> u64 {
        operation::random()
    }

    fn keyed_guid(&self, key: &str) -> Guid {
        operation::keyed_guid(key).into()
    }

    fn trace(&self, text: &str) {
        tracing::trace(text);
    }

    fn read_file(&self, directory: &str, path: &str) -> Result<Vec<u8>, PluginError> {
        files::read(directory, path).map_err(convert::error_from)
    }

    fn write_file(&self, directory: &str, path: &str, contents: &[u8]) -> Result<(), PluginError> {
        files::write(directory, path, contents).map_err(convert::error_from)
    }

    fn remove_file(&self, directory: &str, path: &str) -> Result<(), PluginError> {
        files::remove(directory, path).map_err(convert::error_from)
    }

    fn list_files(
        &self,
        directory: &str,
        path: Option<&str>,
    ) -> Result<Vec<FileEntry>, PluginError> {
        let entries = files::list(directory, path).map_err(convert::error_from)?;
        Ok(entries.into_iter().map(|e| FileEntry { name: e.name, size: e.size }).collect())
    }

    fn enqueue_http(&self, request: HttpRequest) -> Result<Guid, PluginError> {
        let header =
            |h: HttpHeader| http::Header { name: h.name, value: h.value, secret: h.secret };
        let request = http::HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().map(header).collect(),
            body: request.body,
        };
        http::enqueue(&request).map(Into::into).map_err(convert::error_from)
    }
}

/// Runs the plug-in type of this name: the body of the contract's `execute`.
///
/// # Errors
/// The plug-in's own error, or a fault for a type that the package does not export.
pub fn execute(
    plugins: &[&PluginDefinition],
    type_name: &str,
    context: types::Context,
) -> Result<Vec<types::Change>, types::Fault> {
    trace_panics();
    run(plugins, type_name, context).map_err(fault)
}

fn run(
    plugins: &[&PluginDefinition],
    type_name: &str,
    context: types::Context,
) -> Result<Vec<types::Change>, PluginError> {
    let plugin = plugins.iter().find(|plugin| plugin.type_name == type_name).ok_or_else(|| {
        let exported: Vec<&str> = plugins.iter().map(|plugin| plugin.type_name).collect();
        DataError::UnknownPluginType {
            type_name: type_name.to_owned(),
            exported: exported.join(", "),
        }
    })?;
    let mut context = Context::from(convert::context_from(context)?);
    (plugin.run)(&mut context)?;
    Ok(context.into_changes().into_iter().map(Into::into).collect())
}

/// Sends a panic's message and place to the trace before the guest traps, once per instance.
fn trace_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| tracing::trace(&panic.to_string())));
    });
}
