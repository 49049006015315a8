//! One batch of chunks: vectors from the cache or the model, and everything about them stored in one transaction.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join4;
use pgvector::Vector;
use sha2::{Digest, Sha256};

use super::plan::Row;
use super::store::Lease;
use crate::db::{Param, TenantTx};
use crate::error::{Error, Kind, Result};

/// Chunks per transaction: small enough that a killed worker loses seconds, large enough for a provider's batch.
pub const SIZE: usize = 64;

/// Rows with their vectors, and which of the vectors the cache does not know yet.
pub struct Batch {
    pub rows: Vec<Row>,
    vectors: Vec<Vec<f32>>,
    /// What was embedded, by its hash, with the row that it first stands in.
    fresh: BTreeMap<Vec<u8>, usize>,
}

/// What the cache had, and what must be asked of the model.
pub struct Asked {
    hashes: Vec<Vec<u8>>,
    cached: HashMap<Vec<u8>, Vec<f32>>,
    fresh: BTreeMap<Vec<u8>, usize>,
}

impl Asked {
    /// Looks the rows up by the hash of what would be embedded. The lexical hash is cheaper than its own look-up.
    pub async fn look_up(tx: &TenantTx, model: &str, rows: &[Row]) -> Result<Asked> {
        let hashes: Vec<Vec<u8>> = rows.iter().map(|row| Sha256::digest(row.input.as_bytes()).to_vec()).collect();
        let cached = match model {
            docent_text::hash::MODEL => HashMap::new(),
            _ => cached(tx, model, &hashes).await?,
        };
        let mut fresh = BTreeMap::new();
        for (place, hash) in hashes.iter().enumerate() {
            if !cached.contains_key(hash) {
                fresh.entry(hash.clone()).or_insert(place);
            }
        }
        Ok(Asked { hashes, cached, fresh })
    }

    /// What the model is asked for, each text once.
    pub fn inputs(&self, rows: &[Row]) -> Vec<String> {
        self.fresh.values().filter_map(|place| rows.get(*place)).map(|row| row.input.clone()).collect()
    }

    pub fn with(mut self, rows: Vec<Row>, answers: Vec<Vec<f32>>) -> Result<Batch> {
        if answers.len() != self.fresh.len() {
            return Err(odd_vectors());
        }
        self.cached.extend(self.fresh.keys().cloned().zip(answers));
        let vectors: Option<Vec<Vec<f32>>> = self.hashes.iter().map(|hash| self.cached.get(hash).cloned()).collect();
        let vectors = vectors.ok_or_else(odd_vectors)?;
        let dimensions = vectors.first().map_or(0, Vec::len);
        if dimensions == 0
            || vectors.iter().any(|vector| vector.len() != dimensions || vector.iter().any(|x| !x.is_finite()))
        {
            return Err(odd_vectors());
        }
        Ok(Batch { rows, vectors, fresh: self.fresh })
    }
}

fn odd_vectors() -> Error {
    Error::new(Kind::Provider("provider_protocol"), "The embedding model did not give one whole vector for each text.")
}

async fn cached(tx: &TenantTx, model: &str, hashes: &Vec<Vec<u8>>) -> Result<HashMap<Vec<u8>, Vec<f32>>> {
    let sql = "select c.input_hash, c.vector from embedding_cache c where c.tenant_id = $1 and c.model = $2 and c.input_hash = any($3)";
    let rows = tx.query(sql, &[&model, hashes]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<_, Vector>(1).to_vec())).collect())
}

impl Batch {
    /// Stores the batch behind the lease's fence. False: fenced, or stored by somebody else already.
    pub async fn store(&self, tx: &TenantTx, lease: &Lease) -> Result<bool> {
        if !self.checkpoint(tx, lease).await? {
            return Ok(false);
        }
        // Sent one behind the other without waiting: four statements, one trip.
        try_join4(
            self.chunks(tx, lease),
            self.embeddings(tx, lease),
            self.postings(tx, lease),
            self.remember(tx, lease),
        )
        .await?;
        Ok(true)
    }

