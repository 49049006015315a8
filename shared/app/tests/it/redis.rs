//! Limits that a real Redis keeps, behind a door that speaks the documented REST form; and a Redis that is not there.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use docent::App;
use docent::auth::TenantId;
use docent::auth::token::{self, TokenKind};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role};
use docent::error::Error;
use docent::function::{self, Files};
use docent::limits::{Backend, Debit, Policy, REDIS_PATIENCE, Request, Standing};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::world::{World, app_url, spawn};

const TOKEN: &str = "the-token-of-the-store";
/// As a look-up finds it that leaves the debit to Redis.
const DEFERRED: Debit = Debit { verdict: 3, remaining: 0, wait_millis: 0 };

/// A server of its own, on a socket in a folder of its own; both go with it.
struct Redis {
    _process: tokio::process::Child,
    folder: tempfile::TempDir,
}

impl Redis {
    /// Nothing when this machine has no `redis-server`.
    async fn start(test: &str) -> Option<Redis> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let mut command = tokio::process::Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(&socket);
        command.current_dir(folder.path()).stdout(std::process::Stdio::null()).kill_on_drop(true);
        let Ok(process) = command.spawn() else {
            let line = format!("not run: {test} (needs redis-server)\n");
            // Past the test runner, which keeps the output of what passes to itself.
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        for _ in 0..500 {
            if UnixStream::connect(&socket).await.is_ok() {
                return Some(Redis { _process: process, folder });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not listen");
    }

    /// The URL of a REST door to it.
    async fn rest(&self) -> String {
        serve(axum::Router::new().route("/", post(rest)).with_state(self.folder.path().join("socket"))).await
    }

    async fn command(&self, command: &[&str]) -> Value {
        let command: Vec<Value> = command.iter().map(|part| json!(part)).collect();
        resp(&self.folder.path().join("socket"), &command).await.unwrap()
    }
}

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    url
}

/// <https://upstash.com/docs/redis/features/restapi>: a command as a JSON array, `result` or `error` as the answer.
async fn rest(State(socket): State<PathBuf>, headers: HeaderMap, body: String) -> (StatusCode, axum::Json<Value>) {
    if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "error": "Unauthorized" })));
    }
    let command: Vec<Value> = serde_json::from_str(&body).unwrap();
    match resp(&socket, &command).await {
        Ok(result) => (StatusCode::OK, axum::Json(json!({ "result": result }))),
        Err(error) => (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))),
    }
}

/// One command in Redis's own protocol (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
async fn resp(socket: &std::path::Path, command: &[Value]) -> Result<Value, String> {
    let mut stream = BufReader::new(UnixStream::connect(socket).await.unwrap());
    let mut wire = format!("*{}\r\n", command.len());
    for part in command {
        let part = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        wire.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut items = Vec::new();
    let mut expected = 1;
    while items.len() < expected {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "*" => expected = rest.parse().unwrap(),
            ":" => items.push(json!(rest.parse::<i64>().unwrap())),
            "+" => items.push(json!(rest)),
            "$" => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                stream.read_exact(&mut text).await.unwrap();
                items.push(json!(String::from_utf8_lossy(&text).trim_end()));
            }
            _ => return Err(rest.to_owned()),
        }
    }
    Ok(if expected == 1 && items.len() == 1 { items.remove(0) } else { Value::Array(items) })
}

fn a_day(name: &'static str, limit: u32) -> Policy {
    Policy { name, limit, window_seconds: 86_400 }
}

fn backend(world: &World, url: &str, token: &str) -> Backend {
    let environment =
        Environment::default().with("UPSTASH_REDIS_REST_URL", url).with("UPSTASH_REDIS_REST_TOKEN", token);
    Backend::read(&environment, &world.files.app.llm.transport).unwrap()
}

struct Asker {
    backend: Backend,
    db: Db,
}

impl Asker {
    fn new(world: &World, url: &str, token: &str) -> Asker {
        let config = config::Database { url: app_url(&world.admin_url), pool_size: 24 };
        Asker { backend: backend(world, url, token), db: Db::new(&config, Role::App).unwrap() }
    }

