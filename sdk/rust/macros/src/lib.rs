//! The `#[plugin]` attribute of `offstage-sdk`.
//!
//! It never reads anything but its own arguments, and refuses at compile time what a host would
//! refuse at registration.

mod check;
mod emit;
mod parse;

use proc_macro::TokenStream;
use syn::{ItemFn, parse_macro_input};

/// Makes a function a plug-in type and declares its steps.
///
/// The function takes `&mut Context` and returns `Result<(), PluginError>`.
///
/// ```text
/// #[plugin(
///     type = "samples.phone.NormalizePhone",
///     step(
///         key = "phone-on-update",                // stable; unique in the type
///         message = "Update",
///         table = "contact",                      // default: any table
///         stage = PreOperation,                   // PreValidation | PreOperation | MainOperation | PostOperation
///         deployment = Both,                      // Server | Offline | Both; default: Server
///         mode = Synchronous,                     // or Asynchronous; default: Synchronous
///         rank = 10,                              // default: 1
///         filtering("telephone1", "mobilephone"), // Update only; default: every update
///         image(kind = Pre, alias = "pre", attributes("telephone1")), // no attributes: all
///         playback = Reconcile,                   // Authoritative | Classic | Once; default: Reconcile
///         on_nested_error = Fail,                 // or Catch; default: Fail
///         configuration = "DE",                   // default: empty
///     ),
///     request(                                    // what the operator is asked to allow
///         table = "task", verbs(create), columns("subject"), // or message, impersonate, directory,
///         reason = "Makes the follow-up.",                   // http, secret, limit
///     ),
/// )]
/// ```
///
/// A plug-in may do what it requests *and* the operator grants; the columns of Target that it sees
/// are given to it by its steps. `docs/guide/signing-and-trust.md` has every kind of request.
///
/// Beside the function `f` it puts the type `f` with the constant `f::PLUGIN`, which
/// `offstage_sdk::export!` and the testkit use.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let checked = syn::parse::<parse::Arguments>(arguments)
        .and_then(|arguments| check::check(&arguments, &function).map(|()| arguments));
    match checked {
        Ok(arguments) => emit::emit(&arguments, &function).into(),
        Err(error) => {
            // The function stays, so that the one mistake does not hide behind "not found".
            let error = error.into_compile_error();
            quote::quote!(#error #function).into()
        }
    }
}
