//! Another model answers where the first cannot begin, never where it has begun; and only who answered is paid.

use serde_json::{Value, json};

use crate::talker::{QUESTION, Reply, Talker, asking, change_bot, stored};
use crate::usage::{matches, put_caps};
use crate::world::World;

const WORDS: &[&str] = &["It is 384400 kilometres ", "[1]."];

/// What the first model does, and the code that its failure would have had.
const FAULTS: [(&str, u16, &str); 5] = [
    ("m", 401, "invalid_api_key"),
    ("m", 402, "insufficient_quota"),
    ("m", 503, "server_error"),
    ("m", 429, "rate_limit_exceeded"),
    ("m", 404, "model_not_found"),
];

fn spare() -> Value {
    json!({ "fallbackProvider": "spare", "fallbackModel": "m2" })
}

#[tokio::test]
async fn who_cannot_begin_is_replaced_and_only_who_answered_is_paid() {
    for (model, status, code) in FAULTS {
        let mut world = World::new().await;
        let script = move |asked: &str| if asked == model { Reply::Refused(status, code) } else { Reply::Words(WORDS) };
        let (talker, base, _turns) = Talker::start(script).await;
        let client = asking(&mut world, &base, |environment| environment).await;
        change_bot(&client, spare()).await;
        assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
        let reply = client.ask("c", QUESTION).await;
        assert_eq!(reply.answer(), WORDS.concat(), "{status}: {}", reply.text());
        let chunks = reply.chunks();
        assert_eq!(chunks[0]["messageMetadata"]["answerer"], "acme/m");
        assert_eq!(chunks.last().unwrap()["messageMetadata"]["answerer"], "spare/m2");
        assert_eq!(talker.asked().last().unwrap(), "m2");
        assert_eq!(stored(&client, "c").await["state"], "complete");
        let usage = client.get("/api/usage").await.json();
        let line =
            json!({ "provider": "spare", "model": "m2", "inputTokens": 70, "outputTokens": 9, "costUsd": "0.000237" });
        matches(&usage["usage"], &[line]);
        matches(&usage["today"], &[json!({ "spentUsd": "0.000237", "reservedUsd": "0.00" })]);
        // The refused key is known as such, also when somebody else has answered.
        let key = client.get("/api/keys/acme").await.json();
        assert_eq!(key["status"] == "bad", status == 401, "{key}");
    }
}

#[tokio::test]
async fn who_has_begun_is_not_replaced() {
    let mut world = World::new().await;
    let (talker, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment).await;
    change_bot(&client, spare()).await;
    let cutting = async {
        let turn = turns.recv().await.unwrap();
        turn.say("It is ");
        drop(turn);
    };
    let (reply, ()) = tokio::join!(client.ask("c", QUESTION), cutting);
    let last = reply.chunks().last().unwrap().clone();
    assert!(last["errorText"].as_str().unwrap().starts_with("upstream_truncated"), "{last}");
    assert_eq!((reply.answer().as_str(), talker.asked()), ("It is ", vec!["m".to_owned()]));
}

#[tokio::test]
async fn without_a_key_of_its_own_the_first_is_passed_over_and_two_that_fail_are_an_error() {
    let mut world = World::new().await;
    let (talker, base, _turns) =
        Talker::start(|model| if model == "m2" { Reply::Words(WORDS) } else { Reply::Refused(401, "invalid_api_key") })
            .await;
    let client = asking(&mut world, &base, |environment| environment).await;
    change_bot(&client, json!({ "provider": "nobody", "model": "n" })).await;
    assert_eq!(client.ask("none", QUESTION).await.code(), "provider_auth");
    change_bot(&client, spare()).await;
    assert_eq!(client.ask("c", QUESTION).await.answer(), WORDS.concat());
    assert_eq!(talker.asked(), ["m2"]);

    change_bot(&client, json!({ "provider": "acme", "model": "m", "fallbackModel": "m3" })).await;
    let reply = client.ask("d", QUESTION).await;
    assert!(reply.chunks().last().unwrap()["errorText"].as_str().unwrap().starts_with("provider_auth"));
    assert_eq!(stored(&client, "d").await["state"], "error");
    assert_eq!(talker.asked(), ["m2", "m", "m3"]);

    // The documents' own sentences need neither.
    change_bot(&client, json!({ "fallbackProvider": "extractive", "fallbackModel": "" })).await;
    let reply = client.ask("e", QUESTION).await;
    assert!(reply.answer().contains("384400"), "{}", reply.text());
    assert_eq!(reply.chunks().last().unwrap()["messageMetadata"]["answerer"], "extractive");
}

#[tokio::test]
async fn what_is_reserved_covers_the_dearer_of_the_two() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, |environment| environment).await;
    // Enough for the first model, whose answer may cost some 0.035 dollars, and not for the second at three times that.
    assert_eq!(put_caps(&client, json!({ "tenant": "0.06" })).await.status, 200);
    assert_eq!(client.ask("c", QUESTION).await.answer(), WORDS.concat());
    change_bot(&client, spare()).await;
    assert_eq!(client.ask("d", QUESTION).await.code(), "spend_cap_reached");
    assert_eq!(talker.asked(), ["m"]);
}

#[tokio::test]
async fn a_purse_that_is_used_up_silences_its_own_model_alone() {
    let mut world = World::new().await;
    let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, |environment| environment).await;
    assert_eq!(put_caps(&client, json!({ "tenant": "0.001" })).await.status, 200);
    assert_eq!(client.ask("c", QUESTION).await.code(), "spend_cap_reached");
    // The documents' own sentences cost nothing.
    change_bot(&client, json!({ "fallbackProvider": "extractive", "fallbackModel": "" })).await;
    let reply = client.ask("d", QUESTION).await;
    assert_eq!(reply.chunks().last().unwrap()["messageMetadata"]["answerer"], "extractive", "{}", reply.text());
    assert!(talker.asked().is_empty());
    let usage = client.get("/api/usage").await.json();
    assert_eq!(usage["today"][0]["reservedUsd"], "0.00", "{usage}");
}
