//! `offstage plugin keygen|manifest|sign`: minisign keys and signatures.
//!
//! What is signed is the manifest. A publisher whose key must not come near this program takes the
//! manifest to minisign, and brings back the signature (`--signature`).

use crate::commands::policy::read;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::owned_file;
use crate::values::FileArgument;
use clap::Args;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use offstage_sandbox::{PackageFile, SIGNATURE_COMMENT};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;

/// The environment variable with the password of a secret key.
const PASSWORD: &str = "OFFSTAGE_KEY_PASSWORD";

/// Make a key pair for signing packages.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Keygen {
    /// The files get this name, with `.key` and `.pub`
    name: FileArgument,
    /// Leave the secret key without a password; else it is taken from OFFSTAGE_KEY_PASSWORD
    #[arg(long)]
    unencrypted: bool,
}

/// Print the manifest of a package file: what a publisher signs.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The package, a `.wasm` file
    file: FileArgument,
    /// Write it to this file, byte for byte
    #[arg(long)]
    out: Option<FileArgument>,
}

/// Sign a package file.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[command(group(clap::ArgGroup::new("by").required(true)))]
pub(crate) struct Sign {
    /// The package, a `.wasm` file
    file: FileArgument,
    /// The secret key; its password is taken from OFFSTAGE_KEY_PASSWORD
    #[arg(long, group = "by")]
    key: Option<FileArgument>,
    /// A signature of the manifest that minisign made
    #[arg(long, group = "by")]
    signature: Option<FileArgument>,
    /// Write the signed package to this file instead of over the package
    #[arg(long)]
    out: Option<FileArgument>,
}

impl Keygen {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let name = self.name.0.display().to_string();
        let (secret, public) =
            (PathBuf::from(format!("{name}.key")), PathBuf::from(format!("{name}.pub")));
        for path in [&secret, &public] {
            if path.exists() {
                let text = format!("'{}' exists already.", path.display());
                return Err(CliError::usage(text).hint("A key is never written over another."));
            }
        }
        let pair = if self.unencrypted {
            KeyPair::generate_unencrypted_keypair()
        } else {
            KeyPair::generate_encrypted_keypair(Some(password()?))
        };
        let pair = pair.map_err(|error| broken(&error))?;
        let text = pair.sk.to_box(None).map_err(|error| broken(&error))?.into_string();
        owned_file::write(&secret, text.as_bytes())?;
        let text = pair.pk.to_box().map_err(|error| broken(&error))?.into_string();
        owned_file::write(&public, text.as_bytes())?;
        let key = pair.pk.to_base64();
        let json = json!({ "secret": secret, "public": public, "key": key });
        Ok(Output::new(json)
            .pairs(vec![
                ("Secret key", secret.display().to_string()),
                ("Public key", public.display().to_string()),
                ("Key", key),
            ])
            .text("Keep the secret key to yourself; operators put the key into their trust file."))
    }
}

impl Manifest {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let bytes = self.file.read()?;
        let manifest = manifest(&read(&self.file, &bytes)?);
        if let Some(out) = &self.out {
            owned_file::write(&out.0, &manifest)?;
        }
        let text = String::from_utf8_lossy(&manifest).into_owned();
        let json: serde_json::Value = serde_json::from_slice(&manifest)
            .map_err(|error| CliError::new(Exit::Internal, format!("No manifest: {error}.")))?;
        Ok(Output::new(json).text(text))
    }
}

/// The manifest that was signed, or else the one to sign.
fn manifest(content: &PackageFile<'_>) -> Vec<u8> {
    content.signed.map_or_else(|| content.manifest(), |(manifest, _)| manifest.to_vec())
}

impl Sign {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let bytes = self.file.read()?;
        let content = read(&self.file, &bytes)?;
        let manifest = content.manifest();
        let signature = match (&self.key, &self.signature) {
            (Some(key), _) => sign(key, &manifest, &content)?,
            (None, Some(signature)) => with_our_comment(&signature.read_text()?)?,
            (None, None) => return Err(CliError::usage("Give --key or --signature.")),
        };
        let signed = PackageFile::join(content.component, &manifest, &signature);
        // What cannot be read back is not written.
        let again = PackageFile::read(&signed).map_err(|error| CliError::from(error.fault()))?;
        let out = self.out.as_ref().unwrap_or(&self.file);
        owned_file::write(&out.0, &signed)?;
        let package = &again.declaration.package;
        let json = json!({
            "package": package, "version": again.declaration.version, "sha256": again.sha256,
            "file": out.0,
        });
        Ok(Output::new(json).text(format!(
            "Signed {package} {} into {}.",
            again.declaration.version,
            out.0.display()
        )))
    }
}

fn sign(
    key: &FileArgument,
    manifest: &[u8],
    content: &PackageFile<'_>,
) -> Result<String, CliError> {
    let secret = secret_key(key)?;
    let public = PublicKey::from_secret_key(&secret).map_err(|error| broken(&error))?;
    let declared = &content.declaration;
    let about = format!("{} {}", declared.package, declared.version);
    let comment = Some(SIGNATURE_COMMENT);
    let signature = minisign::sign(Some(&public), &secret, manifest, Some(&about), comment);
    Ok(signature.map_err(|error| broken(&error))?.into_string())
}

fn secret_key(key: &FileArgument) -> Result<SecretKey, CliError> {
    let text = key.read_text()?;
    let unusable = || {
        let text = format!("'{}' is not a minisign secret key.", key.0.display());
        CliError::usage(text).hint("`offstage plugin keygen NAME` makes one.")
    };
    let parsed = || SecretKeyBox::from_string(&text).map_err(|_| unusable());
    if let Ok(secret) = parsed()?.into_unencrypted_secret_key() {
        return Ok(secret);
    }
    parsed()?.into_secret_key(Some(password()?)).map_err(|_| {
        CliError::new(Exit::Denied, "The password of the secret key is wrong.")
            .hint(format!("Put it into the environment variable {PASSWORD}."))
    })
}

/// A signature of minisign, with the one untrusted comment that a package has: nobody signs it, and
/// a package has no byte that is not checked.
fn with_our_comment(text: &str) -> Result<String, CliError> {
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [_, signature, trusted, global] => Ok(format!(
            "untrusted comment: {SIGNATURE_COMMENT}\n{signature}\n{trusted}\n{global}\n"
        )),
        _ => Err(CliError::usage("This is not a signature that minisign made: it has four lines.")),
    }
}

fn password() -> Result<String, CliError> {
    // The environment belongs to the user who runs the command.
    std::env::var(PASSWORD).map_err(|_| {
        CliError::usage("The secret key needs a password.").hint(format!(
            "Put it into the environment variable {PASSWORD}; `keygen --unencrypted` needs none."
        ))
    })
}

fn broken(error: &minisign::PError) -> CliError {
    CliError::new(Exit::Internal, format!("Signing does not work: {error}."))
}
