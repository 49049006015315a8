//! A provider that asks to wait: what is taken out of its pace's bucket, and what is held back.

use std::time::Duration;

use serde_json::json;

use super::{ACTOR, Scene};
use crate::provider::{Provider, too_soon};

impl Scene {
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
    }
}
