//! What a migration to another embedding model reads and writes. Each batch carries the owner of the lease: whoever was
//! overtaken, or whose migration ended, stores nothing.

use pgvector::Vector;
use uuid::Uuid;

use crate::auth::TenantId;
use crate::db::{Param, TenantTx};
use crate::error::{Error, Result};
use crate::ingest::batch::{Batch, Input};
use crate::vectors::Place;

/// The right to work at a tenant's migration, until somebody takes it over.
#[derive(Clone, Debug)]
pub struct Lease {
    pub tenant: TenantId,
    pub owner: Uuid,
    pub seconds: i32,
    pub from: String,
    pub to: String,
    pub finishing: bool,
    pub rolled_back: bool,
    /// Failures in a row.
    pub attempts: i32,
    /// A pass found nothing to do before: only what changed since has to be looked at.
    pub topping_up: bool,
    pub pass: Pass,
}

/// One way through the library, from its first document to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The next document to look at, or any behind it.
    pub next: Uuid,
    /// Nothing was missing so far.
    pub clean: bool,
}

impl Pass {
    pub const START: Pass = Pass { next: Uuid::nil(), clean: true };
}

/// A chunk that readers see and that lacks its vector of one model.
#[derive(Clone, Debug)]
pub struct Missing {
    pub document: Uuid,
    revision: i32,
    ordinal: i32,
    input: String,
}

impl Missing {
    pub fn place(&self) -> Place {
        Place { document: self.document, revision: self.revision, ordinal: self.ordinal }
    }
}

impl Input for Missing {
    fn input(&self) -> &str {
        &self.input
    }
}

/// `None`: somebody is at it, it is not its time, or it ended.
pub async fn lease(tx: &TenantTx, owner: Uuid, seconds: i32) -> Result<Option<Lease>> {
    let sql = "update model_migration set lease_owner = $2, lease_until = now() + make_interval(secs => $3),
                 total = (select coalesce(sum(d.current_chunks), 0) from document d
                          join collection c on c.tenant_id = $1 and c.id = d.collection_id
                          where d.tenant_id = $1 and d.deleted_at is null and c.embedding_model = from_model)
               where tenant_id = $1 and state <> 'switched' and lease_until <= now()
               returning from_model, to_model, state = 'finishing', rolled_back, attempts, filled_at is not null, reached, clean";
    let row = tx.query_opt(sql, &[&owner, &f64::from(seconds)]).await?;
    Ok(row.map(|row| Lease {
        tenant: tx.tenant(),
        owner,
        seconds,
        from: row.get(0),
        to: row.get(1),
        finishing: row.get(2),
        rolled_back: row.get(3),
        attempts: row.get(4),
        topping_up: row.get(5),
        pass: Pass { next: row.get(6), clean: row.get(7) },
    }))
}

/// Says that the worker lives; false when the lease is no longer its own.
pub async fn beat(tx: &TenantTx, lease: &Lease) -> Result<bool> {
    let sql = "update model_migration set lease_until = now() + make_interval(secs => $3)
               where tenant_id = $1 and lease_owner = $2 returning 1";
    Ok(tx.execute(sql, &[&lease.owner, &f64::from(lease.seconds)]).await? > 0)
}

/// Some documents in the order of their ids, and those of their chunks that lack their vector of one model.
pub struct Page {
    pub missing: Vec<Missing>,
    /// The last document that was looked at; none behind the last one of the library.
    pub last: Option<Uuid>,
}

/// Documents that one statement looks at: few enough for any of them to end in time.
const PAGE_DOCUMENTS: i64 = 200;
/// What is topped up is what changed in this time before the last whole pass ended, or since: longer than a pass takes.
const MARGIN_SECONDS: f64 = 3600.0;

