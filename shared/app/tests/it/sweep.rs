//! The sweep: what it repairs without any event, and what it takes away.

use serde_json::json;
use uuid::Uuid;

use crate::ingest::{TEXT, count, document, whole};
use crate::world::{CRON_SECRET, World, put};

#[tokio::test]
async fn the_sweep_alone_converges() {
    for world in World::on_each_store().await {
        converges(world).await;
    }
}

#[expect(clippy::too_many_lines, reason = "one story, in the order in which it happens")]
async fn converges(mut world: World) {
    let (a, b) = (world.tenant_a.clone(), world.tenant_b.clone());
    let created = a.post("/api/upload", json!({ "filename": "moon.txt", "size": TEXT.len() })).await.json();
    let id = created["documentId"].as_str().unwrap().to_owned();
    put(&created["upload"], TEXT).await;
    let other = world.upload(&b, "other.txt", b"The parrot of the second tenant talks at noon.").await;
    let gone = world.upload(&a, "gone.txt", b"This text is going to be deleted in the bucket.").await;
    world.take_events().await;
    let sweep = async || {
        let authorization = format!("Bearer {CRON_SECRET}");
        let reply = world.anon.send("POST", "/api/ingest/sweep", None, &[("authorization", &authorization)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let report = sweep().await;
    assert_eq!(
        (&report["tenants"], &report["looked"], &report["orphans"]),
        (&json!(2), &json!(3), &json!(0)),
        "{report}"
    );
    for (client, id) in [(&a, &id), (&b, &other), (&a, &gone)] {
        assert_eq!(document(client, id).await["status"], "ready");
    }
    assert_eq!(sweep().await["looked"], 0, "nothing differs any more");

    // Deleted and replaced behind our back, and no event says so.
    let objects = &world.files.objects;
    let key = |id: &str| docent::documents::object_key(a.tenant, id.parse().unwrap());
    objects.delete(&key(&gone)).await.unwrap();
    objects.delete(&key(&id)).await.unwrap();
    let newer = String::from_utf8(TEXT.to_vec()).unwrap().replace("384400", "400000").into_bytes();
    assert!(put(&created["upload"], &newer).await.status().is_success());
    assert_eq!(sweep().await["looked"], 2);
    assert_eq!(a.get(&format!("/api/documents/{gone}")).await.code(), "not_found");
    let hits = a.post("/api/search", json!({ "query": "mean distance of the Moon" })).await.text();
    assert!(hits.contains("400000") && !hits.contains("384400"), "{hits}");
    let admin = world.admin().await;
    admin
        .batch_execute(&format!("delete from collection_delta where tenant_id = '{}'", b.tenant.uuid()))
        .await
        .unwrap();
    whole(&admin, &id).await;

    // Old revisions go after their grace, deleted documents after theirs, with their bytes.
    admin
        .batch_execute("update document set updated_at = now() - interval '1 day' where deleted_at is null")
        .await
        .unwrap();
    admin
        .batch_execute("update document set deleted_at = now() - interval '1 hour' where deleted_at is not null")
        .await
        .unwrap();
    let report = sweep().await;
    assert!(report["superseded"].as_u64().unwrap() > 0 && report["purged"] == 1, "{report}");
    assert_eq!(
        count(
            &admin,
            "select count(*) from chunk c join document d on d.id = c.document_id and c.revision <> d.current_revision"
        )
        .await,
        0
    );
    assert_eq!(count(&admin, "select count(*) from document").await, 2);
    let folded = "select max(n) from (select count(*) as n from collection_delta group by collection_id) as per";
    assert_eq!(count(&admin, folded).await, 1);
    whole(&admin, &id).await;
}

#[tokio::test]
async fn the_sweep_reports_strangers_and_purges_the_dead() {
    for world in World::on_each_store().await {
        purges(world).await;
    }
}

async fn purges(mut world: World) {
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let stranger = world.upload(&client, "stranger.txt", TEXT).await;
    world.settle().await;
    let admin = world.admin().await;
    admin.execute("delete from document where id = $1", &[&stranger.parse::<Uuid>().unwrap()]).await.unwrap();
    assert_eq!(client.delete(&format!("/api/documents/{id}")).await.status, 204);
    let key = |id: &str| docent::documents::object_key(client.tenant, id.parse().unwrap());
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!(
        (report.orphans, report.purged),
        (1, 0),
        "a deletion is young, and its upload's signature may still be good"
    );
    assert!(world.files.objects.head(&key(&id)).await.unwrap().is_some());
    admin.batch_execute("update document set deleted_at = now() - interval '21 minutes'").await.unwrap();
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.orphans, report.purged), (1, 1));
    assert!(world.files.objects.head(&key(&id)).await.unwrap().is_none());
    assert!(world.files.objects.head(&key(&stranger)).await.unwrap().is_some(), "what is not ours to judge stays");
    assert_eq!(
        count(&admin, "select count(*) from document").await + count(&admin, "select count(*) from chunk").await,
        0
    );
}

#[tokio::test]
async fn uploads_that_never_came_are_forgotten() {
    let world = World::new().await;
    let new = json!({ "filename": "a.txt", "size": 5 });
    world.tenant_a.post("/api/upload", new.clone()).await;
    let admin = world.admin().await;
    admin.batch_execute("update document set created_at = now() - interval '2 days'; update document_version set created_at = now() - interval '2 days'").await.unwrap();
    world.tenant_a.post("/api/upload", new).await;
    assert_eq!(world.files.ingest.sweep().await.unwrap().forgotten, 1);
    assert_eq!(world.tenant_a.get("/api/documents").await.json()["documents"].as_array().unwrap().len(), 1);
}

/// The statement's rows are read in pages: one behind 5,000 others is no stranger.
#[tokio::test]
async fn more_documents_than_one_page_of_rows_are_compared() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let admin = world.admin().await;
    let sql = "insert into document (tenant_id, id, collection_id, filename, declared_size, object_key)
               select $1, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, c.id, 'n.txt', 1, 'n'
               from generate_series(1, 5000) n, collection c where c.tenant_id = $1";
    admin.execute(sql, &[&client.tenant.uuid()]).await.unwrap();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    world.take_events().await;
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.looked, report.orphans), (1, 0), "{report:?}");
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn a_comparison_that_ran_out_of_time_goes_on_where_it_stopped() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let ids = [world.upload(&client, "a.txt", TEXT).await, world.upload(&client, "b.txt", TEXT).await];
    world.take_events().await;
    let hurried = world.files.ingest.clone().within(std::time::Duration::ZERO);
    assert_eq!(hurried.sweep().await.unwrap().looked, 0);
    let admin = world.admin().await;
    let reached: Uuid = ids[0].parse().unwrap();
    admin.execute("update tenant set swept_to = $1", &[&reached]).await.unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().looked, 1, "only what lies behind");
    assert_eq!(document(&client, &ids[0]).await["status"], "uploading");
    assert_eq!(document(&client, &ids[1]).await["status"], "ready");
    assert_eq!(world.files.ingest.sweep().await.unwrap().looked, 1, "and then from the beginning again");
    assert_eq!(document(&client, &ids[0]).await["status"], "ready");
}

/// A day of lost events is no reason to forget bytes that are there.
#[tokio::test]
async fn an_upload_that_came_unheard_is_not_forgotten() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    world.take_events().await;
    let admin = world.admin().await;
    admin.batch_execute("update document set created_at = now() - interval '2 days'; update document_version set created_at = now() - interval '2 days'").await.unwrap();
    // The comparison does not come to it in time; the clean-up does.
    admin.batch_execute("update tenant set swept_to = 'ffffffff-ffff-ffff-ffff-ffffffffffff'").await.unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().forgotten, 0);
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn addresses_without_anything_outstanding_are_forgotten_once_a_sweep() {
    let world = World::new().await;
    let admin = world.admin().await;
    let sql = "insert into control.address_bucket (address, arrival) values
               (decode(md5('a'), 'hex'), now() - interval '1 minute'), (decode(md5('b'), 'hex'), now() + interval '1 hour')";
    admin.batch_execute(sql).await.unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().addresses, 1);
    assert_eq!(count(&admin, "select count(*) from control.address_bucket").await, 1);
    assert_eq!(world.files.ingest.sweep().await.unwrap().addresses, 0);
}
