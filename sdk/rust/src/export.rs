//! `export!`: makes a crate a plug-in package.
//!
//! On targets other than WebAssembly it only checks the list, so that native tests build.

use crate::definition::PluginDefinition;

/// Makes the crate a plug-in package that exports these plug-in functions.
///
/// ```ignore
/// offstage_sdk::export!(package = "samples/phone-numbers", plugins = [normalize]);
/// ```
///
/// It generates the component's export (an unknown type name is a fault) and the custom section
/// `offstage:declarations`: one JSON object per line, the package first, then each plug-in type.
/// Two plug-ins with the same type name, or an empty or unusual package name, do not compile.
#[macro_export]
macro_rules! export {
    (package = $package:literal, plugins = [$($plugin:path),+ $(,)?] $(,)?) => {
        const _: () = {
            const PLUGINS: &[&$crate::PluginDefinition] = &[$(&<$plugin>::PLUGIN),+];
            const HEADER: &str = ::core::concat!(
                "{\"package\":\"", $package, "\",\"version\":\"",
                ::core::env!("CARGO_PKG_VERSION"), "\"}"
            );
            $crate::__private::check_package($package, PLUGINS);
            const LENGTH: usize = $crate::__private::section_length(HEADER, PLUGINS);

            #[cfg(target_arch = "wasm32")]
            #[used]
            #[allow(unsafe_code, reason = "data only: the host reads it before it runs anything")]
            #[unsafe(link_section = "offstage:declarations")]
            static DECLARATIONS: [u8; LENGTH] =
                $crate::__private::section::<LENGTH>(HEADER, PLUGINS);
            #[cfg(not(target_arch = "wasm32"))]
            const _: [u8; LENGTH] = $crate::__private::section::<LENGTH>(HEADER, PLUGINS);

            $crate::__export_component!(PLUGINS);
        };
    };
}

#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! __export_component {
    ($plugins:ident) => {
        struct Component;

        impl $crate::__private::bindings::Guest for Component {
            fn execute(
                plugin_type: ::std::string::String,
                context: $crate::__private::bindings::Context,
            ) -> ::core::result::Result<
                ::std::vec::Vec<$crate::__private::bindings::Change>,
                $crate::__private::bindings::Fault,
            > {
                $crate::__private::execute($plugins, &plugin_type, context)
            }
        }

        $crate::__private::bindings::export!(
            Component with_types_in $crate::__private::bindings
        );
    };
}

#[doc(hidden)]
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! __export_component {
    ($plugins:ident) => {};
}

/// Stops the build for a package that no host could register.
pub const fn check_package(package: &str, plugins: &[&PluginDefinition]) {
    let name = package.as_bytes();
    assert!(!name.is_empty(), "the package name is empty; write one such as \"contoso/sales\"");
    let mut at = 0;
    while at < name.len() {
        assert!(
            name[at].is_ascii_alphanumeric() || matches!(name[at], b'-' | b'_' | b'.' | b'/'),
            "a package name has only letters, digits, `-`, `_`, `.` and `/`"
        );
        at += 1;
    }
    let mut left = 0;
    while left < plugins.len() {
        let mut right = left + 1;
        while right < plugins.len() {
            assert!(
                !equal(plugins[left].type_name.as_bytes(), plugins[right].type_name.as_bytes()),
                "two plug-ins of the package have the same type name"
            );
            right += 1;
        }
        left += 1;
    }
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Returns the bytes of the section: each line with its line end.
pub const fn section_length(header: &str, plugins: &[&PluginDefinition]) -> usize {
    let mut length = header.len() + 1;
    let mut at = 0;
    while at < plugins.len() {
        length += plugins[at].declaration.len() + 1;
        at += 1;
    }
    length
}

/// Writes the section; `N` is its [`section_length`].
pub const fn section<const N: usize>(header: &str, plugins: &[&PluginDefinition]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut end = push_line(&mut bytes, 0, header.as_bytes());
    let mut at = 0;
    while at < plugins.len() {
        end = push_line(&mut bytes, end, plugins[at].declaration.as_bytes());
        at += 1;
    }
    assert!(end == N, "BUG: the section's length was computed from the same lines");
    bytes
}

const fn push_line(bytes: &mut [u8], start: usize, line: &[u8]) -> usize {
    let mut at = 0;
    while at < line.len() {
        bytes[start + at] = line[at];
        at += 1;
    }
    bytes[start + at] = b'\n';
    start + at + 1
}
