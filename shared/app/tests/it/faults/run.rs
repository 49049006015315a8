//! One run: a question through the door, and everything that must be true afterwards.

use std::time::{Duration, Instant};

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::lane::Lane;
use super::plan::{Bill, End, LONGEST_ANSWER, Plan, TOTAL, Text};
use super::wire::CANARY;
use crate::world::Reply;

pub const QUESTION: &str = "At what mean distance does the Moon orbit?";
/// What a run may take beyond its limit.
pub const GRACE: Duration = Duration::from_secs(1);
/// How a violation of time begins.
pub const LATE: &str = "late: ";

/// What a client saw.
#[derive(Debug)]
pub struct Heard {
    end: End,
    /// Nothing for those who wait for the whole answer and get an error.
    text: Option<String>,
    took: Duration,
    left: Option<Instant>,
}

/// What was measured; a violation is told as text.
pub struct Measured {
    pub asked: usize,
    pub took: Duration,
    /// From the client's going to the provider's seeing it.
    pub cancelled: Option<Duration>,
}

macro_rules! must {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

/// Asks as the plan says, in a conversation of that name, and compares.
pub async fn run(lane: &Lane, plan: &Plan, name: &str, whole: bool) -> Result<Measured, String> {
    let (client, _) = lane.who(plan.place);
    let heard = tokio::time::timeout(plan.most + GRACE, ask(lane, plan, name, whole)).await;
    let heard = heard.map_err(|_| format!("{LATE}no end within {:?} and a second", plan.most))??;
    if heard.end == End::Left {
        lane.stored(client, name).await?;
    }
    compare(lane, plan, name, &heard).await?;
    let seen = lane.provider.seen(name);
    let cancelled = match (heard.left, seen.left) {
        (Some(left), Some(saw)) => Some(saw.saturating_duration_since(left)),
        _ => None,
    };
    Ok(Measured { asked: seen.requests, took: heard.took, cancelled })
}

async fn ask(lane: &Lane, plan: &Plan, name: &str, whole: bool) -> Result<Heard, String> {
    let ((client, bot), began) = (lane.who(plan.place), Instant::now());
    let body = json!({ "id": name, "bot": bot, "stream": !whole, "message": { "role": "user", "content": QUESTION } });
    let token = client.token.as_deref().unwrap_or_default();
    let request = http::Request::post("/api/chat").header("content-type", "application/json");
    let request =
        request.header("authorization", format!("Bearer {token}")).body(Body::from(body.to_string())).unwrap();
    let response = client.router().oneshot(request).await.unwrap();
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut words = 0;
    loop {
        if plan.leaves.is_some_and(|after| words >= after && lane.provider.seen(name).requests > 0) {
            drop(body);
            let left = Some(Instant::now());
            let shown = Reply { status: parts.status, headers: parts.headers, body: bytes }.answer();
            return Ok(Heard { end: End::Left, text: Some(shown), took: began.elapsed(), left });
        }
        // Who is about to leave looks up now and then.
        let pause = if plan.leaves.is_some() { Duration::from_millis(2) } else { TOTAL + GRACE };
        let Ok(frame) = tokio::time::timeout(pause, body.frame()).await else { continue };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| format!("the body broke: {error}"))?.into_data().unwrap_or_default();
        words += usize::from(String::from_utf8_lossy(&frame).contains("\"text-delta\""));
        bytes.extend_from_slice(&frame);
    }
    let took = began.elapsed();
    let reply = Reply { status: parts.status, headers: parts.headers, body: bytes };
    must!(!reply.text().contains("canary"), "the provider's own words came through: {}", reply.text());
    let (end, text) = if whole { read_whole(&reply)? } else { read_stream(&reply)? };
    Ok(Heard { end, text, took, left: None })
}

fn read_whole(reply: &Reply) -> Result<(End, Option<String>), String> {
    let answer: Value = serde_json::from_slice(&reply.body).map_err(|_| format!("no JSON: {}", reply.text()))?;
    if reply.status == 200 {
        let reason = known(answer["finishReason"].as_str().unwrap_or_default());
        return Ok((End::Finish(reason), answer["text"].as_str().map(str::to_owned)));
    }
    let code = known(answer["code"].as_str().unwrap_or_default());
    let status = match code {
        "provider_rate_limited" => 429,
        "provider_auth" | "provider_quota" | "provider_rejected" => 422,
        "deadline" => 504,
        _ => 502,
    };
    must!(reply.status == status, "{} for {code}", reply.status);
    must!(reply.headers["content-type"] == "application/problem+json", "no problem: {}", reply.text());
    Ok((End::Error(code), None))
}

