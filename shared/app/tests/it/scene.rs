//! One tenant acts and the other is only there: every statement of the product runs as the first, with the second one's
//! rows beside it, and whatever becomes visible or changes of the second is a leak.

mod answers;
mod migration;
mod pace;
mod vectors;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use docent::App;
use docent::config;
use docent::db::{Db, Door, Role};
use docent::function::{self, Files};
use docent::keys::Masters;
use docent_llm::LocalModel;
use serde_json::{Value, json};
use tokio_postgres::Client as Admin;
use tracing::instrument::WithSubscriber;
use uuid::Uuid;

use crate::attack::{Log, exchange, patient};
use crate::callers::PAGE;
use crate::canary::handle;
use crate::population::{self, Population};
use crate::requests::{Member, Request};
use crate::statements::TABLES;
use crate::world::{CRON_SECRET, Client, connect};

/// The tenant that does nothing, and the one that does everything.
const PASSIVE: usize = 0;
const ACTOR: usize = 1;

/// Rooms, each played by itself.
pub const STEPS: [&str; 15] = [
    "tokens",
    "visitors",
    "keys",
    "bots",
    "documents",
    "versions",
    "sources",
    "webhooks",
    "ingestion",
    "model",
    "migration",
    "chat",
    "answers",
    "spending",
    "sweep",
];

/// The passive tenant has a cap, has spent, has something reserved, something to tell, and an address.
const SPENDS: [&str; 7] = [
    "insert into spend_cap (tenant_id, subject, paid_by, daily_micros) values ($1, 'tenant', 'tenant', 7)",
    "insert into spend_day (tenant_id, day, subject, paid_by, spent_micros, reserved_micros)
     values ($1, (now() at time zone 'UTC')::date, 'tenant', 'tenant', 3, 4)",
    "insert into webhook (tenant_id, id, url, events, secret) values ($1, gen_random_uuid(), 'https://example.com/', '{document.ready}', 'x')",
    "insert into webhook_delivery (tenant_id, id, webhook_id, document_id, payload, due_at)
     select $1, gen_random_uuid(), w.id, gen_random_uuid(), '{}', 'infinity' from webhook w where w.tenant_id = $1",
    "update document set source_url = 'http://127.0.0.1:9/none' where tenant_id = $1",
    "insert into model_migration (tenant_id, from_model, to_model, state) values ($1, 'hash-384', 'other', 'switched')",
    "insert into usage_ledger (tenant_id, id, kind, provider, model, reserved_micros, day, subjects, created_at)
     values ($1, gen_random_uuid(), 'chat', 'acme', 'm', 4, (now() at time zone 'UTC')::date, '{tenant}', now() - interval '1 hour')",
];

/// A worker whose lease is this short has to say that it lives while the model below thinks.
const LEASE_SECONDS: &str = "1";
const THINKS: Duration = Duration::from_millis(450);
const MODEL: &str = "model-of-the-scene";
const OTHER_MASTER: &str = "YH2l+LI8cG6c4iaRcSLy5ukzPoSA3EztMXW3rUJxIbQ=";

pub struct Scene {
    population: Population,
    admin: Admin,
    files: Files,
    actor: Client,
    log: Log,
    sent: String,
    played: Played,
}

/// How a play went.
#[derive(Default)]
pub struct Played {
    pub own: usize,
    pub succeeded: usize,
    pub foreign: Vec<String>,
}

impl Scene {
    pub async fn new() -> Scene {
        let population = population::of(2).await;
        let admin = connect(&population.world.admin_url).await;
        // Nobody sweeps the passive one: whatever changes of it from now on was not meant to.
        let tenant = population.members[PASSIVE].tenant().uuid();
        admin.execute("update tenant set swept_at = 'infinity' where tenant_id = $1", &[&tenant]).await.unwrap();
        for sql in SPENDS {
            admin.execute(sql, &[&tenant]).await.unwrap();
        }
        let (files, actor) = (population.world.files.clone(), population.members[ACTOR].client.clone());
        let (log, sent, played) = Default::default();
        Scene { population, admin, files, actor, log, sent, played }
    }

    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    pub fn admin_url(&self) -> &str {
        &self.population.world.admin_url
    }

