//! Bots in the database.

use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::fields::Fields;
use super::widget::Shown;
use super::{Bot, Manner, Record};
use crate::db::{Param, TenantTx};
use crate::error::{Error, Result};

/// Bots per tenant.
pub const BOTS_LIMIT: i64 = 100;

const SELECT: &str = "select b.id, b.name, b.instructions, b.provider, b.model, b.refusal,
    array(select x.collection_id from bot_collection x
          where x.tenant_id = $1 and x.bot_id = b.id order by x.collection_id),
    coalesce((select min(c.embedding_model) from bot_collection x
              join collection c on c.tenant_id = $1 and c.id = x.collection_id
              where x.tenant_id = $1 and x.bot_id = b.id), ''),
    b.is_default, b.created_at, b.updated_at,
    b.tone, b.language, b.history_length, b.temperature, b.greeting, b.suggestions, b.widget,
    b.fallback_provider, b.fallback_model, b.resumable
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
            fallback_provider: row.get(18),
            fallback_model: row.get(19),
            resumable: row.get(20),
            manner: Manner {
                tone: row.get(11),
                language: row.get(12),
                history_length: row.get(13),
                temperature: row.get(14),
            },
        },
        shown: Shown {
            greeting: row.get(15),
            suggestions: row.get(16),
            // What this release does not know of is left out, and what it misses is its own choice.
            widget: serde_json::from_value(row.get(17)).unwrap_or_default(),
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
    let sql =
        "insert into bot (tenant_id, id, name, instructions, provider, model, refusal, tone, language, history_length,
                                temperature, greeting, suggestions, widget, fallback_provider, fallback_model, resumable)
               select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
               where (select count(*) from bot where tenant_id = $1) < $18 returning 1";
    let widget = serde_json::to_value(&fields.shown.widget).map_err(Error::internal)?;
    let mut params = said(&id, fields, &widget);
    params.push(&BOTS_LIMIT);
    Ok(tx.execute(sql, &params).await? > 0)
}

pub async fn update(tx: &TenantTx, id: Uuid, fields: &Fields) -> Result<()> {
    let sql = "update bot set name = $3, instructions = $4, provider = $5, model = $6, refusal = $7, tone = $8, language = $9,
                 history_length = $10, temperature = $11, greeting = $12, suggestions = $13, widget = $14, fallback_provider = $15,
                 fallback_model = $16, resumable = $17, updated_at = now()
               where tenant_id = $1 and id = $2";
    let widget = serde_json::to_value(&fields.shown.widget).map_err(Error::internal)?;
    tx.execute(sql, &said(&id, fields, &widget)).await?;
    Ok(())
}

/// What is said of a bot, as `$2` to `$17`.
fn said<'a>(id: &'a Uuid, fields: &'a Fields, widget: &'a Value) -> Vec<&'a dyn Param> {
    let Fields { name, instructions, provider, model, refusal, manner, shown, .. } = fields;
    let Fields { fallback_provider, fallback_model, resumable, .. } = fields;
    let Manner { tone, language, history_length, temperature } = manner;
    let Shown { greeting, suggestions, .. } = shown;
    vec![
        id,
        name,
        instructions,
        provider,
        model,
        refusal,
        tone,
        language,
        history_length,
        temperature,
        greeting,
        suggestions,
        widget,
        fallback_provider,
        fallback_model,
        resumable,
    ]
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
