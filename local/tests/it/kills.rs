//! `kill -9` of the real binary at every failpoint of ingestion, at any of its batches; then another process goes on, and
//! nothing is lost, double, half visible or back, and no more than one batch of embeddings was paid twice.
//!
//! `DOCENT_KILLS=500 cargo test -p docent-local --test it kills:: -- --nocapture` is the full count; without it each
//! point is met once.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use docent::App;
use docent::auth::{self, NewTenant, TenantId};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role, migrate};
use docent::function::{self, Files};
use docent::ingest::failpoint;
use docent_local::postgres::Postgres;
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;
use uuid::Uuid;

use crate::bucket::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use crate::keys::{docent, master, say};
use crate::postgres::{connect, directory, options, started};

/// Chunks of a batch: a few batches are enough to be killed between two of them.
const BATCH: usize = 16;
/// Tenants after whose runs the tables are emptied: every sweep visits all that there are.
const CLEARED_AFTER: usize = 20;
/// Processes that may be needed after a kill.
const SUCCESSORS: usize = 3;

/// What one kill came to.
struct Story {
    tenant: TenantId,
    token: String,
    /// New, long, and told about.
    new: Uuid,
    /// New, and not readable.
    poison: Uuid,
    /// Ready, and its bytes are gone.
    vanished: Uuid,
    /// Deleted so long ago that its bytes go too.
    dead: Uuid,
    dead_key: String,
    chunks: i64,
}

pub struct Place {
    pub admin: tokio_postgres::Client,
    pub operator: Db,
    router: Router,
    pub files: Files,
    pub environment: Vec<(&'static str, String)>,
    bucket: Server,
    provider: String,
    embedded: Arc<Mutex<Vec<String>>>,
    chance: u64,
    _running: JoinSet<()>,
    _postgres: Postgres,
    _directory: TempDir,
}

/// Chunk after chunk, each with a number of its own.
fn book(sections: usize, mark: &str) -> String {
    let section = |n: usize| {
        format!(
            "# Lamp {n} of {mark}\n\nThe keeper of lamp {n} in {mark} trims the wick at dusk, turns the glass twice in every \
             hour, and writes down the name of each ship that answers with a light of its own.\n\n"
        )
    };
    (0..sections).map(section).collect()
}

async fn provider(embedded: Arc<Mutex<Vec<String>>>) -> (String, JoinSet<()>) {
    let embed = async move |body: String| {
        let asked: Value = serde_json::from_str(&body).unwrap();
        let inputs: Vec<String> = serde_json::from_value(asked["input"].clone()).unwrap();
        let vector = |text: &String| [1.0, text.len() as f32, text.bytes().map(f32::from).sum::<f32>()];
        let data: Vec<Value> =
            inputs.iter().enumerate().map(|(at, text)| json!({ "index": at, "embedding": vector(text) })).collect();
        embedded.lock().unwrap().extend(inputs);
        axum::Json(json!({ "data": data, "usage": { "prompt_tokens": 1 } }))
    };
    let models = get(async || axum::Json(json!({ "data": [{ "id": "m" }] })));
    let router = Router::new().route("/v1/embeddings", post(embed)).route("/v1/models", models);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, running)
}

