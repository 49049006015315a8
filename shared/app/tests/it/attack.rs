//! The attack run: tenants with canaries behind a real PgBouncer, hostile requests over every route, cancels and kills;
//! not one byte of a tenant may reach another one, by body, header, error or log line.
//!
//! `DOCENT_ATTACK_REQUESTS=100000 cargo test -p docent --test it attack:: -- --nocapture` (1000000 works the same way).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use docent::App;
use docent::config::{self, Environment};
use docent::db::{Db, Door, Role, Wall};
use docent::function::{self, Files};
use docent::limits::Policy;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;

use crate::canary::Register;
use crate::dice::Dice;
use crate::pgbouncer::{Bouncer, not_installed};
use crate::population::{self, Population};
use crate::requests::{self, Request};
use crate::world::connect;

/// Requests of one run, half of them through a pool of one connection; `DOCENT_ATTACK_REQUESTS` says another number.
const REQUESTS: usize = 3_000;
/// Requests under way at once.
const TASKS: usize = 32;
/// A fixed seed: what one run sends, the next one sends too.
const SEED: u64 = 20_261_121;
/// Requests without both walls, which show that the scan would notice.
const CONTROL_REQUESTS: usize = 400;
/// A request that takes longer hangs.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_tenant_reaches_another() {
    const NAME: &str = "attack::no_byte_of_a_tenant_reaches_another";
    let requests = config::Environment::process()
        .get("DOCENT_ATTACK_REQUESTS")
        .map_or(REQUESTS, |count| count.replace('_', "").parse().expect("DOCENT_ATTACK_REQUESTS is a number"));
    let population = population::of(population::TENANTS).await;
    for pool_size in [1, 20] {
        let Some(bouncer) = Bouncer::start(&population.world.admin_url, pool_size).await else {
            return not_installed(NAME);
        };
        let environment = patient(&population.world.environment, &bouncer.url());
        let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
        let seen = Seen::default();
        let attack = Attack {
            population: &population,
            router: function::everything(files),
            seen: &seen,
            seed: SEED + pool_size as u64,
            left: AtomicUsize::new(requests / 2),
            cancels: true,
        };
        let started = Instant::now();
        let killed = attack.under_fire(bouncer).await;
        seen.report(&format!("pool of {pool_size}, {killed} kills"), started.elapsed());
        let foreign = seen.foreign.lock().unwrap();
        assert!(
            foreign.is_empty(),
            "{} foreign marks, the first: {:#?}",
            foreign.len(),
            &foreign[..foreign.len().min(20)]
        );
        // The run must have been one in which there was something to see.
        let own = seen.own.load(Ordering::Relaxed);
        assert!(own > requests / 20, "only {own} of the askers' own canaries came by");
        let faults = seen.faults.lock().unwrap();
        assert!(faults.is_empty(), "hostile requests and lost connections are nobody's 500: {faults:#?}");
        assert!(seen.succeeded() > requests / 10, "only {} requests succeeded", seen.succeeded());
    }
    without_walls(&population).await;
}

/// The same requests and the same scan, with nothing in the way: they do find what is not theirs.
async fn without_walls(population: &Population) {
    let database = config::Database { url: population.world.admin_url.clone(), pool_size: 8 };
    let db = Db::with_door(&database, Role::App, Door::without(Wall::Both)).unwrap();
    let environment = patient(&population.world.environment, &population.world.admin_url);
    let app = App { db, ..App::new(&environment).unwrap() };
    let seen = Seen::default();
    let attack = Attack {
        population,
        router: function::everything(Files::new(&environment, app).unwrap()),
        seen: &seen,
        seed: SEED,
        left: AtomicUsize::new(CONTROL_REQUESTS),
        cancels: false,
    };
    let started = Instant::now();
    attack.run(8).await;
    seen.report("without both walls", started.elapsed());
    let foreign = seen.foreign.lock().unwrap().len();
    assert!(foreign > CONTROL_REQUESTS / 20, "the scan found only {foreign} foreign marks where nothing hides them");
}

/// Limits would keep most of the requests from the walls that are to be tried.
pub fn patient(environment: &Environment, database_url: &str) -> Environment {
    let environment = environment.clone().with("DATABASE_URL", database_url).with("DATABASE_POOL_SIZE", "24");
    ["", "TENANT_", "VISITOR_", "ADDRESS_"].iter().fold(environment, |environment, whose| {
        environment.with(&format!("RATE_LIMIT_{whose}PER_MINUTE"), Policy::MOST.to_string())
    })
}

