//! An issuer's published keys, kept: fetched by one request at a time, and used on for a day while the issuer is down.

use std::sync::{Arc, PoisonError, RwLock};

use docent_llm::{Fetch, Transport, Url};
use serde::Deserialize;
use serde_json::Value;

use super::jwk::{Algorithm, Key};
use super::refusal::Refusal;

/// After this many seconds keys are asked for again, which is how long a withdrawn key may still count.
const FRESH: i64 = 10 * 60;
/// For this many seconds keys serve on when they cannot be fetched again.
const STALE: i64 = 24 * 60 * 60;
/// A key that nobody has heard of makes us ask at most once in this many seconds: anybody can make one up.
const UNKNOWN: i64 = 60;
/// The pause after an answer that did not come or could not be read.
const RETRY: i64 = 10;
/// The largest sets of public issuers hold about a dozen.
const MAX_KEYS: usize = 100;

/// Where an issuer publishes its keys.
#[derive(Clone)]
pub enum Place {
    /// In the document that the issuer describes itself with (OpenID Connect Discovery 1.0 §4).
    Discovery {
        issuer: String,
    },
    Address(Url),
}

pub(super) struct Published {
    place: Place,
    transport: Transport,
    known: RwLock<Known>,
    flight: tokio::sync::Mutex<()>,
}

/// What a token's header asks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub kid: Option<&'a str>,
    pub algorithm: Algorithm,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<[Arc<Key>]>,
    /// When these keys came, and when we last asked, in seconds of the Unix epoch.
    fetched: Option<i64>,
    tried: Option<i64>,
    failed: bool,
}

enum Look {
    Use(Arc<Key>),
    Refuse(Refusal),
    /// Ask the issuer; until it answers, a key that is not fresh any more would do.
    Ask(Option<Arc<Key>>),
}

impl Published {
    pub fn new(place: Place, transport: Transport) -> Published {
        Published { place, transport, known: RwLock::default(), flight: tokio::sync::Mutex::default() }
    }

    pub async fn key(&self, wanted: Wanted<'_>, now: i64) -> Result<Arc<Key>, Refusal> {
        let meanwhile = match self.known().look(wanted, now) {
            Look::Use(key) => return Ok(key),
            Look::Refuse(refusal) => return Err(refusal),
            Look::Ask(meanwhile) => meanwhile,
        };
        let _flight = match (self.flight.try_lock(), meanwhile) {
            (Ok(flight), _) => flight,
            (Err(_), Some(key)) => return Ok(key),
            (Err(_), None) => self.flight.lock().await,
        };
        // Whoever was in flight before us may have brought it.
        match self.known().look(wanted, now) {
            Look::Use(key) => return Ok(key),
            Look::Refuse(refusal) => return Err(refusal),
            Look::Ask(_) => {}
        }
        let mut attempt = Attempt { published: self, now, keys: None };
        attempt.keys = self.fetch().await;
        drop(attempt);
        match self.known().look(wanted, now) {
            Look::Use(key) => Ok(key),
            Look::Refuse(refusal) => Err(refusal),
            Look::Ask(_) => Err(Refusal::Unavailable),
        }
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self) -> Option<Arc<[Arc<Key>]>> {
        let found = self.document().await.and_then(|document| keys(&document));
        found.inspect_err(|problem| tracing::warn!(issuer = %self.place, problem, "auth.keys not fetched")).ok()
    }

    async fn document(&self) -> Result<Vec<u8>, &'static str> {
        match &self.place {
            Place::Address(url) => get(&self.transport, url.clone()).await,
            Place::Discovery { issuer } => {
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let url = Url::parse(&url).map_err(|_| "its name is not an address")?;
                let url = jwks_uri(issuer, &get(&self.transport, url).await?)?;
                get(&self.transport, url).await
            }
        }
    }
}

/// Leaves its outcome behind however it ends: a request that is dropped meanwhile counts as a failed attempt, so that
/// nobody can make us ask without a pause.
struct Attempt<'a> {
    published: &'a Published,
    now: i64,
    keys: Option<Arc<[Arc<Key>]>>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = Some(self.now);
        let mut known = self.published.known.write().unwrap_or_else(PoisonError::into_inner);
        match self.keys.take() {
            Some(keys) => *known = Known { keys, fetched: now, tried: now, failed: false },
            None => (known.tried, known.failed) = (now, true),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Discovery { issuer } => formatter.write_str(issuer),
            Place::Address(url) => formatter.write_str(url.as_str()),
        }
    }
}

impl Known {
    fn look(&self, wanted: Wanted<'_>, now: i64) -> Look {
        let age = self.fetched.map_or(i64::MAX, |at| now.saturating_sub(at));
        let found = self.find(wanted).filter(|_| age < STALE);
        let pause = if self.failed { RETRY } else { UNKNOWN };
        // A clock that was set back must not keep us from asking.
        let may_ask = self.tried.is_none_or(|at| now < at || now - at >= pause);
        match found {
            Some(key) if age < FRESH || !may_ask => Look::Use(key),
            found if may_ask => Look::Ask(found),
            _ if self.failed || age >= STALE => Look::Refuse(Refusal::Unavailable),
            _ => Look::Refuse(Refusal::Key),
        }
    }

