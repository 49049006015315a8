//! Chat through the router: cited answers, refusals, history, bad input.

use serde_json::json;

use crate::world::World;

const MOON: &str = "# The Moon\n\nThe Moon orbits the Earth at a mean distance of 384400 kilometres. It is the only natural satellite.\n\n\
# Tides\n\nTides are caused by the gravity of the Moon. Spring tides occur at new moon and at full moon.\n";

#[tokio::test]
async fn an_answer_cites_what_stands_in_the_document() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let reply = client.ask("c1", "At what mean distance does the Moon orbit?").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["x-vercel-ai-ui-message-stream"], "v1");
    let chunks = reply.chunks();
    let kinds: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["type"].as_str()).collect();
    assert_eq!(kinds.first(), Some(&"start"));
    assert_eq!(&kinds[kinds.len() - 2..], ["finish-step", "finish"]);
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
    assert!(reply.answer().contains("384400"), "{}", reply.answer());
    let source = chunks.iter().find(|chunk| chunk["type"] == "source-document").unwrap();
    assert_eq!(source["filename"], "moon.md");
    assert_eq!(source["providerMetadata"]["docent"]["documentId"], id);
    let citations = &chunks.iter().find(|chunk| chunk["type"] == "data-citations").unwrap()["data"];
    let quote = citations[0]["quote"].as_str().unwrap();
    assert!(MOON.contains(quote), "{quote}");

    let stored = client.get("/api/conversations/c1").await.json();
    assert_eq!(stored["messages"][0]["role"], "user");
    assert_eq!(stored["messages"][1]["state"], "complete");
    assert_eq!(stored["messages"][1]["text"], reply.answer());
    assert_eq!(stored["messages"][1]["citations"][0]["quote"], citations[0]["quote"]);
    assert_eq!(world.tenant_b.get("/api/conversations/c1").await.code(), "not_found");
}

#[tokio::test]
async fn nothing_found_is_a_refusal_without_a_model() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    // A provider without a usable endpoint: a chat completion would fail loudly.
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let bots = client.get("/api/bots").await.json();
    let bot = bots["bots"][0]["id"].as_str().unwrap().to_owned();
    let key = json!({ "key": "sk-none", "baseUrl": "http://127.0.0.1:9/v1" });
    assert!(client.send("PUT", "/api/keys/openai", Some(key.to_string()), &[]).await.status.is_success());
    let patch = json!({ "provider": "openai", "model": "m" }).to_string();
    assert!(client.send("PATCH", &format!("/api/bots/{bot}"), Some(patch), &[]).await.status.is_success());

    let reply = client.ask("c1", "Who painted the ceiling of that chapel in Rome?").await;
    let chunks = reply.chunks();
    assert!(
        chunks.iter().any(|chunk| chunk["type"] == "data-refusal" && chunk["data"]["code"] == "nothing_found"),
        "{}",
        reply.text()
    );
    assert_eq!(chunks.last().unwrap()["type"], "finish");
    assert!(!chunks.iter().any(|chunk| chunk["type"] == "source-document"));
    let stored = client.get("/api/conversations/c1").await.json();
    assert_eq!(stored["messages"][1]["state"], "refused");
    assert_eq!(client.get("/api/usage").await.json()["usage"], json!([]));

    // The same bot with something to say: the provider is down, and that is an error, not an end.
    let reply = client.ask("c2", "What causes spring tides?").await;
    let last = reply.chunks().last().unwrap().clone();
    assert_eq!(last["type"], "error", "{last}");
    assert!(last["errorText"].as_str().unwrap().starts_with("provider_unavailable"), "{last}");
    assert_eq!(client.get("/api/conversations/c2").await.json()["messages"][1]["state"], "error");
}

