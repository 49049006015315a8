//! Postings in blocks: they say of each term what the chunks' own texts say, they come with their document and go with it.

use std::collections::BTreeMap;

use docent_text::{TermCounts, embed_input, term_counts};
use serde_json::{Value, json};
use tokio_postgres::Client as Admin;
use uuid::Uuid;

use crate::ingest::{TEXT, count, long_text, whole};
use crate::world::{World, connect, database};

pub type Chunk = (Uuid, i64);

/// BM25 over the texts of all live chunks of a tenant, as a textbook has it.
pub async fn rebuilt(admin: &Admin, tenant: Uuid, query: &str) -> Vec<(Chunk, f64)> {
    let sql = "select c.document_id, c.ordinal::int8, d.title, c.heading_path, c.text
               from chunk c join document d on d.id = c.document_id and d.current_revision = c.revision
               where c.tenant_id = $1 and d.deleted_at is null";
    let rows = admin.query(sql, &[&tenant]).await.unwrap();
    let counted = |row: &tokio_postgres::Row| {
        let (title, headings): (Option<String>, Vec<String>) = (row.get(2), row.get(3));
        term_counts(&embed_input(title.as_deref(), &headings, row.get(4)))
    };
    let chunks: Vec<(Chunk, TermCounts)> = rows.iter().map(|row| ((row.get(0), row.get(1)), counted(row))).collect();
    let many = chunks.len() as f64;
    let mean = chunks.iter().map(|(_, counts)| f64::from(counts.length)).sum::<f64>() / many;
    let mut scores = BTreeMap::<Chunk, f64>::new();
    let question = docent_text::question(query);
    for (term, weight) in question.terms.into_iter().zip(question.weights) {
        let holds = |counts: &TermCounts| counts.counts.get(&term).copied();
        let found = chunks.iter().filter(|(_, counts)| holds(counts).is_some()).count() as f64;
        let idf = weight * (1.0 + (many - found + 0.5) / (found + 0.5)).ln();
        for (chunk, counts) in &chunks {
            let Some(tf) = holds(counts).map(f64::from) else { continue };
            let length = 0.25 + 0.75 * f64::from(counts.length) / mean;
            *scores.entry(*chunk).or_default() += idf * tf * 2.2 / (tf + 1.2 * length);
        }
    }
    let mut ranked: Vec<(Chunk, f64)> = scores.into_iter().collect();
    ranked.sort_by(|(one, a), (other, b)| b.total_cmp(a).then(one.cmp(other)));
    ranked
}

#[tokio::test]
async fn scores_are_those_of_the_texts() {
    let mut world = World::new().await;
    let (a, b) = (world.tenant_a.clone(), world.tenant_b.clone());
    let guide: String =
        (0..40).map(|n| format!("# Pump {n}\n\nIts valve {} is opened by hand, pump by pump.\n\n", n % 7)).collect();
    world.ready(&a, "long.txt", &long_text()).await;
    world.ready(&a, "guide.md", guide.as_bytes()).await;
    world.ready(&b, "other.txt", b"A valve of somebody else's pump.").await;
    let admin = world.admin().await;
    for query in ["Which pump has valve 21?", "inspected every day", "by hand", "section 2999", "nothing of the kind"] {
        let hits = a.post("/api/search", json!({ "query": query, "limit": 50 })).await.json();
        let scored = |hit: &Value| {
            let chunk = (hit["documentId"].as_str()?.parse().ok()?, hit["ordinal"].as_i64()?);
            Some((chunk, hit["bm25"].as_f64()?))
        };
        let found: BTreeMap<Chunk, f64> = hits["hits"].as_array().unwrap().iter().filter_map(scored).collect();
        let expected = rebuilt(&admin, a.tenant.uuid(), query).await;
        // Both legs share the places that there are: the best of this one is always among them.
        assert_eq!(found.is_empty(), expected.is_empty(), "{query}");
        if let Some((best, _)) = expected.first() {
            assert!(found.contains_key(best), "{query}");
        }
        let expected: BTreeMap<Chunk, f64> = expected.into_iter().collect();
        for (chunk, score) in found {
            assert!(
                (score - expected[&chunk]).abs() < 1e-9,
                "{query}: {chunk:?} has {score}, not {}",
                expected[&chunk]
            );
        }
    }
}