    /// First of all, so that the row stays locked until everything behind it is in.
    async fn checkpoint(&self, tx: &TenantTx, lease: &Lease) -> Result<bool> {
        let sql = "update document set stored_chunks = stored_chunks + $5, stored_length = stored_length + $6, attempts = 0,
                     lease_until = now() + make_interval(secs => $7), updated_at = now()
                   where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null and stored_chunks = $4 returning 1";
        let from = self.rows.first().map_or(0, |row| row.ordinal);
        let count = i32::try_from(self.rows.len()).map_err(Error::internal)?;
        let length: i64 = self.rows.iter().map(|row| i64::from(row.terms.length)).sum();
        let params: &[&dyn Param] = &[&lease.document, &lease.epoch, &from, &count, &length, &f64::from(lease.seconds)];
        Ok(tx.execute(sql, params).await? > 0)
    }

    async fn chunks(&self, tx: &TenantTx, lease: &Lease) -> Result<()> {
        let sql = "insert into chunk (tenant_id, document_id, revision, ordinal, text, page_first, page_last,
                     span_start, span_end, heading_path, tokens)
                   select $1, $2, $3, r.ordinal, r.text, r.page_first, r.page_last, r.span_start, r.span_end, r.heading_path, r.tokens
                   from jsonb_to_recordset($4) as r (ordinal int4, text text, page_first int4, page_last int4,
                     span_start int8, span_end int8, heading_path text[], tokens int4)";
        let rows = self.rows.iter().map(|row| {
            serde_json::json!({
                "ordinal": row.ordinal, "text": row.text, "page_first": row.page_first, "page_last": row.page_last,
                "span_start": row.span.0, "span_end": row.span.1, "heading_path": row.heading_path, "tokens": row.tokens,
            })
        });
        let rows = serde_json::Value::Array(rows.collect());
        tx.execute(sql, &[&lease.document, &lease.revision, &rows]).await.map(|_| ())
    }

    /// All vectors travel as one flat array of floats, cut into slices by the server.
    async fn embeddings(&self, tx: &TenantTx, lease: &Lease) -> Result<()> {
        let sql = "insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
                   select $1, $2, $3, $4, o.ordinal, ($6[((o.place - 1) * $7 + 1)::int4 : (o.place * $7)::int4])::vector
                   from unnest($5) with ordinality as o (ordinal, place)";
        let ordinals: Vec<i32> = self.rows.iter().map(|row| row.ordinal).collect();
        let flat: Vec<f32> = self.vectors.concat();
        let params: &[&dyn Param] =
            &[&lease.embedding_model, &lease.document, &lease.revision, &ordinals, &flat, &self.dimensions()];
        tx.execute(sql, params).await.map(|_| ())
    }

    async fn postings(&self, tx: &TenantTx, lease: &Lease) -> Result<()> {
        let sql = "insert into posting (tenant_id, term, document_id, revision, ordinal, tf, length)
                   select $1, p.term, $2, $3, p.ordinal, p.tf, p.length
                   from unnest($4, $5, $6, $7) as p (term, ordinal, tf, length)";
        let (mut terms, mut ordinals, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &self.rows {
            for (term, count) in &row.terms.counts {
                terms.push(term.clone());
                ordinals.push(row.ordinal);
                counts.push(i32::try_from(*count).unwrap_or(i32::MAX));
                lengths.push(i32::try_from(row.terms.length).unwrap_or(i32::MAX));
            }
        }
        tx.execute(sql, &[&lease.document, &lease.revision, &terms, &ordinals, &counts, &lengths]).await.map(|_| ())
    }

    async fn remember(&self, tx: &TenantTx, lease: &Lease) -> Result<()> {
        if lease.embedding_model == docent_text::hash::MODEL || self.fresh.is_empty() {
            return Ok(());
        }
        let sql = "insert into embedding_cache (tenant_id, model, input_hash, vector)
                   select $1, $2, h.input_hash, ($4[((h.place - 1) * $5 + 1)::int4 : (h.place * $5)::int4])::vector
                   from unnest($3) with ordinality as h (input_hash, place)
                   on conflict do nothing";
        let hashes: Vec<Vec<u8>> = self.fresh.keys().cloned().collect();
        let vectors = self.fresh.values().filter_map(|place| self.vectors.get(*place));
        let flat: Vec<f32> = vectors.flatten().copied().collect();
        tx.execute(sql, &[&lease.embedding_model, &hashes, &flat, &self.dimensions()]).await.map(|_| ())
    }

    fn dimensions(&self) -> i64 {
        self.vectors.first().map_or(0, |vector| vector.len() as i64)
    }
}