fn read_stream(reply: &Reply) -> Result<(End, Option<String>), String> {
    must!(reply.status == 200, "{}: {}", reply.status, reply.text());
    must!(reply.text().ends_with("data: [DONE]\n\n"), "no [DONE]: {}", reply.text());
    let chunks = reply.chunks();
    let terminal = |chunk: &&Value| matches!(chunk["type"].as_str(), Some("finish" | "error" | "abort"));
    must!(chunks.iter().filter(terminal).count() == 1, "not one terminal chunk: {}", reply.text());
    let last = chunks.last().ok_or("no chunk at all")?;
    let end = match last["type"].as_str() {
        Some("finish") => End::Finish(known(last["finishReason"].as_str().unwrap_or_default())),
        Some("error") => {
            let text = last["errorText"].as_str().unwrap_or_default();
            End::Error(known(text.split_once(": ").map_or("", |(code, _)| code)))
        }
        _ => return Err(format!("the last chunk is no end: {last}")),
    };
    Ok((end, Some(reply.answer())))
}

/// Codes and reasons that may stand at an end.
fn known(said: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "stop",
        "length",
        "content-filter",
        "other",
        "deadline",
        "provider_auth",
        "provider_quota",
        "provider_rate_limited",
        "provider_unavailable",
        "provider_rejected",
        "provider_protocol",
        "provider_empty",
        "upstream_truncated",
        "provider_timeout",
    ];
    KNOWN.into_iter().find(|known| *known == said).unwrap_or("(unknown)")
}

async fn compare(lane: &Lane, plan: &Plan, name: &str, heard: &Heard) -> Result<(), String> {
    must!(heard.end == plan.end, "{:?} instead of {:?}", heard.end, plan.end);
    must!(heard.took >= plan.least, "after {:?}, before {:?}", heard.took, plan.least);
    must!(heard.took <= plan.most.min(TOTAL) + GRACE, "{LATE}after {:?}, limit {:?}", heard.took, plan.most);

    let (client, _) = lane.who(plan.place);
    let stored = client.get(&format!("/api/conversations/{name}")).await.json()["messages"][1].clone();
    let text = stored["text"].as_str().unwrap_or_default();
    match &plan.text {
        Text::Is(words) => must!(text == words, "stored {text:?} instead of {words:?}"),
        Text::StartOf(words) => must!(words.starts_with(text), "stored {text:?}, which {words:?} does not begin with"),
        Text::Endless => {
            let fits = (LONGEST_ANSWER - 8001..=LONGEST_ANSWER).contains(&text.len());
            must!(fits && text.starts_with("Itword word "), "stored {} bytes", text.len());
        }
    }
    if let Some(shown) = &heard.text {
        let kept = if heard.end == End::Left { text.starts_with(shown.as_str()) } else { text == shown };
        must!(kept, "shown {shown:?}, stored {text:?}");
    }
    let (state, code) = match heard.end {
        End::Finish(_) => ("complete", Value::Null),
        End::Error(code) => ("error", json!(code)),
        End::Left => ("interrupted", json!("client_gone")),
    };
    must!(stored["state"] == state && stored["errorCode"] == code, "stored as {stored}");

    let seen = lane.provider.seen(name);
    must!(seen.requests == plan.asked, "{} requests instead of {}", seen.requests, plan.asked);
    must!(seen.wrong.is_none(), "asked wrongly: {:?}", seen.wrong);
    let spared = lane.spare.seen(name).requests;
    must!(spared == plan.spared, "the fallback had {spared} requests instead of {}", plan.spared);
    if plan.lets_go {
        lane.let_go(name).await?;
    }
    let key = lane.key(plan.place).await;
    must!(key == plan.key, "the key is {key} instead of {}", plan.key);
    lane.billed(name, plan.bill).await
}

/// One row of the ledger.
pub fn fair(bill: Bill, (input, output, estimated): (i64, i64, bool)) -> bool {
    match bill {
        Bill::Counted => (input, output, estimated) == (70, 9, false),
        Bill::Nothing => (input, output) == (0, 0),
        Bill::Prompt => input > 0,
        Bill::Both => input > 0 && output > 0,
    }
}

/// So that nothing of a key comes out, the key is what providers quote.
pub const KEY: &str = CANARY;
