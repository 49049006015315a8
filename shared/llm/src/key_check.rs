//! How each provider is asked whether a key is good, as cheaply as it allows: none of them asks quite like another.

use serde_json::{Value, json};

use crate::dialect::{Call, versioned};
use crate::{Endpoint, Error, ErrorKind, KeyStatus, anthropic, cohere, gemini};

/// The question that tells a good key from a bad one. It belongs to the provider, not to its dialect: several that
/// chat like OpenAI answer `GET /models` for any key, or for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyCheck {
    /// The dialect's own list of models: OpenAI, Mistral, Groq, Ollama and whoever copied one of them.
    #[default]
    Models,
    /// `GET /v1/models?limit=1` with the key in a header of its own.
    Anthropic,
    /// `GET /v1/models?page_size=1`. <https://docs.cohere.com/reference/list-models>
    Cohere,
    /// `GET /v1beta/models?pageSize=1` with the key in a header, because addresses end up in logs.
    Gemini,
    /// `GET /api/v1/key`: its list of models is public. <https://openrouter.ai/docs/api-reference/limits>
    OpenRouter,
    /// One embedding of one token: there is nothing else to ask. <https://docs.voyageai.com/reference/embeddings-api>
    Voyage,
    /// `GET /v1/api-key`, which also tells of keys that were blocked. <https://docs.x.ai/docs/api-reference#api-key>
    XAi,
}

/// Cheap, and spoken by every Voyage account.
const VOYAGE_MODEL: &str = "voyage-3.5-lite";

impl KeyCheck {
    pub(crate) fn call(self, endpoint: &Endpoint) -> Result<Call, Error> {
        let v1 = |segments: &[&str]| versioned(&endpoint.base_url, "v1", segments);
        match self {
            Self::Models => endpoint.dialect.list(endpoint),
            Self::Anthropic => anthropic::check(endpoint),
            Self::Gemini => gemini::check(endpoint),
            Self::Cohere => cohere::check(endpoint),
            Self::OpenRouter => Ok(Call::get(v1(&["key"])?, endpoint)),
            Self::Voyage => Call::post(v1(&["embeddings"])?, endpoint, &json!({"model": VOYAGE_MODEL, "input": ["a"]})),
            Self::XAi => Ok(Call::get(v1(&["api-key"])?, endpoint)),
        }
    }

    /// What the JSON of a 200 says. An object that is nothing of the kind comes from something else than the API.
    pub(crate) fn verdict(self, body: &[u8]) -> Result<KeyStatus, Error> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Error::from(ErrorKind::Protocol))?;
        let says = |field: &str| body.get(field).and_then(Value::as_bool) == Some(true);
        match self {
            Self::XAi if says("api_key_blocked") || says("api_key_disabled") => Ok(KeyStatus::Invalid),
            Self::XAi if says("team_blocked") => Ok(KeyStatus::Restricted),
            Self::OpenRouter if body["data"]["limit_remaining"].as_f64().is_some_and(|left| left <= 0.0) => {
                Ok(KeyStatus::NoCredit)
            }
            // Some copies of OpenAI's list are bare arrays, and protobuf's JSON leaves an empty list out.
            _ if body.is_array() || body.as_object().is_some_and(|fields| fields.is_empty()) => Ok(KeyStatus::Valid),
            _ if ["data", "models", "redacted_api_key"].iter().any(|field| body.get(field).is_some()) => {
                Ok(KeyStatus::Valid)
            }
            _ => Err(Error::protocol("The answer is JSON, but not that of the provider's API.")),
        }
    }
}
