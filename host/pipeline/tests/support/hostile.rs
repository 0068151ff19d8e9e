//! Hostile plug-ins as registered packages: each a component of `tests/hostile-plugins/wat` with a
//! step on the Create of an account, on both sides.

use super::{World, trust_text};
use offstage_model::registration::{Package, PackageDeclaration};
use offstage_policy::TrustFile;
use sha2::{Digest, Sha256};

#[path = "../../../sandbox/tests/support/component.rs"]
mod component;

pub(crate) use component::{repository, with_instances};

/// The package of all hostile plug-ins.
pub(crate) const HOSTILE: &str = "tests/hostile";
/// The key of their step.
pub(crate) const STEP: &str = "hostile";

/// The package that does `body`, with the step on the Create of accounts.
pub(crate) fn package(body: &str) -> Vec<u8> {
    let step = format!(
        r#"{{"key":"{STEP}","message":"Create","table":"account","stage":20,"deployment":2}}"#
    );
    let declarations = format!(
        "{{\"package\":\"{HOSTILE}\",\"version\":\"1.0.0\"}}\n{{\"type\":\"tests.Hostile\",\"steps\":[{step}]}}\n"
    );
    component::component_with_declarations(body, &declarations)
}

/// The package that does `body` and declares this.
pub(crate) fn declared(body: &str, declaration: &PackageDeclaration) -> Vec<u8> {
    let PackageDeclaration { package, version, types, .. } = declaration;
    let first = serde_json::json!({ "package": package, "version": version });
    let types = types.iter().map(|t| serde_json::to_value(t).expect("it has a JSON form"));
    let lines = [first].into_iter().chain(types).map(|line| format!("{line}\n"));
    component::component_with_declarations(body, &lines.collect::<String>())
}

/// The package of `tests/hostile-plugins/wat/<name>.wat`.
pub(crate) fn attack(name: &str) -> Vec<u8> {
    let path = repository("tests/hostile-plugins/wat").join(format!("{name}.wat"));
    let body = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    package(&body)
}

/// A package that does nothing.
pub(crate) fn harmless() -> Vec<u8> {
    package("(func $run)")
}

impl World {
    /// Registers a hostile package on the server, in place of the one before; both sides trust it.
    pub(crate) fn register(&self, bytes: &[u8]) -> Package {
        self.pin(bytes);
        self.server.register_package(&self.caller, bytes).expect("it registers").package
    }

    /// Lets both sides trust a hostile package.
    pub(crate) fn pin(&self, bytes: &[u8]) {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let text = trust_text() + &TrustFile::pin_lines(HOSTILE, &sha256, "tests");
        for side in [&self.server, &self.device] {
            side.set_trust(TrustFile::parse(&text, "trust.toml").expect("the trust file is valid"));
        }
    }
}
