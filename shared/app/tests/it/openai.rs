//! Bots as models, in OpenAI's words: streamed, whole, refused, and with OpenAI's errors.

use serde_json::{Value, json};

use crate::callers::{PAGE, visitor};
use crate::world::{Client, Reply, World};

const MOON: &str = "# The Moon\n\nThe Moon orbits the Earth at a mean distance of 384400 kilometres. It is the only natural satellite.\n";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

async fn complete(client: &Client, more: Value) -> Reply {
    let mut body = json!({ "model": "default", "messages": [{ "role": "user", "content": QUESTION }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/v1/chat/completions", body).await
}

#[tokio::test]
async fn a_whole_completion_cites_and_is_kept() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let reply = complete(&client, json!({ "temperature": 0.3, "tools": [] })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let completion = reply.json();
    assert_eq!((&completion["object"], &completion["model"]), (&json!("chat.completion"), &json!("default")));
    let message = &completion["choices"][0]["message"];
    let text = message["content"].as_str().unwrap();
    assert!(text.contains("384400") && message["role"] == "assistant", "{completion}");
    assert_eq!(completion["choices"][0]["finish_reason"], "stop");
    let citation = &message["annotations"][0]["url_citation"];
    assert_eq!(
        (&citation["title"], &citation["url"]),
        (&json!("moon.md"), &json!(format!("urn:docent:document:{id}")))
    );
    let at = |name: &str| citation[name].as_u64().unwrap() as usize;
    let marker: String = text.chars().take(at("end_index")).skip(at("start_index")).collect();
    assert_eq!(marker, "[1]", "{completion}");
    assert!(MOON.contains(message["citations"][0]["quote"].as_str().unwrap()));
    let talks = client.get("/api/conversations").await.json();
    let talk = talks["conversations"][0]["id"].as_str().unwrap().to_owned();
    assert!(talk.starts_with("v1-"), "{talk}");
    let kept = client.get(&format!("/api/conversations/{talk}")).await.json();
    assert_eq!((&kept["messages"][1]["text"], &kept["messages"][1]["state"]), (&json!(text), &json!("complete")));
}

#[tokio::test]
async fn a_streamed_completion_says_the_same_and_ends() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let whole = complete(&client, json!({})).await.json();
    assert_eq!(complete(&client, json!({ "stream": null, "stream_options": null })).await.status, 200);
    let reply = complete(&client, json!({ "stream": true, "stream_options": { "include_usage": true } })).await;
    assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    let chunks = reply.chunks();
    let (first, usage) = (&chunks[0], chunks.last().unwrap());
    assert_eq!(first["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    assert!(chunks.iter().all(|chunk| chunk["id"] == first["id"] && chunk["object"] == "chat.completion.chunk"));
    let deltas = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(json!(deltas.collect::<String>()), whole["choices"][0]["message"]["content"]);
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!((&usage["choices"], usage["usage"]["total_tokens"].is_u64()), (&json!([]), true));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["delta"]["annotations"][0]["type"] == "url_citation"));
    let plain = complete(&client, json!({ "stream": true })).await.chunks();
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn responses_are_numbered_events_and_go_on_with_each_other() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let respond = async |more: Value| {
        let mut body = json!({ "model": "default", "input": QUESTION });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("/v1/responses", body).await
    };
    let whole = respond(json!({ "instructions": "Obey me.", "tools": [] })).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let whole = whole.json();
    let part = &whole["output"][0]["content"][0];
    assert_eq!((&whole["status"], &whole["object"]), (&json!("completed"), &json!("response")), "{whole}");
    let citation = &part["annotations"][0];
    assert_eq!(
        (&citation["type"], &citation["url"]),
        (&json!("url_citation"), &json!(format!("urn:docent:document:{id}")))
    );
    let reply = respond(json!({ "stream": true, "previous_response_id": whole["id"] })).await;
    let events = reply.chunks();
    let names: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        names[..4],
        ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    );
    assert_eq!((names[4], *names.last().unwrap()), ("response.output_text.delta", "response.completed"));
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        assert!(reply.text().contains(&format!("event: {}\n", event["type"].as_str().unwrap())));
    }
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let text: String = deltas.map(|event| event["delta"].as_str().unwrap()).collect();
    let last = &events.last().unwrap()["response"];
    assert_eq!((&last["output"][0]["content"][0]["text"], &part["text"]), (&json!(text), &json!(text)));
    assert_eq!(last["output"][0]["content"][0]["annotations"], part["annotations"]);
    assert_eq!(last["previous_response_id"], whole["id"]);
    let talks = client.get("/api/conversations").await.json();
    assert_eq!(talks["conversations"].as_array().unwrap().len(), 1, "one conversation: {talks}");
    assert_eq!(respond(json!({ "previous_response_id": "resp_none" })).await.status, 404);
    assert_eq!(respond(json!({ "input": [] })).await.status, 400);
}

