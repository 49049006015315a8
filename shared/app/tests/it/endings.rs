//! How answers end that nobody lets end by themselves: the client leaves, the time is over, the provider falls silent.

use std::time::{Duration, Instant};

use docent::config::Environment;
use docent_llm::{Limits, Transport};
use serde_json::{Value, json};

use crate::talker::{QUESTION, Reply, Talker, asking, stored};
use crate::usage::put_caps;
use crate::world::{Client, World};

fn same(environment: Environment) -> Environment {
    environment
}

async fn held(client: &Client) -> Value {
    client.get("/api/usage").await.json()["today"][0].clone()
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_request_upstream_along_and_leaves_the_text() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let mut answer = client.open_answer("c", QUESTION).await;
    let reading = answer.until("text-delta");
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is 384400 ");
        turn
    };
    let (turn, _) = tokio::join!(speaking, reading);
    drop(answer);
    let left = Instant::now();
    turn.cancelled().await;
    assert!(left.elapsed() < Duration::from_millis(250), "{:?}", left.elapsed());
    world.files.app.tasks.drained().await;
    let message = stored(&client, "c").await;
    assert_eq!(
        (&message["state"], &message["errorCode"], &message["text"]),
        (&json!("interrupted"), &json!("client_gone"), &json!("It is 384400 "))
    );
    let purse = held(&client).await;
    assert_eq!(purse["reservedUsd"], "0.00", "{purse}");
    assert_ne!(purse["spentUsd"], "0.00", "{purse}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_client_leaves_nothing_stays_open() {
    let mut world = World::new().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "100" })).await.status, 200);
    for step in 0..24_u64 {
        let body = json!({ "id": format!("c{step}"), "stream": step % 2 == 0, "messages": [{ "role": "user", "content": QUESTION }] });
        let asked = client.post("/api/chat", body);
        let _ = tokio::time::timeout(Duration::from_millis(step * step / 4), asked).await;
    }
    world.files.app.tasks.drained().await;
    let admin = world.admin().await;
    let open = "select (select count(*) from message where state = 'streaming'),
                  (select count(*) from usage_ledger where settled_at is null), (select count(*) from message where state = 'interrupted')";
    let row = admin.query_one(open, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 0));
    assert!(row.get::<_, i64>(2) > 4, "hardly any was cut in the middle");
    assert_eq!(held(&client).await["reservedUsd"], "0.00");
}

#[tokio::test]
async fn an_answer_ends_before_the_platform_ends_it() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|model| if model == "m" { Reply::Fed } else { Reply::Silence }).await;
    let client = asking(&mut world, &base, |environment| environment.with("ANSWER_SECONDS", "1")).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let began = Instant::now();
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is 384400 ");
        turn
    };
    let (reply, turn) = tokio::join!(client.ask("c", QUESTION), speaking);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    turn.cancelled().await;
    let last = reply.chunks().last().unwrap().clone();
    assert!(last["errorText"].as_str().unwrap().starts_with("deadline: "), "{}", reply.text());
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
    let message = stored(&client, "c").await;
    assert_eq!(
        (&message["state"], &message["errorCode"], &message["text"]),
        (&json!("error"), &json!("deadline"), &json!("It is 384400 "))
    );
    assert_eq!(held(&client).await["reservedUsd"], "0.00");

    // Without a word, and for those who do not read streams.
    crate::talker::change_bot(&client, json!({ "model": "mute" })).await;
    let body = json!({ "id": "d", "stream": false, "messages": [{ "role": "user", "content": QUESTION }] });
    let reply = client.post("/api/chat", body).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (504, "deadline"), "{}", reply.text());
    assert_eq!(stored(&client, "d").await["errorCode"], "deadline");
    assert_eq!(held(&client).await["reservedUsd"], "0.00");
}

