//! Bots in the database.

use tokio_postgres::Row;
use uuid::Uuid;

use super::fields::Fields;
use super::{Bot, Record};
use crate::db::{Param, TenantTx};
use crate::error::Result;

/// Bots per tenant.
pub const BOTS_LIMIT: i64 = 100;

const SELECT: &str = "select b.id, b.name, b.instructions, b.provider, b.model, b.refusal,
    array(select x.collection_id from bot_collection x
          where x.tenant_id = $1 and x.bot_id = b.id order by x.collection_id),
    coalesce((select min(c.embedding_model) from bot_collection x
              join collection c on c.tenant_id = $1 and c.id = x.collection_id
              where x.tenant_id = $1 and x.bot_id = b.id), ''),
    b.is_default, b.created_at, b.updated_at, b.fallback_provider, b.fallback_model, b.resumable
  from bot b where b.tenant_id = $1";

fn read(row: &Row) -> Record {
    Record {
        bot: Bot {
            id: row.get(0),
            name: row.get(1),
            instructions: row.get(2),
            provider: row.get(3),
            model: row.get(4),
            refusal: row.get(5),
            collections: row.get(6),
            embedding_model: row.get(7),
            fallback_provider: row.get(11),
            fallback_model: row.get(12),
            resumable: row.get(13),
        },
        is_default: row.get(8),
        created_at: row.get(9),
        updated_at: row.get(10),
    }
}

pub async fn find(tx: &TenantTx, id: Option<Uuid>, name: Option<&str>) -> Result<Option<Record>> {
    let sql = format!(
        "{SELECT} and (b.id = $2 or ($2 is null and (b.name = $3 or ($3 is null and b.is_default))))
         order by b.is_default desc, b.created_at, b.id limit 1"
    );
    Ok(tx.query_opt(&sql, &[&id, &name]).await?.as_ref().map(read))
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Record>> {
    let sql = format!("{SELECT} order by b.is_default desc, b.created_at, b.id limit $2");
    Ok(tx.query(&sql, &[&BOTS_LIMIT]).await?.iter().map(read).collect())
}

/// Makes a second change of the same bot wait for the first, so that neither loses what the other wrote.
pub async fn lock(tx: &TenantTx, id: Uuid) -> Result<()> {
    tx.execute("select 1 from bot where tenant_id = $1 and id = $2 for update", &[&id]).await?;
    Ok(())
}

/// False when the tenant already has as many bots as it may.
pub async fn insert(tx: &TenantTx, id: Uuid, fields: &Fields) -> Result<bool> {
    let sql = "insert into bot (tenant_id, id, name, instructions, provider, model, refusal, fallback_provider, fallback_model, resumable)
               select $1, $2, $3, $4, $5, $6, $7, $9, $10, $11
               where (select count(*) from bot where tenant_id = $1) < $8 returning 1";
    let Fields { name, instructions, provider, model, refusal, .. } = fields;
    let Fields { fallback_provider, fallback_model, resumable, .. } = fields;
    let params: &[&dyn Param] =
        &[&id, name, instructions, provider, model, refusal, &BOTS_LIMIT, fallback_provider, fallback_model, resumable];
    Ok(tx.execute(sql, params).await? > 0)
}

pub async fn update(tx: &TenantTx, id: Uuid, fields: &Fields) -> Result<()> {
    let sql =
        "update bot set name = $3, instructions = $4, provider = $5, model = $6, refusal = $7, updated_at = now(),
                 fallback_provider = $8, fallback_model = $9, resumable = $10
               where tenant_id = $1 and id = $2";
    let Fields { name, instructions, provider, model, refusal, .. } = fields;
    let Fields { fallback_provider, fallback_model, resumable, .. } = fields;
    let params: &[&dyn Param] =
        &[&id, name, instructions, provider, model, refusal, fallback_provider, fallback_model, resumable];
    tx.execute(sql, params).await?;
    Ok(())
}

pub async fn set_collections(tx: &TenantTx, id: Uuid, collections: &[Uuid]) -> Result<()> {
    let wanted = collections.to_vec();
    let sql = "delete from bot_collection where tenant_id = $1 and bot_id = $2 and collection_id <> all ($3)";
    tx.execute(sql, &[&id, &wanted]).await?;
    let sql = "insert into bot_collection (tenant_id, bot_id, collection_id)
               select $1, $2, wanted from unnest($3) wanted on conflict do nothing";
    tx.execute(sql, &[&id, &wanted]).await?;
    Ok(())
}

/// The embedding model of each of these collections that exists.
pub async fn models(tx: &TenantTx, collections: &[Uuid]) -> Result<Vec<String>> {
    let sql = "select embedding_model from collection where tenant_id = $1 and id = any ($2)";
    Ok(tx.query(sql, &[&collections.to_vec()]).await?.iter().map(|row| row.get(0)).collect())
}

/// False when there is no such bot, or it is the default one.
pub async fn delete(tx: &TenantTx, id: Uuid) -> Result<bool> {
    let sql = "delete from bot where tenant_id = $1 and id = $2 and not is_default returning 1";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}
