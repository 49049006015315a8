//! Conversations: listed, read, searched, named, rated, taken along and deleted, under the passive tenant's names.

use serde_json::json;
use uuid::Uuid;

use super::{ACTOR, PASSIVE, Scene, text};
use crate::canary::handle;
use crate::world::CRON_SECRET;

/// The passive tenant thinks something of each answer that it was given.
pub const RATED: &str =
    "insert into feedback (tenant_id, conversation_id, message_id, rating, comment, question, answer)
    select m.tenant_id, m.conversation_id, m.id, 'down', m.text, m.text, m.text from message m
    where m.tenant_id = $1 and m.role = 'assistant'";

impl Scene {
    pub(super) async fn talk(&mut self) {
        let talk = format!("talk-{}", handle(PASSIVE));
        for question in [format!("Where does the {} nest?", handle(ACTOR)), "And why there?".to_owned()] {
            let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
            self.post("/api/chat", json!({ "id": talk, "message": message })).await;
        }
        let page = self.get("/api/conversations?limit=1").await;
        self.get(&format!("/api/conversations?limit=1&cursor={}", text(&page, "nextCursor"))).await;
        for number in [PASSIVE, ACTOR] {
            let found = self.get(&format!("/api/conversations/search?limit=1&q={}", handle(number))).await;
            let cursor = text(&found, "nextCursor");
            self.get(&format!("/api/conversations/search?q={}&cursor={cursor}", handle(number))).await;
        }
        let path = format!("/api/conversations/{talk}");
        let newest = self.get(&format!("{path}?limit=1")).await;
        self.get(&format!("{path}?limit=1&cursor={}", text(&newest, "nextCursor"))).await;
        self.send("PATCH", &path, Some(json!({ "title": "scene" }))).await;

        let own: Option<Uuid> = newest["messages"][0]["id"].as_str().and_then(|id| id.parse().ok());
        let theirs = self.passive().others.clone();
        for message in theirs.into_iter().chain(own) {
            let path = format!("{path}/messages/{message}/feedback");
            self.send("PUT", &path, Some(json!({ "rating": "up", "comment": "scene" }))).await;
        }
        for bot in [self.passive().bots[0].to_string(), text(&self.get("/api/bots").await["bots"][0], "id")] {
            self.get(&format!("/api/bots/{bot}/feedback?limit=1")).await;
        }
        for format in ["json", "markdown"] {
            self.get(&format!("{path}/export?format={format}")).await;
        }
        for message in self.passive().others.clone().into_iter().chain(own) {
            self.send("DELETE", &format!("{path}/messages/{message}/feedback"), None).await;
        }
        self.send("DELETE", &path, None).await;
        let tenant = self.population.members[ACTOR].tenant().uuid();
        let long_ago = "update conversation set deleted_at = now() - interval '8 days'
                        where tenant_id = $1 and deleted_at is not null";
        self.admin.execute(long_ago, &[&tenant]).await.unwrap();
        self.admin.execute("update tenant set swept_at = null where tenant_id = $1", &[&tenant]).await.unwrap();
        let headers = vec![("authorization", format!("Bearer {CRON_SECRET}"))];
        self.exchange("POST", "/api/ingest/sweep", headers, None).await;
    }
}
