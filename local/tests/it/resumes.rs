//! `kill -9` of the process that makes an answer, at random moments: another process over the same database replays every
//! byte that any client had received, and then says within the lease and a second that the producer is lost.
//!
//! `DOCENT_RESUMES=200 cargo test -p docent-local --test it resumes:: -- --nocapture` is the full count.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config::Environment;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::keys::{docent, say};
use crate::kills::Place;

/// Kills without `DOCENT_RESUMES`, and those that go on at once.
const KILLS: usize = 4;
const LANES: usize = 4;
const LEASE: Duration = Duration::from_secs(3);
/// An answer's words, and the pause after each: two seconds in all.
const WORDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
const DONE: &str = "data: [DONE]\n\n";
const TEXT: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres.";
const QUESTION: &str = "At what mean distance does the Moon orbit?";

/// A provider that takes its time over each word.
async fn provider(running: &mut JoinSet<()>) -> String {
    let chat = async || {
        let words = stream::unfold(0, |word| async move {
            tokio::time::sleep(PAUSE).await;
            let frame = match word {
                0..WORDS => json!({ "choices": [{ "index": 0, "delta": { "content": format!("word{word} ü\n") } }] }),
                WORDS => json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
                _ => return None,
            };
            let end = if word == WORDS { DONE } else { "" };
            Some((Ok::<_, Infallible>(format!("data: {frame}\n\n{end}")), word + 1))
        });
        ([("content-type", "text/event-stream")], Body::from_stream(words))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    running.spawn(async move {
        axum::serve(listener, Router::new().route("/v1/chat/completions", post(chat))).await.unwrap()
    });
    base
}

/// A serving process and where it listens.
struct Served {
    process: Child,
    origin: String,
}

async fn serve(environment: &[(&'static str, String)]) -> Served {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = docent(&["serve", "--listen", &listen]);
    command.envs(environment.iter().map(|(name, value)| (*name, value)));
    let process = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let origin = format!("http://{listen}");
    let http = http();
    for _ in 0..400 {
        if http.get(format!("{origin}/api/health/ping")).send().await.is_ok() {
            return Served { process, origin };
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the process does not serve");
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Reads until the end or until the other side is dead, whichever comes.
async fn read(request: reqwest::RequestBuilder, seen: Arc<Mutex<Vec<u8>>>) {
    let Ok(response) = request.send().await else { return };
    let mut body = response.bytes_stream();
    while let Some(Ok(bytes)) = body.next().await {
        seen.lock().unwrap().extend_from_slice(&bytes);
    }
}

/// What one kill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Before the answer was opened.
    Before,
    Lost,
    /// After it was complete.
    Whole,
}

struct Round<'a> {
    environment: &'a [(&'static str, String)],
    token: &'a str,
    successor: &'a str,
    conversation: String,
    delay: Duration,
}

async fn kill(round: Round<'_>) -> (Fate, Duration) {
    let Round { environment, token, successor, conversation, delay } = round;
    let mut served = serve(environment).await;
    let http = http();
    let (seen, followed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let message = json!({ "id": "m", "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    let body = json!({ "id": conversation, "messages": [message], "resumable": true }).to_string();
    let asked = http.post(format!("{}/api/chat", served.origin)).bearer_auth(token);
    let asked = asked.header("content-type", "application/json").body(body);
    let mut reading = JoinSet::new();
    reading.spawn(read(asked, seen.clone()));
    tokio::time::sleep(delay / 2).await;
    let address = format!("/api/chat/{conversation}/stream");
    reading.spawn(read(http.get(format!("{}{address}", served.origin)).bearer_auth(token), followed.clone()));
    tokio::time::sleep(delay / 2).await;
    served.process.start_kill().unwrap();
    served.process.wait().await.unwrap();
    let died = Instant::now();
    while reading.join_next().await.is_some() {}

    let replay = http.get(format!("{successor}{address}")).bearer_auth(token).send().await.unwrap();
    let status = replay.status();
    let replay = replay.text().await.unwrap();
    let took = died.elapsed();
    let stored = http.get(format!("{successor}/api/conversations/{conversation}")).bearer_auth(token);
    let stored: Value = serde_json::from_str(&stored.send().await.unwrap().text().await.unwrap()).unwrap();
    let answer = &stored["messages"][1];
    if status == 204 {
        // Nothing is made any more: there never was anything, or all of it is in the history.
        let fate = if answer.is_null() { Fate::Before } else { Fate::Whole };
        for seen in [seen, followed] {
            let seen = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
            assert!(fate == Fate::Whole || seen.is_empty(), "{conversation}: {seen}");
            assert!(answer.is_null() || answer["text"].as_str().unwrap().starts_with(&text(&seen)), "{conversation}");
        }
        assert!(answer.is_null() || answer["state"] == "complete", "{answer}");
        return (fate, took);
    }
    for seen in [seen, followed] {
        let seen = seen.lock().unwrap().clone();
        assert!(
            replay.as_bytes().starts_with(&seen),
            "{conversation}: {replay} does not replay {}",
            String::from_utf8_lossy(&seen)
        );
    }
    assert!(replay.ends_with(DONE) && replay.contains("\"errorText\":\"producer_lost: "), "{conversation}: {replay}");
    assert!(took <= LEASE + Duration::from_secs(1), "{conversation}: {took:?}");
    assert_eq!((&answer["state"], &answer["errorCode"]), (&json!("interrupted"), &json!("producer_lost")), "{answer}");
    assert_eq!(answer["text"], json!(text(&replay)), "{conversation}");
    (Fate::Lost, took)
}

fn text(frames: &str) -> String {
    let chunks = frames.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    chunks.filter_map(|chunk| chunk["delta"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_takes_nothing_along_that_anybody_had_seen() {
    let Some(mut place) = Place::new("a_killed_process_takes_nothing_along_that_anybody_had_seen").await else {
        return;
    };
    let mut running = JoinSet::new();
    let base = provider(&mut running).await;
    let new = NewTenant { name: "Resumed", embedding_model: "hash-384" };
    let (tenant, token) = auth::create_tenant(&place.operator, &Clock::system(), new).await.unwrap();
    let token = token.expose_secret().to_owned();
    let (document, _) = place.upload(&token, "moon.txt", TEXT).await;
    assert_eq!(place.files.ingest.document(tenant, document).await.unwrap(), docent::ingest::Outcome::Ready);
    assert_eq!(place.send(&token, "PUT", "/api/keys/acme", json!({ "key": "sk-slow", "baseUrl": base })).await.0, 200);
    let (_, bots) = place.send(&token, "GET", "/api/bots", json!({})).await;
    let bot = format!("/api/bots/{}", bots["bots"][0]["id"].as_str().unwrap());
    let (status, _) = place.send(&token, "PATCH", &bot, json!({ "provider": "acme", "model": "m" })).await;
    assert_eq!(status, 200);
    place.environment.push(("STREAM_LEASE_SECONDS", LEASE.as_secs().to_string()));

    let successor = serve(&place.environment).await;
    let wanted = Environment::process().get("DOCENT_RESUMES").map_or(KILLS, |text| text.parse().unwrap());
    let longest = PAUSE.as_millis() as usize * WORDS * 5 / 4;
    let (mut fates, mut slowest) = (Vec::new(), Duration::ZERO);
    while fates.len() < wanted {
        let rounds: Vec<Round<'_>> = (0..LANES.min(wanted - fates.len()))
            .map(|lane| (fates.len() + lane, Duration::from_millis(place.below(longest) as u64)))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(number, delay)| Round {
                environment: &place.environment,
                token: &token,
                successor: &successor.origin,
                conversation: format!("c{number}"),
                delay,
            })
            .collect();
        for (fate, took) in join_all(rounds.into_iter().map(kill)).await {
            fates.push(fate);
            slowest = slowest.max(took);
        }
    }
    let count = |fate: Fate| fates.iter().filter(|met| **met == fate).count();
    say(&format!(
        "kill -9 of the producer: {} times, {} before the answer, {} in it, {} after it; the end was told within {slowest:?}",
        fates.len(),
        count(Fate::Before),
        count(Fate::Lost),
        count(Fate::Whole)
    ));
    assert!(count(Fate::Lost) > 0, "no answer was met in the middle");
}
