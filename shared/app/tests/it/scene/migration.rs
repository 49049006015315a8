//! A library moves to another model: one whose provider asks to wait, and one that thinks.

use serde_json::{Value, json};

use super::{ACTOR, MODEL, PASSIVE, Scene};
use crate::canary::handle;
use crate::provider::{Provider, too_soon};

const PATH: &str = "/api/collections/migration";

impl Scene {
    pub(super) async fn migration(&mut self) {
        let tenant = self.population.members[ACTOR].tenant();
        let id = self.upload("moved.txt", b"The plover of the scene moves house.").await;
        if let Ok(id) = id.parse() {
            let _ = self.files.ingest.document(tenant, id).await;
        }
        self.take_events().await;
        let provider = Provider::start(|_| Some(too_soon("3600"))).await;
        let key = json!({ "key": "sk-scene-0000000000", "baseUrl": provider.base_url });
        self.send("PUT", "/api/keys/paced", Some(key)).await;
        for to in ["paced/m", MODEL] {
            self.post(PATH, json!({ "from": "hash-384", "to": to })).await;
            self.get(PATH).await;
            self.post(&format!("{PATH}/switch"), json!({})).await;
            let _ = self.files.ingest.due().await;
            self.post("/api/search", json!({ "query": handle(PASSIVE), "shadow": true })).await;
            for step in ["switch", "rollback"] {
                self.post(&format!("{PATH}/{step}"), json!({})).await;
            }
            self.at_once().await;
            let _ = self.files.ingest.due().await;
            self.send("DELETE", PATH, None::<Value>).await;
            self.at_once().await;
            let _ = self.files.ingest.due().await;
        }
        self.send("DELETE", "/api/keys/paced", None).await;
    }

    async fn at_once(&self) {
        let tenant = self.population.members[ACTOR].tenant();
        let sql = "update model_migration set lease_until = now() where tenant_id = $1 and state <> 'switched'";
        self.admin.execute(sql, &[&tenant.uuid()]).await.unwrap();
    }
}
