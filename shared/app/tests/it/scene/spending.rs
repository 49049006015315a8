//! Money: reserved, settled, given back, and forgotten about.

use serde_json::json;

use super::{ACTOR, PASSIVE, Scene};
use crate::canary::handle;
use crate::world::CRON_SECRET;

impl Scene {
    /// A provider that nobody reaches is asked under a cap: reserved, settled, given back, and forgotten about.
    pub(super) async fn spending(&mut self) {
        let key = json!({ "key": "sk-scene-0000000000", "baseUrl": "http://127.0.0.1:9/v1" });
        self.send("PUT", "/api/keys/acme", Some(key)).await;
        let own = self.get("/api/bots").await["bots"][0]["collections"].clone();
        let bot = json!({ "name": "scene", "provider": "acme", "model": "m", "collections": own });
        let bot = self.post("/api/bots", bot).await["id"].clone();
        self.send("PUT", "/api/usage/caps", Some(json!({ "caps": { "tenant": "90", "token": "90" } }))).await;
        self.get("/api/usage/caps").await;
        for question in
            [format!("Where does the {} nest?", handle(ACTOR)), "Who painted that chapel in Rome?".to_owned()]
        {
            let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
            let talk = format!("talk-{}", handle(PASSIVE));
            self.post("/api/chat", json!({ "id": talk, "messages": [message], "bot": bot })).await;
        }
        self.get("/api/usage").await;
        let tenant = self.population.members[ACTOR].tenant().uuid();
        let sql =
            "update usage_ledger set settled_at = null, settled_micros = null, created_at = now() - interval '1 hour'
                   where tenant_id = $1";
        self.admin.execute(sql, &[&tenant]).await.unwrap();
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
        self.send("PUT", "/api/usage/caps", Some(json!({ "caps": {} }))).await;
    }
}
