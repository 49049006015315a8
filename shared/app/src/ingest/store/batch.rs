//! A batch's rows: chunks, vectors, postings and the cache, in one transaction behind the lease's fence.

use std::collections::HashMap;

use futures_util::future::try_join3;
use pgvector::Vector;

use super::Lease;
use crate::db::{Param, TenantTx};
use crate::error::{Error, Result};
use crate::ingest::batch::Batch;

/// What the cache has of these inputs. The lexical hash is cheaper than its own look-up.
pub async fn cached(tx: &TenantTx, model: &str, hashes: &Vec<Vec<u8>>) -> Result<HashMap<Vec<u8>, Vector>> {
    if model == docent_text::hash::MODEL {
        return Ok(HashMap::new());
    }
    let sql = "select c.input_hash, c.vector from embedding_cache c
               where c.tenant_id = $1 and c.model = $2 and c.input_hash = any($3)";
    let rows = tx.query(sql, &[&model, hashes]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Stores a batch. False: fenced, or stored by somebody else already.
pub async fn store(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<bool> {
    if !checkpoint(tx, lease, batch).await? {
        return Ok(false);
    }
    // Sent one behind the other without waiting.
    let vectors = async {
        embeddings(tx, lease, batch).await?;
        remember(tx, lease, batch).await
    };
    try_join3(chunks(tx, lease, batch), postings(tx, lease, batch), vectors).await?;
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
    // An array of arrays would have to be rectangular: each row's headings come as the text of an array of their own.
    let sql = "insert into chunk (tenant_id, document_id, revision, ordinal, text, page_first, page_last,
                 span_start, span_end, heading_path, tokens)
               select $1, $2, $3, r.ordinal, r.text, r.page_first, r.page_last, r.span_start, r.span_end,
                      r.heading_path::text[], r.tokens
               from unnest($4, $5, $6, $7, $8, $9, $10, $11)
                 as r (ordinal, text, page_first, page_last, span_start, span_end, heading_path, tokens)";
    let rows = &batch.rows;
    let ordinals: Vec<i32> = ordinals(batch);
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let pages: [Vec<Option<i32>>; 2] =
        [rows.iter().map(|row| row.page_first).collect(), rows.iter().map(|row| row.page_last).collect()];
    let spans: [Vec<i64>; 2] =
        [rows.iter().map(|row| row.span.0).collect(), rows.iter().map(|row| row.span.1).collect()];
    let headings: Vec<String> = rows.iter().map(|row| array_text(&row.heading_path)).collect();
    let tokens: Vec<i32> = rows.iter().map(|row| row.tokens).collect();
    let params: &[&dyn Param] = &[
        &lease.document,
        &lease.revision,
        &ordinals,
        &texts,
        &pages[0],
        &pages[1],
        &spans[0],
        &spans[1],
        &headings,
        &tokens,
    ];
    tx.execute(sql, params).await.map(|_| ())
}

/// A `text[]` as Postgres reads it: <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>.
fn array_text(elements: &[String]) -> String {
    let quoted = elements.iter().map(|element| {
        let escaped = element.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// Vectors that are on their way at once: 1.5 MiB of them, with 1,536 dimensions, and as much again in buffers.
const VECTORS_AT_ONCE: usize = 256;

async fn embeddings(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    let sql = "insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
               select $1, $2, $3, $4, o.ordinal, o.vector from unnest($5, $6) as o (ordinal, vector)";
    let (ordinals, vectors): (Vec<i32>, Vec<&Vector>) = (ordinals(batch), batch.vectors().collect());
    for (ordinals, vectors) in ordinals.chunks(VECTORS_AT_ONCE).zip(vectors.chunks(VECTORS_AT_ONCE)) {
        let (ordinals, vectors) = (ordinals.to_vec(), vectors.to_vec());
        let params: &[&dyn Param] = &[&lease.embedding_model, &lease.document, &lease.revision, &ordinals, &vectors];
        tx.execute(sql, params).await?;
    }
    Ok(())
}

/// All blocks travel as one flat array of postings, cut into slices by the server.
async fn postings(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    let sql = "insert into posting (tenant_id, term, document_id, revision, first_ordinal, postings)
               select $1, p.term, $2, $3, ($7[p.first] >> 32)::int4, $7[p.first : p.last]
               from unnest($4, $5, $6) as p (term, first, last)";
    let (mut terms, mut firsts, mut lasts, mut flat) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (term, mut block) in batch.postings() {
        terms.push(term);
        firsts.push(place(flat.len() + 1)?);
        flat.append(&mut block);
        lasts.push(place(flat.len())?);
    }
    tx.execute(sql, &[&lease.document, &lease.revision, &terms, &firsts, &lasts, &flat]).await.map(|_| ())
}

fn place(number: usize) -> Result<i32> {
    i32::try_from(number).map_err(Error::internal)
}

/// The vectors are there already, beside their chunks: they do not travel twice.
async fn remember(tx: &TenantTx, lease: &Lease, batch: &Batch) -> Result<()> {
    if lease.embedding_model == docent_text::hash::MODEL || batch.fresh.is_empty() {
        return Ok(());
    }
    let sql = "insert into embedding_cache (tenant_id, model, input_hash, vector)
               select $1, $2, h.input_hash, e.vector
               from unnest($5, $6) as h (input_hash, ordinal)
               join embedding e on e.tenant_id = $1 and e.document_id = $3 and e.revision = $4 and e.ordinal = h.ordinal
                               and e.model = $2
               on conflict do nothing";
    let hashes: Vec<Vec<u8>> = batch.fresh.keys().cloned().collect();
    let rows = batch.fresh.values().filter_map(|place| batch.rows.get(*place));
    let ordinals: Vec<i32> = rows.map(|row| row.ordinal).collect();
    let params: &[&dyn Param] = &[&lease.embedding_model, &lease.document, &lease.revision, &hashes, &ordinals];
    tx.execute(sql, params).await.map(|_| ())
}

fn ordinals(batch: &Batch) -> Vec<i32> {
    batch.rows.iter().map(|row| row.ordinal).collect()
}
