//! The same question sent twice makes one bill; two questions that only look alike make two.

use docent::config::Environment;
use http::StatusCode;
use serde_json::{Value, json};

use crate::talker::{QUESTION, Reply, Talker, asking, change_bot, stored};
use crate::usage::put_caps;
use crate::world::{Client, World};

const WORDS: &[&str] = &["It is 384400 kilometres ", "[1]."];

fn same(environment: Environment) -> Environment {
    environment
}

fn submit(conversation: &str, message: &str) -> Value {
    let message = json!({ "id": message, "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    json!({ "id": conversation, "messages": [message], "trigger": "submit-message" })
}

/// Another answer in the place of that one.
fn regenerate(message: &str, replaced: Option<&str>) -> Value {
    let mut body = submit("c", message);
    body["trigger"] = json!("regenerate-message");
    if let Some(replaced) = replaced {
        body["messageId"] = json!(replaced);
    }
    body
}

async fn messages(client: &Client) -> usize {
    client.get("/api/conversations/c").await.json()["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_is_answered_is_told_again_and_nobody_is_asked() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    let first = client.post("/api/chat", submit("c", "u1")).await;
    let bill = client.get("/api/usage").await.json();
    for _ in 0..2 {
        let again = client.post("/api/chat", submit("c", "u1")).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.headers["x-vercel-ai-ui-message-stream"], "v1");
        assert_eq!((again.status, again.answer()), (first.status, first.answer()));
        let part = |reply: &crate::world::Reply, kind: &str| {
            reply.chunks().into_iter().find(|chunk| chunk["type"] == kind).unwrap_or_default()
        };
        assert_eq!(part(&again, "start")["messageId"], part(&first, "start")["messageId"]);
        assert_eq!(part(&again, "data-citations"), part(&first, "data-citations"));
        assert_eq!(again.chunks().last().unwrap()["type"], "finish");
        assert!(again.text().ends_with("data: [DONE]\n\n"));
    }
    let mut whole = submit("c", "u1");
    whole["stream"] = json!(false);
    let whole = client.post("/api/chat", whole).await;
    assert_eq!(whole.headers["idempotency-replayed"], "true");
    assert_eq!(whole.json()["text"], json!(first.answer()));
    assert_eq!(whole.json()["citations"][0]["n"], 1, "{}", whole.text());
    assert_eq!((client.get("/api/usage").await.json(), messages(&client).await), (bill, 2));
    assert_eq!(talker.asked().len(), 1);

    // Another message, another text, another conversation, another caller: another question.
    let mut other = submit("c", "u1");
    other["messages"][0]["parts"][0]["text"] = json!("And in kilometres, what is the mean distance of the Moon?");
    for body in [other, submit("c", "u2"), submit("d", "u1")] {
        assert!(!client.post("/api/chat", body).await.headers.contains_key("idempotency-replayed"));
    }
    let mut nameless = submit("c", "u1");
    nameless["messages"][0].as_object_mut().unwrap().remove("id");
    for _ in 0..2 {
        assert!(!client.post("/api/chat", nameless.clone()).await.headers.contains_key("idempotency-replayed"));
    }
    nameless["messages"][0]["id"] = json!(7);
    assert_eq!(client.post("/api/chat", nameless).await.status, 200);
    assert_eq!(talker.asked().len(), 7);
}

#[tokio::test]
async fn a_refusal_is_told_again_too() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    let mut body = submit("c", "u1");
    body["messages"][0]["parts"][0]["text"] = json!("Who painted the ceiling of that chapel in Rome?");
    let kinds = async |body: &Value| {
        let reply = client.post("/api/chat", body.clone()).await;
        (reply.chunks().iter().map(|chunk| chunk["type"].clone()).collect::<Vec<_>>(), reply.answer())
    };
    let first = kinds(&body).await;
    assert!(first.0.contains(&json!("data-refusal")));
    assert_eq!(kinds(&body).await, first);
    assert!(talker.asked().is_empty());
}

#[tokio::test]
async fn what_came_to_nothing_is_answered_anew_in_its_place() {
    let mut world = World::new().await;
    let (talker, base, _turns) =
        Talker::start(|model| if model == "m" { Reply::Refused(401, "invalid_api_key") } else { Reply::Words(WORDS) })
            .await;
    let client = asking(&mut world, &base, same).await;
    client.post("/api/chat", submit("c", "u1")).await;
    assert_eq!(stored(&client, "c").await["state"], "error");
    change_bot(&client, json!({ "model": "better" })).await;
    let again = client.post("/api/chat", submit("c", "u1")).await;
    assert_eq!(again.answer(), WORDS.concat());
    assert!(!again.headers.contains_key("idempotency-replayed"));
    assert_eq!((stored(&client, "c").await["state"].clone(), messages(&client).await), (json!("complete"), 2));
    assert_eq!(talker.asked(), ["m", "better"]);
    let told = client.post("/api/chat", submit("c", "u1")).await;
    assert_eq!((told.answer(), talker.asked().len()), (WORDS.concat(), 2));
}

#[tokio::test]
async fn what_is_asked_again_after_newer_questions_is_answered_where_it_was_asked() {
    let mut world = World::new().await;
    let (_, base, _turns) =
        Talker::start(|model| if model == "m" { Reply::Refused(401, "invalid_api_key") } else { Reply::Words(WORDS) })
            .await;
    let client = asking(&mut world, &base, same).await;
    client.post("/api/chat", submit("c", "u1")).await;
    change_bot(&client, json!({ "model": "better" })).await;
    let newer = client.post("/api/chat", submit("c", "u2")).await.chunks()[0]["messageId"].clone();
    // Twice: what takes the place of what took its place stands there, too.
    client.post("/api/chat", submit("c", "u1")).await;
    world
        .admin()
        .await
        .execute(
            "update message set state = 'error' where text <> '' and id < $1::text::uuid and role = 'assistant'",
            &[&newer.as_str().unwrap()],
        )
        .await
        .unwrap();
    let again = client.post("/api/chat", submit("c", "u1")).await.chunks()[0]["messageId"].clone();
    let messages = client.get("/api/conversations/c").await.json()["messages"].clone();
    let read = |message: &Value| (message["role"].clone(), message["state"].clone());
    let read: Vec<_> = messages.as_array().unwrap().iter().map(read).collect();
    let complete = |role: &str| (json!(role), json!("complete"));
    assert_eq!(read, [complete("user"), complete("assistant"), complete("user"), complete("assistant")]);
    assert_eq!((&messages[1]["id"], &messages[3]["id"]), (&again, &newer));
}

#[tokio::test]
async fn another_answer_that_a_cap_refuses_leaves_the_one_there_is() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    let cap = async |cap: &str| assert_eq!(put_caps(&client, json!({ "tenant": cap })).await.status, 200);
    client.post("/api/chat", submit("c", "u1")).await;
    // One that names what it replaces, one that does not, and the second of two that look the same.
    let mut first = stored(&client, "c").await["id"].as_str().unwrap().to_owned();
    for named in [true, false, false] {
        let body = regenerate("u1", named.then_some(first.as_str()));
        cap("0").await;
        for _ in 0..2 {
            assert_eq!(client.post("/api/chat", body.clone()).await.code(), "spend_cap_reached");
            let kept = stored(&client, "c").await;
            assert_eq!((&kept["id"], &kept["state"]), (&json!(first), &json!("complete")));
            assert_eq!(messages(&client).await, 2);
        }
        cap("10").await;
        let reply = client.post("/api/chat", body).await;
        assert_eq!(reply.answer(), WORDS.concat(), "{}", reply.text());
        let kept = stored(&client, "c").await;
        assert_ne!(kept["id"], json!(first));
        assert_eq!(messages(&client).await, 2);
        first = kept["id"].as_str().unwrap().to_owned();
    }
    assert_eq!(talker.asked().len(), 4);
    assert_eq!(client.get("/api/usage").await.json()["today"][0]["reservedUsd"], "0.00");
}

