//! `/api/chat`, and what a bot had no answer to.

use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::future::join;
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{Begun, Whole};
use super::gaps::{DEFAULT_DAYS, Gap, MOST_QUESTIONS, gaps};
use super::log::Reader;
use super::out::Out;
use super::request::Body;
use super::ui_stream::Chunk;
use super::{answer, store};
use crate::auth::{Chat, Credential, May, Write};
use crate::error::{Error, Kind, Result};
use crate::http::answers::{EventStream, NoContent, OneOf};
use crate::http::{IDEMPOTENCY_REPLAYED, Invocation, Json, Path, Query, RequestId, Router, get, post, sse};
use crate::{App, bots};

/// What the chat function serves.
pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/chat", post(create_answer))
        .route("/api/chat/{id}/stream", get(resume_answer))
        .route("/api/chat/{id}/stop", post(stop_answer))
        .merge(super::openai::routes::router())
}

/// Conversations as they were stored; the bots function serves them.
pub fn history_router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/bots/{id}/gaps", get(list_gaps)).merge(super::conversations::routes::router())
}

async fn create_answer(
    invocation: Invocation,
    id: RequestId,
    credential: Credential,
    Json(body): Json<Body>,
) -> Result<OneOf<(Json<AnswerWire>, EventStream<Chunk<'static>>)>> {
    let (streams, request_id) = (body.streams(), id.as_str().to_owned());
    let whole = |whole| Json(AnswerWire::from(whole)).into_response();
    let response = match answer::prepare(invocation, credential, body.question()?, &request_id).await? {
        Begun::Fresh(prepared) if !streams => whole(prepared.whole(request_id).await?),
        Begun::Fresh(prepared) => {
            ui_stream(sse::produce(move |frames| prepared.stream(request_id, Out::UiStream(frames))))
        }
        Begun::Stored(stored) if !streams => replayed(whole(stored.whole())),
        Begun::Stored(stored) => {
            replayed(ui_stream(sse::produce(move |frames| stored.stream(request_id, Out::UiStream(frames)))))
        }
        Begun::Logged(reader) => ui_stream(reader.frames()),
        Begun::Live(reader) => replayed(ui_stream(reader.frames())),
    };
    Ok(response.into())
}

/// Says that nobody was asked: an earlier request was.
fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}

fn ui_stream(frames: impl Stream<Item = String> + Send + 'static) -> Response {
    let mut response = sse::response(frames);
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-vercel-ai-ui-message-stream"), HeaderValue::from_static("v1"));
    response
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AnswerWire {
    message_id: Uuid,
    text: String,
    citations: Vec<Value>,
    /// No source answers the question: the text is the bot's refusal.
    refused: bool,
    finish_reason: &'static str,
    usage: Value,
}

impl From<Whole> for AnswerWire {
    fn from(whole: Whole) -> AnswerWire {
        let Whole { message: message_id, text, citations, refused, reason: finish_reason, usage } = whole;
        AnswerWire { message_id, text, citations, refused, finish_reason, usage }
    }
}

/// All that was sent of the answer that is being made in a conversation, and then what comes. 204 tells the client that
/// there is nothing to resume.
async fn resume_answer(
    invocation: Invocation,
    caller: May<Chat>,
    Path(id): Path<String>,
) -> Result<OneOf<(EventStream<Chunk<'static>>, NoContent)>> {
    let Invocation { app, until } = invocation;
    let tx = app.db.tenant(caller.tenant).await?;
    let live = tx.finish(store::log::live(&tx, store::Thread { owner: &caller.owner, client_id: &id })).await?;
    let response = match live {
        Some(place) => ui_stream(Reader::new(app, caller.tenant, place, until).frames()),
        None => StatusCode::NO_CONTENT.into_response(),
    };
    Ok(response.into())
}

/// An answer that was asked for and has not begun has, mostly, by then.
const STOP_AGAIN_SECONDS: u64 = 1;

#[derive(Serialize, JsonSchema)]
struct StoppedWire {
    success: bool,
}

/// Ends a resumable answer wherever it is made. Others end when their request does; there, and where none has begun yet, is
/// nothing to stop.
async fn stop_answer(State(app): State<App>, caller: May<Chat>, Path(id): Path<String>) -> Result<Json<StoppedWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::log::stop(&tx, store::Thread { owner: &caller.owner, client_id: &id })).await? {
        Some(true) => Ok(Json(StoppedWire { success: true })),
        Some(false) => {
            let detail = "No answer that could be stopped is being made in this conversation.";
            Err(Error::new(Kind::NothingToStop, detail).retry_after(STOP_AGAIN_SECONDS))
        }
        None => Err(Error::not_found("conversation").retry_after(STOP_AGAIN_SECONDS)),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SinceWire {
    since: Option<jiff::Timestamp>,
}

#[derive(Serialize, JsonSchema)]
struct GapsWire {
    gaps: Vec<GapWire>,
    /// How many refused questions the gaps are made of.
    questions: usize,
    /// There were more than one report looks at: narrow it by `since`.
    truncated: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GapWire {
    question: String,
    asked: usize,
    first_asked_at: jiff::Timestamp,
    last_asked_at: jiff::Timestamp,
    examples: Vec<String>,
}

/// What a bot had no answer to, for those who keep its documents.
async fn list_gaps(
    State(app): State<App>,
    caller: May<Write>,
    Path(bot): Path<Uuid>,
    Query(wire): Query<SinceWire>,
) -> Result<Json<GapsWire>> {
    let since = wire.since.unwrap_or(app.clock.now() - jiff::SignedDuration::from_hours(24 * DEFAULT_DAYS));
    let tx = app.db.tenant(caller.tenant).await?;
    let most = i64::try_from(MOST_QUESTIONS).unwrap_or(i64::MAX).saturating_add(1);
    let (found, refused) = tx
        .finish(async { Ok(join(bots::find(&tx, Some(bot), None), store::refused(&tx, bot, since, most)).await) })
        .await?;
    found?.ok_or_else(|| Error::not_found("bot"))?;
    let mut refused = refused?;
    let truncated = refused.len() > MOST_QUESTIONS;
    refused.truncate(MOST_QUESTIONS);
    let wire = |gap: Gap| GapWire {
        question: gap.question,
        asked: gap.asked,
        first_asked_at: gap.first,
        last_asked_at: gap.last,
        examples: gap.examples,
    };
    let questions = refused.len();
    // Comparing a thousand questions would hold up every other request of this thread.
    let found = tokio::task::spawn_blocking(move || gaps(&refused)).await.map_err(Error::internal)?;
    Ok(Json(GapsWire { gaps: found.into_iter().map(wire).collect(), questions, truncated }))
}
