//! Answers that outlive their clients: replayed byte for byte, followed, stopped, lost, forgotten.

use std::time::{Duration, Instant};

use axum::body::Body;
use docent::config::Environment;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

use crate::callers::visitor;
use crate::talker::{QUESTION, Reply, Talker, Turn, asking, change_bot, stored};
use crate::usage::put_caps;
use crate::world::{Client, Reply as Answer, World, eventually, spawn};

const OPEN: &str = ": stream-open\n\n";

fn same(environment: Environment) -> Environment {
    environment
}

fn body(conversation: &str) -> Value {
    let message =
        json!({ "id": format!("of-{conversation}"), "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    json!({ "id": conversation, "messages": [message], "trigger": "submit-message", "resumable": true })
}

/// Opens the stream of a live answer, and gives what comes of it in the end.
pub async fn follow(client: &Client, conversation: &str) -> oneshot::Receiver<Answer> {
    let request = http::Request::get(format!("/api/chat/{conversation}/stream"));
    let request = request.header("authorization", format!("Bearer {}", client.token.as_deref().unwrap()));
    let (parts, body) = client.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    assert_eq!(parts.status, 200);
    let (sender, receiver) = oneshot::channel();
    spawn(async move {
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        drop(sender.send(Answer { status: parts.status, headers: parts.headers, body }));
    });
    receiver
}

async fn logged(world: &World, text: &str) {
    let admin = world.admin().await;
    let like = format!("%{text}%");
    eventually("the log holds it", async || {
        let row = admin.query_one("select count(*) from stream_log where frames like $1", &[&like]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
}

/// Opens a resumable answer, reads its first word, and leaves.
async fn left(client: &Client, turns: &mut mpsc::UnboundedReceiver<Turn>, conversation: &str) -> (Turn, String) {
    let mut answer = client.open(body(conversation)).await;
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is ");
        turn
    };
    let (turn, seen) = tokio::join!(speaking, answer.all_until("It is "));
    (turn, seen)
}

#[tokio::test]
async fn an_answer_goes_on_without_its_client_and_every_follower_sees_the_same_bytes() {
    let mut world = World::new().await;
    let (talker, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let (turn, seen) = left(&client, &mut turns, "c").await;
    let first = follow(&client, "c").await;
    turn.say("384400 ");
    logged(&world, "384400 ").await;
    let second = follow(&client, "c").await;
    // Somebody who comes through another process.
    let environment = world.environment.clone();
    let other = docent::function::Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let third = follow(&client.through(&docent::function::everything(other)), "c").await;
    turn.say("kilometres [1].");
    turn.end();
    let answers = [first.await.unwrap(), second.await.unwrap(), third.await.unwrap()];
    world.files.app.tasks.drained().await;
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-vercel-ai-ui-message-stream"], "v1");
        assert_eq!(answer.text(), answers[0].text());
    }
    let whole = &answers[0];
    assert!(whole.text().starts_with(&seen), "what the first client saw is where a follower begins");
    assert_eq!(whole.answer(), "It is 384400 kilometres [1].");
    assert_eq!(whole.chunks().last().unwrap()["type"], "finish");
    assert!(whole.text().ends_with("data: [DONE]\n\n"));
    let admin = world.admin().await;
    let rows = admin.query("select frames from stream_log order by sequence", &[]).await.unwrap();
    let log: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    assert_eq!(format!("{OPEN}{log}"), whole.text());
    let message = stored(&client, "c").await;
    assert_eq!((&message["state"], &message["text"]), (&json!("complete"), &json!(whole.answer())));
    assert_eq!(client.get("/api/usage").await.json()["today"][0]["reservedUsd"], "0.00");
    assert_eq!(client.get("/api/chat/c/stream").await.status, 204);
    assert_eq!(talker.asked().len(), 1);
}

#[tokio::test]
async fn the_bots_keeper_may_want_it_so_and_whoever_stays_sees_it_all() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let mut plain = body("c");
    plain.as_object_mut().unwrap().remove("resumable");
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("384400 [1].");
        turn.end();
    };
    let (reply, ()) = tokio::join!(client.post("/api/chat", plain.clone()), speaking);
    assert_eq!(reply.chunks().last().unwrap()["type"], "finish");
    let admin = world.admin().await;
    let count = async || admin.query_one("select count(*) from stream_log", &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count().await, 0, "nobody asked for a log");

    change_bot(&client, json!({ "resumable": true })).await;
    plain["id"] = json!("d");
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        for _ in 0..20 {
            turn.say("384400 ");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        turn.end();
    };
    let (reply, ()) = tokio::join!(client.post("/api/chat", plain), speaking);
    assert_eq!(reply.answer(), "384400 ".repeat(20));
    assert_eq!(reply.chunks().last().unwrap()["type"], "finish");
    let batches = count().await;
    assert!((2..=20).contains(&batches), "{batches} statements for 20 words in 200 ms");
    // Other doors have no way to resume.
    let asked = json!([{ "role": "user", "content": QUESTION }]);
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("384400");
        turn.end();
    };
    let (reply, ()) =
        tokio::join!(client.post("/v1/chat/completions", json!({ "model": "default", "messages": asked })), speaking);
    assert_eq!((reply.status.as_u16(), count().await), (200, batches));
}

#[tokio::test]
async fn a_stop_ends_it_wherever_it_is_made() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment.with("STREAM_LEASE_SECONDS", "2")).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let (turn, _) = left(&client, &mut turns, "c").await;
    let follower = follow(&client, "c").await;
    let stopped = Instant::now();
    let reply = client.post("/api/chat/c/stop", json!({})).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "success": true })));
    turn.cancelled().await;
    let answer = follower.await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert_eq!(answer.chunks().last().unwrap(), &json!({ "type": "abort" }));
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    world.files.app.tasks.drained().await;
    let message = stored(&client, "c").await;
    assert_eq!(
        (&message["state"], &message["errorCode"], &message["text"]),
        (&json!("interrupted"), &json!("stopped"), &json!("It is "))
    );
    assert_eq!(client.get("/api/usage").await.json()["today"][0]["reservedUsd"], "0.00");
    // Once more there is nothing to stop, and where there was never anything, nothing is there.
    for (conversation, code) in [("c", "nothing_to_stop"), ("none", "not_found")] {
        let reply = client.post(&format!("/api/chat/{conversation}/stop"), json!({})).await;
        assert_eq!((reply.code().as_str(), &reply.headers["retry-after"]), (code, &http::HeaderValue::from(1)));
    }
}

