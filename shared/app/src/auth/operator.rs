//! What the operator's command line does with tenants; a function's database role is refused all of it.

use secrecy::SecretString;

use super::store::{self, NewToken};
use super::token::TokenKind;
use super::{Scope, TenantId, token};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result};

/// A tenant to be.
pub struct NewTenant<'a> {
    pub name: &'a str,
    /// What its first collection is embedded with.
    pub embedding_model: &'a str,
}

/// A tenant as the operator sees it.
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: jiff::Timestamp,
}

/// Creates a tenant with one collection, one bot and one token that may do everything; the token is shown once.
pub async fn create_tenant(db: &Db, clock: &Clock, new: NewTenant<'_>) -> Result<(TenantId, SecretString)> {
    if new.name.trim().is_empty() || new.name.chars().count() > 200 {
        return Err(Error::invalid("A tenant's name holds 1 to 200 characters."));
    }
    let tenant = TenantId::create(clock);
    let tx = db.tenant(tenant).await?;
    let ids = [clock.uuid(), clock.uuid()];
    store::create_tenant(&tx, new.name.trim(), None, new.embedding_model, ids).await?;
    let minted = token::mint(TokenKind::Secret, tenant, clock);
    let row = NewToken::secret(clock.uuid(), "first", &Scope::ALL, &minted);
    store::insert(&tx, row).await?;
    tx.commit().await?;
    Ok((tenant, minted.text))
}

/// A further token for a tenant whose first one was lost.
pub async fn mint_token(db: &Db, clock: &Clock, tenant: TenantId, scopes: &[Scope]) -> Result<SecretString> {
    let minted = token::mint(TokenKind::Secret, tenant, clock);
    let tx = db.tenant(tenant).await?;
    let row = NewToken::secret(clock.uuid(), "operator", scopes, &minted);
    store::insert(&tx, row).await?;
    tx.commit().await?;
    Ok(minted.text)
}

/// Every tenant's id, in one trip.
pub async fn every_tenant(db: &Db) -> Result<Vec<TenantId>> {
    Ok(db.every_tenant().await?.into_iter().map(TenantId::stored).collect())
}

pub async fn list_tenants(db: &Db) -> Result<Vec<Tenant>> {
    let mut tenants = Vec::new();
    for id in every_tenant(db).await? {
        let tx = db.tenant(id).await?;
        if let Some((name, created_at)) = tx.finish(store::tenant(&tx)).await? {
            tenants.push(Tenant { id, name, created_at });
        }
    }
    Ok(tenants)
}
