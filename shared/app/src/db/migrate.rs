//! Forward-only migrations: ordered, checksummed, one transaction each, under an advisory lock on the direct URL.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::facts::pgvector_is_old;
use super::{failed, tls};
use crate::error::{Error, Kind, Result};

/// Two migrators wait for each other on this advisory lock ("docent" as a number).
const LOCK: i64 = 0x646f_6365_6e74;

/// A migration that waits longer than this for a table lock gives up, rather than queueing the traffic behind it.
const LOCK_TIMEOUT: &str = "5s";

const LOCK_POLL: std::time::Duration = std::time::Duration::from_millis(200);

/// The first line of a file that runs statement by statement.
const NO_TRANSACTION: &str = "-- no-transaction\n";

struct Migration {
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration { name: $name, sql: include_str!(concat!("../../../../migrations/", $name, ".sql")) }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    "0001_walls",
    "0002_callers",
    "0003_library",
    "0004_conversations",
    "0005_control",
    "0006_limits",
    "0007_postings",
    "0008_versions",
    "0009_webhooks",
    "0010_fairness",
    "0012_dense",
    "0013_model_migration",
    "0014_gaps",
    "0015_answers",
    "0016_talk",
    "0017_indexes",
];

/// What a run did, or with `Plan::DryRun` would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub applied: Vec<&'static str>,
    pub already: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Apply,
    DryRun,
}

/// Brings the database at `direct_url` (an administrator's, not through a pooler) up to date. `app_url` is what the
/// functions will use: when it names `docent_app`, that role is given the URL's password and the right to log in.
pub async fn run(direct_url: &str, app_url: Option<&str>, plan: Plan) -> Result<Report> {
    let (client, connection) =
        tokio_postgres::connect(direct_url, MakeRustlsConnect::new(tls())).await.map_err(failed)?;
    let work = async {
        lock(&client).await?;
        let report = apply(&client, plan).await?;
        if let (Plan::Apply, Some(url)) = (plan, app_url) {
            admit_app(&client, url).await?;
        }
        Ok(report)
    };
    futures_util::pin_mut!(work);
    // The connection is driven beside the work instead of in a task of its own: nothing is spawned and forgotten.
    match futures_util::future::select(work, std::pin::pin!(connection)).await {
        futures_util::future::Either::Left((report, _)) => report,
        futures_util::future::Either::Right((ended, _)) => Err(match ended {
            Err(source) => failed(source),
            Ok(()) => Error::new(Kind::DatabaseUnavailable, "The database closed the connection during a migration."),
        }),
    }
}

/// Asks again and again instead of waiting inside a statement: that would keep a snapshot, for whose end an index that
/// is made concurrently waits, while this waits for it.
async fn lock(client: &Client) -> Result<()> {
    loop {
        let mine = client.query_one("select pg_try_advisory_lock($1)", &[&LOCK]).await.map_err(failed)?;
        if mine.get(0) {
            return Ok(());
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

async fn apply(client: &Client, plan: Plan) -> Result<Report> {
    if plan == Plan::Apply {
        offers_pgvector(client).await?;
        client
            .batch_execute(
                "create schema if not exists docent_meta;
                 create table if not exists docent_meta.migration
                   (name text primary key, sha256 bytea not null, applied_at timestamptz not null default now())",
            )
            .await
            .map_err(failed)?;
    }
    let done = done(client).await?;
    let mut report = Report::default();
    for migration in MIGRATIONS {
        let hash = Sha256::digest(migration.sql).to_vec();
        match done.get(migration.name) {
            Some(recorded) if *recorded == hash => report.already += 1,
            Some(_) => {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("migration_drift: {} differs from what ran.", migration.name),
                )
                .hint("Restore the file as released and put the change into a new migration."));
            }
            None => {
                if plan == Plan::Apply {
                    run_one(client, migration, &hash).await?;
                }
                report.applied.push(migration.name);
            }
        }
    }
    Ok(report)
}

/// The names and hashes of what ran here; nothing ran where there is no list of it.
async fn done(client: &Client) -> Result<HashMap<String, Vec<u8>>> {
    let listed = client.query_one("select to_regclass('docent_meta.migration') is not null", &[]).await;
    if !listed.map_err(failed)?.get::<_, bool>(0) {
        return Ok(HashMap::new());
    }
    let rows = client.query("select name, sha256 from docent_meta.migration", &[]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Better said before the first migration than by the one that fails halfway through the list.
async fn offers_pgvector(client: &Client) -> Result<()> {
    let sql = "select coalesce(installed_version, default_version) from pg_available_extensions where name = 'vector'";
    let offered: Option<String> = client.query_opt(sql, &[]).await.map_err(failed)?.and_then(|row| row.get(0));
    let (least, below) = super::facts::LEAST_PGVECTOR;
    let problem = match offered {
        None => "This database does not offer the extension pgvector.".to_owned(),
        Some(version) if pgvector_is_old(&version) => {
            format!("This database has pgvector {version}; {least}.{below} is the oldest that will do.")
        }
        Some(_) => return Ok(()),
    };
    Err(Error::new(Kind::NotConfigured, problem)
        .hint("Install pgvector on the server (a package such as postgresql-17-pgvector), then `alter extension vector update`, and run it again."))
}

async fn run_one(client: &Client, migration: &Migration, hash: &[u8]) -> Result<()> {
    let outcome = async {
        match migration.sql.strip_prefix(NO_TRANSACTION) {
            // Without a limit on waiting: what is made concurrently keeps nobody else waiting.
            Some(statements) => {
                for statement in statements.split(";\n") {
                    client.batch_execute(statement).await?;
                }
                client.batch_execute("reset role; begin").await?;
            }
            None => {
                let script =
                    format!("begin; set local lock_timeout = '{LOCK_TIMEOUT}'; {}\n; reset role;", migration.sql);
                client.batch_execute(&script).await?;
            }
        }
        client
            .execute("insert into docent_meta.migration (name, sha256) values ($1, $2)", &[&migration.name, &hash])
            .await?;
        client.batch_execute("commit").await
    };
    outcome.await.map_err(|source| {
        let detail =
            format!("Migration {} failed: {}.", migration.name, source.as_db_error().map_or("", |db| db.message()));
        Error::new(Kind::Conflict, detail)
            .hint("Nothing of it was kept; correct the cause and run it again.")
            .because(source)
    })
}

/// Gives `docent_app` the password that the functions' own URL carries.
async fn admit_app(client: &Client, url: &str) -> Result<()> {
    let config: tokio_postgres::Config = url.parse().map_err(|source: tokio_postgres::Error| {
        Error::invalid("DATABASE_URL is not a Postgres URL.").because(source)
    })?;
    let (Some("docent_app"), Some(password)) = (config.get_user(), config.get_password()) else {
        return Ok(());
    };
    let password =
        std::str::from_utf8(password).map_err(|_| Error::invalid("The password in DATABASE_URL is not UTF-8."))?;
    let quoted: String = client.query_one("select quote_literal($1)", &[&password]).await.map_err(failed)?.get(0);
    // `alter role` takes no parameters; the literal was quoted by the server itself.
    client.batch_execute(&format!("alter role docent_app login password {quoted}")).await.map_err(failed)
}
