//! The one search statement, and what another store of vectors has to be told before it.

use tokio_postgres::Row;
use uuid::Uuid;

use super::nearest::Scope;
use super::{Filter, Found, Hit, Query};
use crate::db::dense::Shape;
use crate::db::{Param, TenantTx};
use crate::error::{Error, Result};
use crate::vectors::MOST_DOCUMENTS;

pub async fn hybrid(tx: &TenantTx, query: &Query) -> Result<Found> {
    let Query { collections, terms, weights, vector, model, dense_weight, filter, neighbours, .. } = query;
    let Filter { documents, metadata, created_after, created_before, .. } = filter;
    let given = Given::of(query);
    let vector = if query.nearest.is_some() { &None } else { vector };
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
        &given.documents,
        &given.revisions,
        &given.ordinals,
        &given.cosines,
    ];
    let rows = tx.query(&sql, params).await?;
    let live: i64 = rows.first().map_or(0, |row| row.get(20));
    Ok(Found { hits: rows.iter().map(read).collect(), live: usize::try_from(live).unwrap_or_default() })
}

/// What another store found, one array for each column.
#[derive(Default)]
struct Given {
    documents: Vec<Uuid>,
    revisions: Vec<i32>,
    ordinals: Vec<i32>,
    cosines: Vec<f64>,
}

impl Given {
    fn of(query: &Query) -> Given {
        // Whoever takes the vector away takes the leg away.
        let points = query.nearest.iter().filter(|_| query.vector.is_some()).flat_map(|nearest| &nearest.points);
        let mut given = Given::default();
        for point in points {
            given.documents.push(point.place.document);
            given.revisions.push(point.place.revision);
            given.ordinals.push(point.place.ordinal);
            given.cosines.push(point.cosine);
        }
        given
    }
}

/// What a search looks into. Documents are named where they are a part of the library and not too many.
pub async fn scope(tx: &TenantTx, query: &Query) -> Result<Scope> {
    let sql = "with live as materialized (
                 select d.id, d.current_chunks as chunks from document d
                 where d.tenant_id = $1 and d.collection_id = any($2) and d.deleted_at is null and d.current_revision is not null
                   and ($3 is null or d.id = any($3)) and ($4 is null or d.metadata @@ $4::jsonpath)
                   and ($5 is null or d.created_at > $5) and ($6 is null or d.created_at < $6)
               )
               select coalesce((select sum(live.chunks) from live), 0)::int8,
                 case when (select count(*) from live) < (
                   select count(*) from document o
                   where o.tenant_id = $1 and o.deleted_at is null and o.current_revision is not null
                 ) then array(select live.id from live limit $7) end";
    let Filter { documents, metadata, created_after, created_before, .. } = &query.filter;
    let most = i64::try_from(MOST_DOCUMENTS + 1).map_err(Error::internal)?;
    let params: &[&dyn Param] = &[&query.collections, documents, metadata, created_after, created_before, &most];
    let row = tx.query_opt(sql, params).await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate gave no row"))?;
    let documents: Option<Vec<Uuid>> = row.get(1);
    Ok(Scope {
        chunks: usize::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
        documents: documents.filter(|documents| documents.len() <= MOST_DOCUMENTS),
    })
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
