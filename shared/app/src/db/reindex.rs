//! Indexes of large tenants' vectors, one per tenant, model and dimensions: made, mended and taken away by the
//! operator, while everybody reads and writes. What is not indexed is scanned exactly.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::dense::{CROSSOVER, PREFIX, Shape};
use super::{failed, tls};
use crate::error::{Error, Kind, Result};

/// One run at a time ("reindex" as a number).
const LOCK: i64 = 0x0072_6569_6e64_6578;

/// The defaults of 16 and 64 give a recall@10 of 0.985 with 100,000 vectors of 384 dimensions, these of 1.0, and
/// take twice as long to build.
const EF_CONSTRUCTION: u32 = 128;
const NEIGHBOURS: u32 = 24;

/// What a vector's place in the graph takes while it is built, beside its numbers.
const GRAPH_BYTES: u64 = 800;

/// How often the server is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);

/// An index that is missing, broken or superfluous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    pub tenant: Uuid,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A build that did not end may have left an index that nobody asks; it is dropped first.
    Make { vectors: Vectors, broken: bool },
    /// The tenant, or its model, has become too small for it.
    Drop,
}

/// One tenant's vectors of one model and dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vectors {
    pub model: String,
    pub dimensions: usize,
    pub count: i64,
    /// The table of the model, and the model's name as SQL has it.
    partition: String,
    quoted: String,
}

/// What has to be done, of one tenant or of all.
pub async fn plan(direct_url: &str, tenant: Option<Uuid>) -> Result<Vec<Step>> {
    connected(direct_url, async |client| {
        client.batch_execute("set role docent_operator").await.map_err(failed)?;
        let mut existing = existing(client, tenant).await?;
        let mut steps = Vec::new();
        for (tenant, vectors) in large(client, tenant).await? {
            let name = Shape::new(vectors.dimensions).index(tenant, &vectors.model);
            let found = existing.remove(&name).map(|(_, valid)| valid);
            // Half of the crossover keeps what is there: a library at the limit is not indexed anew every day.
            if found == Some(true) || (found.is_none() && vectors.count <= CROSSOVER) {
                continue;
            }
            steps.push(Step { name, tenant, what: What::Make { vectors, broken: found.is_some() } });
        }
        steps.extend(existing.into_iter().map(|(name, (tenant, _))| Step { name, tenant, what: What::Drop }));
        Ok(steps)
    })
    .await
}

/// Does one step with up to so much memory; tells from time to time how many of the vectors are in.
pub async fn run(direct_url: &str, step: &Step, memory_mb: u32, told: &dyn Fn(i64)) -> Result<()> {
    let work = pin!(connected(direct_url, async |client| make(client, step, memory_mb).await));
    let watch = pin!(connected(direct_url, async |client| -> Result<()> {
        loop {
            let sql = "select tuples_done from pg_stat_progress_create_index where index_relid = to_regclass($1)";
            let rows = client.query(sql, &[&format!("public.{}", step.name)]).await.map_err(failed)?;
            if let Some(row) = rows.first() {
                told(row.get(0));
            }
            tokio::time::sleep(LOOK).await;
        }
    }));
    match select(work, watch).await {
        Either::Left((done, _)) => done,
        // Nobody can see how far it is; that does not stop it.
        Either::Right((_, work)) => work.await,
    }
}

async fn make(client: &Client, step: &Step, memory_mb: u32) -> Result<()> {
    let rows = client.query("select pg_try_advisory_lock($1)", &[&LOCK]).await.map_err(failed)?;
    if !rows.first().is_some_and(|row| row.get(0)) {
        return Err(Error::new(Kind::Busy, "Another `docent reindex` is running.")
            .hint("Wait for its end; a killed one is noticed by the server within seconds."));
    }
    // A build whose operator is gone stops by itself; one that goes on may take hours.
    let session = "set client_connection_check_interval = '2s'; set statement_timeout = 0; set role docent_owner";
    client.batch_execute(session).await.map_err(failed)?;
    // Before the lock was ours, another run may have done this step, or left it half done.
    let found = existing(client, Some(step.tenant)).await?.get(&step.name).map(|(_, valid)| *valid);
    let drop = format!("drop index concurrently if exists public.{}", step.name);
    let What::Make { vectors, .. } = &step.what else {
        return client.batch_execute(&drop).await.map_err(failed);
    };
    match found {
        Some(true) => return Ok(()),
        Some(false) => client.batch_execute(&drop).await.map_err(failed)?,
        None => {}
    }
    let bytes = vectors.count.unsigned_abs() * (vectors.dimensions as u64 * 4 + GRAPH_BYTES);
    let memory = (bytes / (1 << 20)).clamp(64, u64::from(memory_mb.max(64)));
    let set = format!("set maintenance_work_mem = '{memory}MB'");
    client.batch_execute(&set).await.map_err(failed)?;
    client.batch_execute(&create(step, vectors)).await.map_err(failed)?;
    // Without knowing how many of the rows are this tenant's the planner passes the index by.
    client.batch_execute(&format!("analyze {}", vectors.partition)).await.map_err(failed)
}