#[tokio::test]
async fn a_platform_that_names_its_end_is_obeyed() {
    let mut world = World::new().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let now = u64::try_from(world.files.app.clock.now().as_millisecond()).unwrap();
    let ends = docent::http::EndsAt(now + docent::config::BEFORE_THE_PLATFORM.as_millis() as u64 + 800);
    let router = client.router().layer(axum::Extension(ends));
    let began = Instant::now();
    let reply = client.through(&router).ask("c", QUESTION).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(reply.chunks().last().unwrap()["errorText"].as_str().unwrap().starts_with("deadline"), "{}", reply.text());
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_a_timeout() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let limits = Limits { idle: Duration::from_millis(300), allow_loopback: true, ..Limits::default() };
    world.files.app.llm.transport = Transport::new(limits);
    let client = client.through(&docent::function::everything(world.files.clone()));
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is ");
        turn
    };
    let (reply, turn) = tokio::join!(client.ask("c", QUESTION), speaking);
    turn.cancelled().await;
    let last = reply.chunks().last().unwrap().clone();
    assert!(last["errorText"].as_str().unwrap().starts_with("provider_timeout"), "{}", reply.text());
    let message = stored(&client, "c").await;
    assert_eq!(
        (&message["state"], &message["errorCode"], &message["text"]),
        (&json!("error"), &json!("provider_timeout"), &json!("It is "))
    );
}

#[tokio::test]
async fn a_failure_whose_end_cannot_be_stored_at_once_keeps_its_reason() {
    let mut world = World::new().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Refused(401, "invalid_api_key")).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let admin = world.admin().await;
    admin.batch_execute("revoke update on usage_ledger from docent_app").await.unwrap();
    let reply = client.ask("c", QUESTION).await;
    assert_eq!(reply.chunks().last().unwrap()["type"], "error", "{}", reply.text());
    admin.batch_execute("grant update on usage_ledger to docent_app").await.unwrap();
    world.files.app.tasks.drained().await;
    let message = stored(&client, "c").await;
    assert_eq!((&message["state"], &message["errorCode"]), (&json!("error"), &json!("provider_auth")));
    assert_eq!(client.get("/api/keys/acme").await.json()["status"], "bad");
    // Who refuses bills nothing.
    let purse = held(&client).await;
    assert_eq!((&purse["reservedUsd"], &purse["spentUsd"]), (&json!("0.00"), &json!("0.00")), "{purse}");
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_stored_is_stored_later() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
    let admin = world.admin().await;
    let speaking = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is 384400 ");
        admin.batch_execute("revoke update on message from docent_app").await.unwrap();
        turn.end();
    };
    let (reply, ()) = tokio::join!(client.ask("c", QUESTION), speaking);
    assert_eq!(reply.chunks().last().unwrap()["type"], "error", "{}", reply.text());
    assert_eq!(stored(&client, "c").await["state"], "streaming");
    admin.batch_execute("grant update on message to docent_app").await.unwrap();
    world.files.app.tasks.drained().await;
    let message = stored(&client, "c").await;
    assert_eq!((&message["state"], &message["text"]), (&json!("complete"), &json!("It is 384400 ")));
    assert_eq!(held(&client).await["reservedUsd"], "0.00");
}

#[tokio::test]
async fn an_answer_that_others_ended_is_not_told_as_whole() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, same).await;
    let admin = world.admin().await;
    for (conversation, stream) in [("c", true), ("d", false)] {
        let speaking = async {
            let turn = turns.recv().await.unwrap();
            turn.say("It is 384400 km.");
            let given_up = "update message set state = 'interrupted', error_code = 'producer_lost', lease_until = null \
                             where state = 'streaming'";
            assert_eq!(admin.execute(given_up, &[]).await.unwrap(), 1);
            turn.end();
        };
        let message = json!([{ "role": "user", "content": QUESTION }]);
        let asked = client.post("/api/chat", json!({ "id": conversation, "stream": stream, "messages": message }));
        let (reply, ()) = tokio::join!(asked, speaking);
        let told = match stream {
            true => reply.chunks().last().unwrap()["errorText"].as_str().unwrap().to_owned(),
            false => reply.code(),
        };
        assert!(told.starts_with("producer_lost"), "{}", reply.text());
        assert_eq!(stored(&client, conversation).await["errorCode"], "producer_lost");
    }
}