    /// The same system behind another door, with connections of its own.
    pub fn behind(&mut self, door: Door, url: Option<&str>) {
        let world = &self.population.world;
        let url = url.unwrap_or_else(|| world.environment.get("DATABASE_URL").unwrap());
        let environment = patient(&world.environment, url).with("INGEST_LEASE_SECONDS", LEASE_SECONDS);
        let db = Db::with_door(&config::Database { url: url.to_owned(), pool_size: 4 }, Role::App, door).unwrap();
        let app = App { db, ..world.files.app.clone() }.with_local_model(Arc::new(Slow));
        let objects = world.files.objects.clone();
        let settings = config::Ingest::read(&environment).unwrap();
        let ingest = docent::ingest::Ingest::new(app.clone(), objects.clone(), settings);
        self.files = Files { app, objects, ingest };
        self.actor = self.population.members[ACTOR].client.through(&function::everything(self.files.clone()));
    }

    /// Plays some steps; what the actor left behind is cleared away afterwards.
    pub async fn play(&mut self, steps: &[&str]) -> Played {
        let before = self.digest().await;
        let dispatch = self.log.dispatch();
        for step in steps {
            self.sent.clear();
            Box::pin(self.step(step)).with_subscriber(dispatch.clone()).await;
            let log = self.log.take();
            let seen = self.population.register.scan(&log, Some(ACTOR), self.sent.as_bytes(), false);
            self.played.foreign.extend(seen.foreign.into_iter().map(|mark| format!("{mark} in the log of {step}")));
        }
        if self.digest().await != before {
            self.played.foreign.push("a row of the passive tenant was changed".to_owned());
        }
        self.clear().await;
        std::mem::take(&mut self.played)
    }

    async fn step(&mut self, step: &str) {
        match step {
            "tokens" => self.tokens().await,
            "visitors" => self.visitors().await,
            "keys" => self.keys().await,
            "bots" => self.bots().await,
            "documents" => self.documents().await,
            "versions" => Box::pin(self.versions()).await,
            "sources" => Box::pin(self.sources()).await,
            "webhooks" => Box::pin(self.webhooks()).await,
            "ingestion" => self.ingestion().await,
            "model" => {
                self.model().await;
                Box::pin(self.pace()).await;
            }
            "migration" => Box::pin(self.migration()).await,
            "chat" => self.chat().await,
            "answers" => Box::pin(self.answers()).await,
            "spending" => self.spending().await,
            "sweep" => self.sweep().await,
            other => panic!("there is no step {other}"),
        }
    }

    async fn tokens(&mut self) {
        let made = self.post("/api/tokens", json!({ "name": "scene", "scopes": ["read"] })).await;
        self.get("/api/tokens").await;
        self.get("/api/usage").await;
        let theirs = self.passive().tokens.clone();
        for id in theirs.iter().map(Uuid::to_string).chain([text(&made, "id")]) {
            self.send("DELETE", &format!("/api/tokens/{id}"), None).await;
        }
    }

    /// A page of the actor's lets somebody in, who asks for the passive one's bot and conversation.
    async fn visitors(&mut self) {
        let wanted = json!({ "name": "scene", "publishable": true, "origins": [PAGE] });
        let page = text(&self.post("/api/tokens", wanted).await, "token");
        let entered = self.at_the_page(&page, "/api/tokens/visitor", json!({ "nickname": "Zoë" })).await;
        let visitor = text(&entered, "token");
        self.at_the_page(&page, "/api/tokens/visitor", json!({ "renew": visitor })).await;
        let (bots, talk) = ([None, Some(self.passive().bots[0])], format!("talk-{}", handle(PASSIVE)));
        for bot in bots {
            let message = json!({ "role": "user", "parts": [{ "type": "text", "text": handle(PASSIVE) }] });
            self.at_the_page(&visitor, "/api/chat", json!({ "id": talk, "message": message, "bot": bot })).await;
        }
    }

    async fn at_the_page(&mut self, token: &str, path: &str, body: Value) -> Value {
        let headers = vec![
            ("authorization", format!("Bearer {token}")),
            ("content-type", "application/json".to_owned()),
            ("origin", PAGE.to_owned()),
        ];
        self.exchange("POST", path, headers, Some(body)).await
    }

