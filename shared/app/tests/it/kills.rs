//! Workers that die: by a lease that runs out, and by `kill -9` in a process of their own.

use std::process::Command;

use docent::App;
use docent::config::Environment;
use docent::function::Files;
use serde_json::json;

use crate::ingest::{count, document, long_text, whole};
use crate::world::{VARIABLES, World, eventually};

#[tokio::test]
async fn a_dead_worker_is_followed_by_one_that_goes_on() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "long.txt", &long_text()).await;
    let event = world.take_events().await.remove(0);
    let admin = world.admin().await;
    let stored = async || count(&admin, "select stored_chunks::int8 from document").await;
    {
        let ingest = world.files.ingest.clone();
        let worker = ingest.message(&event);
        // The worker is dropped in the middle of its work, as if its instance had been frozen for ever.
        tokio::select! {
            _ = worker => panic!("the worker was meant to be stopped"),
            () = eventually("the first batch", async || stored().await > 0) => {}
        }
    }
    let rows = "select md5(string_agg(c.xmin::text, ',' order by c.ordinal)) from chunk c where c.ordinal < $1";
    let before = stored().await;
    let hash = async || admin.query_one(rows, &[&(before as i32)]).await.unwrap().get::<_, Option<String>>(0).unwrap();
    let first = hash().await;
    world.files.ingest.message(&event).await.unwrap();
    assert_eq!(stored().await, before, "the lease of the dead still holds");
    assert_eq!(
        count(&admin, "select count(*) from ingest_event where due_at > now()").await,
        1,
        "and a hint remembers"
    );
    assert_eq!(world.files.ingest.due().await.unwrap(), 0);

    admin
        .batch_execute(
            "update document set lease_until = now() - interval '1 second'; update ingest_event set due_at = now()",
        )
        .await
        .unwrap();
    assert!(world.files.ingest.due().await.unwrap() > 0);
    assert_eq!(document(&client, &id).await["status"], "ready");
    assert_eq!(hash().await, first, "what was stored is not stored again");
    assert_eq!(count(&admin, "select epoch from document").await, 2);
    whole(&admin, &id).await;
}

/// Not a test of its own: the worker that the next test kills, in a process of its own.
#[tokio::test]
async fn worker_of_another_process() {
    let environment = Environment::process();
    let Some(event) = environment.get("DOCENT_TEST_EVENT").map(str::to_owned) else { return };
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    files.ingest.message(&event).await.unwrap();
}

#[tokio::test]
async fn a_killed_process_leaves_enough_to_go_on_from() {
    for (point, after) in
        [("ingest.after_batch", "embedding"), ("ingest.before_swap", "embedding"), ("ingest.after_swap", "ready")]
    {
        let mut world = World::new().await;
        let client = world.tenant_a.clone();
        let id = world.upload(&client, "long.txt", &long_text()).await;
        let event = world.take_events().await.remove(0);
        client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker
            .args(["--exact", "kills::worker_of_another_process"])
            .env("DOCENT_TEST_EVENT", &event)
            .env("DOCENT_FAILPOINT", point);
        for name in VARIABLES {
            worker.env(name, world.environment.get(name).unwrap());
        }
        // The bucket is served by this runtime, which must not be blocked.
        let output = tokio::task::spawn_blocking(move || worker.output().unwrap()).await.unwrap();
        assert!(!output.status.success(), "{point}: the worker lived: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(document(&client, &id).await["status"], after, "{point}");

        let admin = world.admin().await;
        let stored = count(&admin, "select count(*) from chunk").await;
        assert!(stored >= crate::world::BATCH as i64, "{point}: {stored}");
        admin
            .batch_execute("update document set lease_until = now() - interval '1 second' where status <> 'ready'")
            .await
            .unwrap();
        while world.files.ingest.due().await.unwrap() > 0 {}
        assert_eq!(document(&client, &id).await["status"], "ready", "{point}");
        whole(&admin, &id).await;
        assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0, "{point}");
    }
}
