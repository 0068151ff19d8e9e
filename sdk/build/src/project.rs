//! The files of a new project: a rule, its declarations, its tests, and the SDK beside it.
//!
//! Never writes over a file.

use crate::{BuildError, Language, names, rust_sdk, sdk, tools};
use std::path::{Path, PathBuf};

/// Paths and contents, with what stands for the particulars of a project.
pub type Files = &'static [(&'static str, &'static str)];

/// The folder of a project's own SDK.
const OWN_SDK: &str = "sdk";

const GITIGNORE: &str = include_str!("../templates/gitignore.in");

const C: Files = &[
    ("plugin.toml", include_str!("../templates/c/plugin.toml.in")),
    ("{{ident}}.c", include_str!("../templates/c/plugin.c.in")),
    ("README.md", include_str!("../templates/c/README.md.in")),
    (".gitignore", GITIGNORE),
];
const JAVASCRIPT: Files = &[
    ("plugin.toml", include_str!("../templates/javascript/plugin.toml.in")),
    ("{{name}}.js", include_str!("../templates/javascript/plugin.js.in")),
    ("tests/{{name}}.test.js", include_str!("../templates/javascript/plugin.test.js.in")),
    ("package.json", include_str!("../templates/javascript/package.json.in")),
    ("README.md", include_str!("../templates/javascript/README.md.in")),
    (".gitignore", GITIGNORE),
];
const PYTHON: Files = &[
    ("plugin.toml", include_str!("../templates/python/plugin.toml.in")),
    ("{{ident}}.py", include_str!("../templates/python/plugin.py.in")),
    ("tests/test_{{ident}}.py", include_str!("../templates/python/test_plugin.py.in")),
    ("README.md", include_str!("../templates/python/README.md.in")),
    (".gitignore", GITIGNORE),
];

/// The files of a new project, as path and content. `{{name}}`, `{{ident}}` and `{{package}}` in
/// either stand for the project's name, the name as an identifier, and the package id.
#[must_use]
pub const fn template(language: Language) -> Files {
    match language {
        Language::C => C,
        Language::Javascript => JAVASCRIPT,
        Language::Python => PYTHON,
    }
}

/// A project that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Project<'a> {
    /// Its folder, which does not exist yet; the folder's name is the project's.
    pub folder: &'a Path,
    /// The package id.
    pub package: &'a str,
    /// The language; `None` is Rust.
    pub language: Option<Language>,
    /// Its files, as path and content; see [`template`]. `{{sdk}}` stands for the folder of the SDK,
    /// as a string of TOML.
    pub files: Files,
    /// The folder of the SDK; `None` is a copy of its own.
    pub sdk: Option<&'a Path>,
}

impl<'a> Project<'a> {
    /// A project in one of the languages whose files are here.
    #[must_use]
    pub const fn new(language: Language, folder: &'a Path, package: &'a str) -> Self {
        let files = template(language);
        Self { folder, package, language: Some(language), files, sdk: None }
    }

    fn name(&self) -> Result<&'a str, BuildError> {
        let name = self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
            return Err(BuildError::ProjectName { name: name.to_owned() });
        }
        match names::taken(self.language, name) {
            Some(what) => Err(BuildError::ProjectNameTaken { name: name.to_owned(), what }),
            None => Ok(name),
        }
    }
}

/// Makes a project; returns its files, those of the SDK aside.
///
/// # Errors
/// The folder exists, its name is none for a project, or a file cannot be written.
pub fn new_project(project: &Project<'_>) -> Result<Vec<PathBuf>, BuildError> {
    let (name, folder) = (project.name()?, project.folder);
    if folder.exists() {
        return Err(BuildError::ProjectExists { folder: folder.to_owned() });
    }
    let own = match project.language {
        Some(_) => OWN_SDK.to_owned(),
        // Beside the contract, as in the repository.
        None => format!("{OWN_SDK}/rust"),
    };
    let sdk = project.sdk.map_or(own, |folder| folder.display().to_string());
    let sdk = toml::Value::String(sdk).to_string();
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{package}}", project.package)
            .replace("{{sdk}}", &sdk)
    };
    let mut written = Vec::new();
    for (path, content) in project.files {
        let path = folder.join(fill(path));
        tools::make_folder(path.parent().unwrap_or(folder))?;
        tools::write(&path, fill(content).as_bytes())?;
        written.push(path);
    }
    match (project.sdk, project.language) {
        (Some(_), _) => {}
        (None, Some(language)) => sdk::write_sdk(language, &folder.join(OWN_SDK))?,
        (None, None) => rust_sdk::write_rust_sdk(&folder.join(OWN_SDK))?,
    }
    Ok(written)
}
