//! How a bot talks, as its keeper set it and as a provider is asked; and what a page may know of it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};

use crate::callers::{PAGE, publishable};
use crate::world::{Client, Reply, World, spawn};

const MOON: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres.";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

/// Gives the tenant's default bot a model that always says the same; what it was asked with is kept.
async fn model(client: &Client) -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = asked.clone();
    let chat = async move |body: String| {
        kept.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        let said = json!({ "choices": [{ "index": 0, "delta": { "content": "At 384400 kilometres [1]." } }] });
        let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
        ([("content-type", "text/event-stream")], format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n"))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    spawn(async move { axum::serve(listener, Router::new().route("/v1/chat/completions", post(chat))).await.unwrap() });
    let key = json!({ "key": "sk-test", "baseUrl": base }).to_string();
    assert_eq!(client.send("PUT", "/api/keys/acme", Some(key), &[]).await.status, 200);
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let changed = patch(client, &bot, json!({ "provider": "acme", "model": "m" })).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    (bot, asked)
}

async fn patch(client: &Client, bot: &str, change: Value) -> Reply {
    client.send("PATCH", &format!("/api/bots/{bot}"), Some(change.to_string()), &[]).await
}

#[tokio::test]
async fn a_bots_settings_are_kept_and_only_those_that_are_named_change() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let made = client.post("/api/bots", json!({ "name": "Help", "tone": "warm" })).await.json();
    let bot = made["id"].as_str().unwrap();
    for (field, value) in [
        ("tone", json!("warm")),
        ("language", json!("auto")),
        ("historyLength", json!(12)),
        ("temperature", Value::Null),
        ("greeting", json!("")),
        ("suggestions", json!([])),
        (
            "widget",
            json!({ "color": null, "position": "bottom-right", "theme": "auto", "title": "", "placeholder": "", "launcher": "" }),
        ),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let change = json!({ "language": "de-CH", "historyLength": 0, "temperature": 0.3, "greeting": "Grüezi!",
        "suggestions": ["Was kostet das?", "二つ目"], "widget": { "color": "#1A73E8", "position": "top-left" } });
    let changed = patch(client, bot, change).await.json();
    assert_eq!((&changed["tone"], &changed["temperature"]), (&json!("warm"), &json!(0.3)));
    assert_eq!(changed["suggestions"], json!(["Was kostet das?", "二つ目"]));
    let changed = patch(client, bot, json!({ "temperature": null, "widget": { "title": "Shop" } })).await.json();
    assert_eq!((&changed["temperature"], &changed["historyLength"]), (&Value::Null, &json!(0)));
    let widget = &changed["widget"];
    assert_eq!(
        (&widget["color"], &widget["position"], &widget["title"]),
        (&json!("#1a73e8"), &json!("top-left"), &json!("Shop"))
    );
    assert_eq!(client.get(&format!("/api/bots/{bot}")).await.json(), changed);

    for (wrong, field) in [
        (json!({ "tone": "x".repeat(201) }), "tone"),
        (json!({ "language": "Klingon, please" }), "language"),
        (json!({ "historyLength": 51 }), "historyLength"),
        (json!({ "historyLength": "many" }), "historyLength"),
        (json!({ "temperature": 2.1 }), "temperature"),
        (json!({ "greeting": "x".repeat(1001) }), "greeting"),
        (json!({ "suggestions": vec!["x"; 9] }), "suggestions"),
        (json!({ "suggestions": ["x".repeat(201)] }), "suggestions"),
        (json!({ "suggestions": [" "] }), "suggestions"),
        (json!({ "suggestions": ["a\u{0}"] }), "suggestions"),
        (json!({ "widget": { "color": "red" } }), "widget.color"),
        (json!({ "widget": { "position": "middle" } }), "widget.position"),
        (json!({ "widget": { "title": "x".repeat(81) } }), "widget.title"),
        (json!({ "widget": { "script": "x" } }), "script"),
        (json!({ "widget": [] }), "widget"),
    ] {
        let refused = patch(client, bot, wrong.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_request"), "{wrong}");
        assert!(refused.text().contains(field), "{wrong}: {}", refused.text());
    }
    assert_eq!(client.get(&format!("/api/bots/{bot}")).await.json(), changed, "a refusal changes nothing");
}

#[tokio::test]
async fn a_provider_is_asked_as_the_bot_is_set() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON).await;
    let (bot, asked) = model(&client).await;
    // The same question under the same name would be a retry.
    let question = |round: u8| QUESTION.replace('?', &format!(" in round {round}?"));
    for round in 0..3 {
        assert!(client.ask("c", &question(round)).await.answer().contains("384400"));
    }
    let last = || asked.lock().unwrap().last().unwrap().clone();
    let messages = |body: &Value| body["messages"].as_array().unwrap().len();
    let plain = last();
    assert_eq!(messages(&plain), 6, "the rules, two rounds, the question: {plain}");
    assert!(plain.get("temperature").is_none(), "{plain}");
    assert!(plain["messages"][0]["content"].as_str().unwrap().contains("language of the question"));

    let change = json!({ "tone": "warm and brief", "language": "pt-BR", "historyLength": 1, "temperature": 0.5 });
    assert_eq!(patch(&client, &bot, change).await.status, 200);
    client.ask("c", &question(3)).await;
    let told = last();
    let system = told["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("Tone: warm and brief") && system.contains("pt-BR"), "{system}");
    assert_eq!((&told["temperature"], messages(&told)), (&json!(0.5), 3), "{told}");
    assert_eq!(told["messages"][1]["role"], "assistant", "the newest of the earlier messages");

    assert_eq!(patch(&client, &bot, json!({ "historyLength": 0 })).await.status, 200);
    client.ask("c", &question(4)).await;
    assert_eq!(messages(&last()), 2);
    // What a caller says of the past itself is cut as well.
    let said = json!([{ "role": "user", "content": "Hm?" }, { "role": "assistant", "content": "Yes." }, { "role": "user", "content": QUESTION }]);
    assert_eq!(patch(&client, &bot, json!({ "historyLength": 50 })).await.status, 200);
    let completion = json!({ "model": "default", "messages": said });
    assert_eq!(client.post("/v1/chat/completions", completion.clone()).await.status, 200);
    assert_eq!(messages(&last()), 4);
    assert_eq!(patch(&client, &bot, json!({ "historyLength": 1 })).await.status, 200);
    client.post("/v1/chat/completions", completion).await;
    assert_eq!(messages(&last()), 3);
}

#[tokio::test]
async fn a_page_sees_what_its_bot_shows_and_nothing_else() {
    let world = World::new().await;
    let owner = &world.tenant_a;
    let bots = owner.get("/api/bots").await.json();
    let bot = bots["bots"][0]["id"].as_str().unwrap().to_owned();
    let change = json!({ "name": "Harbour", "instructions": "SECRET", "refusal": "SECRET", "tone": "SECRET",
        "provider": "openai", "model": "SECRET-model", "greeting": "Ahoy!", "suggestions": ["When do you open?"],
        "widget": { "color": "#004488", "launcher": "Ask us" } });
    assert_eq!(patch(owner, &bot, change).await.status, 200);
    let page = owner.with_token(&publishable(owner).await);
    let look = async |client: &Client, asked: &str, headers: &[(&str, &str)]| {
        client.send("GET", &format!("/api/widget/{asked}"), None, headers).await
    };
    let shown = look(&page, &bot, &[("origin", PAGE)]).await;
    assert_eq!(
        shown.json(),
        json!({ "bot": bot, "name": "Harbour", "language": "auto", "greeting": "Ahoy!", "suggestions": ["When do you open?"],
            "widget": { "color": "#004488", "position": "bottom-right", "theme": "auto", "title": "", "placeholder": "", "launcher": "Ask us" } })
    );
    assert_eq!(shown.headers["access-control-allow-origin"], PAGE);
    assert_eq!(shown.headers["cache-control"], "private, max-age=60");
    let vary: Vec<&str> = shown.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(vary, ["authorization", "origin"]);
    let etag = shown.headers["etag"].to_str().unwrap().to_owned();
    let again = look(&page, "default", &[("origin", PAGE), ("if-none-match", &etag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.headers["access-control-allow-origin"], PAGE);
    assert_eq!(look(&page, "default", &[]).await.status, 200, "a page of our own server names no origin");

    assert_eq!(patch(owner, &bot, json!({ "greeting": "Moin!" })).await.status, 200);
    let changed = look(&page, &bot, &[("origin", PAGE), ("if-none-match", &etag)]).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["greeting"]), (200, &json!("Moin!")));

    let elsewhere = look(&page, &bot, &[("origin", "https://evil.example")]).await;
    assert_eq!(elsewhere.code(), "origin_not_allowed");
    assert!(!elsewhere.headers.contains_key("access-control-allow-origin"));
    let other = owner.post("/api/bots", json!({ "name": "Other" })).await.json()["id"].as_str().unwrap().to_owned();
    let foreign = world.tenant_b.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    for asked in [other.as_str(), &foreign, "00000000-0000-0000-0000-000000000000", "x", "Harbour"] {
        assert_eq!(look(&page, asked, &[("origin", PAGE)]).await.code(), "not_found", "{asked}");
    }
    for client in [owner, &world.anon] {
        assert_eq!(look(client, &bot, &[("origin", PAGE)]).await.code(), "unauthorized", "only a page's token");
    }
    // A token that names a bot shows that one, also as the default.
    let wanted = json!({ "name": "page", "publishable": true, "origins": [PAGE], "bot": other });
    let second = owner.post("/api/tokens", wanted).await.json();
    let second = owner.with_token(second["token"].as_str().unwrap());
    assert_eq!(look(&second, "default", &[("origin", PAGE)]).await.json()["name"], "Other");
    assert_eq!(look(&second, &bot, &[("origin", PAGE)]).await.code(), "not_found");
}

#[tokio::test]
async fn a_browser_may_ask_whether_it_may_ask() {
    let world = World::new().await;
    for path in ["/api/widget/default", "/api/conversations", "/api/conversations/c/messages/m/feedback"] {
        let asked = [("origin", PAGE), ("access-control-request-method", "GET")];
        let reply = world.anon.send("OPTIONS", path, None, &asked).await;
        assert_eq!(reply.headers["access-control-allow-origin"], PAGE, "{path}");
    }
    let asked = [("origin", PAGE), ("access-control-request-method", "GET")];
    let reply = world.anon.send("OPTIONS", "/api/bots", None, &asked).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}
