//! Provider dialects: pure requests, pure decoders and one transport. No axum, no database, no tenant.
//!
//! A dialect is one file of pure functions (`openai.rs`, `ollama.rs`, `anthropic.rs`, `gemini.rs`, `cohere.rs`) that
//! builds a `Call` and decodes frames; `dialect.rs` picks it, `key_check.rs` asks about keys, `retry.rs` and `breaker.rs`
//! say when to ask again, `transport.rs` is the only place that does I/O.

pub mod address;
mod anthropic;
mod breaker;
mod cohere;
mod count;
mod decode;
mod dialect;
mod embed;
mod error;
mod fetch;
mod gemini;
mod key_check;
mod limits;
mod ndjson;
mod ollama;
mod openai;
mod rerank;
mod retry;
pub mod sse;
mod status;
mod stream;
mod trace;
mod transport;
mod turns;
mod vendor;

use std::fmt;

pub use secrecy::SecretString;
pub use url::Url;

pub use decode::AnswerDecoder;
pub use embed::{EmbedLimits, EmbedRequest, InputType, MARGIN, Pace, likely_tokens};
pub use error::{Error, ErrorKind};
pub use fetch::Fetch;
pub use key_check::KeyCheck;
pub use limits::Limits;
pub use rerank::{MOST_PASSAGES, Ranked, RerankRequest};
pub use stream::ChatStream;
pub use trace::Trace;
pub use transport::{Answer, Ask, Inside, REPORT_TOTAL, Reports, Verb};
pub use transport::{DOWNLOAD_TOTAL, Download, Downloaded, MAX_REDIRECTS, NOTIFY_TOTAL, Notice, Transport};

/// The wire language that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Chat completions, as OpenAI and everybody who copied it.
    OpenAi,
    /// Ollama's own `/api`, which also runs models on this machine.
    Ollama,
    /// Messages. There are no embeddings.
    Anthropic,
    /// `generateContent`, below `/v1beta`.
    Gemini,
    /// Chat as OpenAI below `/compatibility/v1`, embeddings of its own below `/v2`.
    Cohere,
}

/// Where a provider answers and with which key.
#[derive(Clone)]
pub struct Endpoint {
    pub dialect: Dialect,
    pub key_check: KeyCheck,
    /// With or without the trailing version segment: `https://api.openai.com` and `https://api.openai.com/v1` are equal.
    pub base_url: Url,
    pub key: Option<SecretString>,
}

impl Endpoint {
    /// What one request for embeddings may hold.
    pub fn embed_limits(&self) -> EmbedLimits {
        self.dialect.embed_limits(self)
    }
}

// A derived Debug would print a user name or a query that somebody pasted into the address.
impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("dialect", &self.dialect)
            .field("key_check", &self.key_check)
            .field("origin", &self.base_url.origin().ascii_serialization())
            .field("key", &self.key.as_ref().map(|_| "[REDACTED]"))
            .finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// One thing that one side of the conversation said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    pub model: String,
    /// Empty means that no system message is sent.
    pub system: String,
    pub turns: Vec<Turn>,
    /// None: as many as the provider's own default; Anthropic, which has none, is asked for 4,096.
    pub max_tokens: Option<u32>,
    /// Sent only when the tenant chose one: several models refuse the parameter.
    pub temperature: Option<f32>,
}

/// What every provider's stream becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Delta(String),
    /// Counts so far; a later one replaces an earlier one, so a stream that breaks off can still be billed.
    Usage(Usage),
    /// Always the last event, and only sent when the provider's full end marker was read.
    Finish(StopReason),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    Stop,
    Length,
    ContentFilter,
    Other,
}

/// One unit vector for each input, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    pub input_tokens: u64,
}

/// What the cheap key check found; a provider that gave no verdict is an [`Error`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// The provider accepted the key. It says nothing about credit: most providers list models without it.
    Valid,
    /// The provider does not know the key.
    Invalid,
    /// The key is real but may not list models; only a chat call can tell whether it may chat.
    Restricted,
    /// The key is real and its account has no credit.
    NoCredit,
}

/// A model that runs in this process.
pub trait LocalModel: Send + Sync {
    /// The name under which its vectors are stored, for example `minilm-l6-v2`.
    fn model(&self) -> &str;
    fn dimensions(&self) -> usize;
    /// What people read, for example in the console.
    fn label(&self) -> &str;
    /// One unit vector for each input, in the order of the inputs.
    fn embed(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, Error>;
}