/// The next documents of the collections that have the model `from`, and at most so many of their chunks without a vector
/// of `model`.
pub async fn missing(tx: &TenantTx, lease: &Lease, model: &str, next: Uuid, most: usize) -> Result<Page> {
    let sql = "with page as materialized (
                 select d.id, d.current_revision, d.title from document d
                 join collection k on k.tenant_id = $1 and k.id = d.collection_id and k.embedding_model = $2
                 where d.tenant_id = $1 and d.id >= $4 and d.deleted_at is null and d.current_revision is not null
                   and (not $6 or d.updated_at > (
                     select m.filled_at - make_interval(secs => $7) from model_migration m where m.tenant_id = $1))
                 order by d.id limit $8
               )
               select p.last, m.id, m.current_revision, m.ordinal, m.title, m.heading_path, m.text
               from (select max(page.id::text)::uuid as last from page) p
               left join lateral (
                 select d.id, d.current_revision, d.title, c.ordinal, c.heading_path, c.text
                 from page d cross join lateral (
                   select c.ordinal, c.heading_path, c.text from chunk c
                   where c.tenant_id = $1 and c.document_id = d.id and c.revision = d.current_revision
                     and not exists (
                       select 1 from embedding e
                       where e.tenant_id = $1 and e.model = $3 and e.document_id = c.document_id
                         and e.revision = c.revision and e.ordinal = c.ordinal)
                   -- Document by document, so that the limit ends the reading. Were it in another order, the next pass
                   -- would find what this one left out.
                   order by c.ordinal
                 ) c
                 limit $5
               ) m on true
               order by m.id, m.ordinal";
    let most = i64::try_from(most).map_err(Error::internal)?;
    let (from, topping_up) = (&lease.from, lease.topping_up);
    let params: &[&dyn Param] = &[from, &model, &next, &most, &topping_up, &MARGIN_SECONDS, &PAGE_DOCUMENTS];
    let rows = tx.query(sql, params).await?;
    let last = rows.first().and_then(|row| row.get(0));
    let missing = rows.iter().filter_map(|row| {
        let document: Uuid = row.get::<_, Option<Uuid>>(1)?;
        let (title, headings, text): (Option<String>, Vec<String>, String) = (row.get(4), row.get(5), row.get(6));
        let input = docent_text::embed_input(title.as_deref(), &headings, &text);
        Some(Missing { document, revision: row.get(2), ordinal: row.get(3), input })
    });
    Ok(Page { missing: missing.collect(), last })
}

/// Stores vectors of chunks that readers still see. False: fenced.
pub async fn store(tx: &TenantTx, lease: &Lease, model: &str, batch: &Batch<Missing>) -> Result<bool> {
    let sql =
        "update model_migration set done = done + $3, lease_until = now() + make_interval(secs => $4), attempts = 0,
                 filled_at = null, error_code = null, error_detail = null, error_hint = null, updated_at = now()
               where tenant_id = $1 and lease_owner = $2 returning 1";
    let count = i64::try_from(batch.rows.len()).map_err(Error::internal)?;
    if tx.execute(sql, &[&lease.owner, &count, &f64::from(lease.seconds)]).await? == 0 {
        return Ok(false);
    }
    let sql = "insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
               select $1, $2, o.document, o.revision, o.ordinal, o.vector
               from unnest($3, $4, $5, $6) as o (document, revision, ordinal, vector)
               join document d on d.tenant_id = $1 and d.id = o.document and d.current_revision = o.revision
                              and d.deleted_at is null
               on conflict do nothing";
    let documents: Vec<Uuid> = batch.rows.iter().map(|row| row.document).collect();
    let revisions: Vec<i32> = batch.rows.iter().map(|row| row.revision).collect();
    let ordinals: Vec<i32> = batch.rows.iter().map(|row| row.ordinal).collect();
    let vectors: Vec<&Vector> = batch.vectors().collect();
    let params: &[&dyn Param] = &[&model, &documents, &revisions, &ordinals, &vectors];
    tx.execute(sql, params).await?;
    remember(tx, model, batch).await?;
    Ok(true)
}

async fn remember(tx: &TenantTx, model: &str, batch: &Batch<Missing>) -> Result<()> {
    if model == docent_text::hash::MODEL || batch.fresh.is_empty() {
        return Ok(());
    }
    let sql = "insert into embedding_cache (tenant_id, model, input_hash, vector)
               select $1, $2, h.input_hash, h.vector from unnest($3, $4) as h (input_hash, vector)
               on conflict do nothing";
    let vectors: Vec<&Vector> = batch.vectors().collect();
    let fresh = batch.fresh.iter().filter_map(|(hash, place)| Some((hash.clone(), *vectors.get(*place)?)));
    let (hashes, vectors): (Vec<Vec<u8>>, Vec<&Vector>) = fresh.unzip();
    tx.execute(sql, &[&model, &hashes, &vectors]).await.map(|_| ())
}

