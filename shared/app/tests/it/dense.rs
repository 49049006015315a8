//! Large tenants' own indexes: asked through every wall, as good as an exact scan, and never with fewer rows.

use std::collections::BTreeSet;

use docent::App;
use docent::auth::TenantId;
use docent::db::copy;
use docent::db::dense::{CROSSOVER, Shape};
use docent::db::reindex::{self, Step, What};
use docent::function::Files;
use docent::search::{self, Query};
use pgvector::Vector;
use tokio_postgres::Client as Admin;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::world::{World, connect};

const MODEL: &str = "acme/m";
const DIMENSIONS: i32 = 96;
const NEAREST: usize = 10;

/// A library of a collection of its own, whose vectors gather around some topics; `$5` of its chunks in each document.
const LIBRARY: [&str; 4] = [
    "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, $4, $3)",
    "insert into document (tenant_id, id, collection_id, filename, declared_size, object_key, status, current_revision,
       current_chunks, planned_chunks, stored_chunks)
     select $1, gen_random_uuid(), $2, 'f' || d, 1, 'k', 'ready', 1, n, n, n
     from generate_series(0, ($3::int4 - 1) / 100) d, lateral (select least(100, $3 - d * 100) as n) n",
    "insert into collection_delta (tenant_id, collection_id, chunks, length) values ($1, $2, $3::int4, $3 * 10)",
    "with topic as materialized (
       select i, array(select random_normal() from generate_series(1, $4::int4) where i is not null)::real[]::vector as v
       from generate_series(0, 39) i
     ), chunks as (
       insert into chunk (tenant_id, document_id, revision, ordinal, text, span_start, span_end, tokens)
       select $1, d.id, 1, o, 'text', 0, 4, 1 from document d, generate_series(0, d.current_chunks - 1) o
       where d.tenant_id = $1 and d.collection_id = $2 returning document_id, ordinal, floor(random() * 40)::int as i
     )
     insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
     select $1, $3, c.document_id, 1, c.ordinal,
            topic.v + array(select random_normal() * 0.7 from generate_series(1, $4) where c.ordinal is not null)::real[]::vector
     from chunks c join topic on topic.i = c.i",
];

struct Library {
    tenant: TenantId,
    collection: Uuid,
    chunks: i32,
    dimensions: i32,
}

impl Library {
    async fn new(admin: &Admin, tenant: TenantId, chunks: i32, dimensions: i32) -> Library {
        let (of, collection) = (tenant.uuid(), Uuid::from_u128(chunks.unsigned_abs().into()));
        let parameters: [&[&(dyn ToSql + Sync)]; 4] = [
            &[&of, &collection, &MODEL, &"library"],
            &[&of, &collection, &chunks],
            &[&of, &collection, &chunks],
            &[&of, &collection, &MODEL, &dimensions],
        ];
        for (sql, parameters) in LIBRARY.iter().zip(parameters) {
            admin.execute(*sql, parameters).await.unwrap();
        }
        admin.batch_execute("analyze document; analyze embedding").await.unwrap();
        Library { tenant, collection, chunks, dimensions }
    }

    fn query(&self, vector: &Vector, limit: i32) -> Query {
        Query::prepared(vec![self.collection], Vec::new(), Some(vector.clone()), MODEL.to_owned(), limit)
    }

    /// The places that the product finds, best first.
    async fn found(&self, world: &World, vector: &Vector, limit: i32) -> Vec<(Uuid, i32)> {
        let app = &world.files.app;
        let mut query = self.query(vector, limit).near(app, self.tenant).await.unwrap();
        let hits = search::find(app, self.tenant, &mut query).await.unwrap();
        assert!(hits.is_sorted_by(|one, other| one.cosine >= other.cosine));
        hits.into_iter().map(|hit| (hit.document, hit.ordinal)).collect()
    }

