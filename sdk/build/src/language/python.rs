//! Python: componentize-py puts the plug-in, the SDK and CPython into a component, started already.
//!
//! It comes from PyPI into a virtual environment, in the version of
//! `sdk/python/tools/requirements.txt`. WASI is stubbed: a plug-in has no system to call.

use crate::tools::{make_folder, run, succeeds, write};
use crate::{BuildError, Language, Source, sdk};
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BIN: &str = if cfg!(windows) { "Scripts" } else { "bin" };
const ENVIRONMENT: &str = "environment";
/// The module that a component starts with; no package of a plug-in can have this name.
const START: &str = "offstage_component_start";

/// Starts componentize-py without its script, which remembers the folder that it was installed in.
const COMPONENTIZE: &str = "import sys, componentize_py; sys.exit(componentize_py.script())";

/// Makes a virtual environment in `folder` with the build tool.
pub(super) fn install(folder: &Path) -> Result<(), BuildError> {
    let missing = |reason: String| BuildError::ToolMissing {
        language: Language::Python,
        what: "Python with componentize-py",
        reason,
        hint: "Install Python 3.10 or later with venv and pip (Debian: python3-venv), and see that \
               pip reaches PyPI.",
    };
    make_environment(folder).map_err(missing)
}

/// Whether the build tool starts, also after its folder was moved or Python was upgraded.
pub(super) fn works(folder: &Path) -> bool {
    succeeds(Command::new(program(folder, "python")).args(["-c", "import componentize_py"]))
}

/// Makes a virtual environment in `folder` with the packages of its `requirements.txt`.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn make_environment(folder: &Path) -> Result<(), String> {
    let enough = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    let python = ["python3", "python"]
        .into_iter()
        .find(|python| succeeds(Command::new(python).args(["-c", enough])))
        .ok_or("no Python 3.10 with venv and pip runs here")?;
    let mut venv = Command::new(python);
    run(venv.args(["-m", "venv", "--clear"]).arg(folder.join(ENVIRONMENT)))
        .map_err(|error| error.to_string())?;
    let mut pip = Command::new(program(folder, "python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(folder.join("requirements.txt"))).map_err(|error| error.to_string())
}

/// A program of the environment in `folder`.
pub(super) fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join(ENVIRONMENT).join(BIN).join(format!("{name}{EXE_SUFFIX}"))
}

/// Puts plug-in, SDK and interpreter together.
pub(super) fn compile(source: &Source, tools: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let (contract, start) = (work.join("wit"), work.join("start"));
    make_folder(&contract)?;
    make_folder(&start)?;
    write(&contract.join("plugin.wit"), sdk::CONTRACT.as_bytes())?;
    let module = source.entry.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    // The guest first: the plug-in's own imports already see the time of the operation.
    let text = format!("from offstage.guest import WitWorld\n\nimport {module}\n");
    write(&start.join(format!("{START}.py")), text.as_bytes())?;
    let output = work.join("bare.wasm");
    let mut componentize = Command::new(program(tools, "python"));
    componentize.args(["-c", COMPONENTIZE]);
    // The environment of whoever builds must not get into a component.
    componentize.env_remove("VIRTUAL_ENV").env("PYTHONDONTWRITEBYTECODE", "1");
    componentize.args(["--quiet", "--world", "plugin", "--wit-path"]).arg(&contract);
    componentize.args(["componentize", "--stub-wasi"]);
    for place in python_path(source, &start) {
        componentize.arg("--python-path").arg(place);
    }
    run(componentize.arg("--output").arg(&output).arg(START))?;
    fs::read(&output).map_err(|error| BuildError::read(&output, error))
}

/// Where modules are found: the start, the SDK, the plug-in, and what it brings along in `vendor`.
fn python_path(source: &Source, start: &Path) -> Vec<PathBuf> {
    let vendor = source.folder.join("vendor");
    let mut places = vec![start.to_owned(), source.sdk.clone(), source.folder.clone()];
    if vendor.is_dir() {
        places.push(vendor);
    }
    places
}