    async fn keys(&mut self) {
        let key = json!({ "key": "sk-scene-0000000000", "baseUrl": "http://127.0.0.1:9/v1" });
        self.send("PUT", "/api/keys/mistral", Some(key)).await;
        for path in ["/api/keys", "/api/keys/mistral", "/api/keys/openai"] {
            self.get(path).await;
        }
        self.post("/api/keys/mistral/check", json!({})).await;
        self.send("DELETE", "/api/keys/mistral", None).await;
        self.rotate().await;
    }

    /// What the operator's rotation does for each tenant, there and back, with the rights of a function.
    async fn rotate(&mut self) {
        let environment = self.population.world.environment.clone().with("MASTER_KEY_t2", OTHER_MASTER);
        for current in ["t2", "t1"] {
            let masters = Masters::read(&environment.clone().with("MASTER_KEY_CURRENT", current)).unwrap();
            let tx = self.files.app.db.tenant(self.actor.tenant).await.unwrap();
            let _ = docent::keys::census(&tx).await;
            let _ = docent::keys::rotate(&masters, &self.files.app.clock, &tx).await;
            let _ = tx.commit().await;
        }
    }

    async fn bots(&mut self) {
        let theirs = self.passive().bots[0];
        let foreign: Vec<Uuid> = self.passive().others.clone();
        let own = self.get("/api/bots").await["bots"][0]["collections"].clone();
        for other in foreign {
            self.post("/api/bots", json!({ "name": "scene", "collections": [other] })).await;
        }
        // Once, and once more as a retry.
        for _ in 0..2 {
            let token = self.actor.token.as_deref().unwrap_or_default();
            let headers = vec![
                ("authorization", format!("Bearer {token}")),
                ("content-type", "application/json".to_owned()),
                ("idempotency-key", "scene".to_owned()),
            ];
            self.exchange("POST", "/api/bots", headers, Some(json!({ "name": "scene", "collections": own }))).await;
        }
        let made = self.post("/api/bots", json!({ "name": "scene", "collections": own })).await;
        for id in [theirs.to_string(), text(&made, "id")] {
            let path = format!("/api/bots/{id}");
            self.get(&path).await;
            let change = json!({ "name": "scene", "instructions": "Be brief.", "collections": own });
            self.send("PATCH", &path, Some(change)).await;
            self.post("/api/search", json!({ "query": handle(PASSIVE), "bot": id })).await;
            self.send("DELETE", &path, None).await;
        }
    }

    async fn documents(&mut self) {
        let theirs = self.passive().documents[0].to_string();
        let own = self.upload("scene.txt", b"The heron of the scene waits beside the mill.").await;
        self.take_events().await;
        let page = self.get("/api/documents?limit=1").await;
        self.get(&format!("/api/documents?limit=1&cursor={}", text(&page, "nextCursor"))).await;
        for id in [&theirs, &own] {
            self.get(&format!("/api/documents/{id}")).await;
            self.post(&format!("/api/upload/{id}/complete"), json!({})).await;
            let events = format!("/api/documents/{id}/events");
            let watched = self.send("GET", &events, None);
            let _ = tokio::time::timeout(Duration::from_millis(50), watched).await;
        }
        for tenant in [PASSIVE, ACTOR] {
            self.post("/api/search", json!({ "query": format!("Where does the {} nest?", handle(tenant)) })).await;
        }
        for id in [&theirs, &own] {
            self.send("DELETE", &format!("/api/documents/{id}"), None).await;
        }
    }

    /// Events, hints that are due, bytes that change, come late, cannot be read or are gone, and time that runs out.
    async fn ingestion(&mut self) {
        let own = self.upload("scene.txt", b"The heron of the scene waits beside the mill.").await;
        let poor = self.upload("poor.pdf", b"%PDF-1.7 that is none").await;
        let late = self.upload("late.txt", b"").await;
        self.take_events().await;
        let hurried = self.upload("hurried.txt", b"The swift of the scene has no time at all.").await;
        for id in [&own, &poor, &late] {
            self.post(&format!("/api/upload/{id}/complete"), json!({})).await;
        }
        let tenant = self.population.members[ACTOR].tenant();
        let _ = self.files.ingest.due().await;
        if let Ok(id) = hurried.parse() {
            let _ = self.files.ingest.clone().within(Duration::ZERO).document(tenant, id).await;
        }
        let _ = self.files.ingest.due().await;
        self.get(&format!("/api/documents/{own}")).await;
        self.post("/api/search", json!({ "query": "heron mill" })).await;
        if let Ok(id) = own.parse() {
            self.files.objects.delete(&docent::documents::object_key(tenant, id)).await.unwrap();
            let _ = self.files.ingest.document(tenant, id).await;
        }
        self.take_events().await;
    }

