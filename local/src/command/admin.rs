//! The operator's commands: schema, tenants, sweep.

use clap::{Args, Subcommand};
use docent::App;
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::migrate::{self, Plan};
use docent::db::{Db, Role};
use docent::function::Files;
use secrecy::ExposeSecret;
use serde_json::json;

use super::Failure;
use crate::terminal;

#[derive(Args)]
pub struct Migrate {
    /// Say what is pending and exit 1 if anything is
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Say what would be applied, apply nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Subcommand)]
pub enum Tenant {
    /// Create a tenant; its first token is printed once
    Create {
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List tenants
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct Sweep {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const DIRECT: &str = "Give an administrator's URL that does not go through a pooler.";

pub async fn migrate(environment: &Environment, options: Migrate) -> Result<(), Failure> {
    let direct = direct(environment)?;
    let plan = if options.check || options.dry_run { Plan::DryRun } else { Plan::Apply };
    let report = migrate::run(direct, environment.get("DATABASE_URL"), plan).await?;
    for name in &report.applied {
        terminal::line(&format!("{} {name}", if plan == Plan::Apply { "applied" } else { "pending" }));
    }
    terminal::line(&format!("{} already applied", report.already));
    if options.check && !report.applied.is_empty() {
        return Err(Failure::new("The schema is behind.", "Run `docent migrate`."));
    }
    Ok(())
}

/// An administrator's URL, for what a function's role may not do.
pub fn direct(environment: &Environment) -> Result<&str, Failure> {
    let url = environment.required("DIRECT_DATABASE_URL", DIRECT)?;
    match url.parse::<tokio_postgres::Config>() {
        Ok(_) => Ok(url),
        // The URL holds a password: what is wrong with it is said, not what it is.
        Err(error) => {
            Err(Failure::new(format!("DIRECT_DATABASE_URL: {error}."), "Write postgres://user:password@host/name."))
        }
    }
}

/// The database as the operator sees it: every tenant, by policy.
pub fn operator(environment: &Environment) -> Result<Db, Failure> {
    let url = direct(environment)?.to_owned();
    Ok(Db::new(&config::Database { url, pool_size: 1 }, Role::Operator)?)
}

pub async fn tenant(environment: &Environment, verb: Tenant) -> Result<(), Failure> {
    let operator = operator(environment)?;
    match verb {
        Tenant::Create { name, json } => {
            let model = config::Limits::read(environment)?.embedding_model;
            let new = NewTenant { name: &name, embedding_model: &model };
            let (id, token) = auth::create_tenant(&operator, &Clock::system(), new).await?;
            let token = token.expose_secret();
            terminal::line(&match json {
                true => json!({ "tenant": id.uuid(), "token": token }).to_string(),
                false => format!("tenant {}\ntoken  {token}\n(The token is shown this once.)", id.uuid()),
            });
        }
        Tenant::List { json } => {
            for tenant in auth::list_tenants(&operator).await? {
                let (id, name, created) = (tenant.id.uuid(), tenant.name, tenant.created_at);
                terminal::line(&match json {
                    true => json!({ "tenant": id, "name": name, "createdAt": created }).to_string(),
                    false => format!("{id}  {created:.0}  {name}"),
                });
            }
        }
    }
    Ok(())
}

pub async fn sweep(environment: &Environment, options: Sweep) -> Result<(), Failure> {
    docent::telemetry::start(environment);
    let files = Files::new(environment, App::new(environment)?)?;
    let report = files.ingest.sweep().await?;
    terminal::line(&match options.json {
        true => serde_json::to_string(&report).unwrap_or_default(),
        false => format!(
            "{} tenants compared with the bucket: {} documents looked at, {} objects without a document, {} purged, {} given up",
            report.tenants, report.looked, report.orphans, report.purged, report.forgotten
        ),
    });
    Ok(())
}
