//! The invariants, read from the database as a superuser sees it, and from the API as clients do.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::fault::Fault;
use super::lane::BATCH;
use super::model::{self, Row};
use super::provider;
use super::queue::Message;
use super::run::{Run, Work};

/// What a run found out about itself.
#[derive(Default)]
pub struct Verdict {
    pub blows: usize,
    /// Simulated seconds from the last fault until everything was right.
    pub converged: f64,
    wrong: Option<String>,
}

impl Verdict {
    /// A batch without any other fault fails for exactly those messages that are no events.
    pub fn batch(&mut self, batch: &[Message], failed: &[String], fault: Fault) {
        if !matches!(fault, Fault::PoisonInBatch | Fault::ForeignBucket | Fault::BadKeyEncoding) {
            return;
        }
        for message in batch {
            let poison = message.stranger == Some(true);
            if poison != failed.contains(&message.id) {
                self.wrong = Some(format!("failed {failed:?}, but of {message:?} that was not to be expected"));
            }
        }
    }
}

impl Run<'_> {
    async fn rows(&self) -> Vec<Row> {
        let sql =
            "select d.id, d.status, d.error_code, d.current_etag, d.deleted_at is not null, d.current_chunks::int8,
                     (select count(*) from embedding e
                      where e.tenant_id = d.tenant_id and e.document_id = d.id and e.revision = d.current_revision),
                     (select array_agg(c.ordinal || ':' || c.text order by c.ordinal) from chunk c
                      where c.tenant_id = d.tenant_id and c.document_id = d.id and c.revision = d.current_revision)
                   from document d where d.tenant_id = any($1)";
        let rows = self.lane.admin.query(sql, &[&self.ids()]).await.unwrap();
        let read = |row: &tokio_postgres::Row| {
            let texts: Option<Vec<String>> = row.get(7);
            let digest = texts.as_ref().map(|texts| {
                let numbered = texts.iter().enumerate();
                // A gap or a double in the ordinals gives another digest than the model's.
                let plain = numbered.map(|(n, text)| text.strip_prefix(&format!("{n}:")).unwrap_or("not in order"));
                model::digest(plain)
            });
            Row {
                id: row.get(0),
                status: row.get(1),
                code: row.get(2),
                current_etag: row.get(3),
                deleted: row.get(4),
                counted: row.get(5),
                vectors: row.get(6),
                chunks: texts.map_or(0, |texts| texts.len() as i64),
                digest,
            }
        };
        rows.iter().map(read).collect()
    }

    /// What holds at every moment, whatever happens.
    pub async fn always(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.verdict.wrong.take() {
            return Err(wrong);
        }
        let rows = self.rows().await;
        for doc in &self.docs {
            doc.never(self.row(&rows, doc))?;
        }
        let sql = "select t.tenant_id from tenant t
                   where t.tenant_id = any($1)
                     and (select coalesce(sum(s.chunks), 0) from collection_delta s where s.tenant_id = t.tenant_id)
                       is distinct from (select coalesce(sum(d.current_chunks), 0) from document d
                                         where d.tenant_id = t.tenant_id and d.deleted_at is null)
                      or t.tenant_id = any($1)
                     and (select coalesce(sum(s.length), 0) from collection_delta s where s.tenant_id = t.tenant_id)
                       is distinct from (select coalesce(sum(d.current_length), 0) from document d
                                         where d.tenant_id = t.tenant_id and d.deleted_at is null)";
        let off = self.lane.admin.query(sql, &[&self.ids()]).await.unwrap();
        if off.is_empty() { Ok(()) } else { Err("the statistics do not count the live chunks".to_owned()) }
    }

    /// What holds in the end.
    pub async fn settled(&mut self) -> Result<(), String> {
        let rows = self.rows().await;
        for doc in &self.docs {
            doc.settled(self.row(&rows, doc), self.ticket.fault, self.verdict.blows)?;
        }
        // A hint about nothing may come before its row and waits for it; one about a document is to be consumed.
        let sql = "select string_agg(concat_ws(' ', e.source, e.object_key, d.status, 'due in', e.due_at - simulated.now(), 'attempts', e.attempts), ', ')
                   from ingest_event e join document d on d.tenant_id = e.tenant_id and d.object_key = e.object_key
                   where e.tenant_id = any($1) and d.deleted_at is null";
        let left: Option<String> = self.lane.admin.query_one(sql, &[&self.ids()]).await.unwrap().get(0);
        left.map_or(Ok(()), |left| Err(format!("hints are left: {left}")))
    }

    /// After convergence: what clients find, what was spent, and that one click mends what failed.
    pub async fn epilogue(&mut self) -> Result<(), String> {
        self.spend()?;
        self.redrive().await?;
        *self.lane.provider.quiet.lock().unwrap() = true;
        let searched = self.search().await;
        *self.lane.provider.quiet.lock().unwrap() = false;
        searched?;
        self.vectors().await
    }

    /// Each fault may cost one batch of embeddings twice, and nothing else is ever paid again.
    fn spend(&self) -> Result<(), String> {
        let embedded = self.lane.provider.embedded.lock().unwrap();
        let distinct: HashSet<&String> = embedded.iter().collect();
        let again = embedded.len() - distinct.len();
        let allowed = self.verdict.blows * BATCH;
        if again <= allowed {
            return Ok(());
        }
        Err(format!("{again} texts were embedded more than once after {} faults", self.verdict.blows))
    }

    async fn redrive(&mut self) -> Result<(), String> {
        let rows = self.rows().await;
        let mut failed = Vec::new();
        for doc in self.docs.iter().filter(|doc| doc.here.is_some()) {
            if self.row(&rows, doc).is_some_and(|row| row.status == "failed" && !row.deleted) {
                failed.push((doc.tenant, doc.id));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        for (tenant, id) in failed {
            let reply = self.tenants[tenant].post(&format!("/api/documents/{id}/redrive"), json!({})).await;
            if !reply.status.is_success() {
                return Err(format!("a redrive was refused: {}", reply.text()));
            }
        }
        self.quietly(Work::Due).await?;
        let rows = self.rows().await;
        for doc in &self.docs {
            doc.settled(self.row(&rows, doc), Fault::Duplicate, 0).map_err(|why| format!("after a redrive: {why}"))?;
        }
        Ok(())
    }

    /// Every living document is found by the word of its newest version, and nothing else is ever shown.
    async fn search(&self) -> Result<(), String> {
        let rows = self.rows().await;
        let shown =
            |doc: &model::Doc| self.row(&rows, doc).filter(|row| !row.deleted && row.current_etag.is_some()).is_some();
        for doc in &self.docs {
            let Some(version) = doc.versions.last() else { continue };
            let client = &self.tenants[doc.tenant];
            let reply = client.post("/api/search", json!({ "query": version.mark, "limit": 50 })).await;
            if reply.status != 200 {
                return Err(format!("search answers {}", reply.text()));
            }
            let hits = reply.json();
            let hits: Vec<&Value> = hits["hits"].as_array().unwrap().iter().collect();
            let found = |hit: &&&Value| hit["documentId"] == json!(doc.id);
            if !shown(doc) && hits.iter().any(|hit| found(&hit)) {
                return Err(format!("{} is gone and found", doc.name));
            }
            let newest = doc.here.map(|here| doc.versions[here].mark.as_str());
            if let (true, Some(mark)) = (shown(doc), newest)
                && mark == version.mark
                && !hits.iter().any(|hit| found(&hit) && hit["quote"].as_str().unwrap().contains(mark))
            {
                return Err(format!("{} is ready and not found by {mark}", doc.name));
            }
            for hit in hits {
                let of = self.docs.iter().find(|doc| hit["documentId"] == json!(doc.id));
                let quote = hit["quote"].as_str().unwrap();
                let right = of.is_some_and(|of| {
                    of.tenant == doc.tenant
                        && shown(of)
                        && of.here.is_none_or(|here| quote.contains(&of.versions[here].mark))
                });
                if !right {
                    return Err(format!("found what is not there: {hit}"));
                }
            }
        }
        Ok(())
    }

    /// Each chunk carries the vector of its own text.
    async fn vectors(&self) -> Result<(), String> {
        let sql = "select c.document_id, c.text, e.vector::real[] from chunk c
                   join document d on d.tenant_id = c.tenant_id and d.id = c.document_id and d.current_revision = c.revision
                   join embedding e on e.tenant_id = c.tenant_id and e.document_id = c.document_id
                     and e.revision = c.revision and e.ordinal = c.ordinal
                   where c.tenant_id = any($1) and d.deleted_at is null";
        let rows = self.lane.admin.query(sql, &[&self.ids()]).await.unwrap();
        let embedded = self.lane.provider.embedded.lock().unwrap();
        let mut known: HashMap<&str, Vec<f32>> = HashMap::new();
        for input in embedded.iter() {
            known.insert(input.split_once("\n\n").map_or(input.as_str(), |(_, text)| text), provider::vector(input));
        }
        for row in rows {
            let (id, text, stored): (Uuid, &str, Vec<f32>) = (row.get(0), row.get(1), row.get(2));
            let Some(given) = known.iter().find(|(input, _)| input.ends_with(text)).map(|(_, vector)| vector) else {
                return Err(format!("a chunk of {id} was never embedded: {text}"));
            };
            let norm = given.iter().map(|x| x * x).sum::<f32>().sqrt();
            let same = stored.iter().zip(given).all(|(stored, given)| (stored - given / norm).abs() < 1e-4);
            if !same || stored.len() != given.len() {
                return Err(format!("a chunk of {id} has another text's vector: {text}"));
            }
        }
        Ok(())
    }
}
