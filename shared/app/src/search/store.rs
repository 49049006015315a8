//! The one search statement.

use tokio_postgres::Row;

use super::{Hit, Query};
use crate::db::TenantTx;
use crate::error::Result;

pub async fn hybrid(tx: &TenantTx, query: &Query) -> Result<Vec<Hit>> {
    let Query { collections, terms, vector, model, limit, .. } = query;
    let rows = tx.query(include_str!("hybrid.sql"), &[collections, terms, vector, model, limit]).await?;
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
    }
}