#[tokio::test]
async fn a_regenerated_answer_takes_the_place_of_the_last() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    client.ask("c", "What causes tides?").await;
    let message = json!({ "role": "user", "parts": [{ "type": "text", "text": "What causes tides?" }] });
    let again =
        client.post("/api/chat", json!({ "id": "c", "messages": [message], "trigger": "regenerate-message" })).await;
    assert_eq!(again.chunks().last().unwrap()["type"], "finish");
    let roles = |value: &serde_json::Value| {
        value["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(roles(&client.get("/api/conversations/c").await.json()), ["user", "assistant"]);
    client.ask("c", "And what of spring tides?").await;
    assert_eq!(roles(&client.get("/api/conversations/c").await.json()), ["user", "assistant", "user", "assistant"]);
}

#[tokio::test]
async fn more_evidence_never_ends_in_a_refusal() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    for copy in 1..=4 {
        let text = format!("The bridge number {copy} at Oster was closed on 3 May 2021 because of rust.");
        world.ready(&client, &format!("{copy}.txt"), text.as_bytes()).await;
        let reply = client.ask(&format!("c{copy}"), "Why was the bridge closed?").await;
        assert!(reply.answer().contains("rust"), "{copy}: {}", reply.text());
    }
}

#[tokio::test]
async fn bad_questions_are_http_errors() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let cases = [
        (json!({}), 400, "invalid_request"),
        (json!({ "id": "c", "messages": [] }), 400, "invalid_request"),
        (json!({ "id": "c", "messages": "x" }), 400, "invalid_request"),
        (
            json!({ "id": "c", "bot": uuid::Uuid::nil(), "messages": [{ "role": "user", "content": "hi" }] }),
            404,
            "not_found",
        ),
    ];
    for (body, status, code) in cases {
        let reply = client.post("/api/chat", body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{body}");
    }
    assert_eq!(client.get("/api/chat/c/stream").await.status, 204);
    assert_eq!(
        world
            .anon
            .post("/api/chat", json!({ "id": "c", "messages": [{ "role": "user", "content": "hi" }] }))
            .await
            .code(),
        "unauthorized"
    );
}

#[tokio::test]
async fn what_a_bot_had_no_answer_to_is_told_to_its_keeper() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/bots/{bot}/gaps");
    assert_eq!(client.get(&path).await.json(), json!({ "gaps": [], "questions": 0, "truncated": false }));
    for (talk, question) in [
        ("c1", "Who painted the chapel ceiling in Rome?"),
        ("c2", "At what mean distance does the Moon orbit?"),
        ("c3", "Which recipe needs saffron?"),
        ("c3", "the painted chapel ceiling, Rome"),
    ] {
        assert_eq!(client.ask(talk, question).await.status, 200);
    }
    let told = client.get(&path).await.json();
    assert_eq!(told["questions"], 3, "{told}");
    let first = &told["gaps"][0];
    assert_eq!(
        (&first["asked"], &first["question"]),
        (&json!(2), &json!("the painted chapel ceiling, Rome")),
        "{told}"
    );
    assert_eq!(first["examples"], json!(["Who painted the chapel ceiling in Rome?"]));
    let later = client.get(&format!("{path}?since=2100-01-01T00:00:00Z")).await.json();
    assert_eq!(later["questions"], 0);
    assert_eq!(client.get(&format!("{path}?since=yesterday")).await.code(), "invalid_request");
    assert_eq!(world.tenant_b.get(&path).await.code(), "not_found");
}

#[tokio::test]
async fn who_does_not_read_streams_gets_json() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    for (id, text, refused) in
        [("c1", "At what mean distance does the Moon orbit?", false), ("c2", "Who painted that chapel?", true)]
    {
        let message = json!({ "role": "user", "parts": [{ "type": "text", "text": text }] });
        let reply = client.post("/api/chat", json!({ "id": id, "message": message, "stream": false })).await;
        assert_eq!(reply.headers["content-type"], "application/json", "{}", reply.text());
        let answer = reply.json();
        assert_eq!((&answer["refused"], &answer["finishReason"]), (&json!(refused), &json!("stop")), "{answer}");
        assert_eq!(answer["citations"].as_array().unwrap().is_empty(), refused, "{answer}");
        let kept = client.get(&format!("/api/conversations/{id}")).await.json();
        assert_eq!((&kept["messages"][1]["text"], &kept["messages"][1]["id"]), (&answer["text"], &answer["messageId"]));
    }
}
