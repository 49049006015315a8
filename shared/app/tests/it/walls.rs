//! Three walls around a tenant: each alone must hold, and the catalog must show that none was forgotten.

use docent::App;
use docent::config;
use docent::db::{Db, Door, Role, Wall};
use docent::function::Files;
use insta::assert_snapshot;
use serde_json::json;

use crate::catalog::catalog_lint;
use crate::world::{Client, World, connect, database};

#[tokio::test]
async fn the_catalog_leaves_no_gap() {
    let admin = connect(&database().await).await;
    assert_eq!(catalog_lint(&admin).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_roles_own_and_bypass_nothing() {
    let admin = connect(&database().await).await;
    let roles = admin
        .query(
            "select r.rolname::text || ' login=' || r.rolcanlogin || ' super=' || r.rolsuper || ' bypass=' || r.rolbypassrls
               || ' owns=' || exists (select from pg_class c where c.relowner = r.oid and c.relnamespace = 'public'::regnamespace)
             from pg_roles r where r.rolname like 'docent_%' order by 1",
            &[],
        )
        .await
        .unwrap();
    assert_snapshot!(names(&roles).join("\n"), @r"
    docent_app login=true super=false bypass=false owns=false
    docent_control login=false super=false bypass=false owns=false
    docent_operator login=false super=false bypass=false owns=false
    docent_owner login=false super=false bypass=false owns=true
    ");
}

#[tokio::test]
async fn a_role_that_sees_past_row_security_is_refused() {
    let url = database().await;
    let db = Db::new(&config::Database { url, pool_size: 1 }, Role::App).unwrap();
    let error = db.ping().await.unwrap_err();
    assert_eq!(error.code(), "not_configured");
    assert!(format!("{error:?}").contains("role_refused: postgres is a superuser"), "{error:?}");
}

#[tokio::test]
async fn a_role_that_is_a_member_of_the_operator_is_refused() {
    let url = database().await;
    let admin = connect(&url).await;
    // Neither superuser nor bypassing: what a hosting provider gives as an administrator.
    let role =
        "drop role if exists plain_admin; create role plain_admin login password 'plain' in role docent_operator";
    admin.batch_execute(role).await.unwrap();
    let mut url = url::Url::parse(&url).unwrap();
    url.set_username("plain_admin").unwrap();
    url.set_password(Some("plain")).unwrap();
    let db = Db::new(&config::Database { url: url.to_string(), pool_size: 1 }, Role::App).unwrap();
    let error = db.ping().await.unwrap_err();
    assert!(format!("{error:?}").contains("plain_admin is a member of a role that sees every tenant"), "{error:?}");
}

#[tokio::test]
async fn the_control_functions_are_for_docent_alone() {
    let admin = connect(&database().await).await;
    let rights = admin
        .query(
            "select p.proname::text || ' ' || p.proacl::text from pg_proc p where p.pronamespace = 'control'::regnamespace
               and p.prokind = 'f' order by 1",
            &[],
        )
        .await
        .unwrap();
    assert_snapshot!(names(&rights).join("\n"), @r"
    admit {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    due_deliveries {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    due_hints {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    due_migrations {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    forget_addresses {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    session_subject {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    stuck_documents {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    unswept_tenants {docent_control=X/docent_control,docent_app=X/docent_control,docent_operator=X/docent_control}
    ");
}

#[tokio::test]
async fn the_app_role_sees_nothing_without_a_tenant() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "a.txt", CANARY_TEXT.as_bytes()).await;
    let app = connect(world.environment.get("DATABASE_URL").unwrap()).await;
    for setting in ["", "set app.tenant_id = ''"] {
        app.batch_execute(setting).await.unwrap();
        for table in [
            "tenant",
            "token",
            "document",
            "chunk",
            "posting",
            "embedding",
            "embedding_hash_384",
            "bot",
            "ingest_event",
        ] {
            let count: i64 = app.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
            assert_eq!(count, 0, "{table}");
        }
    }
    assert!(app.batch_execute("set role docent_operator").await.is_err());
    assert!(app.query("select * from control.due_hints(10)", &[]).await.is_ok());
    // A definer function's rows hold ids and nothing else.
    let columns = app.query("select * from control.stuck_documents(1)", &[]).await.unwrap();
    assert!(columns.iter().all(|row| row.len() == 2));
}

#[tokio::test]
async fn row_security_alone_keeps_tenants_apart() {
    let world = World::new().await;
    let url = world.environment.get("DATABASE_URL").unwrap().to_owned();
    foreign_bytes(rebuilt(world, Wall::Predicate, url)).await;
}

#[tokio::test]
async fn predicates_alone_keep_tenants_apart() {
    let world = World::new().await;
    // A superuser's connection, which row security does not bind at all.
    let url = world.admin_url.clone();
    foreign_bytes(rebuilt(world, Wall::RowSecurity, url)).await;
}

#[tokio::test]
async fn all_walls_together_keep_tenants_apart() {
    foreign_bytes(World::new().await).await;
}

/// Shows that the harness above would notice: with both walls gone, the second tenant does see the first one's rows.
#[tokio::test]
async fn without_both_walls_the_canary_is_seen() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "canary-alpha.txt", CANARY_TEXT.as_bytes()).await;
    let url = world.admin_url.clone();
    let world = rebuilt(world, Wall::Both, url);
    let seen = world.tenant_b.get("/api/documents").await;
    assert!(seen.text().contains("canary-alpha"), "{}", seen.text());
}

const CANARY_TEXT: &str =
    "The canary-alpha sings in the mine at dawn. Only the first tenant may hear the canary-alpha.";

/// The same system with a wall taken away.
fn rebuilt(world: World, wall: Wall, url: String) -> World {
    let config = config::Database { url, pool_size: 2 };
    let app = App { db: Db::with_door(&config, Role::App, Door::without(wall)).unwrap(), ..world.files.app.clone() };
    let files = Files::new(&world.environment, app).unwrap();
    let router = docent::function::everything(files.clone());
    let (tenant_a, tenant_b) = (world.tenant_a.through(&router), world.tenant_b.through(&router));
    World { files, tenant_a, tenant_b, ..world }
}

async fn foreign_bytes(mut world: World) {
    let (a, b) = (world.tenant_a.clone(), world.tenant_b.clone());
    let document = world.ready(&a, "canary-alpha.txt", CANARY_TEXT.as_bytes()).await;
    world.ready(&b, "own.txt", b"Tenant two keeps a parrot which talks at noon about dawn and mines.").await;
    let bot = a.post("/api/bots", json!({ "name": "canary-alpha" })).await.json()["id"].as_str().unwrap().to_owned();
    let token = a.post("/api/tokens", json!({ "name": "canary-alpha", "scopes": ["read"] })).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = json!({ "key": "sk-canary-alpha-0000", "baseUrl": "http://127.0.0.1:9/v1" });
    assert!(a.send("PUT", "/api/keys/openai", Some(key.to_string()), &[]).await.status.is_success());
    let answer = a.ask("canary-alpha", "Who sings in the mine at dawn?").await;
    assert!(answer.answer().contains("canary-alpha"));

    let mut seen = Vec::new();
    for path in [
        "/api/documents",
        "/api/bots",
        "/api/tokens",
        "/api/keys",
        "/api/keys/openai",
        "/api/usage",
        "/api/conversations",
        "/api/conversations/canary-alpha",
    ] {
        seen.push(b.get(path).await);
    }
    for path in
        [format!("/api/documents/{document}"), format!("/api/documents/{document}/events"), format!("/api/bots/{bot}")]
    {
        let reply = b.get(&path).await;
        assert_eq!(reply.code(), "not_found", "{path}");
        seen.push(reply);
    }
    for question in ["Who sings in the mine at dawn?", "canary-alpha"] {
        seen.push(b.post("/api/search", json!({ "query": question })).await);
        seen.push(b.ask("canary-alpha", question).await);
    }
    for path in [
        format!("/api/documents/{document}"),
        format!("/api/bots/{bot}"),
        format!("/api/tokens/{token}"),
        "/api/keys/openai".to_owned(),
    ] {
        let reply = b.delete(&path).await;
        assert_eq!(reply.status, 404, "{path}");
        seen.push(reply);
    }
    seen.push(b.post(&format!("/api/upload/{document}/complete"), json!({})).await);
    seen.push(b.send("PATCH", &format!("/api/bots/{bot}"), Some(json!({ "name": "taken" }).to_string()), &[]).await);
    for reply in &seen {
        let text = format!("{:?} {}", reply.headers, reply.text());
        for secret in ["canary-alpha", &document, &bot, &token] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    untouched(&a, &document, &bot).await;
}

async fn untouched(a: &Client, document: &str, bot: &str) {
    assert_eq!(a.get(&format!("/api/documents/{document}")).await.json()["status"], "ready");
    assert_eq!(a.get(&format!("/api/bots/{bot}")).await.json()["name"], "canary-alpha");
    assert_eq!(a.get("/api/keys/openai").await.status, 200);
    assert_eq!(a.get("/api/conversations/canary-alpha").await.json()["messages"].as_array().unwrap().len(), 2);
}

fn names(rows: &[tokio_postgres::Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(0)).collect()
}
