//! Questions that lean on what was asked before find what they are about, and those that stand alone find what they did.

use serde_json::json;

use crate::world::{Client, World};

const DOCUMENTS: [(&str, &str); 6] = [
    (
        "bridge.txt",
        "The bridge at Oster was built in 1912 by Anna Lindqvist. The bridge at Oster was closed on 3 May 2021 because of rust.",
    ),
    (
        "library.txt",
        "The library of Nordby was built in 1955 by Karl Berg. The library of Nordby was closed on 9 June 2019 because of a flood.",
    ),
    (
        "lamp.txt",
        "The warranty of the Aurora lamp lasts five years. The warranty of the Aurora lamp does not cover water damage.",
    ),
    (
        "kettle.txt",
        "The warranty of the Vulcan kettle lasts two years. The warranty of the Vulcan kettle covers lime scale.",
    ),
    ("shipping.txt", "Shipping to Sweden costs 4 euros. Shipping to Norway costs 9 euros and takes six days."),
    (
        "brücke.txt",
        "Die Brücke von Weiler wurde 1930 gebaut. Die Brücke von Weiler wurde im März 2020 wegen Rost geschlossen.",
    ),
];

/// What was asked before, what is asked now, and what an answer to that holds.
const LEANING: [(&[&str], &str, &str); 10] = [
    (&["Who built the bridge at Oster?"], "And when was it closed?", "3 May 2021"),
    (&["Who built the library of Nordby?"], "And when was it closed?", "9 June 2019"),
    (&["Who built the library of Nordby?", "And when was it closed?"], "Why?", "flood"),
    (&["When was the bridge at Oster closed?"], "Who built it?", "Anna Lindqvist"),
    (&["When was the library of Nordby closed?"], "Who built it?", "Karl Berg"),
    (&["How long is the warranty of the Aurora lamp?"], "Does it cover water?", "water damage"),
    (&["Does the warranty of the Vulcan kettle cover lime scale?"], "And how long does it last?", "two years"),
    (&["Does the warranty of the Aurora lamp cover water?"], "And how long does it last?", "five years"),
    (&["How much is shipping to Sweden?"], "What about Norway?", "9 euros"),
    (&["Wann wurde die Brücke von Weiler gebaut?"], "Und wann wurde sie geschlossen?", "März 2020"),
];

/// The same of questions that say by themselves what they are about; nothing: a refusal.
const ALONE: [(&str, &str, Option<&str>); 6] = [
    ("Who built the bridge at Oster?", "When was the library of Nordby closed?", Some("9 June 2019")),
    ("How long is the warranty of the Aurora lamp?", "shipping Norway", Some("9 euros")),
    ("How much is shipping to Sweden?", "Is it possible to get lime scale covered?", Some("lime scale")),
    ("Who built the bridge at Oster?", "Who painted the chapel ceiling in Rome?", None),
    ("Who built the bridge at Oster?", "Which recipe needs saffron?", None),
    // It leans on the bridge, and the documents say nothing of that.
    ("When was the bridge at Oster closed?", "Who painted it?", None),
];

async fn last_answer(client: &Client, talk: &str, questions: &[&str]) -> (String, bool) {
    let mut last = (String::new(), false);
    for question in questions {
        let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
        let reply = client.post("/api/chat", json!({ "id": talk, "message": message, "stream": false })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        last = (answer["text"].as_str().unwrap().to_owned(), answer["refused"] == true);
    }
    last
}

#[tokio::test]
async fn a_follow_up_is_searched_with_what_it_leans_on() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    for (name, text) in DOCUMENTS {
        world.ready(&client, name, text.as_bytes()).await;
    }
    let mut wrong = Vec::new();
    for (number, (before, question, expected)) in LEANING.into_iter().enumerate() {
        let whole: Vec<&str> = before.iter().copied().chain([question]).collect();
        let (answer, _) = last_answer(&client, &format!("leaning-{number}"), &whole).await;
        // The sentence that says it stands first: all others of its document are about the same thing.
        if !answer.split("\n\n").next().unwrap_or_default().contains(expected) {
            wrong.push(format!("{whole:?}: {answer}"));
        }
    }
    for (number, (before, question, expected)) in ALONE.into_iter().enumerate() {
        let (alone, refused_alone) = last_answer(&client, &format!("alone-{number}"), &[question]).await;
        let (answer, refused) = last_answer(&client, &format!("after-{number}"), &[before, question]).await;
        let right = match expected {
            Some(expected) => answer == alone && answer.contains(expected),
            None => refused && refused_alone,
        };
        if !right {
            wrong.push(format!("{before} {question}: {answer} (alone: {alone})"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_bot_without_history_takes_each_question_by_itself() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let (name, text) = DOCUMENTS[1];
    world.ready(&client, name, text.as_bytes()).await;
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let questions = ["Who built the library of Nordby?", "Why?"];
    assert!(!last_answer(&client, "with", &questions).await.1);
    let none = json!({ "historyLength": 0 }).to_string();
    assert_eq!(client.send("PATCH", &format!("/api/bots/{bot}"), Some(none), &[]).await.status, 200);
    assert!(last_answer(&client, "without", &questions).await.1, "nothing is known of what it leans on");
}
