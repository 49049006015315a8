//! What a transaction-mode pooler does to a session: nothing of a tenant stays, nothing unset opens anything.

use std::time::Duration;

use docent::auth::TenantId;
use docent::config;
use docent::db::{Db, Role};
use futures_util::{StreamExt, stream};
use tokio_postgres::Client as Raw;
use uuid::Uuid;

use crate::pgbouncer::{Bouncer, not_installed};
use crate::world::{World, connect, eventually};

/// A world whose one server connection everybody shares.
async fn narrow(test: &str) -> Option<(World, Bouncer, Db)> {
    let world = World::new().await;
    let Some(bouncer) = Bouncer::start(&world.admin_url, 1).await else {
        not_installed(test);
        return None;
    };
    let db = Db::new(&config::Database { url: bouncer.url(), pool_size: 8 }, Role::App).unwrap();
    Some((world, bouncer, db))
}

/// The server process behind a tenant's transaction, and the tenants that it sees.
async fn seen_by(db: &Db, tenant: TenantId) -> (i32, Vec<Uuid>) {
    let tx = db.tenant(tenant).await.unwrap();
    let sql = "select pg_backend_pid(), array(select tenant_id from tenant), $1";
    let rows = tx.finish(tx.query(sql, &[])).await.unwrap();
    (rows[0].get(0), rows[0].get(1))
}

/// The setting as another client of the same server connection finds it.
async fn left_behind(raw: &Raw) -> (String, i32) {
    let sql = "select coalesce(current_setting('app.tenant_id', true), 'unset'), pg_backend_pid()";
    let rows = raw.simple_query(sql).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.unwrap();
    (row.get(0).unwrap().to_owned(), row.get(1).unwrap().parse().unwrap())
}

#[tokio::test]
async fn two_tenants_alternate_on_one_connection() {
    let Some((world, bouncer, db)) = narrow("attack_pooler::two_tenants_alternate_on_one_connection").await else {
        return;
    };
    let raw = connect(&bouncer.url()).await;
    assert_eq!(left_behind(&raw).await.0, "unset");
    sees_nothing(&world, &raw, "").await;
    let mut servers = Vec::new();
    for round in 0..50 {
        let tenant = if round % 2 == 0 { world.tenant_a.tenant } else { world.tenant_b.tenant };
        let (server, tenants) = seen_by(&db, tenant).await;
        assert_eq!(tenants, [tenant.uuid()]);
        let (setting, same) = left_behind(&raw).await;
        assert_eq!((setting.as_str(), same), ("", server), "what a transaction set ends with it");
        servers.push(server);
    }
    servers.dedup();
    assert_eq!(servers.len(), 1, "the test was meant to share one server connection");
    sees_nothing(&world, &raw, "").await;
    sees_nothing(&world, &raw, "set local app.tenant_id = ''; ").await;
}

/// Fail closed: no table shows a row to a transaction that named no tenant.
async fn sees_nothing(world: &World, raw: &Raw, setting: &str) {
    for table in crate::catalog::tables(&world.admin().await).await {
        let sql = format!("begin; {setting}select count(*) from {table}; commit");
        for message in raw.simple_query(&sql).await.unwrap() {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                assert_eq!(row.get(0), Some("0"), "{table}");
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_query_takes_its_connection_along() {
    let Some((world, _bouncer, db)) = narrow("attack_pooler::a_dropped_query_takes_its_connection_along").await else {
        return;
    };
    let admin = world.admin().await;
    let (a, b) = (world.tenant_a.tenant, world.tenant_b.tenant);
    for statement in ["select pg_sleep(0.4), $1", "select pg_backend_pid(), $1"] {
        let (server, _) = seen_by(&db, a).await;
        let tx = db.tenant(a).await.unwrap();
        // The first is dropped while the server works, the second when it waits for the rest of its transaction.
        let _ = tokio::time::timeout(Duration::from_millis(100), tx.query(statement, &[])).await;
        drop(tx);
        let (next, tenants) = seen_by(&db, b).await;
        assert_ne!(next, server, "{statement}: an abandoned connection was used again");
        assert_eq!(tenants, [b.uuid()]);
        let gone = async || {
            let sql = "select count(*) from pg_stat_activity where pid = $1";
            admin.query_one(sql, &[&server]).await.unwrap().get::<_, i64>(0) == 0
        };
        eventually("the end of the abandoned server process", gone).await;
    }
}

#[tokio::test]
async fn statements_of_many_clients_never_collide() {
    let Some((world, bouncer, db)) = narrow("attack_pooler::statements_of_many_clients_never_collide").await else {
        return;
    };
    let ask = async |client: usize| {
        for round in 0..20 {
            let tenant = if client.is_multiple_of(2) { world.tenant_a.tenant } else { world.tenant_b.tenant };
            let tx = db.tenant(tenant).await.unwrap();
            let sql = format!("select {client} * 1000 + $2, tenant_id from tenant where tenant_id = $1");
            let rows = tx.finish(tx.query(&sql, &[&round])).await.unwrap();
            assert_eq!((rows[0].get::<_, i32>(0), rows[0].get(1)), (client as i32 * 1000 + round, tenant.uuid()));
        }
    };
    stream::iter(0..8).for_each_concurrent(8, ask).await;
    let raw = connect(&bouncer.url()).await;
    let rows = raw.simple_query("select count(*) from pg_prepared_statements").await.unwrap();
    let named = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    assert_eq!(named, Some("0"), "a named statement would meet other clients' on a shared connection");
}