impl Place {
    pub async fn new(test: &str) -> Option<Place> {
        let directory = directory();
        let postgres = started(test, options(&directory.path().join("data"))).await?;
        let admin_url = postgres.url();
        let mut app = url::Url::parse(&admin_url).unwrap();
        app.set_username("docent_app").unwrap();
        app.set_password(Some("app-password-of-the-tests")).unwrap();
        migrate::run(&admin_url, Some(app.as_str()), migrate::Plan::Apply).await.unwrap();
        let bucket = Server::start().await;
        let embedded = Arc::new(Mutex::new(Vec::new()));
        let (provider, running) = provider(embedded.clone()).await;
        let environment = vec![
            ("DATABASE_URL", app.to_string()),
            ("S3_ENDPOINT", bucket.origin.clone()),
            ("S3_BUCKET", BUCKET.to_owned()),
            ("S3_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("MASTER_KEY_k1", master("k1")),
            ("MASTER_KEY_CURRENT", "k1".to_owned()),
            ("ALLOW_LOOPBACK_PROVIDERS", "1".to_owned()),
            ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
            ("DOCENT_ENV", "development".to_owned()),
            ("INGEST_BATCH_CHUNKS", BATCH.to_string()),
        ];
        let with = |all: Environment, (name, value): &(&str, String)| all.with(name, value);
        let read = environment.iter().fold(Environment::default(), with);
        let files = Files::new(&read, App::new(&read).unwrap()).unwrap();
        let operator = Db::new(&config::Database { url: admin_url.clone(), pool_size: 1 }, Role::Operator).unwrap();
        Some(Place {
            admin: connect(&admin_url).await,
            operator,
            router: function::everything(files.clone()),
            files,
            environment,
            bucket,
            provider,
            embedded,
            chance: 5,
            _running: running,
            _postgres: postgres,
            _directory: directory,
        })
    }

    /// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
    pub fn below(&mut self, bound: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)) % bound as u64) as usize
    }

    pub async fn send(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Uploads bytes; gives the document and its key.
    pub async fn upload(&self, token: &str, name: &str, bytes: &[u8]) -> (Uuid, String) {
        let new = json!({ "filename": name, "size": bytes.len() });
        let (status, created) = self.send(token, "POST", "/api/upload", new).await;
        assert_eq!(status, 201, "{created}");
        let url: url::Url = created["upload"]["url"].as_str().unwrap().parse().unwrap();
        let key = url.path().trim_start_matches(&format!("/{BUCKET}/")).to_owned();
        self.bucket.client.put_object().bucket(BUCKET).key(&key).body(bytes.to_vec().into()).send().await.unwrap();
        (created["documentId"].as_str().unwrap().parse().unwrap(), key)
    }

    /// A tenant with a document in each state from which a process may be killed.
    async fn story(&mut self) -> Story {
        let new = NewTenant { name: "Killed", embedding_model: "acme/m" };
        let (tenant, token) = auth::create_tenant(&self.operator, &Clock::system(), new).await.unwrap();
        let token = token.expose_secret().to_owned();
        let key = json!({ "key": "sk-killed", "baseUrl": self.provider });
        assert_eq!(self.send(&token, "PUT", "/api/keys/acme", key).await.0, 200);
        let mark = format!("volume{}", self.below(1 << 30));
        let mut ready = Vec::new();
        for name in ["vanished", "dead"] {
            let (id, key) =
                self.upload(&token, &format!("{name}.md"), book(2, &format!("{name}{mark}")).as_bytes()).await;
            let outcome = self.files.ingest.document(tenant, id).await.unwrap();
            assert_eq!(outcome, docent::ingest::Outcome::Ready);
            ready.push((id, key));
        }
        let sections = BATCH * 2 + 1 + self.below(BATCH);
        let (long, _) = self.upload(&token, "new.md", book(sections, &mark).as_bytes()).await;
        let (poison, _) = self.upload(&token, "poison.pdf", b"%PDF-1.7 and nothing that a reader could follow").await;
        for id in [long, poison] {
            assert_eq!(self.send(&token, "POST", &format!("/api/upload/{id}/complete"), json!({})).await.0, 202);
        }
        let ((vanished, vanished_key), (dead, dead_key)) = (ready.remove(0), ready.remove(0));
        self.bucket.client.delete_object().bucket(BUCKET).key(vanished_key).send().await.unwrap();
        assert_eq!(self.send(&token, "DELETE", &format!("/api/documents/{dead}"), json!({})).await.0, 204);
        self.age(tenant, 3600).await;
        self.embedded.lock().unwrap().clear();
        Story { tenant, token, new: long, poison, vanished, dead, dead_key, chunks: sections as i64 }
    }

    /// So much time passes for what the database remembers of this tenant.
    async fn age(&self, tenant: TenantId, seconds: i64) {
        let tenant = tenant.uuid();
        let sql = format!(
            "update document set lease_until = lease_until - interval '{seconds} s', updated_at = updated_at - interval '{seconds} s',
               deleted_at = deleted_at - interval '{seconds} s' where tenant_id = '{tenant}';
             update ingest_event set due_at = due_at - interval '{seconds} s' where tenant_id = '{tenant}';
             update tenant set swept_at = swept_at - interval '{seconds} s' where tenant_id = '{tenant}'"
        );
        self.admin.batch_execute(&sql).await.unwrap();
    }

    /// One process; gives the signal that ended it, if one did.
    async fn process(&self, arguments: &[&str], failpoint: Option<String>) -> Option<i32> {
        let mut command = docent(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        if let Some(point) = failpoint {
            command.env("DOCENT_FAILPOINT", point);
        }
        let output = command.output().await.unwrap();
        let signal = output.status.signal();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || signal == Some(9), "{arguments:?}: {text}");
        signal
    }

    async fn count(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// What must hold at any time: a document is shown whole or not at all, and the statistics say so.
    async fn always(&self, story: &Story) {
        let tenant = story.tenant.uuid();
        let torn = format!(
            "select count(*) from document d where d.tenant_id = '{tenant}' and d.deleted_at is null and d.current_revision is not null
               and (d.current_chunks <> (select count(*) from chunk c where c.tenant_id = d.tenant_id and c.document_id = d.id and c.revision = d.current_revision)
                 or d.current_chunks <> (select count(*) from embedding e where e.tenant_id = d.tenant_id and e.document_id = d.id and e.revision = d.current_revision))"
        );
        assert_eq!(self.count(&torn).await, 0, "half a document is visible");
        let counted = format!(
            "select (select coalesce(sum(s.chunks), 0)::int8 from collection_delta s where s.tenant_id = '{tenant}')
               - (select coalesce(sum(d.current_chunks), 0)::int8 from document d where d.tenant_id = '{tenant}' and d.deleted_at is null)"
        );
        assert_eq!(self.count(&counted).await, 0, "the statistics do not count the live chunks");
    }

    /// What must hold once others have gone on: gives what is missing.
    async fn missing(&self, story: &Story) -> Option<String> {
        let tenant = story.tenant.uuid();
        let status = async |id: Uuid| {
            let sql =
                "select case when deleted_at is null then status else 'deleted' end || coalesce(' ' || error_code, ''),
                         planned_chunks::int8 from document where tenant_id = $1 and id = $2";
            let row = self.admin.query_opt(sql, &[&tenant, &id]).await.unwrap();
            row.map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1)))
        };
        let hints = format!("select count(*) from ingest_event where tenant_id = '{tenant}'");
        let (new, poison) = (status(story.new).await, status(story.poison).await);
        match () {
            () if new != Some(("ready".to_owned(), story.chunks)) => Some(format!("the new document is {new:?}")),
            () if !poison.as_ref().is_some_and(|(status, _)| status.starts_with("failed ")) => {
                Some(format!("the unreadable document is {poison:?}"))
            }
            () if status(story.vanished).await.is_some_and(|(status, _)| status != "deleted") => {
                Some("a document outlived its bytes".to_owned())
            }
            () if status(story.dead).await.is_some() => Some("a deleted document was not purged".to_owned()),
            () if self.bucket.client.head_object().bucket(BUCKET).key(&story.dead_key).send().await.is_ok() => {
                Some("a deleted document's bytes are left".to_owned())
            }
            () if self.count(&hints).await > 0 => Some("hints are left".to_owned()),
            () => None,
        }
    }

    /// Kills one process at a point and lets others go on; gives whether the point was met.
    async fn kill(&mut self, point: &str) -> bool {
        let story = self.story().await;
        let sweeps = point.starts_with("sweep.") || point.contains("tombstone");
        let arguments: &[&str] = if sweeps { &["sweep"] } else { &["worker", "--once"] };
        let passage = if point.contains("batch") { 1 + self.below(3) } else { 1 };
        let killed = self.process(arguments, Some(format!("{point}:{passage}"))).await == Some(9);
        self.always(&story).await;
        let mut missing = None;
        for _ in 0..SUCCESSORS {
            // The dead worker's lease runs out.
            self.age(story.tenant, 61).await;
            for arguments in [&["worker", "--once"] as &[&str], &["sweep"]] {
                self.process(arguments, None).await;
                self.always(&story).await;
            }
            missing = self.missing(&story).await;
            if missing.is_none() {
                break;
            }
        }
        assert_eq!(missing, None, "killed at {point}:{passage}");
        let again = {
            let embedded = self.embedded.lock().unwrap();
            embedded.len() - embedded.iter().collect::<HashSet<_>>().len()
        };
        assert!(again <= BATCH, "killed at {point}:{passage}: {again} texts were embedded twice");
        let query = json!({ "query": "the keeper of a lamp trims the wick", "limit": 50 });
        let (status, hits) = self.send(&story.token, "POST", "/api/search", query).await;
        let own = |hit: &Value| hit["documentId"] == json!(story.new);
        let hits = hits["hits"].as_array().cloned().unwrap_or_default();
        assert!(status == 200 && !hits.is_empty() && hits.iter().all(own), "killed at {point}: {hits:?}");
        killed
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_process_is_killed_at_every_failpoint() {
    let Some(mut place) = Place::new("the_real_process_is_killed_at_every_failpoint").await else { return };
    let wanted =
        Environment::process().get("DOCENT_KILLS").map_or(failpoint::POINTS.len(), |text| text.parse().unwrap());
    let mut tally = BTreeMap::<&str, (usize, usize)>::new();
    let mut kills = 0;
    let mut runs = 0;
    while kills < wanted {
        let point = failpoint::POINTS[runs % failpoint::POINTS.len()];
        if runs % CLEARED_AFTER == 0 {
            place.admin.batch_execute("truncate tenant cascade").await.unwrap();
        }
        runs += 1;
        let killed = place.kill(point).await;
        let line = tally.entry(point).or_default();
        (line.0, line.1) = (line.0 + 1, line.1 + usize::from(killed));
        kills += usize::from(killed);
        if runs % 25 == 0 {
            say(&format!("kills: {kills} of {wanted}"));
        }
        assert!(runs < 2 * wanted + 2 * failpoint::POINTS.len(), "points are not met: {tally:?}");
    }
    for (point, (runs, kills)) in &tally {
        say(&format!("{point:<28}{runs:>6} runs{kills:>6} kills"));
        assert!(*kills > 0, "{point} is never met");
    }
    say(&format!("kill -9 of the real process: {kills} times, nothing lost, double, half visible or back"));
}
