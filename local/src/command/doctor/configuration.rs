//! What the environment says, all of it at once: a start names only the first thing that is wrong.

use docent::config::{self, Environment, variables};
use docent::keys::{Masters, OperatorKeys};
use docent::limits::{Backend, Rates};
use docent::usage::Tariff;
use docent::vectors::Vectors;
use docent_llm::{Limits, Transport};

use super::Finding;

/// One concern's name, and what it read or what is wrong with it.
type Part = (&'static str, Result<String, config::Error>);

pub(super) fn look(environment: &Environment) -> Vec<Finding> {
    let parts = storage(environment).into_iter().chain(callers(environment)).chain(models(environment));
    let mut findings: Vec<Finding> = parts
        .map(|(name, part)| match part {
            Ok(found) => Finding::good(name, found),
            Err(error) => Finding::failed(name, error),
        })
        .collect();
    findings.push(doors(environment));
    findings.extend(environment.names().filter_map(|name| {
        let meant = variables::meant(name)?;
        let next = format!("Rename it if {meant} was meant.");
        Some(Finding::warning("a name", format!("{name} is set, which nothing reads"), next))
    }));
    findings
}

fn storage(environment: &Environment) -> [Part; 4] {
    let database = config::Database::read(environment);
    let bucket = config::Bucket::read(environment);
    let masters = Masters::read(environment).and_then(|masters| match masters.current_id() {
        Some(id) => Ok(format!("`{id}` seals")),
        None => Err(config::Error::new(
            "MASTER_KEY_<id>",
            "is not set: no tenant can save a provider key.",
            "Make one: openssl rand -base64 32.",
        )),
    });
    [
        ("database", database.map(|database| format!("{} connections a process", database.pool_size))),
        ("bucket", bucket.map(|bucket| format!("{} in {}", bucket.name, bucket.region))),
        ("master keys", masters),
        (
            "worker's queue",
            config::Queue::read(environment).map(|queue| match queue {
                None => "none: `docent worker` is fed by the table of hints alone".to_owned(),
                Some(config::Queue::Sqs(queue)) => format!("{} in {}", queue.url.path(), queue.region),
                Some(config::Queue::Pull(queue)) => format!("pulled from {}", queue.url.host_str().unwrap_or_default()),
            }),
        ),
    ]
}

fn callers(environment: &Environment) -> [Part; 5] {
    let sessions = config::Sessions::read(environment).map(|sessions| {
        match (sessions.auth_js.is_some(), sessions.issuers.len()) {
            (false, 0) => "tokens only; nobody can sign in".to_owned(),
            (auth_js, issuers) => format!("{}{issuers} issuers of tokens", if auth_js { "Auth.js and " } else { "" }),
        }
    });
    let front = config::Front::read(environment).map(|front| match front.allowed_origins.is_empty() {
        true => "pages of this origin alone".to_owned(),
        false => front.allowed_origins.join(", "),
    });
    let rates = Rates::read(environment).map(|rates| format!("{} requests a minute of one token", rates.token.limit));
    let counting = Backend::read(environment, &Transport::new(Limits::default()));
    let counting = counting.map(|_| match config::Redis::read(environment) {
        Ok(Some(redis)) => format!("by {}", redis.url.host_str().unwrap_or("Redis")),
        _ => "by Postgres".to_owned(),
    });
    let newcomers = config::newcomers(environment).map(|welcome| match welcome {
        true => "who signs in first becomes a tenant".to_owned(),
        false => "tenants are made by `docent tenant create`".to_owned(),
    });
    [("sessions", sessions), ("front", front), ("rates", rates), ("counting", counting), ("provisioning", newcomers)]
}

fn models(environment: &Environment) -> [Part; 4] {
    let limits = config::Limits::read(environment);
    let keys = OperatorKeys::read(environment).map(|keys| match format!("{keys:?}").as_str() {
        "{}" => "none: every tenant brings its own".to_owned(),
        some => some.to_owned(),
    });
    let vectors = Vectors::read(environment).map(|_| match config::Qdrant::read(environment) {
        Ok(Some(qdrant)) => format!("in {}", qdrant.url.host_str().unwrap_or("Qdrant")),
        _ => "in Postgres".to_owned(),
    });
    [
        ("limits", limits.map(|limits| format!("new collections are embedded with {}", limits.embedding_model))),
        ("operator's keys", keys),
        ("prices", Tariff::read(environment).map(|_| "read".to_owned())),
        ("vectors", vectors),
    ]
}

/// Without their secrets two doors stay shut, which a deployment with its own queue does not miss.
fn doors(environment: &Environment) -> Finding {
    const NAME: &str = "ingestion's doors";
    let ingest = match config::Ingest::read(environment) {
        Ok(ingest) => ingest,
        Err(error) => return Finding::failed(NAME, error),
    };
    let shut = [("INGEST_SECRET", ingest.secret.is_none()), ("CRON_SECRET", ingest.cron_secret.is_none())];
    let shut: Vec<&str> = shut.into_iter().filter(|(_, shut)| *shut).map(|(name, _)| name).collect();
    match shut.is_empty() {
        true => Finding::good(NAME, "the bucket's messages and the schedule are let in"),
        false => Finding::warning(
            NAME,
            format!("{} not set", shut.join(" and ")),
            "R2's queue worker needs the first, Vercel's schedule the second; SQS and `docent worker` need neither.",
        ),
    }
}