/// A pass over the whole library found nothing to do; the next one looks for what came meanwhile.
pub async fn filled(tx: &TenantTx, lease: &Lease, pause: i32) -> Result<()> {
    let sql = "update model_migration set done = total, filled_at = coalesce(filled_at, now()), lease_owner = null,
                 lease_until = now() + make_interval(secs => $3), attempts = 0, reached = default, clean = true,
                 error_code = null, error_detail = null, error_hint = null, updated_at = now()
               where tenant_id = $1 and lease_owner = $2";
    tx.execute(sql, &[&lease.owner, &f64::from(pause)]).await.map(|_| ())
}

/// What readers use is whole again after a roll-back.
pub async fn made_up(tx: &TenantTx, lease: &Lease) -> Result<()> {
    let sql = "update model_migration set rolled_back = false, reached = default, clean = true
               where tenant_id = $1 and lease_owner = $2";
    tx.execute(sql, &[&lease.owner]).await.map(|_| ())
}

/// Gives the lease back, not to be taken before `seconds` are over; an error is shown until the next batch.
pub async fn pause(tx: &TenantTx, lease: &Lease, seconds: i32, error: Option<&Error>) -> Result<()> {
    let sql = "update model_migration set lease_owner = null, lease_until = now() + make_interval(secs => $3),
                 attempts = attempts + case when $4::text is null then 0 else 1 end,
                 error_code = coalesce($4, error_code), error_detail = coalesce($5, error_detail),
                 error_hint = coalesce($6, error_hint), reached = $7, clean = $8, updated_at = now()
               where tenant_id = $1 and lease_owner = $2";
    let code = error.map(Error::code);
    let (detail, hint) = (error.map(|error| error.detail.as_ref()), error.map(|error| error.hint.as_ref()));
    let Pass { next, clean } = lease.pass;
    let params: &[&dyn Param] = &[&lease.owner, &f64::from(seconds), &code, &detail, &hint, &next, &clean];
    tx.execute(sql, params).await.map(|_| ())
}

/// Documents whose vectors one statement deletes.
const DISCARD_DOCUMENTS: i64 = 50;

/// Of the next documents, deletes the vectors of the two models that no reader and no worker wants. `None`: fenced; else
/// the last document that was looked at, none behind the last one.
pub async fn discard(tx: &TenantTx, lease: &Lease, next: Uuid) -> Result<Option<Option<Uuid>>> {
    if !beat(tx, lease).await? {
        return Ok(None);
    }
    // A document on its way into another collection is being built for that one's model. What was begun and not shown
    // begins anew: its first batches may be gone.
    let sql = "with page as materialized (
                 select d.id, d.building, d.current_revision, c.embedding_model as own, n.embedding_model as other
                 from document d
                 join collection c on c.tenant_id = $1 and c.id = d.collection_id
                 left join collection n on n.tenant_id = $1 and n.id = d.moving_to
                 where d.tenant_id = $1 and d.id >= $4 order by d.id limit $5
               ), gone as (
                 delete from embedding e using page
                 where e.tenant_id = $1 and e.model in ($2, $3) and e.document_id = page.id
                   and e.model <> page.own and e.model is distinct from page.other
                 returning e.document_id, e.revision
               ), begun as (
                 update document d set plan_hash = null from page
                 where d.tenant_id = $1 and d.id = page.id and page.building is distinct from page.current_revision
                   and exists (select from gone where gone.document_id = page.id and gone.revision = page.building)
               )
               select max(page.id::text)::uuid from page";
    let row = tx.query_opt(sql, &[&lease.from, &lease.to, &next, &DISCARD_DOCUMENTS]).await?;
    Ok(Some(row.and_then(|row| row.get(0))))
}

pub async fn end(tx: &TenantTx, lease: &Lease) -> Result<()> {
    tx.execute("delete from model_migration where tenant_id = $1 and lease_owner = $2", &[&lease.owner])
        .await
        .map(|_| ())
}