#[tokio::test]
async fn postings_go_with_their_document() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let gone = world.ready(&client, "moon.txt", TEXT).await;
    let kept = world.ready(&client, "long.txt", &long_text()).await;
    let admin = world.admin().await;
    assert_eq!(client.delete(&format!("/api/documents/{gone}")).await.status, 204);
    admin
        .batch_execute("update document set deleted_at = now() - interval '1 hour' where deleted_at is not null")
        .await
        .unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().purged, 1);
    for table in ["chunk", "embedding", "posting"] {
        let left = format!("select count(*) from {table} where document_id not in (select id from document)");
        assert_eq!(count(&admin, &left).await, 0, "{table}");
    }
    whole(&admin, &kept).await;
}

/// What a chunk says must come back as it was, headings with every odd character among it.
#[tokio::test]
async fn headings_come_back_as_they_were() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let headings = [r#"A "quoted" one"#, r"back\slash \\ \n", "{curly, comma}", "NULL", "ünï 🦀 '"];
    let text: String =
        headings.iter().map(|heading| format!("# {heading}\n\n{}\n\n", "Text below it. ".repeat(40))).collect();
    let id = world.ready(&client, "odd.md", text.as_bytes()).await;
    let admin = world.admin().await;
    let sql = "select heading_path[1] from chunk where document_id = $1 order by ordinal";
    let rows = admin.query(sql, &[&id.parse::<Uuid>().unwrap()]).await.unwrap();
    let stored: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let plan = docent_text::extract(text.as_bytes(), "odd.md", None, &docent_text::Budget::default()).unwrap();
    let chunks = docent_text::chunk(&plan, &docent_text::ChunkOptions::default());
    let expected: Vec<String> = chunks.iter().map(|chunk| chunk.heading_path[0].clone()).collect();
    assert_eq!(stored, expected);
    assert!(stored.iter().any(|heading| heading.contains('\\')) && stored.iter().any(|heading| heading.contains('"')));
}

/// Row by row as they were before, block by block as they are now.
#[tokio::test]
async fn the_migration_keeps_every_posting() {
    let url = database().await;
    let admin = connect(&url).await;
    let before = include_str!("../../../../migrations/0003_library.sql");
    let table = before.split("create table posting").nth(1).unwrap().split("call control").next().unwrap();
    let rows = "insert into posting select gen_random_uuid(), t.term, gen_random_uuid(), 1, o, 1 + o % 3, 70000
                from unnest(array['pump', 'valve', 'Ä']) t (term), generate_series(0, 2500) o where o % length(t.term) = 0;
                create table before as select * from posting;";
    let migration = include_str!("../../../../migrations/0007_postings.sql");
    let old = format!(
        "begin; set local role docent_owner; drop table posting; create table posting{table} call control.wall('posting');
         alter table posting drop constraint posting_tenant_id_document_id_fkey; reset role;
         {rows} {migration}; commit"
    );
    admin.batch_execute(&old).await.unwrap();
    let missing = "select count(*) from (
                     select tenant_id, term, document_id, revision, ordinal::int8, tf::int8, least(length, 65535)::int8 from before
                     except
                     select p.tenant_id, p.term, p.document_id, p.revision, o.one >> 32, (o.one >> 16) & 65535, o.one & 65535
                     from posting p, unnest(p.postings) as o (one)) as lost";
    assert_eq!(count(&admin, missing).await, 0);
    let postings = count(&admin, "select sum(cardinality(postings))::int8 from posting").await;
    assert_eq!(postings, count(&admin, "select count(*) from before").await);
    assert!(postings > 2500);
    assert_eq!(count(&admin, "select count(*) from pg_tables where tablename = 'posting_row'").await, 0);
}
