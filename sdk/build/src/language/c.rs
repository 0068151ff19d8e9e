//! C: clang makes a core module of the plug-in and the SDK, with the C library for WebAssembly.
//!
//! clang, its linker and the library come from the system, or from a WASI SDK that
//! `WASI_SDK_PATH` names. Never links what would import WASI: the SDK answers for the system.

use crate::tools::{run, succeeds};
use crate::{BuildError, Language, Source, component};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "--target=wasm32-wasi";
/// Where Debian keeps the C library's headers.
const SYSTEM_HEADERS: &str = "/usr/include/wasm32-wasi";
const SDK_SOURCES: [&str; 5] =
    ["bindings/plugin.c", "context.c", "service.c", "system.c", "value.c"];
/// Debian's packages: the compiler, the linker, the C library and what the compiler calls in it.
const PACKAGES: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"];

/// Needs the headers, the library and what the compiler calls for a long double.
const PROBE: &str = "#include <stdio.h>\nint probe(char *text, long double number) {\n    \
                     return sprintf(text, \"%Lf\", number);\n}\n";

/// A clang that is set up for WebAssembly, as far as its own arguments say.
fn clang() -> Command {
    let mut command = match std::env::var_os("WASI_SDK_PATH").map(PathBuf::from) {
        Some(sdk) => {
            let mut command = Command::new(sdk.join("bin/clang"));
            command.arg(format!("--sysroot={}", sdk.join("share/wasi-sysroot").display()));
            command
        }
        None => {
            let mut command = Command::new("clang");
            command.args(["-isystem", SYSTEM_HEADERS]);
            command
        }
    };
    command.args([TARGET, "-mexec-model=reactor"]);
    command
}

/// Whether a program that uses the C library compiles and links.
pub(super) fn works(folder: &Path) -> bool {
    let probe = folder.join("probe.c");
    let made = fs::create_dir_all(folder).and_then(|()| fs::write(&probe, PROBE)).is_ok();
    let output = folder.join("probe.wasm");
    made && succeeds(clang().arg(&probe).arg("-Wl,--export=probe").arg("-o").arg(output))
}

/// Installs clang and the library where this is Debian and this process may.
pub(super) fn install(folder: &Path) -> Result<(), BuildError> {
    if works(folder) {
        return Ok(());
    }
    let missing = |reason: String| BuildError::ToolMissing {
        language: Language::C,
        what: "clang with a C library for WebAssembly",
        reason,
        hint: "Debian, Ubuntu: `apt-get install clang lld wasi-libc libclang-rt-dev-wasm32`; \
               elsewhere install a WASI SDK and set WASI_SDK_PATH to its folder.",
    };
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(missing("there is no apt-get here to install it with".to_owned()));
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "-q", "-y", "--no-install-recommends"]).args(PACKAGES);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let updated = run(Command::new("apt-get").args(["update", "-q"]));
    updated.and_then(|()| run(&mut install)).map_err(|error| missing(error.to_string()))?;
    if works(folder) {
        Ok(())
    } else {
        Err(missing("it was installed and still does not work".to_owned()))
    }
}

/// Compiles all C files of the plug-in's folder with those of the SDK.
pub(super) fn compile(source: &Source, work: &Path) -> Result<Vec<u8>, BuildError> {
    let core = work.join("core.wasm");
    let mut command = clang();
    command.args(["-std=c11", "-Os", "-Wall", "-Wextra", "-Werror"]);
    // Each function goes in or stays out on its own.
    command.args(["-ffunction-sections", "-fdata-sections", "-Wl,--strip-all"]);
    command.arg("-I").arg(&source.sdk).arg("-I").arg(&source.folder);
    command.args(c_files(&source.folder)?);
    command.args(SDK_SOURCES.map(|name| source.sdk.join(name)));
    command.arg("-o").arg(&core);
    run(&mut command)?;
    let core = fs::read(&core).map_err(|error| BuildError::read(&core, error))?;
    component::encode(&core)
}

/// The C files in the folder itself; tests are in a folder of their own.
fn c_files(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let failed = |source| BuildError::read(folder, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension() == Some(OsStr::new("c")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
