//! Answers that are packed for whoever takes them so, and are the same bytes when they are unpacked.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::callers::{PAGE, publishable};
use crate::talker::{MOON, QUESTION};
use crate::world::{Reply, World};

fn unpacked(reply: &Reply) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(reply.body.as_slice()).read_to_end(&mut plain).expect("it is gzip");
    plain
}

#[tokio::test]
async fn a_large_answer_is_packed_and_says_so() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    for number in 0..8 {
        let bot = json!({ "name": format!("Bot {number}"), "instructions": "Answer briefly. ".repeat(20) });
        assert_eq!(client.post("/api/bots", bot).await.status, 201);
    }
    let plain = client.get("/api/bots").await;
    assert!(plain.body.len() > 1024 && !plain.headers.contains_key("content-encoding"));
    assert!(plain.headers.get_all("vary").iter().any(|vary| vary == "accept-encoding"), "a cache must know it");
    let packed = client.send("GET", "/api/bots", None, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert_eq!(packed.headers["content-length"], packed.body.len().to_string());
    assert!(packed.body.len() < plain.body.len() / 2);
    assert_eq!(unpacked(&packed), plain.body);
    for refused in ["", "br", "gzip;q=0", "identity"] {
        let reply = client.send("GET", "/api/bots", None, &[("accept-encoding", refused)]).await;
        assert_eq!((reply.headers.contains_key("content-encoding"), &reply.body), (false, &plain.body), "{refused}");
    }
    // Another site's page with our cookies: the length of an answer could tell it something.
    let abused = [("accept-encoding", "gzip"), ("cookie", "a=b"), ("sec-fetch-site", "cross-site")];
    assert!(!client.send("GET", "/api/bots", None, &abused).await.headers.contains_key("content-encoding"));

    let gzip = [("accept-encoding", "gzip")];
    let small = client.send("GET", "/api/health/ping", None, &gzip).await;
    assert!(!small.headers.contains_key("content-encoding"), "a packet is a packet");
    world.ready(&client, "moon.txt", MOON.as_bytes()).await;
    let body = json!({ "id": "c", "messages": [{ "role": "user", "content": QUESTION }] }).to_string();
    let stream = client.send("POST", "/api/chat", Some(body), &gzip).await;
    assert!(stream.body.len() > 1024, "{}", stream.text());
    assert!(!stream.headers.contains_key("content-encoding"), "streams go out as they come");
}

#[tokio::test]
async fn a_name_for_bytes_is_weak_where_they_are_packed_and_still_known() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let suggestions = ["x".repeat(190), "y".repeat(190), "z".repeat(190)];
    let change = json!({ "greeting": "Good day. ".repeat(90), "suggestions": suggestions }).to_string();
    let changed = client.send("PATCH", &format!("/api/bots/{bot}"), Some(change), &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let page = client.with_token(&publishable(&client).await);
    let path = "/api/widget/default";
    let plain = page.send("GET", path, None, &[("origin", PAGE)]).await;
    let tag = plain.headers["etag"].to_str().unwrap();
    assert!(tag.starts_with('"'), "{tag}");
    let packed = page.send("GET", path, None, &[("origin", PAGE), ("accept-encoding", "gzip")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip", "{}", plain.text().len());
    assert_eq!(packed.headers["etag"], format!("W/{tag}"));
    assert_eq!(unpacked(&packed), plain.body);
    for known in [tag.to_owned(), format!("W/{tag}")] {
        let asked = [("origin", PAGE), ("accept-encoding", "gzip"), ("if-none-match", known.as_str())];
        let again = page.send("GET", path, None, &asked).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let varies: Vec<_> = again.headers.get_all("vary").iter().collect();
        assert!(varies.iter().any(|name| *name == "accept-encoding"), "{varies:?}");
    }
}
