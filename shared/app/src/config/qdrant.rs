//! Where the dense leg of a search is asked, if not in Postgres.

use secrecy::SecretString;
use url::Url;

use super::{Environment, Error};

/// A Qdrant, version 1.11 or later. It may stand in a private network and speak plain http there.
#[derive(Clone, Debug)]
pub struct Qdrant {
    /// `QDRANT_URL`, e.g. `http://127.0.0.1:6333`. Absent: Postgres.
    pub url: Url,
    /// `QDRANT_API_KEY`: one that may write.
    pub key: Option<SecretString>,
}

impl Qdrant {
    pub fn read(environment: &Environment) -> Result<Option<Qdrant>, Error> {
        const NAME: &str = "QDRANT_URL";
        let key = environment.get("QDRANT_API_KEY").map(SecretString::from);
        let Some(text) = environment.get(NAME) else {
            return match key {
                None => Ok(None),
                Some(_) => Err(Error::new(NAME, "is not set.", "Set it, or unset QDRANT_API_KEY.")),
            };
        };
        let wrong = |problem: &str| Error::new(NAME, problem, "Write http://127.0.0.1:6333 or https://host:6333.");
        let url = Url::parse(text).ok().filter(|url| url.has_host() && ["https", "http"].contains(&url.scheme()));
        let url = url.ok_or_else(|| wrong("is not a URL."))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("holds more than an address; the key belongs into QDRANT_API_KEY."));
        }
        Ok(Some(Qdrant { url, key }))
    }
}
