//! One request for a JSON document that belongs to no provider's dialect.

use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::dialect::{Call, bearer};

/// What [`crate::Transport::fetch`] sends. The answer must be JSON with the status 200.
#[derive(Clone)]
pub struct Fetch {
    pub url: Url,
    /// JSON; with it the request is a POST, without it a GET.
    pub body: Option<Vec<u8>>,
    pub bearer: Option<SecretString>,
}

impl From<Fetch> for Call {
    /// Only the status of a refusal counts: what its body says is nobody's documented form.
    fn from(Fetch { url, body, bearer: secret }: Fetch) -> Call {
        Call { url, secret: bearer(secret.as_ref()), header: None, body, named: |_| None }
    }
}

// Path and query may hold a secret, and the body whatever the caller stores.
impl fmt::Debug for Fetch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fetch")
            .field("origin", &self.url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}
