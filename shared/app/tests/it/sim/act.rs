//! What clients do and how messages reach a worker.

use axum::body::Body;
use docent::clock::Clock;
use docent::ingest::WORK_TIME;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::lane::Call;
use super::model::{self, Doc};
use super::queue::{Kind, Message};
use super::run::{Run, Work};
use crate::ingest_door::hmac;
use crate::world::{CRON_SECRET, INGEST_SECRET};

/// Documents of a run at most; so many of a hundred take several batches.
const MOST_DOCUMENTS: usize = 4;
const LONG_PERCENT: usize = 25;
const LONG_SECTIONS: usize = 8;

impl Run<'_> {
    /// One thing that a client does, or somebody with the bucket's own credentials.
    pub async fn client(&mut self) -> Result<(), String> {
        let living: Vec<usize> = (0..self.docs.len()).filter(|at| !self.docs[*at].deleted).collect();
        let choice = self.dice.below(100);
        if living.is_empty() || (choice < 30 && self.docs.len() < MOST_DOCUMENTS) {
            self.upload().await;
            return Ok(());
        }
        let number = *self.dice.pick(&living);
        match choice {
            0..42 => self.overwrite(number).await,
            42..52 => self.version(number).await,
            52..64 => return self.delete(number).await,
            64..74 => self.remove_bytes(number).await,
            _ => self.complete(number).await,
        }
        Ok(())
    }

    fn sections(&mut self) -> usize {
        if self.dice.percent(LONG_PERCENT) { LONG_SECTIONS } else { 1 + self.dice.below(3) }
    }

    /// A new document; sometimes its bytes never come, and sometimes nobody says that they have.
    pub async fn upload(&mut self) {
        let tenant = self.dice.below(self.tenants.len());
        let number = self.docs.len();
        self.send(tenant, format!("d{number}.md"), number, "keep").await;
    }

    /// Bytes of the same name: the next version of the document, in a place of its own.
    async fn version(&mut self, number: usize) {
        let (tenant, name) = (self.docs[number].tenant, self.docs[number].name.clone());
        let policy = *self.dice.pick(&["version", "replace"]);
        self.send(tenant, name, number, policy).await;
    }

    async fn send(&mut self, tenant: usize, name: String, number: usize, policy: &str) {
        let sections = self.sections();
        let mark = model::mark(tenant, number, self.docs.get(number).map_or(0, |doc| doc.made));
        let bytes = model::text(&mark, sections);
        self.lane.gate.note(format!("upload {name} of t{tenant}, {policy}, {sections} sections"));
        let new = json!({ "filename": name, "size": bytes.len(), "onDuplicate": policy });
        let reply = self.tenants[tenant].post("/api/upload", new).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let created = reply.json();
        let id: Uuid = created["documentId"].as_str().unwrap().parse().unwrap();
        let url: url::Url = created["upload"]["url"].as_str().unwrap().parse().unwrap();
        let key = url.path().trim_start_matches("/docent/").to_owned();
        let at = self.docs.iter().position(|doc| doc.id == id).unwrap_or(self.docs.len());
        if at == self.docs.len() {
            self.lane.gate.label(id.simple().to_string(), format!("d{at}"));
            self.docs.push(Doc::new(tenant, name, id, key.clone()));
        }
        if at == number && self.dice.percent(7) {
            self.docs[at].empty_room = true;
            return;
        }
        let mut request = self.lane.http.put(url).body(bytes.clone());
        for (name, value) in created["upload"]["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let put = request.send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.status());
        let etag = put.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
        self.docs[number].made += usize::from(at != number);
        self.docs[at].key = key;
        self.put(at, etag, mark, &bytes);
        self.absorb();
        if self.dice.percent(60) && self.told() {
            self.complete(at).await;
        }
    }

    /// Where every event is lost, nobody says anything either: the sweep is alone.
    fn told(&self) -> bool {
        self.ticket.fault != super::fault::Fault::Drop || self.ticket.seed.is_multiple_of(2)
    }

    async fn overwrite(&mut self, number: usize) {
        let (tenant, made) = (self.docs[number].tenant, self.docs[number].made);
        let mark = model::mark(tenant, number, made);
        let sections = self.sections();
        let bytes = model::text(&mark, sections);
        self.lane.gate.note(format!("overwrite d{number}, {sections} sections"));
        let etag = self.lane.shelf.put(&self.docs[number].key, bytes.clone()).await;
        self.put(number, etag, mark, &bytes);
        self.absorb();
    }

    async fn remove_bytes(&mut self, number: usize) {
        // Of one that has several versions the bytes of the one before would count again, if nobody looked meanwhile.
        if self.docs[number].here.is_none() || !self.docs[number].key.ends_with("/1") {
            return;
        }
        self.lane.gate.note(format!("remove the bytes of d{number}"));
        self.lane.shelf.delete(&self.docs[number].key).await;
        (self.docs[number].here, self.docs[number].vanished) = (None, true);
        self.absorb();
    }

    async fn complete(&mut self, number: usize) {
        if !self.told() {
            return;
        }
        self.lane.gate.note(format!("complete d{number}"));
        let doc = &self.docs[number];
        let path = format!("/api/upload/{}/complete", doc.id);
        let reply = self.tenants[doc.tenant].post(&path, json!({})).await;
        let gone = reply.status == 404 && (doc.vanished || doc.deleted);
        let early = reply.status == 409 && doc.empty_room;
        assert!(reply.status == 202 || gone || early, "{}", reply.text());
    }

    /// Deletes, and sees at once that nothing of it is found any more.
    async fn delete(&mut self, number: usize) -> Result<(), String> {
        self.lane.gate.note(format!("delete d{number}"));
        let doc = &mut self.docs[number];
        let client = &self.tenants[doc.tenant];
        let reply = client.delete(&format!("/api/documents/{}", doc.id)).await;
        assert!(reply.status == 204 || (reply.status == 404 && doc.vanished), "{}", reply.text());
        doc.deleted = true;
        let Some(version) = doc.versions.last() else { return Ok(()) };
        *self.lane.provider.quiet.lock().unwrap() = true;
        let hits = client.post("/api/search", json!({ "query": version.mark })).await;
        *self.lane.provider.quiet.lock().unwrap() = false;
        let shown = hits.text().contains(&doc.id.to_string());
        if shown { Err(format!("{} was deleted and is found", doc.name)) } else { Ok(()) }
    }

    /// A worker's call, not begun yet.
    pub fn call(&self, work: &Work, slot: usize) -> Call {
        let ingest = self.lane.workers[slot].ingest.clone().within(WORK_TIME);
        match (work, self.ticket.kind) {
            (Work::Batch(batch), Kind::S3) => {
                let batch = batch.clone();
                Box::pin(async move {
                    let mut failed = Vec::new();
                    for message in batch {
                        if ingest.message(&text(&message)).await.is_err() {
                            failed.push(message.id);
                        }
                    }
                    failed
                })
            }
            (Work::Batch(batch), Kind::R2) => {
                let body = webhook(batch);
                let time = Clock::system().now().as_second();
                let signature = format!("t={time},v1={}", hmac(INGEST_SECRET, &format!("{time}.{body}")));
                let all: Vec<String> = batch.iter().map(|message| message.id.clone()).collect();
                let router = self.lane.doors[slot].clone();
                Box::pin(async move {
                    let (status, reply) = post(router, "/api/ingest", ("x-ingest-signature", signature), body).await;
                    let named = |failed: &Vec<Value>| failed.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
                    match status {
                        200 => reply["failed"].as_array().map(named).unwrap_or_default(),
                        _ => all,
                    }
                })
            }
            (Work::Sweep, Kind::R2) => {
                let router = self.lane.doors[slot].clone();
                let secret = ("authorization", format!("Bearer {CRON_SECRET}"));
                Box::pin(async move {
                    post(router, "/api/ingest/sweep", secret, String::new()).await;
                    Vec::new()
                })
            }
            (Work::Sweep, Kind::S3) => Box::pin(async move {
                let _ = ingest.message(r#"{"Event":"docent:Sweep"}"#).await;
                Vec::new()
            }),
            (Work::Due, _) => Box::pin(async move {
                // As a worker process does it: until nothing comes to an end any more.
                while matches!(ingest.due().await, Ok(ended) if ended > 0) {}
                Vec::new()
            }),
        }
    }

    /// Messages that somebody else wrote, or that were recorded long ago.
    pub async fn forge(&mut self, batch: &[Message]) -> Result<(), String> {
        let now = Clock::system().now().as_second();
        match self.ticket.kind {
            Kind::R2 => {
                let body = webhook(batch);
                let sign = |time: i64, secret: &str| format!("t={time},v1={}", hmac(secret, &format!("{time}.{body}")));
                let forged = [
                    sign(now, "somebody else's secret"),
                    sign(now - 400, INGEST_SECRET),
                    sign(now + 4000, INGEST_SECRET),
                    sign(now, INGEST_SECRET).replace("v1=", "v1=00"),
                    String::new(),
                ];
                let signature = self.dice.pick(&forged).clone();
                let before = self.lane.gate.activity();
                let router = self.lane.doors[0].clone();
                let (status, _) = post(router, "/api/ingest", ("x-ingest-signature", signature), body).await;
                let touched = self.lane.gate.activity() != before;
                if status != 401 || touched {
                    return Err(format!("a forged webhook was answered with {status}, touched: {touched}"));
                }
            }
            Kind::S3 => {
                let Some(message) = batch.first() else { return Ok(()) };
                let key = self.queue.key(&message.body);
                let parts: Vec<&str> = key.split('/').collect();
                let nobody = Uuid::from_u128(u128::from(self.dice.next())).simple().to_string();
                let other = self.tenants.last().map(|client| client.tenant.uuid().simple().to_string());
                let keys = [
                    format!("t/{nobody}/{}/1", parts[2]),
                    format!("t/{}/{nobody}/1", parts[1]),
                    format!("t/{}/{}/1", other.unwrap_or_default(), parts[2]),
                ];
                let forged = self.queue.renamed(&message.body, None, Some(self.dice.pick(&keys).as_str()));
                if self.lane.workers[0].ingest.message(&forged.to_string()).await.is_err() {
                    return Err("a forged message failed, and would be delivered for ever".to_owned());
                }
            }
        }
        Ok(())
    }
}

fn text(message: &Message) -> String {
    match &message.body {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    }
}

fn webhook(batch: &[Message]) -> String {
    let wire = |message: &Message| json!({ "id": message.id, "attempts": 1, "body": message.body });
    json!({ "messages": batch.iter().map(wire).collect::<Vec<_>>() }).to_string()
}

async fn post(router: axum::Router, path: &str, header: (&str, String), body: String) -> (u16, Value) {
    let request = http::Request::post(path).header("content-type", "application/json").header(header.0, header.1);
    let response = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}
