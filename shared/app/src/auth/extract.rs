//! The caller as an argument: a handler without one cannot name any tenant's data.

use axum::extract::{FromRef, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use secrecy::SecretString;
use uuid::Uuid;

use super::{Scope, TenantId, store, token};
use crate::App;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};

/// A verified caller: the token exists, is neither expired nor revoked, and belongs to the tenant.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub token: Uuid,
    pub(super) scopes: Vec<String>,
}

impl Caller {
    /// Refuses a caller whose token lacks the scope.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.iter().any(|held| held == scope.as_str()) {
            return Ok(());
        }
        Err(Error::new(Kind::Forbidden, format!("This token lacks the scope `{}`.", scope.as_str())))
    }
}

/// A well-formed credential whose tenant is only claimed so far. [`Credential::verify`] makes it a fact in the same
/// trip as the statements that stand beside it.
pub struct Credential {
    claimed: TenantId,
    hash: [u8; 32],
}

impl Credential {
    /// The claimed tenant: good for opening its door, where row security and the token's row decide.
    pub fn tenant(&self) -> TenantId {
        self.claimed
    }

    pub async fn verify(&self, tx: &TenantTx) -> Result<Caller> {
        store::verify(tx, &self.hash).await?.ok_or_else(unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Credential {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unauthorized)?;
        let (scheme, text) = header.split_once(' ').ok_or_else(unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized());
        }
        let hash = token::hash(text.trim());
        let claimed = token::claim(&SecretString::from(text.trim())).ok_or_else(unauthorized)?;
        Ok(Credential { claimed, hash })
    }
}

impl<S> FromRequestParts<S> for Caller
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let credential = Credential::from_request_parts(parts, state).await?;
        let tx = App::from_ref(state).db.tenant(credential.tenant()).await?;
        tx.finish(credential.verify(&tx)).await
    }
}

fn unauthorized() -> Error {
    Error::new(Kind::Unauthorized, "This needs a valid token.")
}
