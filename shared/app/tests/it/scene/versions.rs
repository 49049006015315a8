//! The part of the scene in which documents have several versions, move and are tried again.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ACTOR, MODEL, Scene, text};
use crate::origin::Origin;
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

    /// Bytes that are pulled, asked for again, and put off; and the steps of an upload in parts.
    pub(super) async fn sources(&mut self) {
        let origin = Origin::start().await;
        origin.set(
            "/page",
            200,
            &[("content-type", "text/plain"), ("etag", "\"1\"")],
            b"The heron of the scene reads.",
        );
        origin.set("/broken", 503, &[], b"");
        let theirs = self.passive().documents[0].to_string();
        let mut ids = vec![theirs];
        for path in ["/page", "/broken"] {
            for place in [Value::Null, json!(self.passive().others[0])] {
                let new = json!({ "url": format!("{}{path}", origin.url), "collectionId": place });
                let made = self.post("/api/documents", new).await;
                ids.push(text(&made, "id"));
            }
        }
        let room = self.post("/api/upload", json!({ "filename": "parts.txt", "size": 5 })).await;
        ids.push(text(&room, "documentId"));
        let _ = self.files.ingest.due().await;
        for page in ["\"1\"", "\"2\""] {
            origin.set("/page", 200, &[("content-type", "text/plain"), ("etag", page)], page.as_bytes());
            for id in &ids {
                self.post(&format!("/api/documents/{id}/refresh"), json!({})).await;
                self.post(&format!("/api/upload/{id}/sign"), json!({ "method": "POST" })).await;
            }
            let _ = self.files.ingest.due().await;
        }
        self.take_events().await;
    }

    /// Endpoints that hear, refuse and are gone; and what a sweep does about them.
    pub(super) async fn webhooks(&mut self) {
        let origin = Origin::start().await;
        origin.set("/hook", 200, &[], b"");
        let sql = "select w.id from webhook w where w.tenant_id = $1";
        let theirs = self.admin.query(sql, &[&self.passive().tenant().uuid()]).await.unwrap();
        let mut ids: Vec<String> = theirs.iter().map(|row| row.get::<_, Uuid>(0).to_string()).collect();
        for path in ["hook", "none"] {
            let made = self.post("/api/webhooks", json!({ "url": format!("{}/{path}", origin.url) })).await;
            ids.push(text(&made, "id"));
        }
        self.get("/api/webhooks").await;
        for id in &ids {
            self.get(&format!("/api/webhooks/{id}")).await;
            let change = json!({ "events": ["document.ready", "document.deleted"], "enabled": true });
            self.send("PATCH", &format!("/api/webhooks/{id}"), Some(change)).await;
        }
        let own = self.upload("scene.txt", b"The heron of the scene is told about.").await;
        self.take_events().await;
        self.send("DELETE", &format!("/api/documents/{own}"), None).await;
        let tenant = self.population.members[ACTOR].tenant();
        let sql = "select d.id from webhook_delivery d where d.delivered_at is null";
        // The other tenant's messages are asked for as well, in the actor's name.
        for row in self.admin.query(sql, &[]).await.unwrap() {
            let _ = docent::webhooks::deliver(&self.files.app, tenant, row.get(0)).await;
        }
        let environment = self.population.world.environment.clone().with("MASTER_KEY_t2", super::OTHER_MASTER);
        for current in ["t2", "t1"] {
            let environment = environment.clone().with("MASTER_KEY_CURRENT", current);
            let masters = docent::keys::Masters::read(&environment).unwrap();
            let app = docent::App { masters, ..self.files.app.clone() };
            let _ = docent::webhooks::tidy(&app, tenant).await;
        }
        for id in &ids {
            self.send("DELETE", &format!("/api/webhooks/{id}"), None).await;
        }
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
