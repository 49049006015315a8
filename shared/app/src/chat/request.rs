//! What a chat client sends: both documented shapes of the AI SDK, `{id, messages}` and `{id, message}`.
//! Only the last user message counts; the server's own history is the truth, so forged turns change nothing.

use docent_llm::Turn;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::store::Again;
use crate::error::{Error, Kind, Result};

/// Longer questions are documents and belong in an upload.
pub const LONGEST_QUESTION: usize = 16_000;

/// Ids that clients give, in characters; the schema knows it, too.
const LONGEST_ID: usize = 200;

/// A question that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The client's own id of the conversation.
    pub conversation: String,
    pub text: String,
    /// Asks for another answer to the last question instead of adding one.
    pub regenerate: bool,
    pub bot: Option<Uuid>,
    /// Where no id is given.
    pub bot_name: Option<String>,
    /// What was said before, where the caller keeps that himself and not the server.
    pub earlier: Option<Vec<Turn>>,
    /// Whether the answer is to outlive its client; not said, the bot's keeper decides.
    pub resumable: Option<bool>,
    /// Which question this is, where its client says so.
    pub asking: Option<Asking>,
}

/// What makes a request the same one again: a retry of it is answered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The client's own id of the question's message.
    pub message: String,
    /// Of all that the request says.
    pub hash: [u8; 32],
    /// It asks for another answer without naming the one to be replaced: two of these look like one sent twice, and are
    /// two as soon as the first is answered.
    pub nameless: bool,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Question")]
pub struct Body {
    id: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
    message: Option<Message>,
    trigger: Option<String>,
    /// Of the message that a new answer or a changed question takes the place of.
    #[serde(rename = "messageId")]
    message_id: Option<Value>,
    bot: Option<Uuid>,
    /// False: the answer in one piece, as JSON.
    stream: Option<bool>,
    resumable: Option<bool>,
}

impl Question {
    pub fn request(&self) -> Option<&[u8]> {
        self.asking.as_ref().map(|asking| asking.hash.as_slice())
    }

    pub fn again(&self) -> Again<'_> {
        let message = self.asking.as_ref().map(|asking| asking.message.as_str());
        Again { regenerate: self.regenerate, message, text: &self.text }
    }
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QuestionMessage")]
struct Message {
    id: Option<Value>,
    role: String,
    #[serde(default)]
    parts: Vec<Part>,
    /// The older shape: text without parts.
    content: Option<Carried>,
}

/// Parts of other kinds (tools, reasoning, steps, data) are skipped: a client may carry what it likes.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QuestionPart")]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<Carried>,
    url: Option<Carried>,
}

/// Text where a kind that we know has text; in other kinds, and in other people's turns, the field may be anything.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Carried {
    Text(String),
    Other(#[schemars(with = "Value")] IgnoredAny),
}

impl Carried {
    fn text(self) -> Option<String> {
        match self {
            Carried::Text(text) => Some(text),
            Carried::Other(_) => None,
        }
    }

    /// A file in the address itself (RFC 2397); the scheme's case means nothing (RFC 3986 §3.1).
    fn is_data(&self) -> bool {
        matches!(self, Carried::Text(url) if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")))
    }
}

impl Body {
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(true)
    }

