//! Bots whose providers speak neither OpenAI's nor Ollama's language: they chat, and embed, in their own.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use crate::world::{Client, World, spawn};

const MOON: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres.";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

/// A provider that speaks Anthropic's and Gemini's language, and remembers who asked for what: path, key, body.
#[derive(Clone, Default)]
struct Provider {
    asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Provider {
    async fn start(&self) -> String {
        let router = Router::new().fallback(answer).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        base_url
    }

    /// The bodies of what was asked there, each with the right key.
    fn bodies(&self, path: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(asked, ..)| asked == path)
            .map(|(_, key, body)| {
                assert_eq!(key, "sk-of-its-own");
                body.clone()
            })
            .collect()
    }
}

async fn answer(
    State(provider): State<Provider>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> ([(&'static str, &'static str); 1], String) {
    let key = ["x-api-key", "x-goog-api-key"].iter().find_map(|name| headers.get(*name)).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let path = uri.path().to_owned();
    provider.asked.lock().unwrap().push((path.clone(), key.to_str().unwrap().to_owned(), body.clone()));
    let stream = |frames: &[Value]| frames.iter().map(|frame| format!("data: {frame}\n\n")).collect::<String>();
    let words = ["It is 384400 kilometres", " [1]."];
    match path.as_str() {
        "/v1/messages" => {
            let piece =
                |text| json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": text } });
            let start =
                json!({ "type": "message_start", "message": { "usage": { "input_tokens": 21, "output_tokens": 1 } } });
            let end = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 9 } });
            let [one, two] = words.map(piece);
            (
                [("content-type", "text/event-stream")],
                stream(&[start, one, two, end, json!({ "type": "message_stop" })]),
            )
        }
        "/v1beta/models/g:streamGenerateContent" => {
            let [one, two] = words.map(|text| json!({ "content": { "parts": [{ "text": text }] } }));
            let usage = json!({ "promptTokenCount": 21, "candidatesTokenCount": 9 });
            let last = json!({ "candidates": [{ "finishReason": "STOP" }], "usageMetadata": usage });
            let frames = [json!({ "candidates": [one] }), json!({ "candidates": [two] }), last];
            ([("content-type", "text/event-stream")], stream(&frames))
        }
        "/v1beta/models/e:batchEmbedContents" => {
            let count = body["requests"].as_array().unwrap().len();
            let vectors = vec![json!({ "values": [3, 4] }); count];
            ([("content-type", "application/json")], json!({ "embeddings": vectors }).to_string())
        }
        _ => ([("content-type", "application/json")], json!({ "data": [], "models": [] }).to_string()),
    }
}

async fn give_bot(client: &Client, provider: &str, base_url: &str, model: &str) {
    let key = json!({ "key": "sk-of-its-own", "baseUrl": base_url });
    let saved = client.send("PUT", &format!("/api/keys/{provider}"), Some(key.to_string()), &[]).await;
    assert_eq!(saved.json()["status"], "good", "{}", saved.text());
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let patch = json!({ "provider": provider, "model": model }).to_string();
    assert!(client.send("PATCH", &format!("/api/bots/{bot}"), Some(patch), &[]).await.status.is_success());
}

async fn answered(client: &Client) {
    let reply = client.ask("c", QUESTION).await;
    assert_eq!(reply.answer(), "It is 384400 kilometres [1].", "{}", reply.text());
    let finish = reply.chunks().last().unwrap().clone();
    assert_eq!((&finish["type"], &finish["finishReason"]), (&json!("finish"), &json!("stop")));
    assert_eq!(finish["messageMetadata"]["usage"], json!({ "inputTokens": 21, "outputTokens": 9 }));
    let stored = client.get("/api/conversations/c").await.json();
    assert_eq!(stored["messages"][1]["state"], "complete");
}

#[tokio::test]
async fn a_bot_chats_with_anthropic() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON).await;
    let provider = Provider::default();
    give_bot(&client, "anthropic", &provider.start().await, "m").await;
    answered(&client).await;
    let asked = provider.bodies("/v1/messages");
    assert_eq!((asked.len(), &asked[0]["model"], &asked[0]["max_tokens"]), (1, &json!("m"), &json!(4096)));
    assert!(asked[0]["messages"][0]["content"].as_str().unwrap().ends_with(QUESTION));
}

#[tokio::test]
async fn a_bot_chats_with_gemini_and_its_documents_and_questions_are_told_apart() {
    let mut world = World::new().await;
    let (client, admin) = (world.tenant_a.clone(), world.admin().await);
    let provider = Provider::default();
    // The address of the surface that copies OpenAI's, as keys of earlier days have it.
    let base_url = format!("{}/v1beta/openai", provider.start().await);
    give_bot(&client, "gemini", &base_url, "models/g").await;
    admin.batch_execute("update collection set embedding_model = 'gemini/e'").await.unwrap();
    world.ready(&client, "moon.txt", MOON).await;
    answered(&client).await;
    assert_eq!(provider.bodies("/v1beta/models/g:streamGenerateContent").len(), 1);
    let asked = provider.bodies("/v1beta/models/e:batchEmbedContents");
    let tasks: Vec<&Value> = asked.iter().map(|body| &body["requests"][0]["taskType"]).collect();
    assert_eq!(tasks, ["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"]);
    assert_eq!(asked[1]["requests"][0]["content"]["parts"][0]["text"], QUESTION);
}