    /// The same, read from all of the live vectors.
    async fn exact(&self, admin: &Admin, vector: &Vector) -> Vec<(Uuid, i32)> {
        let sql = "select e.document_id, e.ordinal from embedding e
                   join document d on d.tenant_id = e.tenant_id and d.id = e.document_id and d.current_revision = e.revision
                   where e.tenant_id = $1 and e.model = $2 and d.deleted_at is null and vector_dims(e.vector) = $3
                   order by e.vector <=> $4, e.document_id, e.ordinal limit 50";
        let rows = admin.query(sql, &[&self.tenant.uuid(), &MODEL, &self.dimensions, vector]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Questions near to what there is.
    async fn questions(&self, admin: &Admin, count: i64) -> Vec<Vector> {
        let sql = "select e.vector + array(select random_normal() * 0.4 from generate_series(1, $2) where e.ordinal is not null)::real[]::vector
                   from embedding e where e.tenant_id = $1 order by e.document_id, e.ordinal limit $3";
        let rows = admin.query(sql, &[&self.tenant.uuid(), &self.dimensions, &count]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What the server does for a function that asks this, with the tenant that row security sees.
    async fn plan(&self, function: &Admin, seen: TenantId, vector: &Vector) -> String {
        let shape = Shape::new(self.dimensions.unsigned_abs() as usize);
        let sql = format!("explain {}", shape.put_into(include_str!("../../src/search/hybrid.sql")));
        let vectors: u32 = function.query_one("select 'vector'::regtype::oid", &[]).await.unwrap().get(0);
        let vectors = Type::new("vector".to_owned(), vectors, tokio_postgres::types::Kind::Simple, "public".to_owned());
        let (tenant, collections, terms) = (self.tenant.uuid(), vec![self.collection], Vec::<String>::new());
        let index = shape.index(tenant, MODEL);
        let setting = format!("begin; select set_config('app.tenant_id', '{}', true)", seen.uuid());
        function.batch_execute(&setting).await.unwrap();
        let parameters: &[(&(dyn ToSql + Sync), Type)] = &[
            (&tenant, Type::UUID),
            (&collections, Type::UUID_ARRAY),
            (&terms, Type::TEXT_ARRAY),
            (vector, vectors),
            (&MODEL, Type::TEXT),
            (&10, Type::INT4),
            (&index, Type::TEXT),
            (&None::<Vec<Uuid>>, Type::UUID_ARRAY),
            (&None::<String>, Type::TEXT),
            (&None::<jiff::Timestamp>, Type::TIMESTAMPTZ),
            (&None::<jiff::Timestamp>, Type::TIMESTAMPTZ),
            (&0, Type::INT4),
            (&Vec::<f64>::new(), Type::FLOAT8_ARRAY),
            (&1.0, Type::FLOAT8),
            (&Vec::<Uuid>::new(), Type::UUID_ARRAY),
            (&Vec::<i32>::new(), Type::INT4_ARRAY),
            (&Vec::<i32>::new(), Type::INT4_ARRAY),
            (&Vec::<f64>::new(), Type::FLOAT8_ARRAY),
        ];
        let rows = function.query_typed(&sql, parameters).await.unwrap();
        function.batch_execute("rollback").await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
    }

    fn index(&self) -> String {
        Shape::new(self.dimensions.unsigned_abs() as usize).index(self.tenant.uuid(), MODEL)
    }
}

/// The share of the nearest that were found, over all questions; every answer is as long as it can be.
async fn recall(world: &World, admin: &Admin, library: &Library) -> f64 {
    let questions = library.questions(admin, 20).await;
    let mut shares = Vec::new();
    for question in &questions {
        let exact = library.exact(admin, question).await;
        let found = library.found(world, question, 50).await;
        assert_eq!(found.len(), library.chunks.clamp(0, 50).unsigned_abs() as usize, "min(k, n) rows");
        let nearest: BTreeSet<_> = exact.iter().take(NEAREST).collect();
        let right = found.iter().take(NEAREST).filter(|place| nearest.contains(place)).count();
        shares.push(right as f64 / nearest.len() as f64);
    }
    shares.iter().sum::<f64>() / shares.len() as f64
}

async fn reindexed(world: &World) -> Vec<Step> {
    let steps = reindex::plan(&world.admin_url, None).await.unwrap();
    for step in &steps {
        reindex::run(&world.admin_url, step, 256, &|_| ()).await.unwrap();
    }
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_of_every_size_find_what_an_exact_scan_finds() {
    let world = World::new().await;
    let admin = world.admin().await;
    let a = world.tenant_a.tenant;
    let b = world.tenant_b.tenant;
    let small = Library::new(&admin, b, 1_000, DIMENSIONS).await;
    let large = Library::new(&admin, a, 10_000, DIMENSIONS).await;
    for library in [&small, &large] {
        assert_eq!(recall(&world, &admin, library).await, 1.0, "everything is read: nothing can be missed");
    }
    let steps = reindexed(&world).await;
    assert_eq!(steps.len(), 1, "only one tenant is worth an index: {steps:?}");

    let function = connect(world.environment.get("DATABASE_URL").unwrap()).await;
    let question = &large.questions(&admin, 1).await[0];
    let plan = large.plan(&function, a, question).await;
    assert!(plan.contains(&format!("Index Scan using {}", large.index())), "{plan}");
    // Both walls stand in front of it: the predicate is the index's own, the policy is asked before anything is read.
    assert!(plan.contains("One-Time Filter") && plan.contains("current_setting('app.tenant_id'"), "{plan}");
    assert!(!small.plan(&function, b, question).await.contains("using dense_"));

    for library in [&small, &large] {
        let share = recall(&world, &admin, library).await;
        assert!(share >= 0.995, "recall@10 is {share} with {} chunks", library.chunks);
    }
    // Another tenant's index is no way around its wall.
    function.batch_execute(&format!("begin; select set_config('app.tenant_id', '{}', true)", b.uuid())).await.unwrap();
    let sql = "select count(*) from embedding where tenant_id = $1 and model = $2";
    assert_eq!(function.query_one(sql, &[&a.uuid(), &MODEL]).await.unwrap().get::<_, i64>(0), 0);
}

/// The usual template, with one index for all tenants and a predicate: what this house does instead of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_over_all_tenants_returns_too_few_rows() {
    let world = World::new().await;
    let admin = world.admin().await;
    let few = Library::new(&admin, world.tenant_b.tenant, 10, DIMENSIONS).await;
    Library::new(&admin, world.tenant_a.tenant, 4_000, DIMENSIONS).await;
    admin
        .batch_execute("create index everybody on embedding_other using hnsw ((vector::vector(96)) vector_cosine_ops)")
        .await
        .unwrap();
    let question = few.questions(&admin, 1).await.remove(0);
    assert_eq!(few.found(&world, &question, 50).await.len(), 10);
    let sql =
        "select 1 from embedding_other where tenant_id = $1 order by vector::vector(96) <=> $2::vector(96) limit 10";
    admin.batch_execute("set enable_sort = off; set hnsw.ef_search = 40").await.unwrap();
    let rows = admin.query(sql, &[&world.tenant_b.tenant.uuid(), &question]).await.unwrap().len();
    assert!(rows < 10, "the trap is gone: {rows} rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_gives_too_few_rows_is_made_up_for() {
    let world = World::new().await;
    let admin = world.admin().await;
    let library = Library::new(&admin, world.tenant_a.tenant, 6_000, DIMENSIONS).await;
    reindexed(&world).await;
    let database = world.admin_url.rsplit('/').next().unwrap();
    // The index alone gives ten rows from now on.
    let lame = ["hnsw.iterative_scan = off", "hnsw.ef_search = 10"]
        .map(|setting| format!("alter role docent_app in database {database} set {setting}"));
    admin.batch_execute(&lame.join(";")).await.unwrap();
    // New connections, which begin with the settings.
    let files = Files::new(&world.environment, App::new(&world.environment).unwrap()).unwrap();
    let world = World { files, ..world };
    let question = library.questions(&admin, 1).await.remove(0);
    let function = connect(world.environment.get("DATABASE_URL").unwrap()).await;
    let plan = library.plan(&function, library.tenant, &question).await;
    assert!(plan.contains(&format!("using {}", library.index())), "{plan}");
    assert_eq!(library.found(&world, &question, 50).await, library.exact(&admin, &question).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wide_vectors_are_indexed_by_halves_and_other_dimensions_stand_beside_them() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (a, b) = (world.tenant_a.tenant, world.tenant_b.tenant);
    let wide = Library::new(&admin, a, 5_100, 2_100).await;
    let other = Library::new(&admin, b, 200, 48).await;
    assert_eq!(reindexed(&world).await.len(), 1);
    let function = connect(world.environment.get("DATABASE_URL").unwrap()).await;
    let question = wide.questions(&admin, 1).await.remove(0);
    // Whether it is asked is the planner's choice: vectors that lie outside of their rows look cheap to read.
    let plan = wide.plan(&function, a, &question).await;
    assert!(plan.contains("halfvec(2100)"), "{plan}");
    assert!(recall(&world, &admin, &wide).await >= 0.995);
    assert_eq!(recall(&world, &admin, &other).await, 1.0);

    // The provider changes its dimension: what comes is stored as it came, found among its own, and mixed with nothing.
    let sql = "update embedding set vector = subvector(vector, 1, 100) where tenant_id = $1 and ordinal < 3";
    let changed = admin.execute(sql, &[&a.uuid()]).await.unwrap();
    let narrow = Library { dimensions: 100, ..wide };
    let question = narrow.questions(&admin, 1).await.remove(0);
    assert_eq!(question.as_slice().len(), 100);
    let found = narrow.found(&world, &question, 50).await;
    assert!(changed > 50 && found.len() == 50, "{changed} {found:?}");
    assert_eq!(found, narrow.exact(&admin, &question).await);
}

/// Copies into the world's Qdrant what `docent reindex --to qdrant` does.
async fn copied(world: &World) {
    let vectors = &world.files.app.vectors;
    for part in copy::parts(&world.admin_url, None).await.unwrap() {
        copy::run(&world.admin_url, vectors.qdrant().unwrap(), &part, false, &|_| ()).await.unwrap();
    }
}

/// Libraries of every width, each found in whole by a store that compares exactly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_store_finds_what_an_exact_scan_finds() {
    let world = World::on_qdrant().await;
    let admin = world.admin().await;
    let (a, b) = (world.tenant_a.tenant, world.tenant_b.tenant);
    let wide = Library::new(&admin, a, 1_000, DIMENSIONS).await;
    let widest = Library::new(&admin, b, 60, 4_096).await;
    copied(&world).await;
    for library in [&wide, &widest] {
        assert_eq!(recall(&world, &admin, library).await, 1.0);
    }
    // A model whose dimension changes at its provider: each width has a collection of its own.
    let sql = "update embedding set vector = subvector(vector, 1, 40) where tenant_id = $1 and ordinal < 20";
    admin.execute(sql, &[&a.uuid()]).await.unwrap();
    copied(&world).await;
    let narrow = Library { dimensions: 40, ..wide };
    let question = narrow.questions(&admin, 1).await.remove(0);
    assert_eq!(question.as_slice().len(), 40);
    assert_eq!(narrow.found(&world, &question, 50).await, narrow.exact(&admin, &question).await);
    assert_eq!(world.qdrant.unwrap().collections().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vectors_too_wide_for_any_index_are_read_whole() {
    let world = World::new().await;
    let admin = world.admin().await;
    let widest = Library::new(&admin, world.tenant_a.tenant, 60, 4_096).await;
    assert_eq!(recall(&world, &admin, &widest).await, 1.0);
    // A counter that is wrong costs time, and not the leg.
    admin
        .execute("update document set current_chunks = 0 where tenant_id = $1", &[&widest.tenant.uuid()])
        .await
        .unwrap();
    assert_eq!(recall(&world, &admin, &widest).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reindexing_is_safe_to_repeat_mends_what_is_broken_and_takes_away_what_is_superfluous() {
    let world = World::new().await;
    let admin = world.admin().await;
    let library = Library::new(&admin, world.tenant_a.tenant, 6_000, 16).await;
    let plan = || async { reindex::plan(&world.admin_url, None).await.unwrap() };
    let [step] = &plan().await[..] else { panic!("one index is missing") };
    assert_eq!((&step.name, step.tenant), (&library.index(), library.tenant.uuid()));
    assert!(matches!(&step.what, What::Make { vectors, broken: false } if vectors.count == 6_000), "{step:?}");
    assert_eq!(reindex::plan(&world.admin_url, Some(world.tenant_b.tenant.uuid())).await.unwrap(), []);
    assert_eq!(reindexed(&world).await.len(), 1);
    assert_eq!(plan().await, []);

    // What a killed build leaves behind; nobody asks it meanwhile.
    let broken = format!("update pg_index set indisvalid = false where indexrelid = '{}'::regclass", library.index());
    admin.batch_execute(&broken).await.unwrap();
    assert_eq!(recall(&world, &admin, &library).await, 1.0);
    assert!(matches!(&plan().await[..], [Step { what: What::Make { broken: true, .. }, .. }]));
    reindexed(&world).await;
    assert_eq!(plan().await, []);

    // Two at once: one of them is told so.
    admin.batch_execute("select pg_advisory_lock(32199650843059576)").await.unwrap();
    let refused = reindex::run(&world.admin_url, step, 256, &|_| ()).await.unwrap_err();
    assert!(refused.detail.contains("Another"), "{refused:?}");
    admin.batch_execute("select pg_advisory_unlock_all()").await.unwrap();

    // A little below the crossover it stays, below half of it it goes.
    for (left, expected) in [(CROSSOVER - 100, 0), (CROSSOVER / 2 - 100, 1)] {
        let sql = "delete from document where tenant_id = $1 and id not in
                   (select id from document where tenant_id = $1 and status = 'ready' order by id limit $2)";
        admin.execute(sql, &[&library.tenant.uuid(), &(left / 100)]).await.unwrap();
        let dropped = reindexed(&world).await;
        assert_eq!(dropped.len(), expected, "{dropped:?}");
        assert!(dropped.iter().all(|step| step.what == What::Drop));
    }
    assert_eq!(plan().await, []);
}
