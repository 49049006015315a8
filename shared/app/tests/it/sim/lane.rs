//! A whole system on one thread, whose time stands still unless it is moved: a database, a bucket, a provider, two worker
//! processes that can be stopped at any step, and a desk at which clients are served without faults.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use docent::App;
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Door, Role};
use docent::function::{self, Files};
use docent_local::bucket;
use futures_util::FutureExt;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::front::Front;
use super::gate::{Gate, Shared};
use super::provider::Provider;
use super::shelf::Shelf;
use crate::world::{Client, app_url, connect, database, environment, spawn};

/// Chunks of a batch: so few that a small document takes several.
pub const BATCH: usize = 3;
/// How often the lane looks whether a worker is only waiting for time to pass.
const TICK: Duration = Duration::from_millis(10);
/// Ticks without any step after which that is believed, where a fault makes workers wait; and where none does.
const QUIET: u32 = 12;
const STARVING_QUIET: u32 = 4;
const VERY_QUIET: u32 = 500;
/// And when somebody waits whom nobody drives.
const UNMOVED: u32 = 2 * VERY_QUIET;
/// A worker that nothing moves any more, in real seconds: the simulation itself hangs.
const HUNG: Duration = Duration::from_secs(120);
/// What platforms give a call before they end it.
const PLATFORM_SECONDS: u64 = 300;

pub struct Lane {
    pub gate: Shared,
    pub clock: Clock,
    pub admin: Arc<tokio_postgres::Client>,
    operator: Db,
    /// Worker processes, and their doors.
    pub workers: [Files; 2],
    pub doors: [Router; 2],
    desk: Router,
    pub front: Front,
    pub shelf: Shelf,
    pub provider: Provider,
    provider_url: String,
    pub http: reqwest::Client,
    pub events: mpsc::Receiver<String>,
    database: String,
    shift: String,
    ticks: Arc<Notify>,
    _time_stands_still: std::sync::mpsc::Sender<()>,
    _folder: tempfile::TempDir,
}

/// A call that is being worked on; gives the messages to deliver again.
pub type Call = Pin<Box<dyn Future<Output = Vec<String>> + Send>>;

/// How far a call came.
#[derive(Debug, PartialEq, Eq)]
pub enum Ran {
    Done(Vec<String>),
    Held,
    /// The platform ended it.
    Expired,
}

impl Lane {
    pub async fn new() -> Lane {
        let admin_url = database().await;
        let database = url::Url::parse(&admin_url).unwrap().path().trim_start_matches('/').to_owned();
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let real = format!("http://{}", listener.local_addr().unwrap());
        let (sender, events) = mpsc::channel(1000);
        let options = bucket::Options::new(folder.path(), "test-access", "test-secret".to_owned(), "docent");
        spawn(async move { drop(bucket::serve(options, listener, sender).await) });

        let gate = Arc::new(Gate::default());
        let admin = Arc::new(connect(&admin_url).await);
        admin.batch_execute(include_str!("clock.sql")).await.unwrap();
        gate.refuse_by(refusal(admin.clone(), database.clone()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let shelf = Shelf::new(&real);
        let (front, address) = Front::start(gate.clone(), http.clone(), &real, shelf.clone()).await;
        let (provider, provider_url) = Provider::start(gate.clone()).await;
        let clock = Clock::fixed(Clock::system().now());
        let inside = environment(&app_url(&admin_url), &address).with("INGEST_BATCH_CHUNKS", BATCH.to_string());
        let files = || process(&inside, Some(gate.clone()), &clock);
        let workers = [files(), files()];
        let doors = [function::everything(workers[0].clone()), function::everything(workers[1].clone())];
        let desk = function::everything(process(&environment(&app_url(&admin_url), &real), None, &clock));
        let operator = Db::new(&config::Database { url: admin_url, pool_size: 1 }, Role::Operator).unwrap();
        let shift = shift(&admin).await;

        let ticks = Arc::new(Notify::new());
        tick(&ticks);
        let (hold, held) = std::sync::mpsc::channel::<()>();
        // While blocking work runs, a stopped clock does not run ahead by itself.
        drop(tokio::task::spawn_blocking(move || held.recv()));
        tokio::time::pause();
        Lane {
            gate,
            clock,
            admin,
            operator,
            workers,
            doors,
            desk,
            front,
            shelf,
            provider,
            provider_url,
            http,
            events,
            database,
            shift,
            ticks,
            _time_stands_still: hold,
            _folder: folder,
        }
    }

    /// A tenant whose documents a provider embeds, at its own expense.
    pub async fn tenant(&self) -> Client {
        let new = NewTenant { name: "Simulated", embedding_model: "acme/m" };
        let (tenant, token) = auth::create_tenant(&self.operator, &self.clock, new).await.unwrap();
        let client = Client::new(&self.desk, token.expose_secret(), tenant);
        let key = json!({ "key": "sk-simulated", "baseUrl": self.provider_url }).to_string();
        let saved = client.send("PUT", "/api/keys/acme", Some(key), &[]).await;
        assert_eq!(saved.status, 200, "{}", saved.text());
        client
    }

    /// Lets the database's time pass for these tenants, and every timer's.
    pub async fn pass(&self, tenants: &[Uuid], seconds: f64) {
        self.age(tenants, seconds).await;
        tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    }

    /// Whatever the database wrote down is so much longer ago.
    pub async fn age(&self, tenants: &[Uuid], seconds: f64) {
        let ids: Vec<String> = tenants.iter().map(|tenant| format!("'{tenant}'")).collect();
        let sql = self.shift.replace("$seconds", &seconds.to_string()).replace("$tenants", &ids.join(","));
        self.admin.batch_execute(&sql).await.unwrap();
    }

    /// Brings the lane's clock to the present, which presigned uploads are checked against, and always forwards.
    pub fn present(&self) {
        let behind = Clock::system().now().duration_since(self.clock.now());
        self.clock.turn(behind.max(SignedDuration::from_millis(1)));
    }

    /// Works on a call until it ends, is held at a step, or is ended by its platform.
    pub async fn drive(&self, call: &mut Call, sleepy: bool) -> Ran {
        let (mut seen, mut quiet, mut slept, mut spent) = (self.gate.activity(), 0, 1, 0);
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                done = &mut *call => return Ran::Done(done),
                () = self.gate.held.notified() => return Ran::Held,
                () = self.ticks.notified() => {}
            }
            assert!(began.elapsed() < HUNG, "the simulation hangs");
            let active = self.gate.activity();
            quiet = if active == seen { quiet + 1 } else { 0 };
            // Whoever starves still keeps its lease: time goes on when that is done.
            if self.gate.starving() {
                seen = active;
                if quiet < STARVING_QUIET {
                    continue;
                }
                if spent >= PLATFORM_SECONDS {
                    return Ran::Expired;
                }
                (spent, quiet) = (spent + 5, 0);
                tokio::time::advance(Duration::from_secs(5)).await;
                continue;
            }
            if active != seen {
                (seen, slept) = (active, 1);
            }
            if quiet > if sleepy { QUIET } else { VERY_QUIET } {
                tokio::time::advance(Duration::from_secs(slept)).await;
                slept = (slept * 2).min(8);
            }
        }
    }

