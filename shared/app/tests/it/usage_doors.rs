//! Spending through the doors: a chat, a search and a document that ask a provider, with and without room under a cap.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use docent::App;
use docent::function::{self, Files};
use serde_json::{Value, json};

use crate::ingest::document;
use crate::talker::{self, Talker};
use crate::usage::{matches, put_caps};
use crate::usage_race::PRICES;
use crate::world::{Client, World, spawn};

const MOON: &str = "The Moon orbits the Earth at a mean distance of 384400 kilometres.";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

type Asked = Arc<Mutex<Vec<Value>>>;

/// A provider that answers in one word, counts 70 tokens in and 9 out when it is asked to, and remembers its requests.
async fn provider(counts: bool) -> (String, Asked) {
    let asked = Asked::default();
    let chat = async move |State(asked): State<Asked>, Json(body): Json<Value>| {
        asked.lock().unwrap().push(body);
        let mut text =
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"384400 [1]\"},\"finish_reason\":\"stop\"}]}\n\n"
                .to_owned();
        if counts {
            text.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":9}}\n\n");
        }
        ([("content-type", "text/event-stream")], text + "data: [DONE]\n\n")
    };
    let embed = async move |State(asked): State<Asked>, Json(body): Json<Value>| {
        let inputs = body["input"].as_array().unwrap().len();
        asked.lock().unwrap().push(body);
        let vector = [vec![1.0f32], vec![0.5; 1535]].concat();
        let data: Vec<Value> = (0..inputs).map(|index| json!({ "index": index, "embedding": vector })).collect();
        Json(json!({ "data": data, "usage": { "prompt_tokens": 20 } }))
    };
    let router = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/embeddings", post(embed));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let service = router.with_state(asked.clone());
    spawn(async move { axum::serve(listener, service).await.unwrap() });
    (base, asked)
}

/// A tenant whose bot asks that provider, about a document on the Moon.
async fn asking(world: &mut World, base: &str) -> Client {
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON.as_bytes()).await;
    let environment = world.environment.clone().with("PRICES_JSON", PRICES);
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    world.files = files.clone();
    let client = client.through(&function::everything(files));
    client.answered_by(base).await;
    client
}

#[tokio::test]
async fn an_answer_is_reserved_bounded_and_settled() {
    let mut world = World::new().await;
    let (base, asked) = provider(true).await;
    let client = asking(&mut world, &base).await;
    assert!(client.ask("free", QUESTION).await.answer().contains("384400"));
    assert_eq!(asked.lock().unwrap()[0].get("max_tokens"), None, "without a cap nothing is bounded");
    assert_eq!(client.get("/api/usage").await.json()["today"], json!([]), "nor booked on a counter");

    assert_eq!(put_caps(&client, json!({ "tenant": "1", "token": "0.5" })).await.status, 200);
    assert!(client.ask("bound", QUESTION).await.answer().contains("384400"));
    assert_eq!(asked.lock().unwrap()[1]["max_tokens"], 4096);
    let usage = client.get("/api/usage").await.json();
    matches(
        &usage["usage"],
        &[json!({ "kind": "chat", "provider": "acme", "requests": 2, "inputTokens": 140, "outputTokens": 18,
        "costUsd": "0.000158", "estimated": false, "paidBy": "tenant" })],
    );
    assert_eq!(usage["today"].as_array().unwrap().len(), 2, "{usage}");
    for purse in usage["today"].as_array().unwrap() {
        assert_eq!((&purse["spentUsd"], &purse["reservedUsd"]), (&json!("0.000158"), &json!("0.00")), "{usage}");
    }

    // Nothing found: nothing asked, nothing spent, nothing held.
    assert!(
        client.ask("rome", "Who painted the ceiling of that chapel in Rome?").await.text().contains("nothing_found")
    );
    assert_eq!(client.get("/api/usage").await.json(), usage);
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn no_room_under_a_cap_is_an_error_before_anything_is_asked() {
    let mut world = World::new().await;
    let (base, asked) = provider(true).await;
    let client = asking(&mut world, &base).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "5", "token": "0.001" })).await.status, 200);
    let refused = client.ask("c", QUESTION).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "spend_cap_reached"), "{}", refused.text());
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&seconds));
    assert_eq!(refused.json()["retryable"], false);
    assert!(refused.json()["hint"].as_str().unwrap().contains("the cap `token`"), "{}", refused.text());
    assert!(asked.lock().unwrap().is_empty());
    let stored = client.get("/api/conversations/c").await.json();
    assert_eq!(
        (&stored["messages"][1]["state"], &stored["messages"][1]["errorCode"]),
        (&json!("error"), &json!("spend_cap_reached"))
    );
    let usage = client.get("/api/usage").await.json();
    assert_eq!(usage["usage"], json!([]));
    for purse in usage["today"].as_array().unwrap() {
        assert_eq!((&purse["spentUsd"], &purse["reservedUsd"]), (&json!("0.00"), &json!("0.00")), "{usage}");
    }
}