    pub fn question(self) -> Result<Question> {
        let conversation =
            self.id.filter(|id| !id.is_empty()).ok_or_else(|| Error::invalid("`id` names the conversation."))?;
        if !sayable(&conversation) {
            return Err(Error::invalid("`id` holds at most 200 characters."));
        }
        let last = self.message.or_else(|| self.messages.into_iter().rev().find(|message| message.role == "user"));
        let message = last.filter(|message| message.role == "user");
        let message = message.ok_or_else(|| Error::invalid("There is no user message in `messages`."))?;
        let id = message.id.as_ref().and_then(Value::as_str).filter(|id| sayable(id)).map(str::to_owned);
        let text = message.text()?;
        let regenerate = self.trigger.as_deref() == Some("regenerate-message");
        let asking = id.map(|message| {
            let bot = self.bot.map(|bot| bot.to_string()).unwrap_or_default();
            let replaced = self.message_id.as_ref().and_then(Value::as_str).unwrap_or_default();
            let trigger = if regenerate { "regenerate" } else { "submit" };
            let hash = hash(&[trigger, replaced, &bot, &message, &text]);
            Asking { message, hash, nameless: regenerate && replaced.is_empty() }
        });
        Ok(Question {
            conversation,
            text,
            regenerate,
            bot: self.bot,
            bot_name: None,
            earlier: None,
            // What comes in one piece cannot be resumed.
            resumable: if self.stream == Some(false) { Some(false) } else { self.resumable },
            asking,
        })
    }
}

/// An id that can be stored.
fn sayable(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.chars().count()) && !id.contains('\0')
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let length = |part: &str| part.len().to_le_bytes();
    let all = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(length(part)).chain_update(part));
    all.finalize().into()
}

impl Message {
    fn text(self) -> Result<String> {
        if self.parts.iter().any(|part| part.kind == "file" && part.url.as_ref().is_some_and(Carried::is_data)) {
            return Err(Error::new(Kind::PayloadTooLarge, "Files cannot be sent inside a chat message.")
                .hint("Upload the file with POST /api/upload and ask about it."));
        }
        let texts = self.parts.into_iter().filter(|part| part.kind == "text").filter_map(|part| part.text?.text());
        let mut text = texts.collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            text = self.content.and_then(Carried::text).unwrap_or_default();
        }
        checked(text)
    }
}

/// A question's text, or why it is none.
pub fn checked(text: String) -> Result<String> {
    // Postgres cannot store U+0000, and no question needs it.
    let text = text.replace('\0', "").trim().to_owned();
    match text.len() {
        0 => Err(Error::invalid("The user message holds no text.")),
        1..=LONGEST_QUESTION => Ok(text),
        _ => Err(Error::new(
            Kind::PayloadTooLarge,
            format!("A question holds at most {LONGEST_QUESTION} bytes of text."),
        )
        .hint("Upload long text as a document and ask about it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(json: &str) -> Result<Question> {
        serde_json::from_str::<Body>(json).unwrap().question()
    }

    #[test]
    fn both_shapes_give_the_last_user_text() {
        let cases = [
            r#"{"id":"c","messages":[{"role":"user","parts":[{"type":"text","text":"first"}]},{"role":"assistant","parts":[]},{"role":"user","parts":[{"type":"step-start"},{"type":"text","text":" hi "}]}],"trigger":"submit-message"}"#,
            r#"{"id":"c","message":{"role":"user","parts":[{"type":"text","text":"hi"}]}}"#,
            r#"{"id":"c","messages":[{"role":"user","content":"hi"}],"unknown":1}"#,
        ];
        for case in cases {
            assert_eq!(question(case).unwrap().text, "hi", "{case}");
        }
    }

    #[test]
    fn bad_requests_have_codes() {
        let long =
            format!(r#"{{"id":"c","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(LONGEST_QUESTION + 1));
        let cases = [
            (r#"{"messages":[]}"#, "invalid_request"),
            (r#"{"id":"c","messages":[]}"#, "invalid_request"),
            (r#"{"id":"c","messages":[{"role":"assistant","content":"forged"}]}"#, "invalid_request"),
            (r#"{"id":"c","messages":[{"role":"user","content":" \u0000 "}]}"#, "invalid_request"),
            (
                r#"{"id":"c","message":{"role":"user","parts":[{"type":"file","url":"data:text/plain,x"}]}}"#,
                "too_large",
            ),
            (long.as_str(), "too_large"),
        ];
        for (json, code) in cases {
            assert_eq!(question(json).unwrap_err().code(), code, "{:.60}", json);
        }
    }
}
