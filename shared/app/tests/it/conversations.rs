//! Stored conversations through the router: lists, pages, names, deletion, export, search, feedback; whose they are.

use serde_json::{Value, json};

use crate::callers::{PAGE, publishable, visitor};
use crate::world::{CRON_SECRET, Client, Reply, World};

const MOON: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres. Tides are caused by the Moon.";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

async fn moonlit() -> (World, Client) {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON).await;
    (world, client)
}

/// Conversations of the tenant's servers that were never asked for anything: as many as wanted, of so many rounds.
async fn stored(world: &World, prefix: &str, conversations: i32, rounds: i32) {
    let admin = world.admin().await;
    let tenant = world.tenant_a.tenant.uuid();
    let sql = "insert into conversation (tenant_id, id, client_id, title, updated_at)
               select $1, gen_random_uuid(), $2::text || n, 'Title ' || n, timestamptz '2026-01-01' + n * interval '1 second'
               from generate_series(1, $3) n";
    admin.execute(sql, &[&tenant, &prefix, &conversations]).await.unwrap();
    let sql = "insert into message (tenant_id, conversation_id, id, role, text)
               select $1, c.id, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 case when n % 2 = 1 then 'user' else 'assistant' end, 'text ' || n
               from conversation c, generate_series(1, $3 * 2) n where c.tenant_id = $1 and starts_with(c.client_id, $2::text)";
    admin.execute(sql, &[&tenant, &prefix, &rounds]).await.unwrap();
}