    async fn chat(&mut self) {
        for (tenant, trigger) in
            [(PASSIVE, "submit-message"), (ACTOR, "submit-message"), (PASSIVE, "regenerate-message")]
        {
            let question = format!("Where does the {} nest?", handle(tenant));
            let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
            let id = format!("talk-{}", handle(PASSIVE));
            self.post("/api/chat", json!({ "id": id, "messages": [message], "trigger": trigger })).await;
        }
        let asked = json!([{ "role": "user", "content": handle(PASSIVE) }]);
        self.post("/v1/chat/completions", json!({ "model": "Assistant", "messages": asked })).await;
        self.get("/v1/models").await;
        self.get("/api/conversations").await;
        for bot in [self.passive().bots[0].to_string(), text(&self.get("/api/bots").await["bots"][0], "id")] {
            self.get(&format!("/api/bots/{bot}/gaps")).await;
        }
        for tenant in [PASSIVE, ACTOR] {
            self.get(&format!("/api/conversations/talk-{}", handle(tenant))).await;
            self.get(&format!("/api/chat/talk-{}/stream", handle(tenant))).await;
        }
    }

    /// A provider that nobody reaches is asked under a cap: reserved, settled, given back, and forgotten about.
    async fn spending(&mut self) {
        let key = json!({ "key": "sk-scene-0000000000", "baseUrl": "http://127.0.0.1:9/v1" });
        self.send("PUT", "/api/keys/acme", Some(key)).await;
        let own = self.get("/api/bots").await["bots"][0]["collections"].clone();
        let bot = json!({ "name": "scene", "provider": "acme", "model": "m", "collections": own });
        let bot = self.post("/api/bots", bot).await["id"].clone();
        self.send("PUT", "/api/usage/caps", Some(json!({ "caps": { "tenant": "90", "token": "90" } }))).await;
        self.get("/api/usage/caps").await;
        for question in
            [format!("Where does the {} nest?", handle(ACTOR)), "Who painted that chapel in Rome?".to_owned()]
        {
            let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
            let talk = format!("talk-{}", handle(PASSIVE));
            self.post("/api/chat", json!({ "id": talk, "messages": [message], "bot": bot })).await;
        }
        self.get("/api/usage").await;
        let tenant = self.population.members[ACTOR].tenant().uuid();
        let sql =
            "update usage_ledger set settled_at = null, settled_micros = null, created_at = now() - interval '1 hour'
                   where tenant_id = $1";
        self.admin.execute(sql, &[&tenant]).await.unwrap();
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
        self.send("PUT", "/api/usage/caps", Some(json!({ "caps": {} }))).await;
    }

    async fn sweep(&mut self) {
        let own = self.upload("scene.txt", b"The heron of the scene waits beside the mill.").await;
        let _ = self.files.ingest.due().await;
        self.send("DELETE", &format!("/api/documents/{own}"), None).await;
        self.upload("never.txt", b"").await;
        let tenant = self.population.members[ACTOR].tenant().uuid();
        for table in ["document", "ingest_event", "document_version"] {
            let sql = format!("update {table} set created_at = now() - interval '2 days' where tenant_id = $1");
            self.admin.execute(&sql, &[&tenant]).await.unwrap();
        }
        let sql =
            "update document set deleted_at = now() - interval '1 day' where tenant_id = $1 and deleted_at is not null";
        self.admin.execute(sql, &[&tenant]).await.unwrap();
        self.take_events().await;
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
    }

    /// Asks for room, puts the bytes there (or none), and gives the document's id.
    async fn upload(&mut self, name: &str, bytes: &[u8]) -> String {
        let made = self.post("/api/upload", json!({ "filename": name, "size": bytes.len().max(1) })).await;
        if !bytes.is_empty() && made["upload"].is_object() {
            crate::world::put(&made["upload"], bytes).await;
        }
        text(&made, "documentId")
    }