    /// A token without a key's name is taken when there is only one key that it could mean.
    fn find(&self, wanted: Wanted<'_>) -> Option<Arc<Key>> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(wanted.algorithm));
        match wanted.kid {
            Some(kid) => fitting.find(|key| key.kid.as_deref() == Some(kid)).cloned(),
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }
}

async fn get(transport: &Transport, url: Url) -> Result<Vec<u8>, &'static str> {
    let request = Fetch { url, body: None, bearer: None };
    transport.fetch(request).await.map_err(|_| "it did not give its document")
}

/// The issuer named inside must be the one that was asked (§4.3): otherwise anybody's keys could pass for its own.
fn jwks_uri(issuer: &str, document: &[u8]) -> Result<Url, &'static str> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
        jwks_uri: String,
    }
    let found: Configuration =
        serde_json::from_slice(document).map_err(|_| "its configuration is not the documented one")?;
    if found.issuer != issuer {
        return Err("its configuration is another issuer's");
    }
    Url::parse(&found.jwks_uri).map_err(|_| "its keys have no address")
}

fn keys(document: &[u8]) -> Result<Arc<[Arc<Key>]>, &'static str> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(document).map_err(|_| "its keys are not a key set")?;
    if set.keys.len() > MAX_KEYS {
        return Err("it has more keys than anybody needs");
    }
    Ok(set.keys.iter().filter_map(Key::from_jwk).map(Arc::new).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(kids: &[Option<&str>]) -> Arc<[Arc<Key>]> {
        let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let keys: Vec<Value> =
            kids.iter().map(|kid| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})).collect();
        keys_of(&json!({"keys": keys}))
    }

    fn keys_of(document: &Value) -> Arc<[Arc<Key>]> {
        keys(document.to_string().as_bytes()).unwrap()
    }

    fn wanted(kid: Option<&str>) -> Wanted<'_> {
        Wanted { kid, algorithm: Algorithm::EdDsa }
    }

    fn look(known: &Known, kid: &str, now: i64) -> &'static str {
        match known.look(wanted(Some(kid)), now) {
            Look::Use(_) => "use",
            Look::Ask(Some(_)) => "ask, use meanwhile",
            Look::Ask(None) => "ask",
            Look::Refuse(Refusal::Key) => "unknown",
            Look::Refuse(Refusal::Unavailable) => "unavailable",
            Look::Refuse(_) => "another reason",
        }
    }

    #[test]
    fn keys_are_asked_for_when_that_can_help_and_serve_on_for_a_day() {
        let fetched = |failed, tried| Known { keys: set(&[Some("a")]), fetched: Some(0), tried: Some(tried), failed };
        let never = Known { tried: Some(0), failed: true, ..Known::default() };
        for (known, kid, now, expected) in [
            (&Known::default(), "a", 0, "ask"),
            (&fetched(false, 0), "a", FRESH - 1, "use"),
            (&fetched(false, 0), "a", FRESH, "ask, use meanwhile"),
            (&fetched(true, FRESH), "a", FRESH + RETRY - 1, "use"),
            (&fetched(true, FRESH), "a", FRESH + RETRY, "ask, use meanwhile"),
            (&fetched(true, STALE - 1), "a", STALE - 1, "use"),
            (&fetched(true, STALE - 1), "a", STALE, "unavailable"),
            (&fetched(true, STALE - 1), "a", STALE + RETRY, "ask"),
            (&fetched(false, 0), "b", UNKNOWN - 1, "unknown"),
            (&fetched(false, 0), "b", UNKNOWN, "ask"),
            (&fetched(true, UNKNOWN), "b", UNKNOWN + 1, "unavailable"),
            (&never, "a", RETRY - 1, "unavailable"),
            (&never, "a", RETRY, "ask"),
            (&fetched(false, 1000), "b", 10, "ask"),
        ] {
            assert_eq!(look(known, kid, now), expected, "{kid} at {now}");
        }
    }

    #[test]
    fn a_token_without_a_name_means_the_only_key() {
        let find =
            |kids: &[Option<&str>], kid| Known { keys: set(kids), ..Known::default() }.find(wanted(kid)).is_some();
        assert!(find(&[Some("a")], None) && find(&[None], None) && find(&[Some("a"), Some("b")], Some("b")));
        assert!(!find(&[Some("a"), Some("b")], None) && !find(&[None], Some("a")) && !find(&[], None));
    }

    #[test]
    fn documents_are_read_with_suspicion() {
        let configuration = |issuer: &str| json!({"issuer": issuer, "jwks_uri": "https://i.example/keys"}).to_string();
        let uri = jwks_uri("https://i.example", configuration("https://i.example").as_bytes());
        assert_eq!(uri.unwrap().as_str(), "https://i.example/keys");
        for other in ["https://i.example/", "https://other.example", ""] {
            assert!(jwks_uri("https://i.example", configuration(other).as_bytes()).is_err(), "{other}");
        }
        assert!(jwks_uri("https://i.example", b"{}").is_err());
        assert!(keys(b"[]").is_err() && keys(b"{\"keys\":{}}").is_err());
        assert_eq!(keys_of(&json!({"keys": [1, {}, {"kty": "RSA"}]})).len(), 0);
        assert!(keys(json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string().as_bytes()).is_err());
    }
}
