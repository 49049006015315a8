//! The database: the role, versions, the schema, the clock, and whether there is room for connections.

use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::facts::{self, Facts};
use docent::db::migrate::{self, Plan};
use docent::db::{Db, Role};

use super::{Finding, clock};
use crate::command::Failure;

/// A function's trips add up: two of them lie before an answer's first word.
const FAR_MILLIS: u128 = 50;
/// As the alert for connections has it.
const FULL_PERCENT: i64 = 80;

pub(super) async fn look(environment: &Environment) -> Vec<Finding> {
    let mut findings = app(environment).await;
    findings.push(schema(environment).await);
    findings
}

async fn app(environment: &Environment) -> Vec<Finding> {
    const NAME: &str = "database answers";
    let config = match config::Database::read(environment) {
        Ok(config) => config,
        Err(_) => return vec![Finding::skipped(NAME, "DATABASE_URL cannot be used")],
    };
    let asked =
        async { Db::new(&config::Database { pool_size: 1, ..config }, Role::App)?.facts(&Clock::system()).await };
    match asked.await {
        Ok(facts) => vec![
            answers(&facts),
            server(&facts),
            pgvector(&facts),
            room(&facts),
            clock("database's clock", facts.here, facts.now),
        ],
        Err(error) => {
            let mut failure = Failure::from(error);
            if failure.message.contains("role_refused") {
                failure.next =
                    "Run `docent migrate` with the URL of docent_app in DATABASE_URL, and deploy that URL.".to_owned();
            }
            vec![Finding::failed(NAME, failure)]
        }
    }
}

fn answers(facts: &Facts) -> Finding {
    let found = format!("as {}, in {:.1} ms", facts.role, facts.round_trip.as_secs_f64() * 1000.0);
    match facts.round_trip.as_millis() > FAR_MILLIS {
        true => Finding::warning(
            "database answers",
            found,
            "Every answer waits for two such trips: put the functions into the database's region.",
        ),
        false => Finding::good("database answers", found),
    }
}

fn server(facts: &Facts) -> Finding {
    let found = format!("{}.{}", facts.server / 10_000, facts.server % 10_000);
    match facts.server < facts::LEAST_SERVER {
        true => Finding::bad("Postgres", found, format!("Upgrade it to {} or newer.", facts::LEAST_SERVER / 10_000)),
        false => Finding::good("Postgres", found),
    }
}

fn pgvector(facts: &Facts) -> Finding {
    let (least, below) = facts::LEAST_PGVECTOR;
    let found = facts.pgvector.clone().unwrap_or_else(|| "is not installed".to_owned());
    match facts.pgvector_is_old() {
        true => Finding::bad(
            "pgvector",
            found,
            format!("Install {least}.{below} or newer, then `alter extension vector update`."),
        ),
        false => Finding::good("pgvector", found),
    }
}

fn room(facts: &Facts) -> Finding {
    let found = format!("{} of {} in use", facts.connections, facts.most_connections);
    match facts.connections * 100 > facts.most_connections * FULL_PERCENT {
        true => {
            Finding::warning("connections", found, "Point DATABASE_URL at the pooler, or lower DATABASE_POOL_SIZE.")
        }
        false => Finding::good("connections", found),
    }
}

async fn schema(environment: &Environment) -> Finding {
    const NAME: &str = "schema";
    let Some(direct) = environment.get("DIRECT_DATABASE_URL") else {
        return Finding::skipped(NAME, "DIRECT_DATABASE_URL is not set; functions need it nowhere");
    };
    match migrate::run(direct, None, Plan::DryRun).await {
        Ok(report) if report.applied.is_empty() => {
            Finding::good(NAME, format!("{} migrations applied", report.already))
        }
        Ok(report) => Finding::bad(
            NAME,
            format!("pending: {}", report.applied.join(", ")),
            "Run `docent migrate` before the new code.",
        ),
        Err(error) => Finding::failed(NAME, error),
    }
}
