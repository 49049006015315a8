//! Who is asking: tenants, platform tokens, visitors, sessions of identity providers, and the caller that routes take
//! as an argument.

#[cfg(feature = "openapi")]
mod described;
mod extract;
mod operator;
mod provision;
mod role;
mod routes;
pub mod session;
pub(crate) mod store;
pub mod token;
pub mod visitor;

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use extract::{Credential, LONGEST_CREDENTIAL, May, Page};
pub use operator::{NewTenant, Tenant, create_tenant, every_tenant, list_tenants, mint_token};
pub use provision::Newcomers;
pub use role::{Admin, Chat, Need, Read, Recall, Role, Scope, Write};
pub use routes::router;
pub use session::Sessions;
pub use visitor::Signer;

use crate::clock::Clock;
use session::Person;

/// A tenant. The field is private: only a credential, a stored row or the operator can make one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Uuid);

impl TenantId {
    /// A new tenant's id, for the operator.
    pub fn create(clock: &Clock) -> TenantId {
        TenantId(clock.uuid())
    }

    /// From a row that the database gave, or a key that it will be checked against before anything is believed.
    pub(crate) fn stored(id: Uuid) -> TenantId {
        TenantId(id)
    }

    /// The tenant of a person whom an identity provider vouches for: the same one wherever it is computed, so that it
    /// can be named before any row is read. The issuer is part of it: two providers may use the same ids.
    pub fn of_person(person: &Person) -> TenantId {
        let mut hash = Sha256::new();
        // An organisation's id and a person's may read the same.
        let kind = if person.organisation.is_some() { "organisation" } else { "person" };
        for part in ["docent/tenant/v1", &person.issuer, kind, person.group()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        TenantId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TenantId({})", self.0)
    }
}

/// A verified caller. Made by [`Credential::verify`] and [`May`] alone, both of which ask for a scope.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    /// The platform token that the request came with, or that minted its visitor.
    pub token: Option<Uuid>,
    /// Set for visitors: who, in the tenant's own terms.
    pub visitor: Option<String>,
    /// Whose conversations these are: empty for the tenant's own servers.
    pub owner: String,
    scopes: Vec<Scope>,
}