    /// Moves time on whenever somebody who is not driven, a client mostly, waits for a timer.
    pub fn waits(&self) -> impl Future<Output = Infallible> + use<> {
        let (gate, ticks) = (self.gate.clone(), Arc::new(Notify::new()));
        tick(&ticks);
        async move {
            let (mut seen, mut quiet) = (gate.activity(), 0);
            loop {
                ticks.notified().await;
                let active = gate.activity();
                quiet = if active == seen { quiet + 1 } else { 0 };
                seen = active;
                if quiet >= UNMOVED {
                    tokio::time::advance(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// A worker that stands inside of a transaction for long is cut off by the server.
    pub async fn end_idle_transactions(&self) {
        let sql = format!(
            "select pg_terminate_backend(pid, 1000) from pg_stat_activity
             where datname = '{}' and usename = 'docent_app' and state like 'idle in transaction%'",
            self.database
        );
        self.admin.batch_execute(&sql).await.unwrap();
    }

    /// Ends what a fault did to the whole server.
    pub async fn mend(&self) {
        let sql = format!("alter database {} with connection limit -1", self.database);
        self.admin.batch_execute(&sql).await.unwrap();
    }

    /// Throws away what earlier runs left.
    pub async fn clear(&self) {
        self.admin.batch_execute("truncate tenant cascade").await.unwrap();
    }
}

fn process(environment: &Environment, gate: Option<Shared>, clock: &Clock) -> Files {
    let door = gate.map_or(Door::closed(), |gate| Door::watched(gate));
    let config = config::Database::read(environment).unwrap();
    let db = Db::with_door(&config, Role::App, door).unwrap();
    let limits = config::Limits::read(environment).unwrap();
    let app = App::with_db(environment, db, limits).unwrap().with_clock(clock.clone());
    let files = Files::new(environment, app).unwrap();
    Files { ingest: files.ingest.at_once(1), ..files }
}

/// The server takes no more connections to this database, and ends those of the app.
fn refusal(
    admin: Arc<tokio_postgres::Client>,
    database: String,
) -> Box<dyn Fn() -> futures_util::future::BoxFuture<'static, ()> + Send + Sync> {
    Box::new(move || {
        let (admin, database) = (admin.clone(), database.clone());
        async move {
            let sql = format!(
                "alter database {database} with connection limit 0;
                 select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = '{database}' and usename = 'docent_app'"
            );
            admin.batch_execute(&sql).await.unwrap();
            // The pool notices closed connections when their sockets are polled; until then it would hand them out.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
        .boxed()
    })
}

/// Moves every time of these tenants back. Made from the catalog, so that new tables and columns take part.
async fn shift(admin: &tokio_postgres::Client) -> String {
    let sql = "select c.table_name::text, string_agg(format('%1$I = %1$I - interval ''$seconds seconds''', c.column_name), ', ')
               from information_schema.columns c
               join information_schema.columns t on t.table_schema = 'public' and t.table_name = c.table_name and t.column_name = 'tenant_id'
               join pg_class r on r.oid = format('public.%I', c.table_name)::regclass and not r.relispartition
               where c.table_schema = 'public' and c.data_type = 'timestamp with time zone' and c.is_updatable = 'YES'
                 and c.table_name not in ('token', 'collection', 'bot', 'provider_key')
               group by c.table_name order by c.table_name";
    let rows = admin.query(sql, &[]).await.unwrap();
    let statement = |row: &tokio_postgres::Row| {
        let (table, changes): (String, String) = (row.get(0), row.get(1));
        format!("update {table} set {changes} where tenant_id in ($tenants);\n")
    };
    rows.iter().map(statement).collect()
}

fn tick(ticks: &Arc<Notify>) {
    let ticks = Arc::downgrade(ticks);
    std::thread::spawn(move || {
        while let Some(ticks) = ticks.upgrade() {
            ticks.notify_one();
            drop(ticks);
            std::thread::sleep(TICK);
        }
    });
}
