//! `/api/conversations`: what somebody asked and was answered, for that somebody; and what is thought of it, for those
//! who keep the bot.

use axum::extract::{FromRef, State};
use axum::response::IntoResponse;
use futures_util::future::{join, try_join};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::find::{Snippet, Words};
use super::store::{self, Match, Pages, Rating};
use super::{COMMENT_LIMIT, Conversation, EXPORT_PAGE, Feedback, Message, TITLE_LIMIT, markdown};
use crate::auth::{Caller, Chat, May, Recall, Write};
use crate::chat::store::Thread;
use crate::error::{Error, Kind, Result};
use crate::http::answers::{Markdown, OneOf};
use crate::http::list::{Cursor, LONGEST_PAGE, cut, limit};
use crate::http::{Json, Path, Query, Router, get, put, small_bodies};
use crate::{App, bots};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/conversations", get(list_conversations))
        .route("/api/conversations/search", get(search_conversations))
        .route("/api/conversations/{id}", get(read_conversation).patch(rename_conversation).delete(delete_conversation))
        .route("/api/conversations/{id}/export", get(export_conversation))
        .route("/api/conversations/{id}/messages/{message}/feedback", put(rate_answer).delete(unrate_answer))
        .route("/api/bots/{id}/feedback", get(list_feedback))
        .layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
struct PageWire {
    #[schemars(range(min = 1, max = LONGEST_PAGE))]
    limit: Option<i64>,
    cursor: Option<String>,
}

