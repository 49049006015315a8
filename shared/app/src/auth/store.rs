//! Tokens and tenants in the database.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Caller, Scope, TenantId, token::Minted};
use crate::db::TenantTx;
use crate::error::Result;

pub async fn verify(tx: &TenantTx, hash: &[u8; 32]) -> Result<Option<Caller>> {
    // `last_used_at` moves at most once a minute, so that a busy token is not a hot row.
    let sql = "with held as (
                 select k.tenant_id, k.id, k.scopes, k.last_used_at
                 from token k join tenant t on t.tenant_id = $1 and t.disabled_at is null
                 where k.tenant_id = $1 and k.hash = $2 and k.revoked_at is null
                   and (k.expires_at is null or k.expires_at > now())
               ), used as (
                 update token set last_used_at = now()
                 from held where token.tenant_id = $1 and token.id = held.id
                   and coalesce(held.last_used_at, '-infinity') < now() - interval '1 minute'
                 returning 1
               )
               select tenant_id, id, scopes from held";
    let row = tx.query_opt(sql, &[&hash.to_vec()]).await?;
    Ok(row.map(|row| Caller { tenant: TenantId::stored(row.get(0)), token: row.get(1), scopes: row.get(2) }))
}

/// A token as it can be shown: never the token itself.
pub struct Token {
    pub id: Uuid,
    pub name: String,
    pub last4: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<jiff::Timestamp>,
    pub last_used_at: Option<jiff::Timestamp>,
    pub created_at: jiff::Timestamp,
}

impl Token {
    fn read(row: &Row) -> Token {
        Token {
            id: row.get(0),
            name: row.get(1),
            last4: row.get(2),
            scopes: row.get(3),
            expires_at: row.get(4),
            last_used_at: row.get(5),
            created_at: row.get(6),
        }
    }
}

const COLUMNS: &str = "id, name, last4, scopes, expires_at, last_used_at, created_at";

pub struct NewToken<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub scopes: &'a [Scope],
    pub expires_at: Option<jiff::Timestamp>,
    pub minted: &'a Minted,
}

pub async fn insert(tx: &TenantTx, new: NewToken<'_>) -> Result<Token> {
    let scopes: Vec<String> = new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let sql = format!(
        "insert into token (tenant_id, id, name, hash, last4, scopes, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7) returning {COLUMNS}"
    );
    let hash = new.minted.hash.to_vec();
    let rows = tx.query(&sql, &[&new.id, &new.name, &hash, &new.minted.last4, &scopes, &new.expires_at]).await?;
    rows.first().map(Token::read).ok_or_else(|| crate::Error::internal("insert returned no row"))
}

/// No tenant has more than a screenful of tokens that are alive; the newest are shown.
pub const LIST_LIMIT: i64 = 200;

pub async fn list(tx: &TenantTx) -> Result<Vec<Token>> {
    let sql = format!(
        "select {COLUMNS} from token where tenant_id = $1 and revoked_at is null order by created_at desc, id limit $2"
    );
    Ok(tx.query(&sql, &[&LIST_LIMIT]).await?.iter().map(Token::read).collect())
}

/// True when there was such a token and it is revoked now.
pub async fn revoke(tx: &TenantTx, id: Uuid) -> Result<bool> {
    let sql = "update token set revoked_at = coalesce(revoked_at, now()) where tenant_id = $1 and id = $2 returning 1";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}

/// What a tenant starts with: itself, one collection, one bot over it.
pub async fn create_tenant(tx: &TenantTx, name: &str, embedding_model: &str, ids: [Uuid; 2]) -> Result<()> {
    let [collection, bot] = ids;
    tx.execute("insert into tenant (tenant_id, name) values ($1, $2)", &[&name]).await?;
    let sql = "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, 'Library', $3)";
    tx.execute(sql, &[&collection, &embedding_model]).await?;
    tx.execute("insert into bot (tenant_id, id, name, is_default) values ($1, $2, 'Docent', true)", &[&bot]).await?;
    let sql = "insert into bot_collection (tenant_id, bot_id, collection_id) values ($1, $2, $3)";
    tx.execute(sql, &[&bot, &collection]).await?;
    Ok(())
}

/// A tenant's name and when it came, or nothing when there is no such tenant.
pub async fn tenant(tx: &TenantTx) -> Result<Option<(String, jiff::Timestamp)>> {
    let row = tx.query_opt("select name, created_at from tenant where tenant_id = $1", &[]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