    /// Lets the bucket's events go through ingestion.
    async fn take_events(&mut self) {
        while let Ok(event) = self.population.world.events.try_recv() {
            let _ = self.files.ingest.message(&event).await;
        }
    }

    fn passive(&self) -> &Member {
        &self.population.members[PASSIVE]
    }

    async fn get(&mut self, path: &str) -> Value {
        self.send("GET", path, None).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.send("POST", path, Some(body)).await
    }

    async fn send(&mut self, method: &'static str, path: &str, body: Option<Value>) -> Value {
        let token = self.actor.token.as_deref().unwrap_or_default();
        let mut headers = vec![("authorization", format!("Bearer {token}"))];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.exchange(method, path, headers, body).await
    }

    async fn exchange(
        &mut self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Option<Value>,
    ) -> Value {
        let body = body.map(|body| body.to_string());
        let request = Request { method, route: "", path: path.to_owned(), headers, body, asker: Some(ACTOR) };
        self.sent += &request.sent();
        let mut received = Vec::new();
        let status = exchange(self.actor.router(), &request, &mut received).await;
        let sent = self.sent.as_bytes();
        let seen = self.population.register.scan(&received, Some(ACTOR), sent, true);
        self.played.own += seen.own;
        self.played.succeeded += usize::from((200..300).contains(&status));
        self.played.foreign.extend(seen.foreign.into_iter().map(|mark| format!("{mark} by {method} {path}")));
        let start = received.windows(2).position(|pair| pair == b"\n{").map_or(0, |at| at + 1);
        serde_json::from_slice(&received[start..]).unwrap_or_default()
    }

    /// All rows of the passive tenant in one hash.
    async fn digest(&self) -> String {
        let rows = TABLES
            .iter()
            .map(|table| format!("select '{table}' || t::text as row from {table} t where t.tenant_id = $1"));
        let sql = format!(
            "select md5(string_agg(row, '|' order by row)) from ({}) rows",
            rows.collect::<Vec<_>>().join(" union all ")
        );
        let tenant = self.passive().tenant().uuid();
        self.admin.query_one(&sql, &[&tenant]).await.unwrap().get(0)
    }

    async fn clear(&mut self) {
        let actor = &self.population.members[ACTOR];
        let tenant = actor.tenant().uuid();
        let talk = format!("talk-{}", handle(PASSIVE));
        let kept: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&tenant, &actor.documents];
        for sql in [
            "delete from document where tenant_id = $1 and id <> all($2)",
            "delete from posting where tenant_id = $1 and document_id <> all($2)",
        ] {
            self.admin.execute(sql, kept).await.unwrap();
        }
        let kept: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&tenant, &talk];
        self.admin.execute("delete from conversation where tenant_id = $1 and client_id = $2", kept).await.unwrap();
        for sql in [
            "delete from ingest_event where tenant_id = $1",
            "delete from idempotency where tenant_id = $1",
            "delete from embedding_cache where tenant_id = $1",
            "delete from usage_ledger where tenant_id = $1",
            "delete from spend_day where tenant_id = $1",
            "delete from spend_cap where tenant_id = $1",
            "delete from provider_key where tenant_id = $1 and provider = 'acme'",
            "delete from webhook where tenant_id = $1",
            "delete from bot where tenant_id = $1 and name = 'scene'",
            "delete from collection where tenant_id = $1 and name = 'scene'",
            "delete from token where tenant_id = $1 and name = 'scene'",
            "update tenant set swept_at = null where tenant_id = $1",
        ] {
            self.admin.execute(sql, &[&tenant]).await.unwrap();
        }
    }
}

/// The text of a field, or something that names nothing.
fn text(reply: &Value, field: &str) -> String {
    reply[field].as_str().unwrap_or("none").to_owned()
}

/// A model of this process that takes its time.
struct Slow;

impl LocalModel for Slow {
    fn model(&self) -> &str {
        MODEL
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn label(&self) -> &str {
        "the scene's model"
    }

    fn embed(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, docent_llm::Error> {
        std::thread::sleep(THINKS);
        Ok(inputs.iter().map(|_| vec![0.6, 0.8]).collect())
    }
}
