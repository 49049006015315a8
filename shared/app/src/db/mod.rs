//! Postgres: the pool, the check of the role that we run as, and [`TenantTx`], the only door to tenant tables.

pub mod copy;
pub mod dense;
mod door;
pub mod facts;
pub mod migrate;
mod param;
pub mod reindex;
mod tx;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::Type;
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

pub use door::Door;
#[cfg(feature = "test-doors")]
pub use door::{Statements, Step, Wall, Watch, without_predicate};
pub use param::Param;
pub use tx::TenantTx;

pub use crate::auth::TenantId;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::telemetry::{self, Part};
use param::VectorTypes;

/// How long a request may wait for a connection before it is shed with 503: piling up helps nobody.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sent bytes may stay unacknowledged, and how long a silent connection goes unprobed.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A lazily connected pool. Building one opens nothing.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    vectors: Arc<OnceLock<VectorTypes>>,
    door: Door,
}

/// Whose rights a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What functions use: start-up refuses a role that could see past row security.
    App,
    /// The command line's: `set role docent_operator`, which sees every tenant by policy.
    Operator,
}

impl Db {
    pub fn new(config: &config::Database, role: Role) -> Result<Db> {
        Db::with_door(config, role, Door::closed())
    }

    /// With one wall taken away; outside of tests every door is closed.
    pub fn with_door(config: &config::Database, role: Role, door: Door) -> Result<Db> {
        let mut parsed: tokio_postgres::Config = config.url.parse().map_err(|source: tokio_postgres::Error| {
            Error::new(Kind::NotConfigured, "DATABASE_URL is not a Postgres URL.").because(source)
        })?;
        parsed.connect_timeout(CONNECT_TIMEOUT).application_name("docent");
        // A frozen instance thaws with dead sockets: they must fail, not hang.
        parsed.tcp_user_timeout(SOCKET_TIMEOUT).keepalives_idle(KEEPALIVE);
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(parsed, MakeRustlsConnect::new(tls()), recycle);
        let vectors = Arc::new(OnceLock::new());
        let seen = vectors.clone();
        let unchecked = door.skips_role_check();
        let pool = Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .post_create(Hook::async_fn(move |client, _| {
                let seen = seen.clone();
                Box::pin(async move { greet(client, role, unchecked, &seen).await })
            }))
            .build()
            .map_err(Error::internal)?;
        Ok(Db { pool, vectors, door })
    }

    /// Opens the door for one tenant. Sends nothing yet; see [`TenantTx`].
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx> {
        self.door.begin().await;
        let client = self.client().await?;
        let vectors = self.vectors.get().cloned().unwrap_or_default();
        Ok(TenantTx::new(client, tenant, vectors, self.door.clone()))
    }

