//! The files of a new project: a rule, its declarations, its tests, and the SDK beside it.
//!
//! Never writes over a file.

use crate::{BuildError, Language, sdk, tools};
use std::path::{Path, PathBuf};

type Files = &'static [(&'static str, &'static str)];

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
pub const fn template(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::C => C,
        Language::Javascript => JAVASCRIPT,
        Language::Python => PYTHON,
    }
}

/// Makes a project in `folder`, which must not exist; its name is the folder's. Returns its files,
/// those of the SDK aside.
///
/// # Errors
/// The folder exists, its name is none for a project, or a file cannot be written.
pub fn new_project(
    language: Language,
    folder: &Path,
    package: &str,
) -> Result<Vec<PathBuf>, BuildError> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        return Err(BuildError::ProjectName { name: name.to_owned() });
    }
    if folder.exists() {
        return Err(BuildError::ProjectExists { folder: folder.to_owned() });
    }
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{package}}", package)
    };
    let mut written = Vec::new();
    for (path, content) in template(language) {
        let path = folder.join(fill(path));
        tools::make_folder(path.parent().unwrap_or(folder))?;
        tools::write(&path, fill(content).as_bytes())?;
        written.push(path);
    }
    sdk::write_sdk(language, &folder.join("sdk"))?;
    Ok(written)
}
