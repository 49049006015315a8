//! A question that was asked before, by the same request: its answer is told again, and nobody is asked or paid.

use serde_json::{Value, json};

use super::in_progress;
use super::said::Whole;
use crate::chat::out::Out;
use crate::chat::request::Question;
use crate::chat::store::log::Place;
use crate::chat::store::twin::{Replaced, Twin};
use crate::chat::ui_stream::{Chunk, TEXT, source_id};
use crate::error::Result;

/// An answer out of the history.
pub struct Stored {
    twin: Twin,
    citations: Vec<Value>,
}

/// What a retry gets.
pub enum Settled {
    Stored(Box<Stored>),
    /// Made, and logged, at this moment.
    Live(Place),
    /// Another answer, mostly in the place of one that came to nothing.
    Nothing(Option<Replaced>),
}

pub fn settled(twin: Option<Twin>, question: &Question) -> Result<Settled> {
    let Some(twin) = twin else { return Ok(Settled::Nothing(None)) };
    let nameless = question.asking.as_ref().is_some_and(|asking| asking.nameless);
    match twin.state.as_str() {
        // Who wants it in one piece waits for it.
        "streaming" if twin.live && twin.logged && question.resumable != Some(false) => Ok(Settled::Live(twin.place)),
        "streaming" if twin.live => Err(in_progress()),
        "complete" | "refused" if !nameless => Ok(Settled::Stored(Box::new(Stored::new(twin)))),
        state => {
            let whole = matches!(state, "complete" | "refused");
            Ok(Settled::Nothing(Some(Replaced { place: twin.place, whole })))
        }
    }
}

impl Stored {
    fn new(twin: Twin) -> Stored {
        let shown = |stored: &Value| {
            let number = stored["n"].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
            let at = Chunk::place(number, &twin.text);
            json!({ "n": number, "sourceId": source_id(number), "page": stored["page"], "quote": stored["quote"],
                    "documentId": stored["documentId"], "filename": stored["filename"], "at": at })
        };
        let citations = twin.citations.as_array().map(|all| all.iter().map(shown).collect()).unwrap_or_default();
        Stored { twin, citations }
    }

    pub async fn stream(self, request_id: String, out: Out) {
        let Stored { twin, citations } = self;
        let metadata = json!({ "requestId": request_id, "replayed": true });
        out.send(Chunk::Start { message_id: twin.place.message, message_metadata: metadata }).await;
        out.send(Chunk::StartStep).await;
        out.send(Chunk::TextStart { id: TEXT }).await;
        for delta in twin.text.split_inclusive("\n\n") {
            out.send(Chunk::TextDelta { id: TEXT, delta }).await;
        }
        out.send(Chunk::TextEnd { id: TEXT }).await;
        match twin.state.as_str() {
            "refused" => out.send(Chunk::refusal()).await,
            _ => out.send(Chunk::DataCitations { id: "citations", data: citations }).await,
        }
        out.send(Chunk::FinishStep).await;
        let metadata = json!({ "usage": twin.usage, "replayed": true });
        out.send(Chunk::Finish { finish_reason: "stop", message_metadata: metadata }).await;
        out.done().await;
    }

    pub fn whole(self) -> Whole {
        let Stored { twin, citations } = self;
        let (message, refused) = (twin.place.message, twin.state == "refused");
        Whole { message, text: twin.text, refused, citations, usage: twin.usage, reason: "stop" }
    }
}