impl PageWire {
    fn read(&self) -> Result<(i64, Option<Cursor>)> {
        Ok((limit(self.limit)?, self.cursor.as_deref().map(Cursor::read).transpose()?))
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConversationsWire {
    conversations: Vec<ConversationWire>,
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConversationWire {
    id: String,
    title: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Conversation> for ConversationWire {
    fn from(one: Conversation) -> ConversationWire {
        let Conversation { client_id: id, title, created_at, updated_at, .. } = one;
        ConversationWire { id, title, created_at, updated_at }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MessagesWire {
    #[serde(flatten)]
    conversation: ConversationWire,
    messages: Vec<MessageWire>,
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MessageWire {
    id: Uuid,
    role: String,
    text: String,
    citations: Value,
    usage: Value,
    state: String,
    error_code: Option<String>,
    created_at: Timestamp,
    /// What the conversation's owner thinks of it.
    feedback: Option<RatingWire>,
}

impl From<Message> for MessageWire {
    fn from(one: Message) -> MessageWire {
        let Message { id, role, text, citations, usage, state, error_code, created_at, rating, comment } = one;
        let feedback = rating.map(|rating| RatingWire { rating, comment: comment.unwrap_or_default() });
        MessageWire { id, role, text, citations, usage, state, error_code, created_at, feedback }
    }
}

#[derive(Serialize, JsonSchema)]
struct RatingWire {
    rating: String,
    comment: String,
}

/// No id holds a U+0000, and the database could not be asked for one.
fn thread<'a>(caller: &'a Caller, id: &'a str) -> Result<Thread<'a>> {
    match id.contains('\0') {
        true => Err(gone()),
        false => Ok(Thread { owner: &caller.owner, client_id: id }),
    }
}

fn gone() -> Error {
    Error::not_found("conversation")
}

async fn list_conversations(
    State(app): State<App>,
    caller: May<Recall>,
    Query(page): Query<PageWire>,
) -> Result<Json<ConversationsWire>> {
    let (limit, after) = page.read()?;
    let tx = app.db.tenant(caller.tenant).await?;
    let mut stored = tx.finish(store::list(&tx, &caller.owner, after, limit + 1)).await?;
    let next = cut(&mut stored, limit, place);
    let conversations = stored.into_iter().map(ConversationWire::from).collect();
    Ok(Json(ConversationsWire { conversations, next_cursor: next.map(Cursor::write) }))
}

fn place(last: &Conversation) -> Cursor {
    Cursor { at: last.updated_at, id: last.id }
}

/// The newest messages, in the order of time; the next page holds what was said before them.
async fn read_conversation(
    State(app): State<App>,
    caller: May<Recall>,
    Path(id): Path<String>,
    Query(page): Query<PageWire>,
) -> Result<Json<MessagesWire>> {
    let (limit, beyond) = page.read()?;
    let read = read(&app, &caller, &id, (Pages::Back, beyond, limit)).await?;
    let next = read.messages.first().filter(|_| read.more).map(behind);
    Ok(Json(wire(read, next)))
}

/// A conversation with some of its messages.
struct Reading {
    conversation: Conversation,
    messages: Vec<Message>,
    more: bool,
}

async fn read(app: &App, caller: &Caller, id: &str, page: (Pages, Option<Cursor>, i64)) -> Result<Reading> {
    let (thread, (pages, beyond, limit)) = (thread(caller, id)?, page);
    let tx = app.db.tenant(caller.tenant).await?;
    let beyond = beyond.map(|beyond| beyond.id);
    let both = try_join(store::find(&tx, thread), store::messages(&tx, thread, pages, beyond, limit));
    let (conversation, (messages, more)) = tx.finish(both).await?;
    Ok(Reading { conversation: conversation.ok_or_else(gone)?, messages, more })
}

fn behind(message: &Message) -> String {
    Cursor { at: message.created_at, id: message.id }.write()
}

fn wire(read: Reading, next_cursor: Option<String>) -> MessagesWire {
    let messages = read.messages.into_iter().map(MessageWire::from).collect();
    MessagesWire { conversation: read.conversation.into(), messages, next_cursor }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RenameWire {
    #[schemars(length(min = 1, max = TITLE_LIMIT))]
    title: String,
}

async fn rename_conversation(
    State(app): State<App>,
    caller: May<Chat>,
    Path(id): Path<String>,
    Json(new): Json<RenameWire>,
) -> Result<Json<ConversationWire>> {
    let title = new.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = title.chars().count();
    if !(1..=TITLE_LIMIT).contains(&length) || title.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "`title` holds 1 to {TITLE_LIMIT} characters, none of them control characters."
        )));
    }
    let thread = thread(&caller, &id)?;
    let tx = app.db.tenant(caller.tenant).await?;
    let renamed = tx.finish(store::rename(&tx, thread, &title)).await?;
    Ok(Json(renamed.ok_or_else(gone)?.into()))
}

async fn delete_conversation(State(app): State<App>, caller: May<Chat>, Path(id): Path<String>) -> Result<StatusCode> {
    let thread = thread(&caller, &id)?;
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::delete(&tx, thread, app.clock.uuid())).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(gone()),
    }
}

#[derive(Deserialize, JsonSchema)]
struct ExportWire {
    format: Option<Format>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Markdown,
}

/// All of it, oldest first. What is too long for one answer goes on where `Link` says (RFC 8288).
async fn export_conversation(
    State(app): State<App>,
    caller: May<Recall>,
    Path(id): Path<String>,
    Query(asked): Query<ExportWire>,
) -> Result<OneOf<(Json<MessagesWire>, Markdown)>> {
    let beyond = asked.cursor.as_deref().map(Cursor::read).transpose()?;
    let read = read(&app, &caller, &id, (Pages::Forth, beyond, EXPORT_PAGE)).await?;
    let next = read.messages.last().filter(|_| read.more).map(behind);
    // Relative to the address that was asked: the client's own id need not be spelled out.
    let (name, link) = match asked.format.unwrap_or_default() {
        Format::Json => ("conversation.json", "json"),
        Format::Markdown => ("conversation.md", "markdown"),
    };
    let link = next.as_ref().map(|cursor| format!("<?format={link}&cursor={cursor}>; rel=\"next\""));
    let mut response = match asked.format.unwrap_or_default() {
        Format::Json => Json(wire(read, next)).into_response(),
        Format::Markdown => {
            let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], markdown::written(&read.conversation, &read.messages)).into_response()
        }
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let named = [(header::CONTENT_DISPOSITION, Some(disposition)), (header::LINK, link)];
    for (header, value) in named.into_iter().filter_map(|(header, value)| Some((header, value?))) {
        response.headers_mut().insert(header, HeaderValue::from_str(&value).map_err(Error::internal)?);
    }
    Ok(response.into())
}

#[derive(Deserialize, JsonSchema)]
struct SearchWire {
    q: String,
    #[schemars(range(min = 1, max = LONGEST_PAGE))]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FoundConversations")]
struct FoundWire {
    conversations: Vec<FoundConversationWire>,
    /// Also where this page has nothing: a page looks into so many conversations and no more.
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct FoundConversationWire {
    #[serde(flatten)]
    conversation: ConversationWire,
    matches: Vec<MatchWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MatchWire {
    message_id: Uuid,
    role: String,
    created_at: Timestamp,
    /// In three parts, so that whoever shows them needs to count no characters and insert no markup.
    before: String,
    #[serde(rename = "match")]
    found: String,
    after: String,
}

async fn search_conversations(
    State(app): State<App>,
    caller: May<Recall>,
    Query(asked): Query<SearchWire>,
) -> Result<Json<FoundWire>> {
    let (limit, after) = PageWire { limit: asked.limit, cursor: asked.cursor }.read()?;
    let words = Words::read(&asked.q)?;
    let tx = app.db.tenant(caller.tenant).await?;
    let looked = tx.finish(store::search(&tx, &caller.owner, &words, after)).await?;
    Ok(Json(found(looked, &words, limit)))
}

/// Up to `limit` conversations; the next page begins behind the last of them, or behind all that were looked into.
fn found(looked: Vec<Match>, words: &Words, limit: i64) -> FoundWire {
    let mut conversations: Vec<FoundConversationWire> = Vec::new();
    let (mut last, mut seen, mut full) = (None, 0, false);
    for Match { conversation, message } in looked {
        let here = place(&conversation);
        let new = last != Some(here);
        if new && conversations.len() as i64 >= limit {
            full = true;
            break;
        }
        seen += i64::from(new);
        last = Some(here);
        let Some(message) = message else { continue };
        let Snippet { before, found, after } = words.snippet(&message.text);
        let store::Matched { id: message_id, role, created_at, .. } = message;
        let wire = MatchWire { message_id, role, created_at, before, found, after };
        match conversations.last_mut().filter(|_| !new) {
            Some(same) => same.matches.push(wire),
            None => {
                conversations.push(FoundConversationWire { conversation: conversation.into(), matches: vec![wire] })
            }
        }
    }
    let more = full || seen >= super::find::SEARCHED_CONVERSATIONS;
    FoundWire { conversations, next_cursor: last.filter(|_| more).map(Cursor::write) }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRatingWire {
    rating: Thumb,
    #[serde(default)]
    #[schemars(length(max = COMMENT_LIMIT))]
    comment: String,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Thumb {
    Up,
    Down,
}

impl Thumb {
    fn as_str(self) -> &'static str {
        match self {
            Thumb::Up => "up",
            Thumb::Down => "down",
        }
    }
}

async fn rate_answer(
    State(app): State<App>,
    caller: May<Chat>,
    Path((id, message)): Path<(String, Uuid)>,
    Json(new): Json<NewRatingWire>,
) -> Result<Json<RatingWire>> {
    let comment = new.comment.trim();
    if comment.chars().count() > COMMENT_LIMIT || comment.contains('\0') {
        return Err(Error::invalid(format!("`comment` holds at most {COMMENT_LIMIT} characters, without U+0000.")));
    }
    let rating = new.rating.as_str();
    let rating = Rating { thread: thread(&caller, &id)?, message, rating, comment };
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::rate(&tx, &rating)).await? {
        Some(true) => Ok(Json(RatingWire { rating: rating.rating.to_owned(), comment: comment.to_owned() })),
        Some(false) => {
            Err(Error::new(Kind::Conflict, "The answer is still being given.").hint("Rate it when it has ended."))
        }
        None => Err(Error::not_found("answer")),
    }
}

async fn unrate_answer(
    State(app): State<App>,
    caller: May<Chat>,
    Path((id, message)): Path<(String, Uuid)>,
) -> Result<StatusCode> {
    let thread = thread(&caller, &id)?;
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::unrate(&tx, thread, message)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found("feedback")),
    }
}

#[derive(Deserialize, JsonSchema)]
struct FeedbackPageWire {
    rating: Option<Thumb>,
    #[schemars(range(min = 1, max = LONGEST_PAGE))]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FeedbackListWire {
    feedback: Vec<FeedbackWire>,
    next_cursor: Option<String>,
}

/// Whose it is, is not told; both texts are as they were when they were rated, and cut.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FeedbackWire {
    message_id: Uuid,
    rating: String,
    comment: String,
    question: String,
    answer: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

async fn list_feedback(
    State(app): State<App>,
    caller: May<Write>,
    Path(bot): Path<Uuid>,
    Query(asked): Query<FeedbackPageWire>,
) -> Result<Json<FeedbackListWire>> {
    let (limit, after) = PageWire { limit: asked.limit, cursor: asked.cursor }.read()?;
    let rating = asked.rating.map(Thumb::as_str);
    let tx = app.db.tenant(caller.tenant).await?;
    let both = join(bots::find(&tx, Some(bot), None), store::ratings(&tx, bot, rating, after, limit + 1));
    let (found, ratings) = tx.finish(async { Ok(both.await) }).await?;
    found?.ok_or_else(|| Error::not_found("bot"))?;
    let mut ratings = ratings?;
    let next = cut(&mut ratings, limit, |last| Cursor { at: last.updated_at, id: last.message });
    let wire = |one: Feedback| {
        let Feedback { message: message_id, rating, comment, question, answer, created_at, updated_at } = one;
        FeedbackWire { message_id, rating, comment, question, answer, created_at, updated_at }
    };
    Ok(Json(FeedbackListWire {
        feedback: ratings.into_iter().map(wire).collect(),
        next_cursor: next.map(Cursor::write),
    }))
}
