//! What the walls cost a request: credentials, sealed keys, and the one statement that knows and limits a caller.

pub mod proxy;
mod sessions;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use docent::App;
use docent::auth::session::Presented;
use docent::auth::token::{self, TokenKind};
use docent::auth::{self, NewTenant, Sessions, TenantId};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role, migrate};
use docent::keys::{self, Masters, NewKey};
use docent_llm::{SecretString, Transport, Url};
use docent_local::postgres;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::Outcome;
use crate::system::Scratch;
use crate::table::{self, Table, quantile};

const PURE: usize = 10_000;
const ASKED: usize = 2_000;
const COUNTED: usize = 100;
/// What is measured beforehand and thrown away.
const WARM: usize = 200;
const MASTER: &str = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=";

pub fn run() -> Outcome<()> {
    let profile = if cfg!(debug_assertions) { "dev profile: these numbers say nothing" } else { "release profile" };
    let title = format!("What the walls cost, one after the other and warm ({profile})");
    let mut table = Table::new(title, &["step", "p50 µs", "p99 µs", "round trips"]);
    // On one thread a pipelined request is always one write; on several it may be two, which looks like two trips.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        credentials(&mut table).await?;
        sealed_keys(&mut table)?;
        statement(&mut table).await
    })?;
    table.print();
    Ok(())
}

async fn credentials(table: &mut Table) -> Outcome<()> {
    let clock = Clock::system();
    let minted = token::mint(TokenKind::Secret, TenantId::create(&clock), &clock);
    let text = minted.text.expose_secret();
    let mut times = Vec::new();
    for _ in 0..WARM + PURE {
        let begin = Instant::now();
        let claimed = black_box(token::claim(TokenKind::Secret, black_box(text)));
        let hash = black_box(token::hash(text));
        times.push(begin.elapsed());
        if claimed.is_none() || hash != minted.hash {
            return Err("the token was not recognised".into());
        }
    }
    row(table, "platform token: checksum, tenant, SHA-256", times, 0);

    let then = Clock::fixed(jiff::Timestamp::from_second(sessions::THEN)?);
    let settings = config::Sessions::read(&sessions::environment())?;
    let trusted = Sessions::new(settings, Transport::new(docent_llm::Limits::default()), then);
    let cookie = sessions::auth_js_cookie();
    let shown = [
        ("Auth.js 5 cookie: HKDF, A256CBC-HS512, claims", Presented::Cookies(&cookie)),
        ("Clerk token: RS256, claims", Presented::Bearer(sessions::clerk_token())),
    ];
    for (name, presented) in shown {
        let mut times = Vec::new();
        for _ in 0..WARM + PURE / 4 {
            let begin = Instant::now();
            let person = trusted.verify(presented).await;
            times.push(begin.elapsed());
            black_box(person?);
        }
        row(table, name, times, 0);
    }
    Ok(())
}

fn sealed_keys(table: &mut Table) -> Outcome<()> {
    let environment = Environment::default().with("MASTER_KEY_k1", MASTER).with("MASTER_KEY_CURRENT", "k1");
    let (masters, clock) = (Masters::read(&environment)?, Clock::system());
    let tenant = TenantId::create(&clock);
    let base_url = Url::parse("https://api.openai.com/v1")?;
    let key = SecretString::from("sk-0123456789abcdef0123456789abcdef0123456789abcdef");
    let (mut seals, mut opens) = (Vec::new(), Vec::new());
    for _ in 0..WARM + PURE {
        let begin = Instant::now();
        let sealed =
            keys::seal(&masters, &clock, tenant, NewKey { provider: "openai", base_url: &base_url, key: &key })?;
        seals.push(begin.elapsed());
        let begin = Instant::now();
        let opened = keys::open(&masters, &tenant, &sealed)?;
        opens.push(begin.elapsed());
        if opened.expose_secret() != key.expose_secret() {
            return Err("a sealed key opened as another one".into());
        }
    }
    row(table, "seal a provider key", seals, 0);
    row(table, "open a provider key", opens, 0);
    Ok(())
}

