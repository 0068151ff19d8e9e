//! Plug-ins that run for a native debugger: an engine of their own, whose code has the debug
//! information that gdb and lldb read from this process.
//!
//! Never caches code: a debugger writes breakpoints into it. Never touches how the others run.

mod abbreviations;
mod holds;

pub use abbreviations::has_debug_info;
pub(crate) use abbreviations::with_base_addresses;
pub(crate) use holds::Holds;

use offstage_model::registration::PackageDeclaration;

/// Which plug-ins run for a debugger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DebugPlugins {
    /// None.
    #[default]
    None,
    /// Those with one of these names: a package's id, the last part of it, or one of its types.
    Named(Vec<String>),
    /// All.
    All,
}

impl DebugPlugins {
    /// Whether there is nothing to debug.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether a package with these types is one of them.
    #[must_use]
    pub fn names<'a>(&self, package: &str, mut types: impl Iterator<Item = &'a str>) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => {
                let last = package.rsplit('/').next().unwrap_or(package);
                let is_named = |wanted: &str| names.iter().any(|name| name == wanted);
                is_named(package) || is_named(last) || types.any(is_named)
            }
        }
    }

    /// Whether the package that declares this is one of them.
    pub(crate) fn contains(&self, declared: &PackageDeclaration) -> bool {
        self.names(&declared.package, declared.types.iter().map(|t| t.name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_by_its_id_its_last_part_or_a_type() {
        let types = ["samples.rollup.AccountRollup"];
        let cases = [
            ("samples/account-rollup", true),
            ("account-rollup", true),
            ("samples.rollup.AccountRollup", true),
            ("rollup", false),
            ("samples", false),
            ("", false),
        ];
        for (name, expected) in cases {
            let plugins = DebugPlugins::Named(vec![name.into()]);
            let found = plugins.names("samples/account-rollup", types.iter().copied());
            assert_eq!(found, expected, "{name}");
        }
        assert!(DebugPlugins::All.names("any/package", std::iter::empty()));
        assert!(!DebugPlugins::None.names("any/package", std::iter::empty()));
    }
}
