//! Answers that outlive their clients, are asked for twice, stopped, lost, and forgotten.

use serde_json::json;

use super::{ACTOR, PASSIVE, Scene};
use crate::canary::handle;
use crate::world::CRON_SECRET;

/// What a process leaves that was killed before the end.
const KILLED: [&str; 2] = [
    "delete from stream_log where tenant_id = $1 and frames like '%[DONE]%'",
    "update message set state = 'streaming', lease_until = now() - interval '1 minute' where tenant_id = $1 and logged",
];

impl Scene {
    pub(super) async fn answers(&mut self) {
        let talk = format!("talk-{}", handle(PASSIVE));
        let tenant = self.population.members[ACTOR].tenant().uuid();
        let text = format!("Where does the {} nest?", handle(ACTOR));
        let message = json!({ "id": "asked", "role": "user", "parts": [{ "type": "text", "text": text }] });
        let asked = json!({ "id": talk, "resumable": true, "message": message });
        // Once, and once more as a retry.
        for _ in 0..2 {
            self.post("/api/chat", asked.clone()).await;
        }
        self.post(&format!("/api/chat/{talk}/stop"), json!({})).await;
        for sql in KILLED {
            self.admin.execute(sql, &[&tenant]).await.unwrap();
        }
        self.get(&format!("/api/chat/{talk}/stream")).await;
        self.post("/api/chat", asked.clone()).await;
        let mut another = asked;
        another["trigger"] = json!("regenerate-message");
        self.post("/api/chat", another).await;
        let sql = "update stream_log set created_at = now() - interval '1 day' where tenant_id = $1";
        self.admin.execute(sql, &[&tenant]).await.unwrap();
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
    }
}