/// The tenant is a uuid and the model was quoted by the server itself: `create index` takes no parameters.
fn create(step: &Step, vectors: &Vectors) -> String {
    let (Step { name, tenant, .. }, Vectors { partition, quoted, dimensions, .. }) = (step, vectors);
    let shape = Shape::new(*dimensions);
    let compared = shape.put_into("(case when vector_dims(vector) = {dimensions} then vector end)::{compared}");
    format!(
        "create index concurrently {name} on {partition} using hnsw (({compared}) {})
         with (m = {NEIGHBOURS}, ef_construction = {EF_CONSTRUCTION}) where tenant_id = '{tenant}' and model = {quoted}",
        shape.operators()
    )
}

/// Our indexes by name, whose they are, and whether they are whole.
async fn existing(client: &Client, tenant: Option<Uuid>) -> Result<BTreeMap<String, (Uuid, bool)>> {
    let sql = "select c.relname::text, substr(c.relname, length($1) + 1, 32)::uuid, i.indisvalid
               from pg_index i join pg_class c on c.oid = i.indexrelid
               where c.relnamespace = 'public'::regnamespace and starts_with(c.relname::text, $1)
                 and c.relname ~ '^dense_[0-9a-f]{32}_[0-9a-f]{16}$'
                 and ($2::uuid is null or substr(c.relname, length($1) + 1, 32)::uuid = $2)";
    let rows = client.query(sql, &[&PREFIX, &tenant]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

/// Everything with more than half as many vectors as are worth an index. What readers see is counted first, which
/// reads no vector; only the large ones' vectors are looked at themselves.
async fn large(client: &Client, tenant: Option<Uuid>) -> Result<Vec<(Uuid, Vectors)>> {
    // Of a migration both models, so that the newer one has its index before readers come.
    let sql = "select d.tenant_id, k.model
               from document d join collection c on c.tenant_id = d.tenant_id and c.id = d.collection_id
               left join model_migration m on m.tenant_id = d.tenant_id and c.embedding_model in (m.from_model, m.to_model)
               cross join lateral (
                 select c.embedding_model as model union select m.from_model where m.state <> 'finishing'
                 union select m.to_model where m.state <> 'finishing') k
               where d.deleted_at is null and k.model is not null and ($1::uuid is null or d.tenant_id = $1)
               group by 1, 2 having sum(d.current_chunks) > $2 order by sum(d.current_chunks) desc";
    let least = CROSSOVER / 2;
    let mut found = Vec::new();
    for row in client.query(sql, &[&tenant, &least]).await.map_err(failed)? {
        let (tenant, model): (Uuid, String) = (row.get(0), row.get(1));
        let sql = "select tableoid::regclass::text, vector_dims(v.vector)::int8, count(*), quote_literal($2)
                   from embedding v where v.tenant_id = $1 and v.model = $2
                   group by 1, 2 having count(*) > $3 order by 3 desc";
        for row in client.query(sql, &[&tenant, &model, &least]).await.map_err(failed)? {
            let dimensions = usize::try_from(row.get::<_, i64>(1)).map_err(Error::internal)?;
            let (partition, count, quoted) = (row.get(0), row.get(2), row.get(3));
            if Shape::new(dimensions).indexable() {
                found.push((tenant, Vectors { model: model.clone(), dimensions, count, partition, quoted }));
            }
        }
    }
    Ok(found)
}

/// Work on a connection of its own, which is driven beside it and ends with it.
pub(super) async fn connected<T>(url: &str, work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    let (client, connection) = tokio_postgres::connect(url, MakeRustlsConnect::new(tls())).await.map_err(failed)?;
    let driven = async {
        match connection.await {
            Err(source) => failed(source),
            Ok(()) => pending().await,
        }
    };
    match select(pin!(work(&client)), pin!(driven)).await {
        Either::Left((done, _)) => done,
        Either::Right((lost, _)) => Err(lost),
    }
}
