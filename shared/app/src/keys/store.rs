//! Sealed keys in the database: one row per tenant and provider.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{MasterId, Sealed, Status};
use crate::db::TenantTx;
use crate::error::Result;

/// Keys per tenant: more than there are providers worth naming.
pub const KEYS_LIMIT: i64 = 50;

const COLUMNS: &str = "id, provider, base_url, last4, fingerprint, status, checked_at, created_at, updated_at, sealed";

fn read(row: &Row) -> Sealed {
    Sealed {
        id: row.get(0),
        provider: row.get(1),
        base_url: row.get(2),
        last4: row.get(3),
        fingerprint: row.get(4),
        status: Status::stored(row.get(5)),
        checked_at: row.get(6),
        created_at: row.get(7),
        updated_at: row.get(8),
        blob: row.get(9),
    }
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Sealed>> {
    let sql = format!("select {COLUMNS} from provider_key where tenant_id = $1 order by provider limit $2");
    Ok(tx.query(&sql, &[&KEYS_LIMIT]).await?.iter().map(read).collect())
}

pub async fn find(tx: &TenantTx, provider: &str) -> Result<Option<Sealed>> {
    let sql = format!("select {COLUMNS} from provider_key where tenant_id = $1 and provider = $2");
    Ok(tx.query_opt(&sql, &[&provider]).await?.as_ref().map(read))
}

/// Saves the tenant's key for a provider; `None` when the tenant already has as many keys as it may. A replaced key
/// gets the new row id that its blob is bound to, so that neither an old blob nor an old check can land on it.
pub async fn put(tx: &TenantTx, sealed: &Sealed) -> Result<Option<Sealed>> {
    let sql = format!(
        "insert into provider_key (tenant_id, id, provider, base_url, sealed, last4, fingerprint)
         select $1, $2, $3, $4, $5, $6, $7
         where (select count(*) from provider_key where tenant_id = $1 and provider <> $3) < $8
         on conflict (tenant_id, provider) do update
           set id = excluded.id, base_url = excluded.base_url, sealed = excluded.sealed, last4 = excluded.last4,
               fingerprint = excluded.fingerprint, status = 'unchecked', checked_at = null, updated_at = now()
         returning {COLUMNS}"
    );
    let Sealed { id, provider, base_url, blob, last4, fingerprint, .. } = sealed;
    let row = tx.query_opt(&sql, &[id, provider, base_url, blob, last4, fingerprint, &KEYS_LIMIT]).await?;
    Ok(row.as_ref().map(read))
}

/// Notes what a check found; `None` when the key was replaced or deleted meanwhile.
pub async fn mark(tx: &TenantTx, id: Uuid, status: Status) -> Result<Option<Sealed>> {
    let sql = format!(
        "update provider_key set status = $3, checked_at = now() where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    Ok(tx.query_opt(&sql, &[&id, &status.as_str()]).await?.as_ref().map(read))
}

/// The keys that another master than this one wraps; its id stands behind the blob's first byte.
pub async fn behind(tx: &TenantTx, master: &[u8; 4]) -> Result<Vec<Sealed>> {
    let sql = format!(
        "select {COLUMNS} from provider_key where tenant_id = $1 and substring(sealed from 2 for 4) <> $2
         order by provider limit $3"
    );
    Ok(tx.query(&sql, &[&master.as_slice(), &KEYS_LIMIT]).await?.iter().map(read).collect())
}

pub async fn census(tx: &TenantTx) -> Result<BTreeMap<MasterId, u64>> {
    let sql = "select substring(sealed from 2 for 4), count(*) from provider_key where tenant_id = $1 group by 1";
    let rows = tx.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| (MasterId::read(row.get(0)), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0))).collect())
}

/// Exchanges a blob for its rewrapped self, unless somebody else changed it first.
pub async fn replace_blob(tx: &TenantTx, id: Uuid, old: &[u8], new: &[u8]) -> Result<bool> {
    let sql = "update provider_key set sealed = $4 where tenant_id = $1 and id = $2 and sealed = $3 returning 1";
    Ok(tx.execute(sql, &[&id, &old, &new]).await? > 0)
}

pub async fn delete(tx: &TenantTx, provider: &str) -> Result<bool> {
    let sql = "delete from provider_key where tenant_id = $1 and provider = $2 returning 1";
    Ok(tx.execute(sql, &[&provider]).await? > 0)
}
