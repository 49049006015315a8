//! Copies what vectors Postgres has into another store, page by page and only what is missing there, and takes away what
//! Postgres has no more: stopped, killed or run twice, it goes on where it was. Everybody reads and writes meanwhile.

use std::collections::BTreeMap;

use pgvector::Vector;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::failed;
use super::reindex::connected;
use crate::error::Result;
use crate::vectors::{Place, Point, Qdrant, Set, unavailable};

/// Vectors that are held at once: 16 MB of them, with 4,096 dimensions.
const PAGE: i64 = 1_024;

/// One tenant's vectors of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub tenant: Uuid,
    pub model: String,
    pub count: i64,
}

/// How far a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Vectors that were looked at.
    pub seen: i64,
    /// Those of them that the store did not have.
    pub missing: i64,
}

/// What readers may see. What is being built for them may still become other vectors under the same ids.
const ROWS: &str = "from embedding e join document d on d.tenant_id = e.tenant_id and d.id = e.document_id
   where d.deleted_at is null and e.revision = d.current_revision";

/// All there is, of one tenant or of all.
pub async fn parts(direct_url: &str, tenant: Option<Uuid>) -> Result<Vec<Part>> {
    connected(direct_url, async |client| {
        client.batch_execute("set role docent_operator").await.map_err(failed)?;
        let sql = format!(
            "select e.tenant_id, e.model, count(*) {ROWS} and ($1::uuid is null or e.tenant_id = $1)
             group by 1, 2 order by 1, 2"
        );
        let rows = client.query(&sql, &[&tenant]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| Part { tenant: row.get(0), model: row.get(1), count: row.get(2) }).collect())
    })
    .await
}

/// Copies what is missing of a part, or with `check` only counts it.
pub async fn run(
    direct_url: &str,
    qdrant: &Qdrant,
    part: &Part,
    check: bool,
    told: &dyn Fn(Progress),
) -> Result<Progress> {
    connected(direct_url, async |client| {
        client.batch_execute("set role docent_operator").await.map_err(failed)?;
        let sql = format!(
            "select e.document_id, e.revision, e.ordinal, e.vector {ROWS} and e.tenant_id = $1 and e.model = $2
               and (e.document_id, e.revision, e.ordinal) > ($3, $4, $5)
             order by e.document_id, e.revision, e.ordinal limit $6"
        );
        let mut progress = Progress::default();
        let mut last = Place { document: Uuid::nil(), revision: 0, ordinal: 0 };
        loop {
            let Place { document, revision, ordinal } = last;
            let rows = client
                .query(&sql, &[&part.tenant, &part.model, &document, &revision, &ordinal, &PAGE])
                .await
                .map_err(failed)?;
            let Some(end) = rows.last() else { return Ok(progress) };
            last = place(end);
            progress.missing += page(qdrant, part, &rows, check).await?;
            progress.seen += i64::try_from(rows.len()).unwrap_or_default();
            told(progress);
        }
    })
    .await
}

/// How many of these rows the store did not have.
async fn page(qdrant: &Qdrant, part: &Part, rows: &[Row], check: bool) -> Result<i64> {
    let vectors: Vec<(Place, Vector)> = rows.iter().map(|row| (place(row), row.get(3))).collect();
    // A model whose dimension changed at its provider has vectors of several.
    let mut sets: BTreeMap<usize, Vec<Point<'_>>> = BTreeMap::new();
    for (place, vector) in &vectors {
        let vector = vector.as_slice();
        sets.entry(vector.len()).or_default().push(Point { place: *place, vector });
    }
    let mut missing = 0;
    for (dimensions, mut points) in sets {
        let set = Set::new(&part.model, dimensions);
        let places: Vec<Place> = points.iter().map(|point| point.place).collect();
        let known = qdrant.known(part.tenant, &set, &places).await.map_err(unavailable)?;
        points.retain(|point| !known.contains(&point.place));
        missing += i64::try_from(points.len()).unwrap_or_default();
        if !check && !points.is_empty() {
            qdrant.keep(part.tenant, &set, &points).await.map_err(unavailable)?;
        }
    }
    Ok(missing)
}

/// Takes away, or with `check` counts, a tenant's points that Postgres knows nothing of: of documents that are gone, and
/// of earlier revisions without rows. What a worker may be about to show is left alone.
pub async fn strays(direct_url: &str, qdrant: &Qdrant, tenant: Uuid, check: bool) -> Result<usize> {
    connected(direct_url, async |client| {
        client.batch_execute("set role docent_operator").await.map_err(failed)?;
        let mut found = 0;
        for name in qdrant.collections().await.map_err(unavailable)? {
            let mut from = None;
            loop {
                let page = qdrant.page(tenant, &name, from).await.map_err(unavailable)?;
                let ids = unknown(client, tenant, &page.points).await?;
                found += ids.len();
                if !check && !ids.is_empty() {
                    qdrant.remove(&name, &ids).await.map_err(unavailable)?;
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    })
    .await
}

async fn unknown(client: &Client, tenant: Uuid, points: &[(Uuid, Place)]) -> Result<Vec<Uuid>> {
    let sql = "select p.id from unnest($2::uuid[], $3::uuid[], $4::int4[]) as p (id, document_id, revision)
               where not exists (
                 select from document d where d.tenant_id = $1 and d.id = p.document_id
                   and (p.revision >= coalesce(d.current_revision, 0) or exists (
                     select from embedding e
                     where e.tenant_id = $1 and e.document_id = d.id and e.revision = p.revision)))";
    let ids: Vec<Uuid> = points.iter().map(|(id, _)| *id).collect();
    let documents: Vec<Uuid> = points.iter().map(|(_, place)| place.document).collect();
    let revisions: Vec<i32> = points.iter().map(|(_, place)| place.revision).collect();
    let rows = client.query(sql, &[&tenant, &ids, &documents, &revisions]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Every tenant that may have points.
pub async fn tenants(direct_url: &str, tenant: Option<Uuid>) -> Result<Vec<Uuid>> {
    connected(direct_url, async |client| {
        client.batch_execute("set role docent_operator").await.map_err(failed)?;
        let sql = "select tenant_id from tenant where $1::uuid is null or tenant_id = $1 order by 1";
        let rows = client.query(sql, &[&tenant]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    })
    .await
}

fn place(row: &Row) -> Place {
    Place { document: row.get(0), revision: row.get(1), ordinal: row.get(2) }
}
