//! A migration to another embedding model in the database: its row, and the collections that it is about.

use crate::db::TenantTx;
use crate::documents::Failure;
use crate::documents::migration::{Migration, State};
use crate::error::{Error, Result};

/// A query that began before the switch may still read the model that is given up.
const GRACE_SECONDS: f64 = 60.0;

fn state(state: &str, filled: bool) -> Result<State> {
    match (state, filled) {
        ("filling", false) => Ok(State::Filling),
        ("filling", true) => Ok(State::Ready),
        ("switched", _) => Ok(State::Switched),
        ("finishing", _) => Ok(State::Finishing),
        _ => Err(Error::internal(format!("no state of a migration: {state}"))),
    }
}

pub async fn find(tx: &TenantTx) -> Result<Option<Migration>> {
    let sql = "select m.from_model, m.to_model, m.state, m.filled_at is not null, least(m.done, m.total), m.total,
                 m.error_code, m.error_detail, m.error_hint, m.created_at, m.updated_at
               from model_migration m where m.tenant_id = $1";
    let Some(row) = tx.query_opt(sql, &[]).await? else { return Ok(None) };
    let code: Option<String> = row.get(6);
    let failure = code.map(|code| Failure {
        code,
        message: row.get::<_, Option<String>>(7).unwrap_or_default(),
        hint: row.get::<_, Option<String>>(8).unwrap_or_default(),
    });
    Ok(Some(Migration {
        from: row.get(0),
        to: row.get(1),
        state: state(row.get(2), row.get(3))?,
        done: row.get(4),
        total: row.get(5),
        failure,
        created_at: row.get(9),
        updated_at: row.get(10),
    }))
}

/// False: there is one already.
pub async fn insert(tx: &TenantTx, from: &str, to: &str) -> Result<bool> {
    let sql = "insert into model_migration (tenant_id, from_model, to_model, total)
               select $1, $2, $3, coalesce(sum(d.current_chunks), 0) from document d
               join collection c on c.tenant_id = $1 and c.id = d.collection_id and c.embedding_model = $2
               where d.tenant_id = $1 and d.deleted_at is null
               on conflict do nothing returning 1";
    Ok(tx.execute(sql, &[&from, &to]).await? > 0)
}

/// Whoever changes the state waits for whoever else does.
pub async fn lock(tx: &TenantTx) -> Result<Option<State>> {
    let sql = "select m.state, m.filled_at is not null from model_migration m where m.tenant_id = $1 for update";
    let row = tx.query_opt(sql, &[]).await?;
    row.map(|row| state(row.get(0), row.get(1))).transpose()
}

/// Until the end of the transaction no revision is shown in these collections (`ingest/store/swap.sql`); what only refers
/// to them goes on.
pub async fn hold_collections(tx: &TenantTx) -> Result<()> {
    let sql = "select 1 from collection c
               where c.tenant_id = $1 and c.embedding_model in (
                 select m.from_model from model_migration m where m.tenant_id = $1)
               order by c.id for no key update";
    tx.query(sql, &[]).await.map(|_| ())
}

/// How many documents readers see without all their vectors of the newer model.
pub async fn behind(tx: &TenantTx) -> Result<i64> {
    let sql = "select count(*) from model_migration m
               join collection c on c.tenant_id = $1 and c.embedding_model = m.from_model
               join document d on d.tenant_id = $1 and d.collection_id = c.id
               where m.tenant_id = $1 and d.deleted_at is null and d.current_revision is not null
                 and d.current_chunks > (
                   select count(*) from embedding e
                   where e.tenant_id = $1 and e.model = m.to_model and e.document_id = d.id and e.revision = d.current_revision)";
    Ok(tx.query_opt(sql, &[]).await?.map_or(0, |row| row.get(0)))
}

/// What is behind is caught up with now.
pub async fn hurry(tx: &TenantTx) -> Result<()> {
    let sql = "update model_migration set filled_at = null, reached = default, clean = true, lease_until = now()
               where tenant_id = $1 and lease_owner is null";
    tx.execute(sql, &[]).await.map(|_| ())
}

pub async fn switch(tx: &TenantTx) -> Result<()> {
    let sql = "with switched as (
                 update collection c set embedding_model = m.to_model from model_migration m
                 where c.tenant_id = $1 and m.tenant_id = $1 and c.embedding_model = m.from_model returning c.id
               )
               update model_migration set state = 'switched', collections = array(select id from switched),
                 rolled_back = false, lease_owner = null, error_code = null, error_detail = null, error_hint = null, updated_at = now()
               where tenant_id = $1";
    tx.execute(sql, &[]).await.map(|_| ())
}

/// The names of bots that would look into collections of both models after a roll-back.
pub async fn between_models(tx: &TenantTx) -> Result<Vec<String>> {
    let sql = "select b.name from bot b
               join model_migration m on m.tenant_id = $1
               where b.tenant_id = $1
                 and exists (select from bot_collection x where x.tenant_id = $1 and x.bot_id = b.id and x.collection_id = any(m.collections))
                 and exists (select from bot_collection x where x.tenant_id = $1 and x.bot_id = b.id and x.collection_id <> all(m.collections))
               order by b.name limit 10";
    Ok(tx.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

pub async fn roll_back(tx: &TenantTx) -> Result<()> {
    let sql = "with back as (
                 update collection c set embedding_model = m.from_model from model_migration m
                 where c.tenant_id = $1 and m.tenant_id = $1 and c.id = any(m.collections)
                   and c.embedding_model = m.to_model
               )
               update model_migration set state = 'filling', collections = '{}', rolled_back = true, filled_at = null,
                 reached = default, clean = true,
                 lease_owner = null, lease_until = now(), updated_at = now()
               where tenant_id = $1";
    tx.execute(sql, &[]).await.map(|_| ())
}

/// Whoever is at it is fenced off, and nothing is deleted before the last query that could miss it has ended.
pub async fn finish(tx: &TenantTx) -> Result<()> {
    let sql = "update model_migration set state = 'finishing', lease_owner = null, reached = default, clean = true,
                 lease_until = now() + make_interval(secs => $2), updated_at = now()
               where tenant_id = $1 and state <> 'finishing'";
    tx.execute(sql, &[&GRACE_SECONDS]).await.map(|_| ())
}