/// A request that asks for nothing but to be let in: the caller's look-up and the debit of its limits, in process.
async fn statement(table: &mut Table) -> Outcome<()> {
    let scratch = Scratch::new()?;
    let cache = Environment::process().get("HOME").map(|home| std::path::Path::new(home).join(".cache/docent"));
    let cache = postgres::reachable(&cache.unwrap_or_else(|| scratch.0.join("cache")));
    let server = postgres::start(postgres::Options::new(scratch.0.join("postgres"), cache), &table::note).await?;
    let mut app_url = Url::parse(&server.url())?;
    app_url
        .set_username("docent_app")
        .and_then(|()| app_url.set_password(Some("of-the-bench")))
        .map_err(|()| "no URL")?;
    migrate::run(&server.url(), Some(app_url.as_str()), migrate::Plan::Apply).await?;
    let operator = Db::new(&config::Database { url: server.url(), pool_size: 1 }, Role::Operator)?;
    let new = NewTenant { name: "Bench", embedding_model: "hash-384" };
    let (_, token) = auth::create_tenant(&operator, &Clock::system(), new).await?;

    let (direct, mut times) = (router(&app_url)?, Vec::new());
    for _ in 0..WARM + ASKED {
        let begin = Instant::now();
        let status = enter(&direct, &token).await?;
        times.push(begin.elapsed());
        if status != StatusCode::NO_CONTENT {
            return Err(format!("the request was answered {status}").into());
        }
    }
    let trips = trips(app_url, &token).await?;
    row(table, "warm authorised request: caller and limits, one statement", times, trips);
    server.stop().await?;
    Ok(())
}

/// Round trips of each of many such requests, through a proxy that counts them.
async fn trips(mut app_url: Url, token: &SecretString) -> Outcome<usize> {
    let target = format!("127.0.0.1:{}", app_url.port().unwrap_or_default());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    app_url.set_port(Some(listener.local_addr()?.port())).map_err(|()| "no URL")?;
    let (proxied, trips) = (router(&app_url)?, AtomicUsize::new(0));
    let asking = async {
        enter(&proxied, token).await?;
        let before = trips.load(Ordering::Relaxed);
        for _ in 0..COUNTED {
            enter(&proxied, token).await?;
        }
        let counted = trips.load(Ordering::Relaxed) - before;
        if counted % COUNTED == 0 {
            Ok(counted / COUNTED)
        } else {
            Err(format!("{counted} trips for {COUNTED}").into())
        }
    };
    tokio::select! {
        counted = asking => counted,
        ended = proxy::count(&listener, &target, &trips) => ended.and(Err("the proxy ended".into())),
    }
}

fn router(app_url: &Url) -> Outcome<Router> {
    let environment = Environment::default()
        .with("DATABASE_URL", app_url.as_str())
        .with("DATABASE_POOL_SIZE", "1")
        .with("RATE_LIMIT_PER_MINUTE", "1000000");
    let app = App::new(&environment)?;
    Ok(docent::http::service(docent::chat::router().with_state(app.clone()), &app))
}

async fn enter(router: &Router, token: &SecretString) -> Outcome<StatusCode> {
    let request =
        Request::get("/api/chat/none/stream").header("authorization", format!("Bearer {}", token.expose_secret()));
    match router.clone().oneshot(request.body(Body::empty())?).await {
        Ok(response) => Ok(response.status()),
        Err(never) => match never {},
    }
}

fn row(table: &mut Table, step: &str, mut times: Vec<Duration>, trips: usize) {
    times.drain(..WARM.min(times.len()));
    times.sort_unstable();
    let cell =
        |part| quantile(&times, part).map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e6));
    table.row(vec![step.to_owned(), cell(0.5), cell(0.99), trips.to_string()]);
}