struct Attack<'a> {
    population: &'a Population,
    router: Router,
    seen: &'a Seen,
    seed: u64,
    left: AtomicUsize,
    cancels: bool,
}

impl Attack<'_> {
    /// While the attackers are at it, backends are killed, and now and then the pooler itself.
    async fn under_fire(&self, mut bouncer: Bouncer) -> usize {
        let admin = connect(&self.population.world.admin_url).await;
        let mut dice = Dice::new(self.seed);
        let mut killed = 0;
        let kills = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50 + dice.below(400) as u64)).await;
                let sql = "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
                           where usename = 'docent_app' and datname = current_database() order by random() limit 1) one";
                killed += admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) as usize;
                if dice.percent(4) {
                    bouncer.restart().await;
                    killed += 1;
                }
            }
        };
        tokio::select! {
            () = self.run(TASKS) => {}
            () = kills => {}
        }
        killed
    }

    async fn run(&self, tasks: usize) {
        // Not tasks of the runtime: polled side by side, so that each has its own log and they end with the test.
        let one = |task: usize| self.attacker(self.seed.wrapping_mul(1000) + task as u64);
        stream::iter(0..tasks).map(one).buffer_unordered(tasks).collect::<Vec<()>>().await;
    }

    async fn attacker(&self, seed: u64) {
        let mut dice = Dice::new(seed);
        let log = Log::default();
        while self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            let request = requests::next(&mut dice, &self.population.members);
            let mut answer = Vec::new();
            let exchange = exchange(self.router.clone(), &request, &mut answer).with_subscriber(log.dispatch.clone());
            let exchange = cut_short(&mut dice, self.cancels, request.route, exchange);
            let status = tokio::time::timeout(LONGEST_REQUEST, exchange).await;
            let status = status.unwrap_or_else(|_| panic!("{} {} hangs", request.method, request.path));
            let received = Received { status, answer, log: log.take() };
            self.seen.note(&self.population.register, &request, &received);
            if status == Some(201) {
                self.remember(&request, &received.answer);
            }
        }
    }

    /// What a tenant has made itself it may delete later.
    fn remember(&self, request: &Request, received: &[u8]) {
        let start = received.windows(2).position(|pair| pair == b"\n{").map_or(0, |at| at + 1);
        let made: Option<serde_json::Value> = serde_json::from_slice(&received[start..]).ok();
        let id = made.and_then(|made| made["id"].as_str().or(made["documentId"].as_str()).map(str::to_owned));
        if let (Some(asker), Some(id)) = (request.asker, id) {
            self.population.members[asker].spare.lock().unwrap().push(id);
        }
    }
}

/// Sends a request; what comes back is collected byte by byte, so that it is there even if it is cut off.
pub async fn exchange(router: Router, request: &Request, received: &mut Vec<u8>) -> u16 {
    let mut message = http::Request::builder().method(request.method).uri(&request.path);
    for (name, value) in &request.headers {
        message = message.header(*name, value);
    }
    // What HTTP itself does not carry never leaves a client.
    let Ok(message) = message.body(request.body.clone().map_or_else(Body::empty, Body::from)) else { return 0 };
    let response = router.oneshot(message).await.unwrap();
    let status = response.status().as_u16();
    for (name, value) in response.headers() {
        received.extend_from_slice(name.as_str().as_bytes());
        received.extend_from_slice(b": ");
        received.extend_from_slice(value.as_bytes());
        received.push(b'\n');
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.ok().and_then(|frame| frame.into_data().ok()) {
            received.extend_from_slice(&data);
        }
    }
    status
}

/// One request in seven is dropped: after some polls, or after some time. A stream of progress always is, and so is a
/// sweep, which goes on for as long as there are tenants.
async fn cut_short<F: Future>(dice: &mut Dice, cancels: bool, route: &str, work: F) -> Option<F::Output> {
    let (polls, micros) = match dice.below(100) {
        0..=6 if cancels => (dice.below(40), u64::MAX),
        7..=13 if cancels => (usize::MAX, dice.next() % 20_000),
        _ if route.ends_with("/events") => (usize::MAX, 100_000),
        _ if route.ends_with("/sweep") => (usize::MAX, 2_000_000),
        _ => (usize::MAX, u64::MAX),
    };
    let (mut work, mut left) = (pin!(work), polls);
    let limited = std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    });
    match micros {
        u64::MAX => limited.await,
        micros => tokio::time::timeout(Duration::from_micros(micros), limited).await.ok().flatten(),
    }
}