#[tokio::test]
async fn a_producer_that_died_is_told_of_when_its_lease_is_over() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let (turn, seen) = left(&client, &mut turns, "c").await;
    turn.end();
    world.files.app.tasks.drained().await;
    // As a process leaves it that was killed before the end.
    let admin = world.admin().await;
    let killed = "delete from stream_log where frames like '%[DONE]%';
                  update message set state = 'streaming', text = '', lease_until = now() + interval '1 second' where role = 'assistant'";
    admin.batch_execute(killed).await.unwrap();
    let died = Instant::now();
    let followers = [follow(&client, "c").await, follow(&client, "c").await];
    for follower in followers {
        let answer = follower.await.unwrap();
        assert!((1000..2000).contains(&died.elapsed().as_millis()), "{:?}", died.elapsed());
        assert!(answer.text().starts_with(&seen));
        let last = answer.chunks().last().unwrap().clone();
        assert!(last["errorText"].as_str().unwrap().starts_with("producer_lost: "), "{last}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"));
    }
    let message = stored(&client, "c").await;
    assert_eq!(
        (&message["state"], &message["errorCode"], &message["text"]),
        (&json!("interrupted"), &json!("producer_lost"), &json!("It is "))
    );
    assert_eq!(client.get("/api/chat/c/stream").await.status, 204);
}

#[tokio::test]
async fn a_producer_that_counts_as_dead_hears_of_it_and_adds_nothing() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment.with("STREAM_LEASE_SECONDS", "2")).await;
    let (turn, _) = left(&client, &mut turns, "c").await;
    let admin = world.admin().await;
    let lost = "update message set state = 'interrupted', error_code = 'producer_lost', text = 'It is ' where role = 'assistant'";
    admin.batch_execute(lost).await.unwrap();
    turn.cancelled().await;
    world.files.app.tasks.drained().await;
    let message = stored(&client, "c").await;
    assert_eq!((&message["errorCode"], &message["text"]), (&json!("producer_lost"), &json!("It is ")));
    let ends = "select count(*) from stream_log where frames like '%[DONE]%'";
    assert_eq!(admin.query_one(ends, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn only_its_owner_sees_or_stops_it() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let (turn, _) = left(&client, &mut turns, "c").await;
    let guest = client.with_token(&visitor(&client).await);
    let origin = [("origin", crate::callers::PAGE)];
    for other in [guest, world.tenant_b.through(&client.router())] {
        assert_eq!(other.send("GET", "/api/chat/c/stream", None, &origin).await.status, 204);
        assert_eq!(other.send("POST", "/api/chat/c/stop", Some("{}".to_owned()), &origin).await.code(), "not_found");
    }
    turn.say("384400");
    turn.end();
    world.files.app.tasks.drained().await;
    assert_eq!(stored(&client, "c").await["state"], "complete");
}

#[tokio::test]
async fn the_log_of_what_is_over_is_forgotten_after_an_hour() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    for conversation in ["old", "new"] {
        let (turn, _) = left(&client, &mut turns, conversation).await;
        turn.end();
    }
    world.files.app.tasks.drained().await;
    let (turn, _) = left(&client, &mut turns, "live").await;
    let admin = world.admin().await;
    let age = "update stream_log set created_at = now() - interval '61 minutes' from message m join conversation c on c.id = m.conversation_id
                 where m.id = message_id and c.client_id in ('old', 'live'); update tenant set swept_at = null";
    admin.batch_execute(age).await.unwrap();
    assert!(world.files.ingest.sweep().await.unwrap().logged > 0);
    let left = "select array_agg(distinct c.client_id order by c.client_id) from stream_log l join conversation c on c.id = l.conversation_id";
    let left: Vec<String> = admin.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, ["live", "new"]);
    turn.end();
    world.files.app.tasks.drained().await;
    assert_eq!(client.get("/api/chat/live/stream").await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_its_client_leaves_it_is_answered() {
    let mut world = World::new().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Words(&["384400 [1]."])).await;
    let client = asking(&mut world, &base, same).await;
    for step in 0..16_u64 {
        let asked = client.post("/api/chat", body(&format!("c{step}")));
        let _ = tokio::time::timeout(Duration::from_millis(step * step / 4), asked).await;
    }
    world.files.app.tasks.drained().await;
    let admin = world.admin().await;
    let sql = "select count(*) filter (where state = 'complete'), count(*) from message where role = 'assistant'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert!(row.get::<_, i64>(1) > 4, "hardly any was opened");
}