    /// One of the audited, content-free functions of the `control` schema, which give ids across tenants.
    pub async fn control(&self, call: Control) -> Result<Vec<(Uuid, Option<Uuid>)>> {
        self.door.begin().await;
        let client = self.client().await?;
        if let Some(before) = self.door.before("control") {
            client.batch_execute(&before).await.map_err(failed)?;
        }
        let rows = match call {
            Control::DueHints(most) => {
                client.query_typed("select tenant_id, id from control.due_hints($1)", &[(&most, Type::INT4)]).await
            }
            Control::StuckDocuments(most) => {
                client
                    .query_typed("select tenant_id, id from control.stuck_documents($1)", &[(&most, Type::INT4)])
                    .await
            }
            Control::DueDeliveries(most) => {
                client.query_typed("select tenant_id, id from control.due_deliveries($1)", &[(&most, Type::INT4)]).await
            }
            Control::DueMigrations(most) => {
                let sql = "select tenant_id, null::uuid from control.due_migrations($1)";
                client.query_typed(sql, &[(&most, Type::INT4)]).await
            }
            Control::UnsweptTenants(before, most) => {
                let params: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
                    &[(&before, Type::TIMESTAMPTZ), (&most, Type::INT4)];
                client.query_typed("select tenant_id, null::uuid from control.unswept_tenants($1, $2)", params).await
            }
        };
        Ok(rows.map_err(failed)?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Whom the front end's table of sessions knows by this key; see `control.session_subject`.
    pub async fn session_subject(&self, session: &str) -> Result<Option<String>> {
        let client = self.client().await?;
        let _trip = telemetry::step(Part::Db);
        let sql = "select control.session_subject($1)";
        let rows = client.query_typed(sql, &[(&session, Type::TEXT)]).await.map_err(failed)?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Forgets addresses without a credential whose bucket is full again; gives how many.
    pub async fn forget_addresses(&self) -> Result<i32> {
        let client = self.client().await?;
        let rows = client.query_typed("select control.forget_addresses()", &[]).await.map_err(failed)?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Every tenant's id, for the operator; the app role sees none here.
    pub async fn every_tenant(&self) -> Result<Vec<Uuid>> {
        let client = self.client().await?;
        let rows = client.query_typed("select tenant_id from tenant order by tenant_id", &[]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn client(&self) -> Result<Object> {
        let _connecting = telemetry::step(Part::Connect);
        self.pool.get().await.map_err(unavailable)
    }

    /// How many connections there are at this moment, and who waits for one.
    pub fn standing(&self) -> telemetry::Pool {
        let status = self.pool.status();
        telemetry::Pool { most: status.max_size, open: status.size, idle: status.available, waiting: status.waiting }
    }

    /// Proves that the database answers: one trip, no tenant.
    pub async fn ping(&self) -> Result<()> {
        let client = self.client().await?;
        let _trip = telemetry::step(Part::Db);
        client.simple_query("select 1").await.map_err(failed)?;
        Ok(())
    }
}

/// What a function may ask across tenants.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    DueHints(i32),
    StuckDocuments(i32),
    /// Messages of the webhooks' outbox.
    DueDeliveries(i32),
    /// Tenants on their way to another embedding model.
    DueMigrations(i32),
    /// Tenants whose library was not compared with the bucket since then.
    UnsweptTenants(jiff::Timestamp, i32),
}

/// Runs once per connection: refuses a role that row security would not bind, and learns the ids of pgvector's types.
async fn greet(
    client: &tokio_postgres::Client,
    role: Role,
    unchecked: bool,
    seen: &OnceLock<VectorTypes>,
) -> Result<(), HookError> {
    if role == Role::Operator {
        client.batch_execute("set role docent_operator").await.map_err(HookError::Backend)?;
    }
    let sql = "select r.rolsuper, r.rolbypassrls,
                 exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                         where n.nspname = 'public' and c.relowner = r.oid),
                 coalesce((select oid from pg_type where typname = 'vector' limit 1), 0)::oid, r.rolname::text,
                 exists (select from pg_roles p where p.rolname in ('docent_owner', 'docent_operator', 'docent_control')
                         and pg_has_role(r.oid, p.oid, 'member')),
                 coalesce((select typarray from pg_type where typname = 'vector' limit 1), 0)::oid
               from pg_roles r where r.rolname = current_user";
    let rows = client.query_typed(sql, &[]).await.map_err(HookError::Backend)?;
    let row = rows.first().ok_or_else(|| HookError::message("the database does not know the role that it let in"))?;
    let (superuser, bypasses, owns): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    let reason = match () {
        () if superuser => "is a superuser",
        () if bypasses => "bypasses row security",
        () if owns => "owns tables",
        // Policies apply to a role's members too: the operator's would open every tenant to it.
        () if row.get(5) => "is a member of a role that sees every tenant",
        () => "",
    };
    if !reason.is_empty() && role == Role::App && !unchecked {
        let name: String = row.get(4);
        return Err(HookError::message(format!(
            "role_refused: {name} {reason}; DATABASE_URL must log in as docent_app (see `docent migrate`)"
        )));
    }
    let oid: u32 = row.get(3);
    if oid == 0 {
        return Err(HookError::message("pgvector_missing: this database has no type `vector`; run `docent migrate`"));
    }
    let _ = seen.set(VectorTypes::new(oid, row.get(6)));
    Ok(())
}

fn tls() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    #[expect(clippy::expect_used, reason = "ring supports the default versions; there is no input to this")]
    builder.expect("ring speaks TLS 1.2 and 1.3").with_root_certificates(roots).with_no_client_auth()
}

fn unavailable(source: deadpool_postgres::PoolError) -> Error {
    if let deadpool_postgres::PoolError::PostCreateHook(HookError::Message(message)) = &source {
        return Error::new(Kind::NotConfigured, "The database refused to be used as configured.")
            .because(message.to_string());
    }
    Error::new(Kind::DatabaseUnavailable, "The database does not answer.").because(source)
}

/// Tells a lost connection (503, try again) from a statement that was refused (500, our mistake).
pub(crate) fn failed(source: tokio_postgres::Error) -> Error {
    use tokio_postgres::error::SqlState;
    // 08: the connection was lost, be it the one behind a pooler; 57P: the server goes away; 53300: it is full.
    let lost = |code: &SqlState| ["08", "57P", "53300"].iter().any(|class| code.code().starts_with(class));
    let refused = source.code().is_some_and(|code| !lost(code));
    // What Postgres cannot store, such as U+0000 or the year 200000: the caller's mistake, wherever it came in.
    if matches!(
        source.code(),
        Some(
            &SqlState::CHARACTER_NOT_IN_REPERTOIRE
                | &SqlState::UNTRANSLATABLE_CHARACTER
                | &SqlState::DATETIME_FIELD_OVERFLOW
        )
    ) {
        return Error::invalid("A value cannot be stored: a character such as U+0000, or a date out of range.")
            .because(source);
    }
    if source.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return Error::new(Kind::Busy, "Another request holds what this one needs.").because(source);
    }
    let conflict = matches!(source.code(), Some(&SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION));
    match (conflict, refused) {
        (true, _) => Error::new(Kind::Conflict, "That already exists, or something it names does not.").because(source),
        (_, true) => Error::internal(source),
        _ => Error::new(Kind::DatabaseUnavailable, "The database does not answer.").because(source),
    }
}
