//! The part of the scene in which documents have several versions, move and are tried again.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ACTOR, MODEL, Scene, text};
use crate::world::CRON_SECRET;

impl Scene {
    /// The same name again and again, older bytes brought back, documents that move, and tries that are repeated.
    pub(super) async fn versions(&mut self) {
        let (theirs, their_place) = (self.passive().documents[0].to_string(), self.passive().others.clone());
        let own = self.upload("scene.txt", b"The heron of the scene waits beside the mill.").await;
        self.take_events().await;
        let hash = "07".repeat(32);
        for (policy, size) in [("version", 31), ("version", 31), ("replace", 33), ("skip", 32)] {
            let new = json!({ "filename": "scene.txt", "size": size, "onDuplicate": policy, "sha256": hash,
                "metadata": { "of": "scene" } });
            self.post("/api/upload", new).await;
        }
        let next = self.again("scene.txt", b"The heron of the scene has left the mill.").await;
        self.post(&format!("/api/upload/{next}/complete"), json!({})).await;
        self.take_events().await;
        let late = self.again("scene.txt", b"The heron of the scene is back at the mill.").await;
        self.take_events().await;
        let made = self.post("/api/collections", json!({ "name": "scene" })).await;
        self.get("/api/collections").await;
        let places: Vec<Value> =
            their_place.into_iter().map(|place| json!(place)).chain([made["id"].clone()]).collect();
        for id in [&theirs, &own, &late] {
            self.get(&format!("/api/documents/{id}/versions")).await;
            self.post(&format!("/api/documents/{id}/restore"), json!({ "version": 1 })).await;
            for place in &places {
                let change = json!({ "title": "Scene", "metadata": { "of": "scene" }, "collectionId": place });
                self.send("PATCH", &format!("/api/documents/{id}"), Some(change)).await;
            }
            self.post(&format!("/api/documents/{id}/redrive"), json!({})).await;
        }
        self.other_model(&own, &made["id"]).await;
        self.take_events().await;
        let _ = self.files.ingest.due().await;
        self.get("/api/documents?status=ready,failed&name=scene&metadata=%7B%22of%22%3A%22scene%22%7D").await;
        self.surplus(&own).await;
    }

    /// Into a collection whose model is another one.
    async fn other_model(&mut self, own: &str, collection: &Value) {
        let sql = "update collection set embedding_model = $2 where tenant_id = $1 and name <> 'scene'";
        let tenant = self.population.members[ACTOR].tenant().uuid();
        self.admin.execute(sql, &[&tenant, &MODEL]).await.unwrap();
        let home = self.get("/api/collections").await["collections"][0]["id"].clone();
        for place in [&home, collection, &home] {
            self.send("PATCH", &format!("/api/documents/{own}"), Some(json!({ "collectionId": place }))).await;
        }
        self.admin.execute(sql, &[&tenant, &"hash-384"]).await.unwrap();
    }

    /// Ages everything, so that a sweep finds versions that nobody keeps, and one whose bytes came late.
    async fn surplus(&mut self, own: &str) {
        let (tenant, Ok(own)) = (self.population.members[ACTOR].tenant(), own.parse::<Uuid>()) else { return };
        let sql = "insert into document_version (tenant_id, document_id, version, object_key, declared_size, received_at, created_at)
                   select $1, $2, n, case when n = 21 then $3 else 'x' end, 1, case when n % 2 = 0 then now() end,
                     now() - interval '2 days' from generate_series(20, 30) n";
        let key = docent::documents::object_key(tenant, own);
        let _ = self.admin.execute(sql, &[&tenant.uuid(), &own, &key]).await;
        let sql = "insert into document_version (tenant_id, document_id, version, object_key, declared_size)
                   values ($1, $2, 31, $3, 1)";
        let _ = self.admin.execute(sql, &[&tenant.uuid(), &own, &key]).await;
        let sql = "update document set updated_at = now() - interval '2 days', version = 31, current_version = 31
                   where tenant_id = $1 and id = $2 and status = 'ready'";
        self.admin.execute(sql, &[&tenant.uuid(), &own]).await.unwrap();
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
    }

    /// Uploads the next version of a name that is there.
    async fn again(&mut self, name: &str, bytes: &[u8]) -> String {
        let new = json!({ "filename": name, "size": bytes.len(), "onDuplicate": "version" });
        let made = self.post("/api/upload", new).await;
        if made["upload"].is_object() {
            crate::world::put(&made["upload"], bytes).await;
        }
        text(&made, "documentId")
    }
}
