//! The one search statement.

use tokio_postgres::Row;

use super::{Filter, Hit, Query};
use crate::db::dense::Shape;
use crate::db::{Param, TenantTx};
use crate::error::Result;

pub async fn hybrid(tx: &TenantTx, query: &Query) -> Result<Vec<Hit>> {
    let Query { collections, terms, weights, vector, model, dense_weight, filter, neighbours, .. } = query;
    let Filter { documents, metadata, created_after, created_before, .. } = filter;
    let shape = Shape::new(vector.as_ref().map_or(0, |vector| vector.as_slice().len()));
    let sql = shape.put_into(include_str!("hybrid.sql"));
    let index = shape.index(tx.tenant().uuid(), model);
    let limit = query.candidates();
    let params: &[&dyn Param] = &[
        collections,
        terms,
        vector,
        model,
        &limit,
        &index,
        documents,
        metadata,
        created_after,
        created_before,
        neighbours,
        weights,
        dense_weight,
    ];
    let rows = tx.query(&sql, params).await?;
    Ok(rows.iter().map(read).collect())
}

fn read(row: &Row) -> Hit {
    Hit {
        document: row.get(0),
        revision: row.get(1),
        ordinal: row.get(2),
        text: row.get(3),
        page_first: row.get(4),
        page_last: row.get(5),
        span: (row.get(6), row.get(7)),
        heading_path: row.get(8),
        filename: row.get(9),
        title: row.get(10),
        content_type: row.get(11),
        score: row.get(12),
        bm25: row.get(13),
        coverage: row.get(14),
        cosine: row.get(15),
        bm25_rank: row.get(16),
        cosine_rank: row.get(17),
        rerank: None,
        before: row.get(18),
        after: row.get(19),
    }
}
