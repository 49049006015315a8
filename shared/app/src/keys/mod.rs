//! Provider keys that tenants bring: sealed at rest, opened only for the request that needs them, never shown.

mod masters;
mod operator;
mod provider;
mod rotate;
mod routes;
mod seal;
mod secret;
mod status;
mod store;

use std::fmt;

use docent_llm::{Endpoint, Url};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use masters::{MasterId, Masters};
pub use operator::{Account, OperatorKeys, account};
pub use rotate::{Rotation, Unreadable, census, rotate};
pub use routes::router;
pub use seal::Refusal;
pub use secret::{Place, open_secret, rewrap_secret, seal_secret};
pub use status::Status;

use crate::App;
use crate::auth::TenantId;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};

/// A tenant's key for one provider, closed.
#[derive(Clone)]
pub struct Sealed {
    pub id: Uuid,
    pub provider: String,
    pub base_url: String,
    /// The key's last four characters, or nothing when it is so short that four would give it away.
    pub last4: String,
    /// The first 16 hex digits of the key's SHA-256: tells two keys apart without showing either.
    pub fingerprint: String,
    pub status: Status,
    pub checked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    blob: Vec<u8>,
}

// Not even the ciphertext: a log is no place to collect what somebody may decrypt one day.
impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({} [REDACTED])", self.provider)
    }
}

/// All keys of the tenant, in one statement.
pub async fn all(tx: &TenantTx) -> Result<Vec<Sealed>> {
    store::all(tx).await
}

/// The key in the clear. Drop it as soon as the request that needs it was sent.
pub fn open(masters: &Masters, tenant: &TenantId, sealed: &Sealed) -> Result<SecretString> {
    let origin = origin(&parse(&sealed.base_url)?);
    let bytes = seal::open(masters, &sealed.context(*tenant, &origin), &sealed.blob);
    let bytes = bytes.map_err(|refusal| unreadable(refusal, &sealed.provider))?;
    let text = std::str::from_utf8(&bytes).map_err(Error::internal)?;
    Ok(SecretString::from(text))
}

/// Where and with which key to call the provider.
pub fn endpoint(app: &App, tenant: TenantId, sealed: &Sealed) -> Result<Endpoint> {
    let base_url = parse(&sealed.base_url)?;
    provider::check_origin(&base_url, &app.limits)?;
    let key = open(&app.masters, &tenant, sealed)?;
    Ok(provider::endpoint(&sealed.provider, base_url, (!key.expose_secret().is_empty()).then_some(key)))
}

/// A key on its way in, its provider and address judged already.
pub struct NewKey<'a> {
    pub provider: &'a str,
    pub base_url: &'a Url,
    pub key: &'a SecretString,
}

/// Closes a key for its tenant, provider and endpoint; nothing else ever opens it.
pub fn seal(masters: &Masters, clock: &Clock, tenant: TenantId, new: NewKey<'_>) -> Result<Sealed> {
    let (key, now) = (new.key.expose_secret(), clock.now());
    let mut sealed = Sealed {
        id: clock.uuid(),
        provider: new.provider.to_owned(),
        base_url: new.base_url.to_string(),
        last4: last4(key).to_owned(),
        fingerprint: fingerprint(key),
        status: Status::Unchecked,
        checked_at: None,
        created_at: now,
        updated_at: now,
        blob: Vec::new(),
    };
    let origin = origin(new.base_url);
    let blob = seal::seal(masters, &sealed.context(tenant, &origin), key.as_bytes(), clock);
    sealed.blob = blob.map_err(|refusal| unreadable(refusal, new.provider))?;
    Ok(sealed)
}

/// Puts a closed key in the place of the tenant's former one for that provider.
pub async fn save(tx: &TenantTx, sealed: &Sealed) -> Result<Sealed> {
    let full = || {
        let detail = format!("A tenant keeps at most {} keys.", store::KEYS_LIMIT);
        Error::new(Kind::Conflict, detail).hint("Delete one that is not used.")
    };
    store::put(tx, sealed).await?.ok_or_else(full)
}

/// Asks the provider about a key and notes what it said. No connection to the database is held while it thinks.
pub async fn check(app: &App, tenant: TenantId, sealed: &Sealed) -> Result<Sealed> {
    let endpoint = endpoint(app, tenant, sealed)?;
    let status = Status::of(&app.llm.transport.check(&endpoint).await);
    let tx = app.db.tenant(tenant).await?;
    let changed = || Error::new(Kind::Conflict, "The key was replaced or deleted while it was being checked.");
    tx.finish(store::mark(&tx, sealed.id, status)).await?.ok_or_else(changed)
}

/// What a failed request said about the key that went with it; most failures say nothing about it.
pub fn blamed(failure: &Error) -> Option<Status> {
    let failure = std::error::Error::source(failure).and_then(|source| source.downcast_ref::<docent_llm::Error>());
    failure.and_then(|error| Status::blamed(error.kind()))
}

/// Notes it. A key that was replaced since has another id, so an old failure is never held against a new key.
pub async fn flag(tx: &TenantTx, id: Uuid, status: Status) -> Result<()> {
    store::mark(tx, id, status).await.map(|_| ())
}

impl Sealed {
    fn context<'a>(&'a self, tenant: TenantId, origin: &'a str) -> seal::Context<'a> {
        seal::Context { tenant: tenant.uuid(), provider: &self.provider, row: self.id, origin }
    }
}

fn parse(base_url: &str) -> Result<Url> {
    Url::parse(base_url).map_err(Error::internal)
}

/// Scheme, host and port: what a key must never be sent away from.
fn origin(base_url: &Url) -> String {
    base_url.origin().ascii_serialization()
}

/// Four characters tell a tenant's keys apart; of a short key they would be a good part of it.
const SHOWS_ITS_END: usize = 16;

fn last4(key: &str) -> &str {
    if key.len() < SHOWS_ITS_END { "" } else { &key[key.len() - 4..] }
}

fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(refusal: Refusal, provider: &str) -> Error {
    match refusal {
        Refusal::NoMaster => {
            Error::new(Kind::NotConfigured, "This server has no master key, so it keeps no provider keys.")
                .hint("The operator sets MASTER_KEY_<id> (`openssl rand -base64 32`) and MASTER_KEY_CURRENT=<id>.")
        }
        Refusal::UnknownMaster(_) => {
            Error::new(Kind::NotConfigured, "The master key that sealed this provider key is not configured.").hint(
                format!(
                    "The operator restores its MASTER_KEY_<id>; or save the key again with PUT /api/keys/{provider}."
                ),
            )
        }
        Refusal::Damaged => Error::new(Kind::Provider("provider_auth"), "The stored provider key cannot be opened.")
            .hint(format!("Save the key again with PUT /api/keys/{provider}.")),
    }
    .because(refusal)
}
