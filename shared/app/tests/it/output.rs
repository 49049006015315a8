//! What a model says through the door: markup is taken out of the stream, citations must support their sentence.

use axum::Router;
use axum::routing::post;
use serde_json::json;

use crate::world::{World, spawn};

const MOON: &str = "The Moon orbits the Earth at a mean distance of 384400 kilometres. Tides are caused by the Moon.";
/// What an obedient model streams, cut within its constructs.
const DELTAS: [&str; 6] = [
    "The Moon orbits at a mean distance of 384400 km [1]. !",
    "[x](https://evil.exa",
    "mple/?q=384400) <im",
    "g src=x> The mean distance of the Moon is 483400 km [",
    "2]. See https:/",
    "/evil.example",
];

#[tokio::test]
async fn an_obedient_models_markup_and_wrong_citations_reach_nobody() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON.as_bytes()).await;
    world.ready(&client, "again.txt", "Of the Moon: its mean distance is 384400 kilometres.".as_bytes()).await;
    let chat = async || {
        let frame =
            |text| format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }));
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        ([("content-type", "text/event-stream")], DELTAS.map(frame).concat() + end)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    spawn(async move { axum::serve(listener, Router::new().route("/v1/chat/completions", post(chat))).await.unwrap() });
    client.answered_by(&base).await;

    let reply = client.ask("c", "At what mean distance does the Moon orbit?").await;
    assert_eq!(
        reply.answer(),
        "The Moon orbits at a mean distance of 384400 km [1]. ! [x] ‹link removed› < img src=x> \
         The mean distance of the Moon is 483400 km [2]. See ‹link removed›",
        "{}",
        reply.text()
    );
    let chunks = reply.chunks();
    let cited = chunks.iter().find(|chunk| chunk["type"] == "data-citations").unwrap()["data"].clone();
    assert_eq!(cited.as_array().unwrap().len(), 1, "{cited}");
    assert_eq!(cited[0]["n"], 1);
    let usage = &chunks.last().unwrap()["messageMetadata"]["usage"];
    assert_eq!((&usage["markupRemoved"], &usage["citationsDropped"]), (&json!(4), &json!(1)), "{usage}");
    let stored = client.get("/api/conversations/c").await.json()["messages"][1].clone();
    assert_eq!((&stored["text"], &stored["usage"]), (&json!(reply.answer()), usage));
}