    async fn ask(&self, tenant: TenantId, bucket: &str, narrow: Policy, wide: Policy) -> Result<Standing, Error> {
        let request = Request { tenant, bucket, narrow, wide };
        self.backend.settle(&self.db, request, DEFERRED).await?.map_err(Error::from)
    }

    /// How many of 64 at once are admitted; the others must be told to come later.
    async fn admitted_at_once(&self, tenant: TenantId, bucket: &str, narrow: Policy, wide: Policy) -> usize {
        let answers = futures_util::future::join_all((0..64).map(|_| self.ask(tenant, bucket, narrow, wide))).await;
        let refused: Vec<&Error> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert!(refused.iter().all(|error| error.code() == "rate_limited"), "{refused:?}");
        answers.len() - refused.len()
    }
}

async fn rows(world: &World) -> i64 {
    world.admin().await.query_one("select count(*) from rate_bucket", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn redis_keeps_the_same_law() {
    let Some(redis) = Redis::start("redis_keeps_the_same_law").await else { return };
    let world = World::new().await;
    let asker = Asker::new(&world, &redis.rest().await, TOKEN);
    let (tenant, other) = (world.tenant_a.tenant, world.tenant_b.tenant);
    let (narrow, wide) = (a_day("token", 7), a_day("tenant", 9));
    for left in (0..7).rev() {
        let standing = asker.ask(tenant, "token:a", narrow, wide).await.unwrap();
        assert_eq!((standing.policy, standing.remaining), (narrow, left));
        assert!(standing.reset_seconds.abs_diff((7 - left) * 86_400 / 7) <= 5, "{standing:?}");
    }
    for _ in 0..3 {
        let refused = asker.ask(tenant, "token:a", narrow, wide).await.unwrap_err();
        assert!(refused.detail.contains("`token` admits 7") && refused.retry_after > Some(12_000), "{refused}");
    }
    asker.ask(tenant, "token:b", narrow, wide).await.unwrap();
    asker.ask(tenant, "token:b", narrow, wide).await.unwrap();
    let refused = asker.ask(tenant, "token:b", narrow, wide).await.unwrap_err();
    assert!(refused.detail.contains("`tenant` admits 9") && refused.retry_after > Some(9_000), "{refused}");
    assert_eq!(asker.ask(other, "token:a", narrow, wide).await.unwrap().remaining, 6);
    // A bucket is forgotten when it is full again, and nothing was counted twice.
    let key = format!("docent:rate:{{{}}}:tenant", tenant.uuid().simple());
    let left = redis.command(&["PTTL", &key]).await.as_i64().unwrap();
    assert!((86_300_000..=86_400_100).contains(&left), "{left}");
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn redis_lets_a_bucket_fill_again() {
    let Some(redis) = Redis::start("redis_lets_a_bucket_fill_again").await else { return };
    let world = World::new().await;
    let asker = Asker::new(&world, &redis.rest().await, TOKEN);
    let narrow = Policy { name: "token", limit: 2, window_seconds: 1 };
    let ask = || asker.ask(world.tenant_a.tenant, "token:a", narrow, a_day("tenant", 1000));
    let (first, second, third) = (ask().await, ask().await, ask().await);
    assert!(first.is_ok() && second.is_ok() && third.is_err(), "{first:?} {second:?} {third:?}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask().await.unwrap().remaining, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_admits_exactly_the_limit_at_once() {
    let Some(redis) = Redis::start("redis_admits_exactly_the_limit_at_once").await else { return };
    let world = World::new().await;
    let asker = Asker::new(&world, &redis.rest().await, TOKEN);
    let tenant = world.tenant_a.tenant;
    assert_eq!(asker.admitted_at_once(tenant, "token:a", a_day("token", 40), a_day("tenant", 1000)).await, 40);
    redis.command(&["FLUSHALL"]).await;
    assert_eq!(asker.admitted_at_once(tenant, "token:b", a_day("token", 1000), a_day("tenant", 37)).await, 37);
    assert_eq!(rows(&world).await, 0, "Postgres was not needed");
}

/// Through the door, with either back end: what every answer says, and who is refused.
#[tokio::test]
async fn answers_say_where_their_caller_stands() {
    let world = World::new().await;
    let limited = world
        .environment
        .clone()
        .with("RATE_LIMIT_PER_MINUTE", "3")
        .with("RATE_LIMIT_TENANT_PER_MINUTE", "5")
        .with("RATE_LIMIT_ADDRESS_PER_MINUTE", "100");
    let mut environments = vec![("Postgres", limited.clone())];
    let redis = Redis::start("answers_say_where_their_caller_stands, with Redis").await;
    if let Some(redis) = &redis {
        let url = redis.rest().await;
        let pairs = [("KV_REST_API_URL", url.as_str()), ("KV_REST_API_TOKEN", TOKEN)];
        environments.push(("Redis", pairs.iter().fold(limited, |all, (name, value)| all.with(name, *value))));
    }
    for (what, environment) in environments {
        world.admin().await.batch_execute("delete from rate_bucket").await.unwrap();
        let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
        let client = world.tenant_a.through(&function::everything(files));
        // A forged token of this tenant, well formed and unknown, uses up nothing of it.
        let stranger = token::mint(TokenKind::Secret, client.tenant, &Clock::system());
        for _ in 0..3 {
            assert_eq!(client.with_token(stranger.text.expose_secret()).get("/api/bots").await.code(), "unauthorized");
        }
        for left in ["2", "1", "0"] {
            let reply = client.get("/api/bots").await;
            assert_eq!(reply.status, StatusCode::OK, "{what}: {}", reply.text());
            let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
            assert_eq!(header("ratelimit-policy"), r#""token";q=3;w=60"#, "{what}");
            assert!(
                header("ratelimit").starts_with(&format!(r#""token";r={left};t="#)),
                "{what}: {}",
                header("ratelimit")
            );
            let legacy = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-remaining-requests"].map(header);
            assert_eq!(legacy, ["3", left, left], "{what}");
        }
        let refused = client.get("/api/bots").await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limited"), "{what}");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&wait), "{what}: {wait}");
        assert!(refused.headers["ratelimit"].to_str().unwrap().starts_with(r#""token";r=0;t="#), "{what}");
        assert!(refused.json()["retryable"] == true && refused.json()["hint"].as_str().unwrap().contains("Wait"));
        let buckets = if what == "Redis" { 0 } else { 2 };
        assert_eq!(rows(&world).await, buckets, "{what}");
    }
}

/// Unreachable, refusing, failing, talking nonsense, silent: each time the limit holds, in Postgres.
#[tokio::test(flavor = "multi_thread")]
async fn without_redis_postgres_holds_the_limit() {
    let world = World::new().await;
    let answer = |status: u16, body: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = move || async move { (status, [("content-type", "application/json")], body) };
        axum::Router::new().route("/", post(answer))
    };
    let silent = axum::Router::new().route("/", post(|| async { std::future::pending::<String>().await }));
    let sick = [
        ("refuses", serve(answer(401, r#"{"error":"Unauthorized"}"#)).await),
        ("fails", serve(answer(400, r#"{"error":"ERR max daily request limit exceeded"}"#)).await),
        ("errs", serve(answer(200, r#"{"error":"READONLY"}"#)).await),
        ("babbles", serve(answer(200, r#"{"result":"OK"}"#)).await),
        ("lies", serve(answer(200, r#"{"result":[3,0,0]}"#)).await),
        ("is silent", serve(silent).await),
        ("is not there", "http://127.0.0.1:1".to_owned()),
    ];
    for (index, (what, url)) in sick.iter().enumerate() {
        let asker = Asker::new(&world, url, TOKEN);
        let (bucket, tenant) = (format!("token:{index}"), world.tenant_a.tenant);
        let began = std::time::Instant::now();
        let admitted = asker.admitted_at_once(tenant, &bucket, a_day("token", 10), a_day("tenant", 1000)).await;
        assert_eq!(admitted, 10, "a Redis that {what}");
        assert!(began.elapsed() < REDIS_PATIENCE * 20, "a Redis that {what} took {:?}", began.elapsed());
    }
    assert_eq!(rows(&world).await, sick.len() as i64 + 1);
}
