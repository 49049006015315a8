//! A batch's rows: chunks, vectors, postings and the cache, in one transaction behind the lease's fence.

use std::collections::HashMap;

use futures_util::future::try_join4;

use super::Lease;
use crate::db::{Param, TenantTx};
use crate::error::{Error, Result};
use crate::ingest::batch::Batch;

/// What the cache has of these inputs. The lexical hash is cheaper than its own look-up.
pub async fn cached(tx: &TenantTx, model: &str, hashes: &Vec<Vec<u8>>) -> Result<HashMap<Vec<u8>, Vec<f32>>> {
    if model == docent_text::hash::MODEL {
        return Ok(HashMap::new());
    }
    let sql = "select c.input_hash, c.vector::real[] from embedding_cache c
               where c.tenant_id = $1 and c.model = $2 and c.input_hash = any($3)";
    let rows = tx.query(sql, &[&model, hashes]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Stores a batch. False: fenced, or stored by somebody else already.
pub async fn store(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<bool> {
    if !checkpoint(tx, lease, batch).await? {
        return Ok(false);
    }
    // Sent one behind the other without waiting: four statements, one trip.
    let parts = (
        chunks(tx, lease, batch),
        embeddings(tx, lease, batch),
        postings(tx, lease, batch),
        remember(tx, lease, batch),
    );
    try_join4(parts.0, parts.1, parts.2, parts.3).await?;
    Ok(true)
}

/// First of all, so that the row stays locked until everything behind it is in.
async fn checkpoint(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<bool> {
    let sql = "update document set stored_chunks = stored_chunks + $5, stored_length = stored_length + $6, attempts = 0,
                 lease_until = now() + make_interval(secs => $7), updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null and stored_chunks = $4 returning 1";
    let from = batch.rows.first().map_or(0, |row| row.ordinal);
    let count = i32::try_from(batch.rows.len()).map_err(Error::internal)?;
    let length: i64 = batch.rows.iter().map(|row| i64::from(row.terms.length)).sum();
    let params: &[&dyn Param] = &[&lease.document, &lease.epoch, &from, &count, &length, &f64::from(lease.seconds)];
    Ok(tx.execute(sql, params).await? > 0)
}

async fn chunks(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    let sql = "insert into chunk (tenant_id, document_id, revision, ordinal, text, page_first, page_last,
                 span_start, span_end, heading_path, tokens)
               select $1, $2, $3, r.ordinal, r.text, r.page_first, r.page_last, r.span_start, r.span_end, r.heading_path, r.tokens
               from jsonb_to_recordset($4) as r (ordinal int4, text text, page_first int4, page_last int4,
                 span_start int8, span_end int8, heading_path text[], tokens int4)";
    let rows = batch.rows.iter().map(|row| {
        serde_json::json!({
            "ordinal": row.ordinal, "text": row.text, "page_first": row.page_first, "page_last": row.page_last,
            "span_start": row.span.0, "span_end": row.span.1, "heading_path": row.heading_path, "tokens": row.tokens,
        })
    });
    let rows = serde_json::Value::Array(rows.collect());
    tx.execute(sql, &[&lease.document, &lease.revision, &rows]).await.map(|_| ())
}

/// All vectors travel as one flat array of floats, cut into slices by the server.
async fn embeddings(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    let sql = "insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
               select $1, $2, $3, $4, o.ordinal, ($6[((o.place - 1) * $7 + 1)::int4 : (o.place * $7)::int4])::vector
               from unnest($5) with ordinality as o (ordinal, place)";
    let ordinals: Vec<i32> = batch.rows.iter().map(|row| row.ordinal).collect();
    let flat: Vec<f32> = batch.vectors.concat();
    let params: &[&dyn Param] =
        &[&lease.embedding_model, &lease.document, &lease.revision, &ordinals, &flat, &dimensions(batch)];
    tx.execute(sql, params).await.map(|_| ())
}

async fn postings(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    let sql = "insert into posting (tenant_id, term, document_id, revision, ordinal, tf, length)
               select $1, p.term, $2, $3, p.ordinal, p.tf, p.length
               from unnest($4, $5, $6, $7) as p (term, ordinal, tf, length)";
    let (mut terms, mut ordinals, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &batch.rows {
        for (term, count) in &row.terms.counts {
            terms.push(term.clone());
            ordinals.push(row.ordinal);
            counts.push(i32::try_from(*count).unwrap_or(i32::MAX));
            lengths.push(i32::try_from(row.terms.length).unwrap_or(i32::MAX));
        }
    }
    tx.execute(sql, &[&lease.document, &lease.revision, &terms, &ordinals, &counts, &lengths]).await.map(|_| ())
}

async fn remember(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    if lease.embedding_model == docent_text::hash::MODEL || batch.fresh.is_empty() {
        return Ok(());
    }
    let sql = "insert into embedding_cache (tenant_id, model, input_hash, vector)
               select $1, $2, h.input_hash, ($4[((h.place - 1) * $5 + 1)::int4 : (h.place * $5)::int4])::vector
               from unnest($3) with ordinality as h (input_hash, place)
               on conflict do nothing";
    let hashes: Vec<Vec<u8>> = batch.fresh.keys().cloned().collect();
    let vectors = batch.fresh.values().filter_map(|place| batch.vectors.get(*place));
    let flat: Vec<f32> = vectors.flatten().copied().collect();
    tx.execute(sql, &[&lease.embedding_model, &hashes, &flat, &dimensions(batch)]).await.map(|_| ())
}

fn dimensions(batch: &Batch) -> i64 {
    batch.vectors.first().map_or(0, |vector| vector.len() as i64)
}