fn ids(page: &Value) -> Vec<String> {
    page["conversations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn texts(page: &Value) -> Vec<String> {
    page["messages"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

async fn patch(client: &Client, path: &str, body: Value) -> Reply {
    client.send("PATCH", path, Some(body.to_string()), &[]).await
}

async fn put(client: &Client, path: &str, body: Value) -> Reply {
    client.send("PUT", path, Some(body.to_string()), &[]).await
}

#[tokio::test]
async fn a_list_has_pages_and_ends() {
    let world = World::new().await;
    let client = &world.tenant_a;
    assert_eq!(client.get("/api/conversations").await.json(), json!({ "conversations": [], "nextCursor": null }));
    stored(&world, "c", 5, 1).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = client.get(&format!("/api/conversations?limit=2{cursor}")).await.json();
        seen.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["c5", "c4", "c3", "c2", "c1"]);
    for wrong in ["limit=0", "limit=201", "limit=x", "cursor=AAAA", "cursor="] {
        let refused = client.get(&format!("/api/conversations?{wrong}")).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_request"), "{wrong}");
    }
    assert_eq!(ids(&world.tenant_b.get("/api/conversations").await.json()), Vec::<String>::new());
}

#[tokio::test]
async fn a_long_conversation_is_read_from_its_end_in_pages() {
    let world = World::new().await;
    let client = &world.tenant_a;
    stored(&world, "c", 1, 60).await;
    let page = client.get("/api/conversations/c1").await.json();
    assert_eq!((&page["id"], &page["title"]), (&json!("c1"), &json!("Title 1")));
    let newest = texts(&page);
    assert_eq!((newest.len(), newest[0].as_str(), newest[49].as_str()), (50, "text 71", "text 120"));
    let mut whole = newest;
    let mut cursor = page["nextCursor"].as_str().map(str::to_owned);
    while let Some(next) = cursor {
        let page = client.get(&format!("/api/conversations/c1?limit=33&cursor={next}")).await.json();
        whole = [texts(&page), whole].concat();
        cursor = page["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(whole, (1..=120).map(|n| format!("text {n}")).collect::<Vec<_>>());

    // What is large takes a page of its own, and is never left out.
    let admin = world.admin().await;
    let sql =
        "update message set text = repeat('x', 1500000) where tenant_id = $1 and text in ('text 118', 'text 119')";
    admin.execute(sql, &[&client.tenant.uuid()]).await.unwrap();
    let sizes = |page: &Value| texts(page).iter().map(String::len).collect::<Vec<_>>();
    let first = client.get("/api/conversations/c1").await.json();
    assert_eq!(sizes(&first), [1_500_000, 8]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = client.get(&format!("/api/conversations/c1?cursor={cursor}")).await.json();
    assert_eq!((sizes(&second)[49], texts(&second).len()), (1_500_000, 50));

    for path in ["/api/conversations/c2", "/api/conversations/%00", "/api/conversations/%F0%9F%8C%99"] {
        assert_eq!(client.get(path).await.code(), "not_found", "{path}");
    }
    assert_eq!(world.tenant_b.get("/api/conversations/c1").await.code(), "not_found");
}

#[tokio::test]
async fn a_title_is_made_of_the_first_question_and_a_given_one_stays() {
    let (_world, client) = moonlit().await;
    client.ask("c", "**At what**\n mean distance does the <b>Moon</b> orbit?").await;
    let path = "/api/conversations/c";
    assert_eq!(client.get(path).await.json()["title"], "At what mean distance does the Moon orbit?");
    client.ask("c", "And what causes tides?").await;
    assert_eq!(client.get(path).await.json()["title"], "At what mean distance does the Moon orbit?");
    let before = client.get("/api/conversations").await.json()["conversations"][0].clone();
    let renamed = patch(&client, path, json!({ "title": "  My\n Moon 🌙 " })).await.json();
    assert_eq!((&renamed["title"], &renamed["updatedAt"]), (&json!("My Moon 🌙"), &before["updatedAt"]));
    client.ask("c", QUESTION).await;
    let message = json!({ "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    client.post("/api/chat", json!({ "id": "c", "messages": [message], "trigger": "regenerate-message" })).await;
    assert_eq!(client.get(path).await.json()["title"], "My Moon 🌙");
    assert_eq!(client.get("/api/conversations").await.json()["conversations"][0]["title"], "My Moon 🌙");
    for wrong in [
        json!({ "title": "" }),
        json!({ "title": " \n" }),
        json!({ "title": "x".repeat(201) }),
        json!({ "title": "a\u{0}b" }),
        json!({ "title": null }),
        json!({}),
        json!({ "title": "x", "id": "d" }),
    ] {
        assert_eq!(patch(&client, path, wrong.clone()).await.code(), "invalid_request", "{wrong}");
    }
    assert!(patch(&client, path, json!({ "title": "é".repeat(200) })).await.status.is_success());
    assert_eq!(patch(&client, "/api/conversations/d", json!({ "title": "x" })).await.code(), "not_found");
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_everywhere_at_once_and_from_the_disk_later() {
    let (world, client) = moonlit().await;
    client.ask("c", QUESTION).await;
    let answer = client.get("/api/conversations/c").await.json()["messages"][1]["id"].as_str().unwrap().to_owned();
    let rating = format!("/api/conversations/c/messages/{answer}/feedback");
    assert_eq!(put(&client, &rating, json!({ "rating": "down" })).await.status, 200);
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let told = format!("/api/bots/{bot}/feedback");
    assert_eq!(client.get(&told).await.json()["feedback"].as_array().unwrap().len(), 1);

    assert_eq!(world.tenant_b.delete("/api/conversations/c").await.code(), "not_found");
    assert_eq!(client.delete("/api/conversations/c").await.status, 204);
    for path in ["/api/conversations/c", "/api/conversations/c/export"] {
        assert_eq!(client.get(path).await.code(), "not_found", "{path}");
    }
    assert_eq!(client.delete("/api/conversations/c").await.code(), "not_found");
    assert_eq!(patch(&client, "/api/conversations/c", json!({ "title": "x" })).await.code(), "not_found");
    assert_eq!(put(&client, &rating, json!({ "rating": "up" })).await.code(), "not_found");
    assert_eq!(client.delete(&rating).await.code(), "not_found");
    assert!(ids(&client.get("/api/conversations").await.json()).is_empty());
    assert!(ids(&client.get("/api/conversations/search?q=moon").await.json()).is_empty());
    assert_eq!(client.get(&told).await.json()["feedback"], json!([]));

    // Its name is free: whoever asks under it begins anew. "Why?" has nothing to lean on.
    let again = client.ask("c", "Why?").await;
    assert!(again.chunks().iter().any(|chunk| chunk["type"] == "data-refusal"), "{}", again.text());
    assert_eq!(texts(&client.get("/api/conversations/c").await.json())[0], "Why?");
    assert_eq!(client.delete("/api/conversations/c").await.status, 204, "twice under the same name");

    let admin = world.admin().await;
    let rows = async || {
        let sql = "select (select count(*) from conversation), (select count(*) from message), (select count(*) from feedback)";
        let row = admin.query_one(sql, &[]).await.unwrap();
        [row.get::<_, i64>(0), row.get(1), row.get(2)]
    };
    let sweep = async || {
        let authorization = format!("Bearer {CRON_SECRET}");
        let reply = world.anon.send("POST", "/api/ingest/sweep", None, &[("authorization", &authorization)]).await;
        reply.json()["conversations"].clone()
    };
    assert_eq!((sweep().await, rows().await), (json!(0), [2, 4, 1]), "in its grace");
    admin.execute("update conversation set deleted_at = deleted_at - interval '8 days'", &[]).await.unwrap();
    client.ask("d", QUESTION).await;
    assert_eq!((sweep().await, rows().await), (json!(2), [1, 2, 0]));
}

#[tokio::test]
async fn an_export_holds_all_of_it() {
    let (world, client) = moonlit().await;
    client.ask("c", QUESTION).await;
    let json = client.get("/api/conversations/c/export").await;
    assert_eq!(json.headers["content-disposition"], "attachment; filename=\"conversation.json\"");
    let read = client.get("/api/conversations/c").await.json();
    assert_eq!(json.json(), read);
    let markdown = client.get("/api/conversations/c/export?format=markdown").await;
    assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(markdown.headers["content-disposition"], "attachment; filename=\"conversation.md\"");
    let text = markdown.text();
    assert!(text.starts_with("# At what mean distance does the Moon orbit?\n\n## Question, "), "{text}");
    assert!(text.contains("384400") && text.contains("\n[1] moon.txt: “"), "{text}");
    assert_eq!(client.get("/api/conversations/c/export?format=pdf").await.code(), "invalid_request");
    assert_eq!(world.tenant_b.get("/api/conversations/c/export").await.code(), "not_found");

    stored(&world, "long", 1, 600).await;
    let (mut whole, mut path) = (Vec::new(), "/api/conversations/long1/export?format=json".to_owned());
    loop {
        let page = client.get(&path).await;
        whole.extend(texts(&page.json()));
        let Some(link) = page.headers.get("link") else { break };
        let next =
            link.to_str().unwrap().strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
        path = format!("/api/conversations/long1/export{next}");
    }
    assert_eq!(whole, (1..=1200).map(|n| format!("text {n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_are_found_in_any_language_by_their_owner() {
    let world = World::new().await;
    let client = &world.tenant_a;
    stored(&world, "c", 3, 1).await;
    let admin = world.admin().await;
    let say = async |conversation: &str, text: &str| {
        let sql = "update message m set text = $3 from conversation c
                   where c.tenant_id = $1 and c.client_id = $2 and m.conversation_id = c.id and m.role = 'assistant'";
        admin.execute(sql, &[&client.tenant.uuid(), &conversation, &text]).await.unwrap();
    };
    say("c1", "Die ÄRZTIN kommt um 10.5 Uhr_(nachts)\\ 100%").await;
    say("c2", "東京タワーは高い。Ωμέγα и ДОМ").await;
    say("c3", "A long tale. ".repeat(1000).as_str()).await;
    let search = async |query: &str| {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        client.get(&format!("/api/conversations/search?q={query}")).await.json()
    };
    for (query, expected) in [
        ("ärztin", vec!["c1"]),
        ("kommt DIE", vec!["c1"]),
        ("10.5", vec!["c1"]),
        ("10x5", vec![]),
        ("uhr_(", vec!["c1"]),
        ("100%", vec!["c1"]),
        ("%", vec!["c1"]),
        ("\\", vec!["c1"]),
        (".*", vec![]),
        ("タワー", vec!["c2"]),
        ("ωΜΈΓΑ дом", vec!["c2"]),
        ("die タワー", vec![]),
        ("text", vec!["c3", "c2", "c1"]),
        ("tale", vec!["c3"]),
        ("a' or '1' = '1", vec![]),
    ] {
        assert_eq!(ids(&search(query).await), expected, "{query}");
    }
    let found = &search("タワー").await["conversations"][0];
    let hit = &found["matches"][0];
    assert_eq!(
        (&hit["before"], &hit["match"], &hit["after"], &hit["role"], &found["title"]),
        (&json!("東京"), &json!("タワー"), &json!("は高い。Ωμέγα и ДОМ"), &json!("assistant"), &json!("Title 2"))
    );
    let first = client.get("/api/conversations/search?q=text&limit=2").await.json();
    assert_eq!(ids(&first), ["c3", "c2"]);
    let next = first["nextCursor"].as_str().unwrap();
    let second = client.get(&format!("/api/conversations/search?q=text&limit=2&cursor={next}")).await.json();
    assert_eq!((ids(&second), &second["nextCursor"]), (vec!["c1".to_owned()], &Value::Null));
    for wrong in
        ["", "?q=", "?q=%20", "?q=a%00", &format!("?q={}", "a".repeat(201)), "?q=a+b+c+d+e+f+g+h+i", "?q=a&limit=0"]
    {
        assert_eq!(client.get(&format!("/api/conversations/search{wrong}")).await.code(), "invalid_request", "{wrong}");
    }
    assert!(ids(&world.tenant_b.get("/api/conversations/search?q=text").await.json()).is_empty());
}

#[tokio::test]
async fn a_search_goes_on_behind_what_one_page_looks_into() {
    let world = World::new().await;
    stored(&world, "c", 230, 3).await;
    let (mut pages, mut seen, mut cursor) = (0, Vec::new(), String::new());
    loop {
        let path = format!("/api/conversations/search?q=text+6&limit=200{cursor}");
        let page = world.tenant_a.get(&path).await.json();
        pages += 1;
        seen.extend(ids(&page));
        assert!(
            page["conversations"].as_array().unwrap().iter().all(|one| one["matches"].as_array().unwrap().len() == 1)
        );
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (1..=230).rev().map(|n| format!("c{n}")).collect::<Vec<_>>());
    let most = world.tenant_a.get("/api/conversations/search?q=text&limit=1").await.json();
    assert_eq!(most["conversations"][0]["matches"].as_array().unwrap().len(), 3, "of six messages, the newest");
}

#[tokio::test]
async fn feedback_reaches_those_who_keep_the_bot() {
    let (world, client) = moonlit().await;
    client.ask("c", QUESTION).await;
    let message = |page: &Value, at: usize| page["messages"][at]["id"].as_str().unwrap().to_owned();
    let page = client.get("/api/conversations/c").await.json();
    let (asked, answered) = (message(&page, 0), message(&page, 1));
    assert_eq!(page["messages"][1]["feedback"], Value::Null);
    let path =
        |conversation: &str, message: &str| format!("/api/conversations/{conversation}/messages/{message}/feedback");
    let own = path("c", &answered);
    assert_eq!(put(&client, &own, json!({ "rating": "up" })).await.json(), json!({ "rating": "up", "comment": "" }));
    // Whoever thinks better of it says so in the same place.
    let rated = put(&client, &own, json!({ "rating": "down", "comment": " Not the far side. " })).await;
    assert_eq!(rated.json(), json!({ "rating": "down", "comment": "Not the far side." }));
    assert_eq!(client.get("/api/conversations/c").await.json()["messages"][1]["feedback"], rated.json());
    for (path, body, code) in [
        (path("c", &asked), json!({ "rating": "up" }), "not_found"),
        (path("d", &answered), json!({ "rating": "up" }), "not_found"),
        (path("c", "00000000-0000-0000-0000-000000000000"), json!({ "rating": "up" }), "not_found"),
        (path("c", "x"), json!({ "rating": "up" }), "not_found"),
        (own.clone(), json!({}), "invalid_request"),
        (own.clone(), json!({ "rating": "sideways" }), "invalid_request"),
        (own.clone(), json!({ "rating": "up", "comment": "x".repeat(2001) }), "invalid_request"),
        (own.clone(), json!({ "rating": "up", "comment": "\u{0}" }), "invalid_request"),
    ] {
        assert_eq!(put(&client, &path, body.clone()).await.code(), code, "{path} {body}");
    }
    assert_eq!(put(&world.tenant_b, &own, json!({ "rating": "up" })).await.code(), "not_found");
    assert_eq!(world.tenant_b.delete(&own).await.code(), "not_found");

    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let told = client.get(&format!("/api/bots/{bot}/feedback")).await.json();
    let first = &told["feedback"][0];
    assert_eq!(
        (&first["messageId"], &first["rating"], &first["comment"], &first["question"], &told["nextCursor"]),
        (&json!(answered), &json!("down"), &json!("Not the far side."), &json!(QUESTION), &Value::Null)
    );
    assert!(first["answer"].as_str().unwrap().contains("384400"));
    // Made anew, because it was disliked: what was said of the first answer stays.
    let again = json!({ "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    client.post("/api/chat", json!({ "id": "c", "messages": [again], "trigger": "regenerate-message" })).await;
    let page = client.get("/api/conversations/c").await.json();
    assert_eq!(page["messages"][1]["feedback"], Value::Null);
    assert!(put(&client, &path("c", &message(&page, 1)), json!({ "rating": "up" })).await.status.is_success());
    let listed = async |query: &str| client.get(&format!("/api/bots/{bot}/feedback?{query}")).await.json();
    let ratings = |page: &Value| -> Vec<String> {
        page["feedback"].as_array().unwrap().iter().map(|one| one["rating"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ratings(&listed("").await), ["up", "down"]);
    assert_eq!(ratings(&listed("rating=down").await), ["down"]);
    let newest = listed("limit=1").await;
    let cursor = newest["nextCursor"].as_str().unwrap();
    assert_eq!(
        (ratings(&newest), ratings(&listed(&format!("cursor={cursor}")).await)),
        (vec!["up".to_owned()], vec!["down".to_owned()])
    );
    assert_eq!(listed("rating=sideways").await["code"], "invalid_request");
    assert_eq!(world.tenant_b.get(&format!("/api/bots/{bot}/feedback")).await.code(), "not_found");

    assert_eq!((client.delete(&own).await.status.as_u16(), client.delete(&own).await.status.as_u16()), (204, 404));
    assert_eq!(ratings(&listed("").await), ["up"]);
}

#[tokio::test]
async fn an_answer_that_is_still_given_is_not_rated() {
    let world = World::new().await;
    let client = &world.tenant_a;
    stored(&world, "c", 1, 1).await;
    let admin = world.admin().await;
    let rate = async |lease: &str| {
        let sql = format!(
            "update message set state = 'streaming', lease_until = now() + interval '{lease}' where role = 'assistant'"
        );
        admin.execute(&sql, &[]).await.unwrap();
        let path = "/api/conversations/c1/messages/00000000-0000-7000-8000-000000000002/feedback";
        put(client, path, json!({ "rating": "up" })).await
    };
    let early = rate("1 minute").await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "conflict"));
    assert_eq!(rate("-1 minute").await.status, 200, "its producer is gone");
}

#[tokio::test]
async fn a_visitor_has_its_own_conversations_and_no_others() {
    let (_world, owner) = moonlit().await;
    let page = owner.with_token(&publishable(&owner).await);
    let [first, second] = [visitor(&owner).await, visitor(&owner).await].map(|token| owner.with_token(&token));
    let from_page = async |client: &Client, method: &str, path: &str, body: Option<Value>| {
        client.send(method, path, body.map(|body| body.to_string()), &[("origin", PAGE)]).await
    };
    let message = json!({ "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    let asked = from_page(&first, "POST", "/api/chat", Some(json!({ "id": "mine", "message": message }))).await;
    assert!(asked.answer().contains("384400"), "{}", asked.text());
    owner.ask("servers", QUESTION).await;
    let listed = from_page(&first, "GET", "/api/conversations", None).await;
    assert_eq!(ids(&listed.json()), ["mine"]);
    assert_eq!(listed.headers["access-control-allow-origin"], PAGE);
    assert_eq!(ids(&owner.get("/api/conversations").await.json()), ["servers"]);
    let read = from_page(&first, "GET", "/api/conversations/mine", None).await.json();
    let answer = read["messages"][1]["id"].as_str().unwrap();
    let rating = format!("/api/conversations/mine/messages/{answer}/feedback");
    let thumb = Some(json!({ "rating": "up" }));
    for stranger in [&second, &owner] {
        for path in ["/api/conversations/mine", "/api/conversations/mine/export"] {
            assert_eq!(from_page(stranger, "GET", path, None).await.code(), "not_found", "{path}");
        }
        assert!(ids(&from_page(&second, "GET", "/api/conversations/search?q=moon", None).await.json()).is_empty());
        for (method, path, body) in [
            ("PATCH", "/api/conversations/mine", Some(json!({ "title": "taken" }))),
            ("DELETE", "/api/conversations/mine", None),
            ("PUT", &rating, thumb.clone()),
            ("DELETE", &rating, None),
        ] {
            assert_eq!(from_page(stranger, method, path, body).await.code(), "not_found", "{method} {path}");
        }
    }
    assert_eq!(from_page(&first, "GET", "/api/conversations/servers", None).await.code(), "not_found");
    assert_eq!(ids(&from_page(&first, "GET", "/api/conversations/search?q=moon", None).await.json()), ["mine"]);
    assert_eq!(from_page(&first, "PUT", &rating, thumb).await.status, 200);
    assert_eq!(
        from_page(&first, "PATCH", "/api/conversations/mine", Some(json!({ "title": "Moon" }))).await.status,
        200
    );
    // What is thought of the bot is its keepers' to read, and a page's token reads nothing.
    let bot = owner.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let told = format!("/api/bots/{bot}/feedback");
    assert_eq!(from_page(&first, "GET", &told, None).await.code(), "forbidden");
    assert_eq!(owner.get(&told).await.json()["feedback"].as_array().unwrap().len(), 1);
    assert_eq!(from_page(&page, "GET", "/api/conversations", None).await.code(), "forbidden");
    assert_eq!(from_page(&first, "DELETE", "/api/conversations/mine", None).await.status, 204);
    assert!(ids(&from_page(&first, "GET", "/api/conversations", None).await.json()).is_empty());
}

#[tokio::test]
async fn servers_read_with_read_and_change_with_chat() {
    let world = World::new().await;
    stored(&world, "c", 1, 1).await;
    let with = async |scopes: &[&str]| {
        let made = world.tenant_a.post("/api/tokens", json!({ "name": "some", "scopes": scopes })).await.json();
        world.tenant_a.with_token(made["token"].as_str().unwrap())
    };
    let [reader, talker] = [with(&["read"]).await, with(&["chat"]).await];
    for path in
        ["/api/conversations", "/api/conversations/c1", "/api/conversations/c1/export", "/api/conversations/search?q=x"]
    {
        assert_eq!(reader.get(path).await.status, 200, "{path}");
        assert_eq!(talker.get(path).await.code(), "forbidden", "{path}");
    }
    let title = json!({ "title": "x" });
    assert_eq!(patch(&reader, "/api/conversations/c1", title.clone()).await.code(), "forbidden");
    assert_eq!(reader.delete("/api/conversations/c1").await.code(), "forbidden");
    assert_eq!(patch(&talker, "/api/conversations/c1", title).await.status, 200);
    assert_eq!(talker.delete("/api/conversations/c1").await.status, 204);
}
