//! How a device signs in to its server: with a client secret once, with its own key from then on.
//!
//! Never logs a token or a secret.

use crate::machine::{SystemClock, SystemRandom};
use offstage_model::{Clock as _, Fault, Randomness as _, Uuid, code};
use offstage_replication::BearerToken;
use offstage_replication::device_key::{ASSERTION_TYPE, DeviceKey};
use serde::Deserialize;
use serde_json::Value as Json;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// By what the server knows who signs in.
pub(crate) enum Credentials {
    /// The server takes anything (`serve --dev`).
    Anything,
    /// A client id with its secret.
    Secret {
        /// The client id.
        client: String,
        /// The secret.
        secret: String,
    },
    /// The key of a device.
    Key {
        /// The key.
        key: Box<DeviceKey>,
        /// The device.
        device: Uuid,
        /// The server's organization.
        organization: Uuid,
    },
}

/// Gets tokens and keeps the last one.
pub(crate) struct SignIn {
    url: String,
    credentials: Credentials,
    token: Mutex<Option<String>>,
}

/// What a server says of itself to everybody.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    /// Its organization.
    pub(crate) organization: offstage_pipeline::Organization,
    /// Its version.
    pub(crate) version: String,
    /// Whether it takes any token.
    pub(crate) any_token: bool,
}

impl SignIn {
    /// Signs in at `url` when a token is needed.
    pub(crate) fn new(url: &str, credentials: Credentials) -> Self {
        Self { url: url.to_owned(), credentials, token: Mutex::new(None) }
    }

    fn fetch(&self) -> Result<String, Fault> {
        let form = match &self.credentials {
            Credentials::Anything => return Ok("anything".to_owned()),
            Credentials::Secret { client, secret } => vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", client.clone()),
                ("client_secret", secret.clone()),
            ],
            Credentials::Key { key, device, organization } => {
                let (now, id) = (SystemClock.now(), SystemRandom.guid());
                vec![
                    ("grant_type", "client_credentials".to_owned()),
                    ("client_assertion_type", ASSERTION_TYPE.to_owned()),
                    ("client_assertion", key.client_assertion(*device, *organization, now, id)),
                ]
            }
        };
        let mut answer = agent()
            .post(format!("{}/offstage/v1/token", self.url))
            .send_form(form)
            .map_err(|error| silent(&self.url, &error))?;
        let status = answer.status().as_u16();
        let json: Json =
            answer.body_mut().read_json().map_err(|error| silent(&self.url, &error))?;
        match json["access_token"].as_str() {
            Some(token) if status == 200 => Ok(token.to_owned()),
            _ => Err(refused(status, &json)),
        }
    }
}

impl BearerToken for SignIn {
    fn token(&self) -> Result<String, Fault> {
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(token) => Ok(token.clone()),
            None => Ok(known.insert(self.fetch()?).clone()),
        }
    }

    fn refused(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Asks a server who it is.
pub(crate) fn about(url: &str) -> Result<About, Fault> {
    let mut answer = agent()
        .get(format!("{url}/offstage/v1/about"))
        .call()
        .map_err(|error| silent(url, &error))?;
    answer.body_mut().read_json().map_err(|error| {
        tracing::debug!(%error, "not an Offstage server");
        Fault::new(code::UNREACHABLE, format!("'{url}' is not an Offstage server."))
            .hint("Give the address that `offstage serve` prints, such as http://127.0.0.1:5000.")
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into()
}

fn silent(url: &str, error: &ureq::Error) -> Fault {
    Fault::new(code::UNREACHABLE, format!("The server {url} does not answer: {error}."))
        .hint("Check the address and that the server runs.")
}

fn refused(status: u16, json: &Json) -> Fault {
    let reason = json["error_description"].as_str().unwrap_or("The sign-in was refused.");
    let code = match status {
        401 | 403 => code::UNAUTHORIZED,
        429 | 503 => code::UNREACHABLE,
        _ => code::INTERNAL,
    };
    Fault::new(code, reason).hint(
        "Check --client-id and --client-secret; `offstage user add` on the server makes new ones.",
    )
}
