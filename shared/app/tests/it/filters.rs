//! Searches that are narrowed, widened, explained and put into another order.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use docent::search::{DEFAULT_LIMIT, MOST_NEIGHBOURS};
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{Client, Reply, World, spawn};

async fn search(client: &Client, more: Value) -> Reply {
    let mut body = json!({ "query": "Which keeper lit the lighthouse?" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/search", body).await
}

fn files(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut names: Vec<String> = reply.json()["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["filename"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Four documents about keepers of a lighthouse, each with its notes; and their ids.
async fn library(world: &mut World) -> Vec<String> {
    let client = world.tenant_a.clone();
    let mut ids = Vec::new();
    for (name, text, notes) in [
        ("a.txt", "The first keeper lit the lighthouse by hand, with oil.", json!({ "team": "north", "year": 1890 })),
        (
            "b.txt",
            "A second keeper, Ane, trimmed wicks at dusk in that lighthouse.",
            json!({ "team": "south", "year": 1905 }),
        ),
        (
            "c.txt",
            "Nobody remembers the third keeper of any lighthouse on this coast.",
            json!({ "year": "1905", "closed": true }),
        ),
        ("d.txt", "Electric lamps made a keeper of a lighthouse unnecessary.", json!({})),
    ] {
        let id = world.ready(&client, name, text.as_bytes()).await;
        let path = format!("/api/documents/{id}");
        assert_eq!(client.send("PATCH", &path, Some(json!({ "metadata": notes }).to_string()), &[]).await.status, 200);
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn filters_leave_what_they_name() {
    for world in World::on_each_store().await {
        narrowed(world).await;
    }
}

async fn narrowed(mut world: World) {
    let client = world.tenant_a.clone();
    let ids = library(&mut world).await;
    let home = client.get("/api/collections").await.json()["collections"][0]["id"].clone();
    let foreign = world.tenant_b.get("/api/collections").await.json()["collections"][0]["id"].clone();
    for (filter, expected) in [
        (json!({}), "a b c d"),
        (json!({ "metadata": { "field": "team", "eq": "north" } }), "a"),
        (json!({ "metadata": { "field": "team", "in": ["north", "south"] } }), "a b"),
        (json!({ "metadata": { "not": { "field": "team", "eq": "north" } } }), "b c d"),
        (json!({ "metadata": { "field": "year", "eq": 1905 } }), "b"),
        (json!({ "metadata": { "field": "year", "range": { "gt": 1890, "lte": 1905 } } }), "b"),
        (json!({ "metadata": { "not": { "field": "year", "range": { "gte": 1900 } } } }), "a c d"),
        (json!({ "metadata": { "field": "closed", "exists": true } }), "c"),
        (json!({ "metadata": { "field": "year", "exists": false } }), "d"),
        (
            json!({ "metadata": { "or": [
                { "and": [{ "field": "team", "eq": "south" }, { "field": "year", "range": { "lt": 2000 } }] },
                { "field": "closed", "eq": true },
            ] } }),
            "b c",
        ),
        (json!({ "metadata": { "field": "\" || true || $.\"x", "eq": 1 } }), ""),
        (json!({ "documents": [ids[0], ids[3]] }), "a d"),
        (json!({ "documents": [ids[0]], "metadata": { "field": "team", "eq": "south" } }), ""),
        (json!({ "collections": [home] }), "a b c d"),
        (json!({ "collections": [foreign] }), ""),
        (json!({ "createdAfter": "2020-01-01T00:00:00Z" }), "a b c d"),
        (json!({ "createdBefore": "2020-01-01T00:00:00Z" }), ""),
    ] {
        let found = files(&search(&client, json!({ "filter": filter })).await);
        let expected: Vec<String> = expected.split_whitespace().map(|name| format!("{name}.txt")).collect();
        assert_eq!(found, expected, "{filter}");
    }
    for wrong in [
        json!({ "filter": { "metadata": { "field": "a", "like": "b" } } }),
        json!({ "filter": { "documents": [] } }),
        json!({ "filter": { "documents": vec![ids[0].clone(); 101] } }),
        json!({ "filter": { "tags": [] } }),
        json!({ "filter": { "createdAfter": "yesterday" } }),
        json!({ "neighbours": MOST_NEIGHBOURS + 1 }),
        json!({ "neighbours": -1 }),
        json!({ "rerank": { "provider": "acme" } }),
    ] {
        assert_eq!(search(&client, wrong.clone()).await.code(), "invalid_request", "{wrong}");
    }
    assert_eq!(files(&search(&world.tenant_b, json!({ "filter": { "documents": ids } })).await), Vec::<String>::new());
}

#[tokio::test]
async fn under_a_filter_ranks_are_those_of_a_library_that_holds_nothing_else() {
    let mut world = World::new().await;
    let (client, other) = (world.tenant_a.clone(), world.tenant_b.clone());
    let ids = library(&mut world).await;
    let texts = [
        "The first keeper lit the lighthouse by hand, with oil.",
        "Electric lamps made a keeper of a lighthouse unnecessary.",
    ];
    for (name, text) in ["a.txt", "d.txt"].into_iter().zip(texts) {
        world.ready(&other, name, text.as_bytes()).await;
    }
    let scores = |reply: &Reply| -> Vec<String> {
        let hits = reply.json()["hits"].as_array().unwrap().clone();
        hits.iter().map(|hit| format!("{} {}", hit["filename"], hit["bm25"])).collect()
    };
    let narrowed = search(&client, json!({ "explain": true, "filter": { "documents": [ids[0], ids[3]] } })).await;
    let alone = search(&other, json!({ "explain": true })).await;
    assert_eq!(scores(&narrowed), scores(&alone));
    assert_eq!(scores(&alone).len(), 2);
    assert!(!scores(&alone)[0].contains("null"), "{}", alone.text());
}

#[tokio::test]
async fn a_hit_comes_with_its_neighbours_its_ranks_and_without_its_doubles() {
    for world in World::on_each_store().await {
        widened(world).await;
    }
}

async fn widened(mut world: World) {
    let client = world.tenant_a.clone();
    let filler = |word: &str| format!("{word} weather over the harbour was noted in the log again. ").repeat(40);
    let text = format!("{}\n\nThe lighthouse was lit by the keeper Oda.\n\n{}", filler("Fair"), filler("Foul"));
    world.ready(&client, "log.txt", text.as_bytes()).await;
    for name in ["one.txt", "two.txt"] {
        let same = "No keeper may leave the lighthouse while it is lit, says rule nine of the house.";
        world.ready(&client, name, same.as_bytes()).await;
    }
    let reply = search(&client, json!({ "explain": true, "neighbours": 1, "limit": 50 })).await.json();
    let hits = reply["hits"].as_array().unwrap();
    let oda = hits.iter().find(|hit| hit["quote"].as_str().unwrap().contains("Oda")).unwrap();
    let (before, after) = (&oda["before"].as_array().unwrap(), &oda["after"].as_array().unwrap());
    assert!(before.len() + after.len() >= 1, "{oda}");
    assert!(before.iter().chain(after.iter()).all(|text| text.as_str().unwrap().contains("weather")), "{oda}");
    let rules = hits.iter().filter(|hit| hit["quote"].as_str().unwrap().contains("rule nine")).count();
    assert_eq!(rules, 1, "of two near duplicates one is given");
    let explain = &reply["explain"];
    assert_eq!((&explain["reranked"], &explain["rerankError"]), (&json!(false), &Value::Null));
    assert!(explain["terms"].as_array().unwrap().contains(&json!("lighthous")), "{explain}");
    assert!(explain["milliseconds"]["search"].as_f64().unwrap() > 0.0, "{explain}");
    let first = hits.iter().filter(|hit| hit["ranks"]["bm25"] == 1).count();
    assert_eq!(first, 1, "{reply:#}");
    let plain = search(&client, json!({})).await.json();
    assert!(plain.get("explain").is_none() && plain["hits"][0].get("ranks").is_none(), "{plain}");
    assert!(plain["hits"].as_array().unwrap().len() <= DEFAULT_LIMIT as usize);
}

/// Puts the passage about electricity first; or refuses.
async fn reranker(status: Arc<Mutex<u16>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let judge = async move |body: String| {
        let status = StatusCode::from_u16(*status.lock().unwrap()).unwrap();
        let asked: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&asked["model"], &asked["query"]), (&json!("judge-1"), &json!("Which keeper lit the lighthouse?")));
        let passages = asked["documents"].as_array().unwrap();
        let score = |text: &Value| if text.as_str().unwrap().contains("Electric") { 0.9 } else { 0.1 };
        let results: Vec<Value> = passages
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "index": index, "relevance_score": score(text) }))
            .collect();
        (status, axum::Json(json!({ "results": results })))
    };
    spawn(async move { axum::serve(listener, Router::new().route("/v1/rerank", post(judge))).await.unwrap() });
    base_url
}

#[tokio::test]
async fn a_reranker_decides_the_order_and_its_failure_does_not() {
    for world in World::on_each_store().await {
        reranked(world).await;
    }
}

async fn reranked(mut world: World) {
    let client = world.tenant_a.clone();
    library(&mut world).await;
    let status = Arc::new(Mutex::new(200));
    let key = json!({ "key": "sk-judge", "baseUrl": reranker(status.clone()).await }).to_string();
    assert_eq!(client.send("PUT", "/api/keys/acme", Some(key), &[]).await.status, 200);
    let asked = json!({ "rerank": { "provider": "acme", "model": "judge-1" }, "limit": 2, "explain": true });
    let reply = search(&client, asked.clone()).await.json();
    assert_eq!(reply["hits"].as_array().unwrap().len(), 2);
    assert_eq!((&reply["hits"][0]["filename"], &reply["hits"][0]["rerank"]), (&json!("d.txt"), &json!(0.9)), "{reply}");
    assert_eq!(reply["explain"]["reranked"], true);
    let fused = search(&client, json!({ "limit": 2 })).await.json();
    *status.lock().unwrap() = 503;
    let reply = search(&client, asked).await.json();
    assert_eq!(
        (&reply["explain"]["reranked"], &reply["explain"]["rerankError"]),
        (&json!(false), &json!("provider_unavailable"))
    );
    let order = |reply: &Value| -> Vec<Value> {
        reply["hits"].as_array().unwrap().iter().map(|hit| hit["filename"].clone()).collect()
    };
    assert_eq!(order(&reply), order(&fused), "the fused order stands");
    let nobody = json!({ "rerank": { "provider": "voyage", "model": "rerank-2.5" } });
    assert!(search(&client, nobody).await.status.is_client_error(), "no key of the tenant's");
}