#[tokio::test]
async fn bots_are_models_by_name_and_by_id() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    let made = client.post("/api/bots", json!({ "name": "Help desk" })).await.json();
    client.post("/api/bots", json!({ "name": "Help desk" })).await;
    let models = client.get("/v1/models").await.json();
    let names: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((models["object"].as_str(), names.len(), names[1]), (Some("list"), 3, "Help desk"));
    assert!(uuid::Uuid::parse_str(names[2]).is_ok(), "the second of a name goes by its id: {names:?}");
    assert_eq!(client.get("/v1/models/Help%20desk").await.json()["object"], "model");
    for model in ["Help desk", made["id"].as_str().unwrap()] {
        let reply = complete(&client, json!({ "model": model })).await;
        assert_eq!(reply.status, 200, "{model}: {}", reply.text());
    }
    let foreign = complete(&world.tenant_b, json!({ "model": made["id"] })).await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.json()["error"]["code"], "not_found");
}

#[tokio::test]
async fn a_visitor_meets_no_bot_but_its_own() {
    let world = World::new().await;
    let owner = world.tenant_a.clone();
    let made = owner.post("/api/bots", json!({ "name": "Internal" })).await.json();
    let default = owner.get("/api/bots").await.json()["bots"][0]["id"].clone();
    // Let in to the default bot, which its page's token does not name.
    let client = owner.with_token(&visitor(&owner).await);
    let send = async |method: &str, path: &str, body: Option<Value>| {
        client.send(method, path, body.map(|body| body.to_string()), &[("origin", PAGE)]).await
    };
    let models = send("GET", "/v1/models", None).await.json();
    let ids: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, [&json!("default")], "{models}");
    let own = owner.get("/api/bots").await.json()["bots"][0]["name"].clone();
    for (model, status) in
        [(json!("default"), 200), (json!("Internal"), 404), (made["id"].clone(), 404), (own, 404), (default, 404)]
    {
        let messages = json!([{ "role": "user", "content": QUESTION }]);
        let reply = send("POST", "/v1/chat/completions", Some(json!({ "model": model, "messages": messages }))).await;
        assert_eq!(reply.status, status, "{model}: {}", reply.text());
        let reply = send("POST", "/v1/responses", Some(json!({ "model": model, "input": QUESTION }))).await;
        assert_eq!(reply.status, status, "{model}: {}", reply.text());
    }
}

#[tokio::test]
async fn failures_are_what_the_sdks_read() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    for (reply, status, kind) in [
        (complete(&world.anon, json!({})).await, 401, "authentication_error"),
        (complete(&client, json!({ "model": "nobody" })).await, 404, "invalid_request_error"),
        (complete(&client, json!({ "messages": [] })).await, 400, "invalid_request_error"),
        (client.post("/v1/chat/completions", json!({ "model": 7 })).await, 400, "invalid_request_error"),
        (client.get("/v1/models/nobody").await, 404, "invalid_request_error"),
        (client.get("/v1/embeddings").await, 404, "invalid_request_error"),
    ] {
        let error = &reply.json()["error"];
        assert_eq!((reply.status.as_u16(), &error["type"]), (status, &json!(kind)), "{}", reply.text());
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    }
    // In mid-stream, where the status is sent already.
    let key = json!({ "key": "sk-none", "baseUrl": "http://127.0.0.1:9/v1" });
    assert!(client.send("PUT", "/api/keys/openai", Some(key.to_string()), &[]).await.status.is_success());
    let mut world = world;
    world.ready(&client, "moon.md", MOON.as_bytes()).await;
    let bot = client.post("/api/bots", json!({ "name": "m", "provider": "openai", "model": "m" })).await.json();
    let reply = complete(&client, json!({ "model": bot["id"], "stream": true })).await;
    let last = reply.chunks().last().unwrap().clone();
    assert_eq!(last["error"]["type"], "api_error", "{}", reply.text());
    assert!(last["error"]["code"].as_str().unwrap().starts_with("provider_"), "{last}");
    let failed = client.post("/v1/responses", json!({ "model": bot["id"], "input": QUESTION, "stream": true })).await;
    let events = failed.chunks();
    let [.., response, error] = events.as_slice() else { panic!("{}", failed.text()) };
    assert_eq!((&response["type"], &response["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &last["error"]["code"]));
    let whole = complete(&client, json!({ "model": bot["id"] })).await;
    assert!(whole.status.is_server_error() && whole.json()["error"]["type"] == "api_error", "{}", whole.text());
}
