//! Models that take their time: one that thinks, and a provider that asks to wait.

use std::time::Duration;

use serde_json::json;

use super::{ACTOR, MODEL, Scene};
use crate::provider::{Provider, too_soon};

impl Scene {
    /// Vectors of a model that is worth remembering, and that takes longer than a lease is silent.
    pub(super) async fn model(&mut self) {
        let tenant = self.population.members[ACTOR].tenant();
        let sql = "update collection set embedding_model = $2 where tenant_id = $1";
        self.admin.execute(sql, &[&tenant.uuid(), &MODEL]).await.unwrap();
        for name in ["first.txt", "again.txt"] {
            let id = self.upload(name, b"The wren of the scene thinks for a while.").await;
            if let Ok(id) = id.parse() {
                let _ = self.files.ingest.document(tenant, id).await;
            }
        }
        self.take_events().await;
        self.post("/api/search", json!({ "query": "wren" })).await;
        self.admin.execute(sql, &[&tenant.uuid(), &"hash-384"]).await.unwrap();
    }

    pub(super) async fn pace(&mut self) {
        let provider = Provider::start(|_| Some(too_soon("3600"))).await;
        let key = json!({ "key": "sk-scene-0000000000", "baseUrl": provider.base_url });
        self.send("PUT", "/api/keys/paced", Some(key)).await;
        let tenant = self.population.members[ACTOR].tenant();
        let sql = "update collection set embedding_model = $2 where tenant_id = $1";
        self.admin.execute(sql, &[&tenant.uuid(), &"paced/m"]).await.unwrap();
        let id = self.upload("paced.txt", b"The snipe of the scene is in no hurry.").await;
        if let Ok(id) = id.parse() {
            let _ = self.files.ingest.clone().within(Duration::from_secs(60)).document(tenant, id).await;
        }
        self.take_events().await;
        self.admin.execute(sql, &[&tenant.uuid(), &"hash-384"]).await.unwrap();
        self.send("DELETE", "/api/keys/paced", None).await;
        Box::pin(self.vectors()).await;
    }
}