#[tokio::test]
async fn what_is_being_answered_is_followed_or_waited_for() {
    let mut world = World::new().await;
    let (talker, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let mut answer = client.open(submit("c", "u1")).await;
    let turn = async { turns.recv().await.unwrap() };
    let (turn, _) = tokio::join!(turn, answer.all_until("start-step"));
    let refused = client.post("/api/chat", submit("c", "u1")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "answer_in_progress"));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    drop((answer, turn));
    world.files.app.tasks.drained().await;
    assert_eq!(stored(&client, "c").await["errorCode"], "client_gone");

    // Resumable, and the client comes back with the same request.
    let mut body = submit("c", "u1");
    body["resumable"] = json!(true);
    let mut answer = client.open(body.clone()).await;
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is ");
        turn
    };
    let (turn, seen) = tokio::join!(speaking, answer.all_until("It is "));
    drop(answer);
    let mut whole = body.clone();
    whole["stream"] = json!(false);
    assert_eq!(client.post("/api/chat", whole).await.code(), "answer_in_progress");
    let mut followed = client.open(body).await;
    turn.say("384400");
    turn.end();
    let followed = followed.all_until("[DONE]").await;
    assert!(followed.starts_with(&seen) && followed.contains("384400"), "{followed}");
    assert_eq!(talker.asked().len(), 2);
    assert_eq!(messages(&client).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_at_the_same_moment_make_one_bill() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "10" })).await.status, 200);
    for round in 0..5 {
        let asked = talker.asked().len();
        let body = submit(&format!("c{round}"), "u1");
        let replies = futures_util::future::join_all((0..6).map(|_| client.post("/api/chat", body.clone()))).await;
        for reply in &replies {
            match reply.status {
                StatusCode::OK => assert_eq!(reply.answer(), WORDS.concat(), "{}", reply.text()),
                _ => assert_eq!(reply.code(), "answer_in_progress"),
            }
        }
        assert!(replies.iter().any(|reply| reply.status == 200));
        assert_eq!(talker.asked().len(), asked + 1);
    }
    world.files.app.tasks.drained().await;
    let usage = client.get("/api/usage").await.json();
    assert_eq!(
        (&usage["usage"][0]["requests"], &usage["today"][0]["reservedUsd"]),
        (&json!(5), &json!("0.00")),
        "{usage}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_answer_that_is_wanted_twice_at_once_takes_none_away() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    let id = |reply: &crate::world::Reply| reply.chunks()[0]["messageId"].as_str().unwrap().to_owned();
    let mut last = id(&client.post("/api/chat", submit("c", "u1")).await);
    for round in 0..5 {
        let body = regenerate("u1", Some(&last));
        let replies = futures_util::future::join_all((0..6).map(|_| client.post("/api/chat", body.clone()))).await;
        let told = replies.iter().filter(|reply| reply.status == 200);
        last = told.map(&id).next().expect("one of them is answered");
        let kept = stored(&client, "c").await;
        assert_eq!((&kept["id"], &kept["state"]), (&json!(last), &json!("complete")), "round {round}");
        assert_eq!((talker.asked().len(), messages(&client).await), (round + 2, 2));
    }
}

#[tokio::test]
async fn another_answer_is_made_for_who_asks_for_another() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, same).await;
    let id = |reply: &crate::world::Reply| reply.chunks()[0]["messageId"].as_str().unwrap().to_owned();
    let first = id(&client.post("/api/chat", submit("c", "u1")).await);
    let second = id(&client.post("/api/chat", regenerate("u1", Some(&first))).await);
    assert_eq!(id(&client.post("/api/chat", regenerate("u1", Some(&first))).await), second, "a retry");
    let third = id(&client.post("/api/chat", regenerate("u1", Some(&second))).await);
    assert_eq!(talker.asked().len(), 3);
    // Who does not say which one may mean any.
    let fourth = id(&client.post("/api/chat", regenerate("u1", None)).await);
    let fifth = id(&client.post("/api/chat", regenerate("u1", None)).await);
    let ids = [&first, &second, &third, &fourth, &fifth];
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
    assert_eq!((talker.asked().len(), messages(&client).await), (5, 2));
}
