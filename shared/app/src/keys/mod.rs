//! Provider keys that tenants bring: sealed at rest, opened only for the request that needs them, never shown.

mod masters;
mod provider;
mod routes;
mod seal;
mod store;

use std::fmt;

use docent_llm::{Endpoint, KeyStatus, Url};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub use masters::Masters;
pub use routes::router;
pub use seal::Refusal;

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
    /// What the last check said; `unchecked` before the first.
    pub status: String,
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
    Ok(Endpoint {
        dialect: provider::dialect(&sealed.provider),
        key_check: provider::key_check(&sealed.provider, &base_url),
        base_url,
        key: (!key.expose_secret().is_empty()).then_some(key),
    })
}

/// What a rotation did to one tenant's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    pub rewrapped: usize,
    /// Already under the current master, or replaced by their tenant meanwhile.
    pub left: usize,
    /// Their master is not configured, or they are damaged: their tenant must save them again.
    pub unreadable: usize,
}

/// Wraps the tenant's keys anew under the current master. Safe to repeat and to interrupt.
pub async fn rotate(masters: &Masters, clock: &Clock, tx: &TenantTx) -> Result<Rotation> {
    let mut rotation = Rotation::default();
    for sealed in store::all(tx).await? {
        let origin = origin(&parse(&sealed.base_url)?);
        match seal::rewrap(masters, &sealed.context(tx.tenant(), &origin), &sealed.blob, clock) {
            Err(Refusal::NoMaster) => return Err(unreadable(Refusal::NoMaster, &sealed.provider)),
            Err(_) => rotation.unreadable += 1,
            Ok(Some(blob)) if store::replace_blob(tx, sealed.id, &sealed.blob, &blob).await? => rotation.rewrapped += 1,
            Ok(_) => rotation.left += 1,
        }
    }
    Ok(rotation)
}

impl Sealed {
    fn context<'a>(&'a self, tenant: TenantId, origin: &'a str) -> seal::Context<'a> {
        seal::Context { tenant: tenant.uuid(), provider: &self.provider, row: self.id, origin }
    }
}

/// The status that is stored after a check. A provider that gave no verdict says something about the endpoint only.
fn verdict(checked: &Result<KeyStatus, docent_llm::Error>) -> &'static str {
    use docent_llm::ErrorKind;
    match checked {
        Ok(KeyStatus::Valid) => "good",
        Ok(KeyStatus::Invalid) => "bad",
        Ok(KeyStatus::Restricted) => "restricted",
        Ok(KeyStatus::NoCredit) => "out_of_credit",
        Err(error) => match error.kind() {
            ErrorKind::Auth => "bad",
            ErrorKind::Forbidden => "restricted",
            ErrorKind::Quota => "out_of_credit",
            ErrorKind::RateLimited { .. } => "rate_limited",
            ErrorKind::Protocol | ErrorKind::Rejected => "not_an_api",
            _ => "unreachable",
        },
    }
}

fn parse(base_url: &str) -> Result<Url> {
    Url::parse(base_url).map_err(Error::internal)
}

/// Scheme, host and port: what a key must never be sent away from.
fn origin(base_url: &Url) -> String {
    base_url.origin().ascii_serialization()
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
