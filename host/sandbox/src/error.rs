//! Why a component cannot be loaded.
//!
//! Never holds what a run did; that is `RunError`.

use crate::inspect::{COMPONENT_BYTES_MAX, DECLARATIONS_BYTES_MAX, WORLD_IMPORTS};
use offstage_model::registration::DECLARATIONS_SECTION;
use offstage_model::{Fault, code};

/// Why a component, or the sandbox itself, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine does not start.
    #[error("the WebAssembly engine does not start")]
    Engine {
        /// What wasmtime says.
        source: wasmtime::Error,
    },
    /// The thread that watches deadlines does not start.
    #[error("the thread that watches deadlines does not start")]
    Ticker {
        /// What the system says.
        source: std::io::Error,
    },
    /// The content is no WebAssembly at all.
    #[error("the content is not WebAssembly: it does not start with the bytes 00 61 73 6d")]
    NotWasm,
    /// The content is a core module.
    #[error("the content is a core WebAssembly module and not a component")]
    CoreModule,
    /// The content has more bytes than [`COMPONENT_BYTES_MAX`].
    #[error("the component has {bytes} bytes; at most {COMPONENT_BYTES_MAX} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More modules, functions or nesting than the compiler is given.
    #[error("the component has {count} {what}; at most {count_max} are allowed")]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// How much the component has, as far as it was read.
        count: usize,
        /// How much it may have.
        count_max: usize,
    },
    /// The binary is damaged, or uses WebAssembly proposals that are switched off.
    #[error("the component is not valid: {reason}")]
    Invalid {
        /// What the validator says, with the position.
        reason: String,
    },
    /// The component imports something outside the contract.
    #[error("the component imports '{import}', which no plug-in gets")]
    ForeignImport {
        /// The import's name.
        import: String,
    },
    /// The component exports no `execute`.
    #[error("the component does not export '{export}'")]
    MissingExport {
        /// The export's name.
        export: &'static str,
    },
    /// Names are those of the contract, types are not.
    #[error("the component is made for another version of the contract: {reason}")]
    OtherWorld {
        /// Which import or export differs, and how.
        reason: String,
    },
    /// Nothing is declared.
    #[error("the component has no custom section '{DECLARATIONS_SECTION}'")]
    NoDeclarations,
    /// The declarations have more bytes than allowed.
    #[error("the declarations have {bytes} bytes; at most {DECLARATIONS_BYTES_MAX} are allowed")]
    DeclarationsTooLarge {
        /// Their size.
        bytes: usize,
    },
    /// Manifest and signature of a package are not as they should be, or about another component.
    #[error("the package cannot be used: {reason}")]
    BadPackage {
        /// What is wrong.
        reason: String,
    },
    /// A line of the declarations is not what it should be.
    #[error("line {line} of the declarations: {reason}")]
    BadDeclaration {
        /// Counted from 1, over all sections.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl SandboxError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Engine { .. } | Self::Ticker { .. } => {
                "Free memory or raise the limits of the process, then start it again.".into()
            }
            Self::NotWasm => "Give the file that `cargo xtask guests` builds, *.wasm.".into(),
            Self::CoreModule => {
                "Make a component of it: `cargo xtask guests` does, or `wasm-tools component new`."
                    .into()
            }
            Self::TooLarge { .. } | Self::TooComplex { .. } => {
                "Build it optimised and stripped, or split the package.".into()
            }
            Self::Invalid { .. } => {
                "Build it again; threads, 64-bit memory, garbage collection and exceptions are off."
                    .into()
            }
            Self::ForeignImport { import } if import.starts_with("wasi:") => {
                "Build for the target wasm32-unknown-unknown: a plug-in gets no WASI, and what it \
                 needs (time, ids, data) comes from the SDK."
                    .into()
            }
            Self::ForeignImport { .. } => {
                format!("A plug-in may import {} only.", WORLD_IMPORTS.join(", "))
            }
            Self::MissingExport { .. } | Self::OtherWorld { .. } => {
                "Build it with the SDK of this version and `offstage_sdk::export!`.".into()
            }
            Self::NoDeclarations => {
                "Declare the package with `offstage_sdk::export!(package = …, plugins = […])`."
                    .into()
            }
            Self::BadPackage { .. } => {
                "Get it again from its publisher; `offstage plugin sign` makes such files.".into()
            }
            Self::DeclarationsTooLarge { .. } | Self::BadDeclaration { .. } => {
                "Build it with the SDK of this version, or correct the section's JSON.".into()
            }
        }
    }

    /// The fault for whoever tried to register or load the component.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let code = match self {
            Self::Engine { .. } | Self::Ticker { .. } => code::INTERNAL,
            Self::TooLarge { .. } => code::PAYLOAD_TOO_LARGE,
            _ => code::INVALID_PACKAGE_CONTENT,
        };
        let text = self.to_string();
        let mut sentence = text.chars();
        let first = sentence.next().map(|c| c.to_ascii_uppercase());
        let message: String = first.into_iter().chain(sentence).chain(['.']).collect();
        Fault::new(code, message).hint(self.hint())
    }
}
