//! What seven providers say, each on its own wire: words, ends, refusals. After the recorded answers of `docent-llm`.

use serde_json::{Value, json};

/// Every provider's error text holds this, as if it quoted the key; no client may ever see it.
pub const CANARY: &str = "sk-canary-0123456789";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    OpenAi,
    OpenRouter,
    XAi,
    Anthropic,
    Gemini,
    Ollama,
    Cohere,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Done,
    Length,
    Filter,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    BadKey,
    Forbidden,
    NoCredit,
    NoModel,
    BadRequest,
    TooLarge,
    RateLimited,
    Broken(u16),
}

use Refusal::{BadKey, BadRequest, Broken, Forbidden, NoCredit, NoModel, RateLimited, TooLarge};
use Vendor::{Anthropic, Cohere, Gemini, Ollama, OpenAi, OpenRouter, XAi};

pub const VENDORS: [Vendor; 7] = [OpenAi, OpenRouter, XAi, Anthropic, Gemini, Ollama, Cohere];

impl Vendor {
    pub fn name(self) -> &'static str {
        match self {
            OpenAi => "openai",
            OpenRouter => "openrouter",
            XAi => "xai",
            Anthropic => "anthropic",
            Gemini => "gemini",
            Ollama => "ollama",
            Cohere => "cohere",
        }
    }

    /// The path of its base URL.
    pub fn base(self) -> &'static str {
        match self {
            OpenAi | XAi | Anthropic => "/v1",
            OpenRouter => "/api/v1",
            Gemini => "/v1beta",
            Ollama => "",
            Cohere => "/compatibility/v1",
        }
    }

    /// Where a chat is asked for.
    pub fn path(self, model: &str) -> String {
        match self {
            Anthropic => "/v1/messages".to_owned(),
            Gemini => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Ollama => "/api/chat".to_owned(),
            _ => format!("{}/chat/completions", self.base()),
        }
    }

    /// The header that carries the key.
    pub fn credential(self, key: &str) -> String {
        match self {
            Anthropic => format!("x-api-key: {key}"),
            Gemini => format!("x-goog-api-key: {key}"),
            _ => format!("authorization: Bearer {key}"),
        }
    }

    pub fn media_type(self) -> &'static str {
        if self == Ollama { "application/x-ndjson" } else { "text/event-stream" }
    }

    /// What comes before the first word.
    pub fn opening(self) -> Vec<String> {
        match self {
            OpenRouter => vec![": OPENROUTER PROCESSING\n\n".to_owned(); 2],
            XAi => vec![chunk(&json!({ "role": "assistant", "content": "", "reasoning_content": "So." }), Value::Null)],
            Anthropic => vec![
                event(&json!({ "type": "message_start",
                    "message": { "usage": { "input_tokens": 63, "cache_read_input_tokens": 7, "output_tokens": 1 } } })),
                event(
                    &json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
                ),
                event(&json!({ "type": "ping" })),
            ],
            Gemini => vec![event(&json!({ "candidates": [{ "index": 0,
                "content": { "parts": [{ "text": "Let me see.", "thought": true }], "role": "model" } }] }))],
            Ollama => Vec::new(),
            OpenAi | Cohere => vec![chunk(&json!({ "role": "assistant", "content": "" }), Value::Null)],
        }
    }

    pub fn word(self, text: &str) -> String {
        match self {
            Anthropic => event(
                &json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
            ),
            Gemini => event(
                &json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "text": text }], "role": "model" } }],
                    "usageMetadata": { "promptTokenCount": 70, "candidatesTokenCount": 2 } }),
            ),
            Ollama => line(&json!({ "message": { "role": "assistant", "content": text }, "done": false })),
            _ => chunk(&json!({ "content": text }), Value::Null),
        }
    }

    /// The end of a whole answer; the counts are what the provider says of input and output, as raw JSON.
    pub fn ending(self, stop: Stop, counts: [&str; 2]) -> Vec<String> {
        let reason = self.reason(stop);
        let frames = match self {
            Anthropic => vec![
                event(&json!({ "type": "content_block_stop", "index": 0 })),
                event(&json!({ "type": "message_delta", "delta": { "stop_reason": reason },
                    "usage": { "input_tokens": "#in", "cache_read_input_tokens": 0, "output_tokens": "#out" } })),
                event(&json!({ "type": "message_stop" })),
            ],
            Gemini => vec![event(&json!({
                "candidates": [{ "index": 0, "content": { "parts": [{ "text": "" }] }, "finishReason": reason }],
                "usageMetadata": { "promptTokenCount": "#in", "candidatesTokenCount": "#out" } }))],
            Ollama => {
                vec![line(
                    &json!({ "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": reason,
                    "prompt_eval_count": "#in", "eval_count": "#out" }),
                )]
            }
            _ => {
                let usage = json!({ "prompt_tokens": "#in", "completion_tokens": "#out" });
                // OpenRouter counts in a chunk that has a choice, the others in one that has none.
                let choices = match self {
                    OpenRouter => json!([{ "index": 0, "delta": { "content": "" }, "finish_reason": null }]),
                    _ => json!([]),
                };
                let counted = event(&json!({ "choices": choices, "usage": usage }));
                vec![chunk(&json!({}), json!(reason)), counted, "data: [DONE]\n\n".to_owned()]
            }
        };
        let [input, output] = counts;
        frames.iter().map(|frame| frame.replace("\"#in\"", input).replace("\"#out\"", output)).collect()
    }

    /// The frames of its ending without which an answer is not whole.
    pub fn markers(self) -> &'static [usize] {
        match self {
            Anthropic => &[1, 2],
            Gemini | Ollama => &[0],
            _ => &[0, 2],
        }
    }

    fn reason(self, stop: Stop) -> &'static str {
        match (self, stop) {
            (Anthropic, Stop::Done) => "end_turn",
            (Anthropic, Stop::Length) => "max_tokens",
            (Anthropic, Stop::Filter) => "refusal",
            (Gemini, Stop::Done) => "STOP",
            (Gemini, Stop::Length) => "MAX_TOKENS",
            (Gemini, Stop::Filter) => "SAFETY",
            (_, Stop::Done) => "stop",
            (_, Stop::Length) => "length",
            (_, Stop::Filter) => "content_filter",
        }
    }

    /// The provider gives up in the middle of its stream.
    pub fn giving_up(self) -> String {
        let words = format!("Overloaded, {CANARY}");
        match self {
            OpenRouter => event(&json!({ "error": { "code": 502, "message": words },
                "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }] })),
            XAi => event(&json!({ "code": "The service is currently unavailable", "error": words })),
            Ollama => line(&json!({ "error": words })),
            Cohere => event(&json!({ "error": { "message": words } })),
            _ => event(&self.refusal(Broken(503)).1),
        }
    }

    /// Whether the body of its refusals says by itself that the provider is overloaded, whatever the status.
    pub fn names_overload(self) -> bool {
        matches!(self, OpenAi | OpenRouter | Anthropic | Gemini)
    }

    pub fn refusal(self, why: Refusal) -> (u16, Value) {
        let status = self.status(why);
        let words = format!("No, {CANARY}.");
        let body = match self {
            OpenAi => {
                let (kind, code) = match why {
                    BadKey => ("invalid_request_error", json!("invalid_api_key")),
                    NoCredit => ("insufficient_quota", json!("insufficient_quota")),
                    NoModel => ("invalid_request_error", json!("model_not_found")),
                    TooLarge => ("invalid_request_error", json!("context_length_exceeded")),
                    RateLimited => ("requests", json!("rate_limit_exceeded")),
                    Broken(_) => ("server_error", Value::Null),
                    _ => ("invalid_request_error", Value::Null),
                };
                json!({ "error": { "message": words, "type": kind, "param": null, "code": code } })
            }
            OpenRouter => json!({ "error": { "code": status, "message": words } }),
            XAi => {
                let said = match why {
                    BadKey => format!("Incorrect API key provided: {CANARY}."),
                    NoCredit => format!("Your team {CANARY} has used all available credits."),
                    _ => words,
                };
                json!({ "code": "The request cannot be served", "error": said })
            }
            Anthropic => of_anthropic(why),
            Gemini => of_gemini(why, status),
            Ollama => json!({ "error": words }),
            Cohere => json!({ "id": "1", "message": words }),
        };
        (status, body)
    }

    fn status(self, why: Refusal) -> u16 {
        match (why, self) {
            (BadKey, XAi | Gemini) => 400,
            (BadKey, _) => 401,
            (NoCredit, OpenAi) => 429,
            (NoCredit, XAi | Gemini) => 403,
            (NoCredit, Anthropic) => 400,
            (NoCredit, _) => 402,
            (Forbidden, _) => 403,
            (NoModel, _) => 404,
            (TooLarge, OpenAi) | (BadRequest, _) => 400,
            (TooLarge, _) => 413,
            (RateLimited, _) => 429,
            (Broken(status), _) => status,
        }
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn line(data: &Value) -> String {
    format!("{data}\n")
}

fn chunk(delta: &Value, finish: Value) -> String {
    event(&json!({ "id": "1", "object": "chat.completion.chunk", "usage": null,
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
}

fn of_anthropic(why: Refusal) -> Value {
    let words = format!("No, {CANARY}.");
    let (kind, said) = match why {
        BadKey => ("authentication_error", words),
        Forbidden => ("permission_error", words),
        NoCredit => ("invalid_request_error", format!("{CANARY}: Your credit balance is too low.")),
        NoModel => ("not_found_error", words),
        BadRequest => ("invalid_request_error", words),
        TooLarge => ("request_too_large", words),
        RateLimited => ("rate_limit_error", words),
        Broken(500) => ("api_error", words),
        Broken(504) => ("timeout_error", words),
        Broken(_) => ("overloaded_error", words),
    };
    json!({ "type": "error", "error": { "type": kind, "message": said } })
}

fn of_gemini(why: Refusal, status: u16) -> Value {
    let words = format!("No, {CANARY}.");
    let (code, reason) = match why {
        BadKey => ("INVALID_ARGUMENT", "API_KEY_INVALID"),
        Forbidden => ("PERMISSION_DENIED", ""),
        NoCredit => ("PERMISSION_DENIED", "BILLING_DISABLED"),
        NoModel => ("NOT_FOUND", ""),
        BadRequest | TooLarge => ("INVALID_ARGUMENT", ""),
        RateLimited => ("RESOURCE_EXHAUSTED", ""),
        Broken(500) => ("INTERNAL", ""),
        Broken(504) => ("DEADLINE_EXCEEDED", ""),
        Broken(_) => ("UNAVAILABLE", ""),
    };
    json!({ "error": { "code": status, "message": words, "status": code, "details": [{ "reason": reason }] } })
}
