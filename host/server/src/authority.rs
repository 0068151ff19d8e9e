//! Who a caller is: the door that every request passes, and its simple implementations.
//!
//! Never decides what a caller may do; the pipeline does. No token is ever logged.

use crate::constant_time;
use offstage_model::{Fault, code};
use offstage_pipeline::Caller;

/// Tells who holds a bearer token. Calls may block (they read the store).
pub trait Authority: Send + Sync {
    /// The caller that the token stands for.
    ///
    /// # Errors
    /// [`code::UNAUTHORIZED`]: no token, or one that is not valid; [`code::PRIVILEGE_DENIED`]: the
    /// principal is disabled.
    fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Fault>;

    /// Whether the listener must be bound to loopback, because this authority believes too much.
    fn loopback_only(&self) -> bool {
        false
    }

    /// Whether any bearer token, or none, is taken (`--dev`).
    fn takes_anything(&self) -> bool {
        false
    }
}

/// `--dev`: everybody is the administrator. For trying and tests; loopback only.
pub struct DevAuthority {
    administrator: Caller,
}

impl DevAuthority {
    /// Takes any token, or none, as `administrator`.
    #[must_use]
    pub fn new(administrator: Caller) -> Self {
        Self { administrator }
    }
}

impl Authority for DevAuthority {
    fn authenticate(&self, _bearer: Option<&str>) -> Result<Caller, Fault> {
        Ok(self.administrator.clone())
    }

    fn loopback_only(&self) -> bool {
        true
    }

    fn takes_anything(&self) -> bool {
        true
    }
}

/// A device's local API: one token, kept in the data directory, for the one user of the device.
pub struct LocalAuthority {
    token_hash: [u8; 32],
    user: Box<dyn Fn() -> Result<Caller, Fault> + Send + Sync>,
}

impl LocalAuthority {
    /// Takes `token` as the user that `user` names at that moment.
    pub fn new(
        token: &str,
        user: impl Fn() -> Result<Caller, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { token_hash: constant_time::hash(token.as_bytes()), user: Box::new(user) }
    }
}

impl Authority for LocalAuthority {
    fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Fault> {
        let bearer = bearer.ok_or_else(no_token)?;
        if !constant_time::equal(&constant_time::hash(bearer.as_bytes()), &self.token_hash) {
            return Err(invalid_token("it is not the token of this data directory")
                .hint("The token is in the file `api-token` of the data directory."));
        }
        (self.user)()
    }

    fn loopback_only(&self) -> bool {
        true
    }
}

/// No token came.
pub(crate) fn no_token() -> Fault {
    Fault::new(code::UNAUTHORIZED, "The request needs a bearer token.")
        .hint("Get one at POST /offstage/v1/token and send it as `Authorization: Bearer …`.")
}

/// The token that came is not valid.
pub(crate) fn invalid_token(reason: &str) -> Fault {
    Fault::new(code::UNAUTHORIZED, format!("The bearer token is not valid: {reason}."))
}
