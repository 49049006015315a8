//! Who is asking: tenants, platform tokens, scopes, and the caller that routes take as an argument.

mod extract;
mod operator;
mod routes;
pub(crate) mod store;
pub mod token;

use std::fmt;

use uuid::Uuid;

pub use extract::{Caller, Credential};
pub use operator::{NewTenant, Tenant, create_tenant, list_tenants, mint_token};
pub use routes::router;

use crate::clock::Clock;

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

    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TenantId({})", self.0)
    }
}

/// What a token allows. Deny by default: a route names the one that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Ask questions, read one's conversations.
    Chat,
    /// Read documents, bots, usage; search.
    Read,
    /// Upload and delete documents, change bots.
    Write,
    /// Provider keys and platform tokens.
    Admin,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::Chat, Scope::Read, Scope::Write, Scope::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Chat => "chat",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}
