//! Secrets of other rooms under the same envelope: bound to their tenant, their purpose and their row.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::Masters;
use super::seal::{self, Context};
use crate::auth::TenantId;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// Where such a secret belongs.
#[derive(Clone, Copy)]
pub struct Place {
    pub tenant: TenantId,
    /// A word that no provider is called by: it holds a space.
    pub purpose: &'static str,
    pub row: Uuid,
}

impl Place {
    fn context(&self) -> Context<'static> {
        Context { tenant: self.tenant.uuid(), provider: self.purpose, row: self.row, origin: "" }
    }
}

pub fn seal_secret(masters: &Masters, place: &Place, secret: &[u8], clock: &Clock) -> Result<Vec<u8>> {
    seal::seal(masters, &place.context(), secret, clock).map_err(unusable)
}

pub fn open_secret(masters: &Masters, place: &Place, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    seal::open(masters, &place.context(), blob).map_err(unusable)
}

/// The same secret under the current master; `None` when it already is.
pub fn rewrap_secret(masters: &Masters, place: &Place, blob: &[u8], clock: &Clock) -> Result<Option<Vec<u8>>> {
    seal::rewrap(masters, &place.context(), blob, clock).map_err(unusable)
}

fn unusable(refusal: seal::Refusal) -> Error {
    Error::new(Kind::NotConfigured, "This server's master keys do not open or make what is needed here.")
        .hint("The operator sets MASTER_KEY_<id> (`openssl rand -base64 32`) and MASTER_KEY_CURRENT=<id>, and keeps older ones.")
        .because(refusal)
}