#[tokio::test]
async fn the_operators_key_serves_a_tenant_without_one_up_to_the_operators_cap() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON.as_bytes()).await;
    let bots = client.get("/api/bots").await.json();
    let path = format!("/api/bots/{}", bots["bots"][0]["id"].as_str().unwrap());
    let bot = json!({ "provider": "openai", "model": "gpt-4o" }).to_string();
    assert_eq!(client.send("PATCH", &path, Some(bot), &[]).await.status, 200);
    assert_eq!(client.ask("c", QUESTION).await.code(), "provider_auth", "nobody has a key");

    // Too small for any answer, so that nothing leaves this machine.
    let environment = world.environment.clone().with("OPENAI_API_KEY", "sk-operators");
    let environment = environment.with("OPERATOR_SPEND_CAP_DAILY_USD", "0.0001");
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    let client = client.through(&function::everything(files));
    let refused = client.ask("c", QUESTION).await;
    assert_eq!(refused.code(), "spend_cap_reached", "{}", refused.text());
    assert!(refused.json()["hint"].as_str().unwrap().contains("PUT /api/keys/openai"), "{}", refused.text());
    let today = client.get("/api/usage").await.json()["today"].clone();
    matches(&today, &[json!({ "subject": "tenant", "paidBy": "operator", "capUsd": "0.0001", "reservedUsd": "0.00" })]);
}

#[tokio::test]
async fn what_a_provider_does_not_count_is_estimated_from_the_bytes() {
    let mut world = World::new().await;
    let (base, asked) = provider(false).await;
    let client = asking(&mut world, &base).await;
    assert!(client.ask("c", QUESTION).await.answer().contains("384400"));
    let body = asked.lock().unwrap()[0].clone();
    let sent: usize =
        body["messages"].as_array().unwrap().iter().map(|turn| turn["content"].as_str().unwrap().len()).sum();
    let usage = client.get("/api/usage").await.json();
    matches(
        &usage["usage"],
        &[
            json!({ "inputTokens": sent.div_ceil(2), "outputTokens": "384400 [1]".len().div_ceil(2), "estimated": true }),
        ],
    );
}

#[tokio::test]
async fn embedding_questions_and_documents_is_spending_too() {
    let mut world = World::new().await;
    let (base, asked) = provider(true).await;
    let client = asking(&mut world, &base).await;
    let admin = world.admin().await;
    admin.batch_execute("update collection set embedding_model = 'acme/m'").await.unwrap();

    assert_eq!(put_caps(&client, json!({ "tenant": "0.00001" })).await.status, 200);
    let id = world.upload(&client, "mars.txt", b"Mars has two moons, Phobos and Deimos.").await;
    world.settle().await;
    let failed = document(&client, &id).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("spend_cap_reached")),
        "{failed}"
    );
    assert!(failed["error"]["hint"].as_str().unwrap().ends_with("Then complete the upload again."), "{failed}");
    let search = json!({ "query": "What are the moons of Mars called?" });
    assert_eq!(client.post("/api/search", search.clone()).await.code(), "spend_cap_reached");
    assert_eq!(client.ask("c", "What are the moons of Mars called?").await.code(), "spend_cap_reached");
    assert!(asked.lock().unwrap().is_empty(), "nothing was asked");

    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    assert_eq!(client.post(&format!("/api/upload/{id}/complete"), json!({})).await.status, 202);
    while world.files.ingest.due().await.unwrap() > 0 {}
    assert_eq!(document(&client, &id).await["status"], "ready");
    assert_eq!(client.post("/api/search", search.clone()).await.status, 200);
    let line = |requests: u64| json!({ "kind": "embedding", "requests": requests, "inputTokens": 20 * requests, "estimated": false });
    let usage = client.get("/api/usage").await.json();
    matches(&usage["usage"], &[line(2)]);
    matches(&usage["today"], &[json!({ "spentUsd": "0.00004", "reservedUsd": "0.00" })]);

    // Without a cap the question's embedding is noted all the same.
    assert_eq!(put_caps(&client, json!({})).await.status, 200);
    assert_eq!(client.post("/api/search", search).await.status, 200);
    matches(&client.get("/api/usage").await.json()["usage"], &[line(3)]);
}

#[tokio::test]
async fn the_sweep_settles_what_the_dead_reserved() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| talker::Reply::Fed).await;
    let client = talker::asking(&mut world, &base, |environment| environment).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let mut answer = client.open_answer("c", QUESTION).await;
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is ");
        turn
    };
    let (turn, _) = tokio::join!(speaking, answer.until("text-delta"));
    // A process that dies drops nothing.
    std::mem::forget((answer, turn));
    assert_eq!(world.files.ingest.sweep().await.unwrap().settled, 0, "it may still be on its way");
    let held = client.get("/api/usage").await.json()["today"][0]["reservedUsd"].clone();
    assert_ne!(held, "0.00");
    let admin = world.admin().await;
    admin
        .batch_execute(
            "update usage_ledger set created_at = now() - interval '16 minutes'; update tenant set swept_at = null",
        )
        .await
        .unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().settled, 1);
    let usage = client.get("/api/usage").await.json();
    assert_eq!((&usage["today"][0]["spentUsd"], &usage["today"][0]["reservedUsd"]), (&held, &json!("0.00")), "{usage}");
    let estimated = admin.query_one("select bool_and(estimated) from usage_ledger", &[]).await.unwrap();
    assert!(estimated.get::<_, bool>(0));
}
