//! Health through the router.

use docent::App;
use docent::function;
use insta::assert_snapshot;

use crate::world::{World, environment};

#[tokio::test]
async fn health_says_whether_the_database_answers() {
    let world = World::new().await;
    let reply = world.anon.get("/api/health").await;
    assert_eq!(reply.status, 200);
    assert_snapshot!(reply.text(), @r#"{"status":"pass","healthy":true,"state":"healthy","version":"0.1.0","checks":{"postgres":[{"status":"pass"}]}}"#);
    assert_snapshot!(world.anon.get("/api/health/ping").await.text(), @r#"{"status":"pass"}"#);

    // A port that nobody listens on.
    let environment = environment("postgres://docent_app:x@127.0.0.1:9/none", "http://127.0.0.1:9");
    let app = App::new(&environment).unwrap();
    let files = function::Files::new(&environment, app).unwrap();
    let down = world.anon.through(&function::everything(files));
    let reply = down.get("/api/health").await;
    assert_eq!(reply.status, 503);
    assert_snapshot!(reply.text(), @r#"{"status":"fail","healthy":false,"state":"down","version":"0.1.0","checks":{"postgres":[{"status":"fail","output":"database_unavailable"}]}}"#);
    assert_eq!(down.get("/api/health/ping").await.status, 200);
    assert_eq!(
        world
            .tenant_a
            .through(&function::everything({
                let app = App::new(&environment).unwrap();
                function::Files::new(&environment, app).unwrap()
            }))
            .get("/api/documents")
            .await
            .code(),
        "database_unavailable"
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_a_next_step() {
    let world = World::new().await;
    let reply = world.anon.get("/nowhere").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (404, "not_found"));
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    let id = reply.headers["x-request-id"].to_str().unwrap();
    assert_eq!(reply.json()["requestId"], id);
    let reply = world.anon.send("DELETE", "/api/health", None, &[("x-request-id", "mine-1")]).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (405, "method_not_allowed"));
    assert!(reply.headers.contains_key("allow"));
    assert_eq!(reply.json()["requestId"], "mine-1");
}

#[tokio::test]
async fn health_is_where_platforms_look_and_without_its_vectors_it_is_degraded() {
    let world = World::on_qdrant().await;
    for path in ["/api/health", "/api/health/ready", "/api/v1/health", "/health"] {
        let reply = world.anon.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.json()["state"].as_str()), (200, Some("healthy")), "{path}");
        assert_eq!(reply.headers["content-type"], "application/health+json", "{path}");
    }
    // A port that nobody listens on.
    let environment = world.environment.clone().with("QDRANT_URL", "http://127.0.0.1:9");
    let files = function::Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    let reply = world.anon.through(&function::everything(files)).get("/health").await;
    assert_eq!(reply.status, 200, "words alone are searched");
    assert_snapshot!(reply.text(), @r#"{"status":"warn","healthy":true,"state":"degraded","version":"0.1.0","checks":{"postgres":[{"status":"pass"}],"vectors":[{"status":"warn","output":"storage_unavailable"}]}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_ask_the_database_is_asked_once_a_second() {
    let world = World::new().await;
    let environment = world.environment.clone().with("DOCENT_METRICS_LISTEN", "127.0.0.1:0");
    let app = App::new(&environment).unwrap();
    let files = function::Files::new(&environment, app.clone()).unwrap();
    let anonymous = world.anon.through(&function::everything(files));
    let trips = || {
        let page = app.telemetry.metrics().unwrap().page(app.db.standing());
        let line = page.lines().find(|line| line.starts_with("docent_database_trips_total ")).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()
    };
    let all = || futures_util::future::join_all((0..50).map(|_| anonymous.get("/api/health")));
    assert!(all().await.iter().all(|reply| reply.status == 200));
    assert!(all().await.iter().all(|reply| reply.status == 200));
    assert_eq!(trips(), 1);
    tokio::time::sleep(docent::health::FRESH).await;
    assert!(all().await.iter().all(|reply| reply.status == 200));
    assert_eq!(trips(), 2);
}
