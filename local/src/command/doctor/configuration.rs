//! What the environment says, all of it at once: a start names only the first thing that is wrong.

use docent::config::{self, Environment, variables};
use docent::keys::{Masters, OperatorKeys};
use docent::limits::{Backend, Rates};
use docent::usage::Tariff;
use docent::vectors::Vectors;
use docent_llm::{Limits, Transport};

use super::Finding;

pub(super) fn look(environment: &Environment) -> Vec<Finding> {
    let transport = Transport::new(Limits::default());
    let parts: [(&'static str, Result<String, config::Error>); 12] = [
        (
            "database",
            config::Database::read(environment).map(|database| format!("{} connections a process", database.pool_size)),
        ),
        ("bucket", config::Bucket::read(environment).map(|bucket| format!("{} in {}", bucket.name, bucket.region))),
        (
            "master keys",
            Masters::read(environment).and_then(|masters| match masters.current_id() {
                Some(id) => Ok(format!("`{id}` seals")),
                None => Err(config::Error::new(
                    "MASTER_KEY_<id>",
                    "is not set: no tenant can save a provider key.",
                    "Make one: openssl rand -base64 32.",
                )),
            }),
        ),
        (
            "sessions",
            config::Sessions::read(environment).map(|sessions| {
                match (sessions.auth_js.is_some(), sessions.issuers.len()) {
                    (false, 0) => "tokens only; nobody can sign in".to_owned(),
                    (auth_js, issuers) => {
                        format!("{}{issuers} issuers of tokens", if auth_js { "Auth.js and " } else { "" })
                    }
                }
            }),
        ),
        (
            "front",
            config::Front::read(environment).map(|front| match front.allowed_origins.is_empty() {
                true => "pages of this origin alone".to_owned(),
                false => front.allowed_origins.join(", "),
            }),
        ),
        (
            "limits",
            config::Limits::read(environment)
                .map(|limits| format!("new collections are embedded with {}", limits.embedding_model)),
        ),
        (
            "rates",
            Rates::read(environment).map(|rates| format!("{} requests a minute of one token", rates.token.limit)),
        ),
        (
            "counting",
            Backend::read(environment, &transport).map(|_| match config::Redis::read(environment) {
                Ok(Some(redis)) => format!("by {}", redis.url.host_str().unwrap_or("Redis")),
                _ => "by Postgres".to_owned(),
            }),
        ),
        (
            "operator's keys",
            OperatorKeys::read(environment).map(|keys| match format!("{keys:?}").as_str() {
                "{}" => "none: every tenant brings its own".to_owned(),
                some => some.to_owned(),
            }),
        ),
        ("prices", Tariff::read(environment).map(|_| "read".to_owned())),
        (
            "vectors",
            Vectors::read(environment).map(|_| match config::Qdrant::read(environment) {
                Ok(Some(qdrant)) => format!("in {}", qdrant.url.host_str().unwrap_or("Qdrant")),
                _ => "in Postgres".to_owned(),
            }),
        ),
        (
            "provisioning",
            config::newcomers(environment).map(|on| {
                if on { "who signs in first becomes a tenant" } else { "tenants are made by `docent tenant create`" }
                    .to_owned()
            }),
        ),
    ];
    let mut findings: Vec<Finding> = parts
        .into_iter()
        .map(|(name, part)| match part {
            Ok(found) => Finding::good(name, found),
            Err(error) => Finding::failed(name, error),
        })
        .collect();
    findings.push(doors(environment));
    findings.extend(environment.names().filter_map(|name| {
        let meant = variables::meant(name)?;
        Some(Finding::warning(
            "a name",
            format!("{name} is set, which nothing reads"),
            format!("Rename it if {meant} was meant."),
        ))
    }));
    findings
}

/// Without their secrets two doors stay shut, which a deployment with its own queue does not miss.
fn doors(environment: &Environment) -> Finding {
    const NAME: &str = "ingestion's doors";
    match config::Ingest::read(environment) {
        Err(error) => Finding::failed(NAME, error),
        Ok(ingest) => {
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
    }
}