/// The log lines of one attacker's requests: all of ours, and what others say from `info` on.
pub struct Log {
    dispatch: Dispatch,
    lines: Lines,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for Log {
    fn default() -> Log {
        let lines = Lines::default();
        let writer = lines.clone();
        let ours = filter_fn(|line| line.target().starts_with("docent") || *line.level() <= tracing::Level::INFO);
        let json = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
        let layer = json.with_filter(ours).with_filter(LevelFilter::TRACE);
        Log { dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)), lines }
    }
}

impl Log {
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.lines.0.lock().unwrap())
    }

    pub fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }
}

/// What came of a request; no status when it was cut off.
struct Received {
    status: Option<u16>,
    answer: Vec<u8>,
    log: Vec<u8>,
}

/// Why a request failed, from the log line that says so.
fn cause(request: &Request, log: &[u8]) -> String {
    let log = String::from_utf8_lossy(log);
    let failed = log.lines().find(|line| line.contains("http.request failed")).unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(failed).unwrap_or_default();
    let cause = line["fields"]["cause"].as_str().unwrap_or("no cause in the log");
    format!("{} {}: {cause}", request.method, request.route)
}

/// Log lines without the numbers of their requests: an answer's last line may come after its reader has left, and so
/// among the lines of the next request, and its own number was told to whoever asked first.
fn unnumbered(log: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(log.len());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(mut line) => {
                line["fields"].as_object_mut().map(|fields| fields.remove("request_id"));
                lines.extend(line.to_string().into_bytes());
            }
            Err(_) => lines.extend(line),
        }
    }
    lines
}

/// What came by in a run.
#[derive(Default)]
struct Seen {
    own: AtomicUsize,
    bytes: AtomicUsize,
    log_bytes: AtomicUsize,
    statuses: Mutex<BTreeMap<u16, usize>>,
    /// Causes of 500, as their log lines give them.
    faults: Mutex<BTreeMap<String, usize>>,
    foreign: Mutex<Vec<String>>,
}

impl Seen {
    fn note(&self, register: &Register, request: &Request, received: &Received) {
        let (sent, Received { status, answer, log }) = (request.sent(), received);
        let seen = register.scan(answer, request.asker, sent.as_bytes(), true);
        let lines = register.scan(&unnumbered(log), request.asker, sent.as_bytes(), false);
        self.own.fetch_add(seen.own, Ordering::Relaxed);
        self.bytes.fetch_add(answer.len(), Ordering::Relaxed);
        self.log_bytes.fetch_add(log.len(), Ordering::Relaxed);
        *self.statuses.lock().unwrap().entry(status.unwrap_or(0)).or_default() += 1;
        if *status == Some(500) {
            *self.faults.lock().unwrap().entry(cause(request, log)).or_default() += 1;
        }
        // The platform's own work may name in its log whom it works for, never what belongs to them.
        let system = request.route.starts_with("/api/ingest");
        let lines = lines.foreign.into_iter().filter(|mark| !system || mark.starts_with("canary"));
        let answers = seen.foreign.into_iter().map(|mark| ("answer", mark));
        for (place, mark) in answers.chain(lines.map(|mark| ("log", mark))) {
            let line = format!("{:?} saw {mark} in the {place} of {} {}", request.asker, request.method, request.path);
            self.foreign.lock().unwrap().push(line);
        }
    }

    fn succeeded(&self) -> usize {
        self.statuses.lock().unwrap().iter().filter(|(status, _)| (200..400).contains(*status)).map(|(_, n)| n).sum()
    }

    fn report(&self, what: &str, took: Duration) {
        let statuses = self.statuses.lock().unwrap();
        let requests: usize = statuses.values().sum();
        let _ = writeln!(
            io::stderr(),
            "attack, {what}: {requests} requests over {} routes in {:.0} s; {} foreign and {} own marks in {} kB of answers and {} kB \
             of log; by status (0: cut off): {statuses:?}",
            requests::ROUTES.len(),
            took.as_secs_f32(),
            self.foreign.lock().unwrap().len(),
            self.own.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed) / 1024,
            self.log_bytes.load(Ordering::Relaxed) / 1024,
        );
    }
}
