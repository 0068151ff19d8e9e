//! Packages that a publisher of the tests signed. Never trusts anybody by itself.

use minisign::KeyPair;
use offstage_policy::TrustFile;
use offstage_sandbox::{PackageFile, SIGNATURE_COMMENT};

pub(crate) fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("a key")
}

pub(crate) fn signature(key: &KeyPair, manifest: &[u8]) -> String {
    let comment = Some(SIGNATURE_COMMENT);
    let signature = minisign::sign(Some(&key.pk), &key.sk, manifest, Some("a test"), comment);
    signature.expect("a signature").into_string()
}

pub(crate) fn signed(key: &KeyPair, component: &[u8]) -> Vec<u8> {
    let manifest = PackageFile::read(component).expect("a package").manifest();
    PackageFile::join(component, &manifest, &signature(key, &manifest))
}

pub(crate) fn trust(key: &KeyPair, more: &str) -> TrustFile {
    let text = format!(
        "[[publisher]]\nname = \"tests\"\nkey = \"{}\"\npackages = [\"samples/*\", \"test/*\"]\n\
         reason = \"tests\"\nceiling = [{{ table = \"*\", verbs = [\"create\", \"read\", \"update\"], \
         columns = [\"*\"] }}]\n{more}",
        key.pk.to_base64()
    );
    TrustFile::parse(&text, "trust.toml").expect("the trust file is valid")
}
