//! Another store of vectors, which gives whatever it has to whoever asks: what is told to it, read back and forgotten.

use docent::App;
use docent::function::{self, Files};
use docent::ingest::Ingest;
use serde_json::json;

use super::{ACTOR, PASSIVE, Scene};
use crate::canary::handle;
use crate::qdrant::{Mood, Qdrant};

impl Scene {
    pub(super) async fn vectors(&mut self) {
        let (qdrant, before) = (Qdrant::start().await, (self.files.clone(), self.actor.clone()));
        let world = &self.population.world;
        let app = App { vectors: qdrant.vectors(), ..self.files.app.clone() };
        let objects = self.files.objects.clone();
        let settings = docent::config::Ingest::read(&world.environment).unwrap();
        let ingest = Ingest::new(app.clone(), objects.clone(), settings);
        self.files = Files { app, objects, ingest };
        self.actor = self.actor.through(&function::everything(self.files.clone()));

        let tenant = self.population.members[ACTOR].tenant();
        let id = self.upload("near.txt", b"The dunlin of the scene lies near.").await;
        if let Ok(id) = id.parse() {
            let _ = self.files.ingest.document(tenant, id).await;
        }
        // Each of its points once more, as one of the passive tenant's documents.
        let theirs: Vec<String> = self.passive().documents.iter().map(ToString::to_string).collect();
        qdrant.multiply(theirs.len() as u128, |point, time| {
            point.payload["document"] = json!(theirs[time as usize]);
        });
        qdrant.feels(Mood::IgnoresFilters);
        for query in ["Where does the dunlin lie?".to_owned(), handle(PASSIVE)] {
            self.post("/api/search", json!({ "query": query })).await;
        }
        qdrant.feels(Mood::Well);
        let late = "update document set updated_at = now() - interval '1 day' where tenant_id = $1";
        self.admin.execute(late, &[&tenant.uuid()]).await.unwrap();
        let _ = self.files.ingest.sweep().await;
        self.take_events().await;
        (self.files, self.actor) = before;
    }
}
