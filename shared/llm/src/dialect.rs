//! Picks the dialect's pure functions, and holds what all dialects share: a call and the way to join addresses.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use crate::decode::AnswerDecoder;
use crate::embed::EmbedLimits;
use crate::{
    ChatRequest, Dialect, EmbedRequest, Embeddings, Endpoint, Error, ErrorKind, anthropic, cohere, gemini, ollama,
    openai,
};

/// One HTTP request as data. A body makes it a POST.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) url: Url,
    /// Name and whole value of the header that carries the key.
    pub(crate) secret: Option<(&'static str, SecretString)>,
    /// One more header, which is no secret.
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) body: Option<Vec<u8>>,
    /// What an error's JSON body names beyond its status, for example that a 429 is about credit.
    pub(crate) named: fn(&[u8]) -> Option<ErrorKind>,
}

impl Call {
    pub(crate) fn get(url: Url, endpoint: &Endpoint) -> Self {
        Self { url, secret: bearer(endpoint.key.as_ref()), header: None, body: None, named: endpoint.dialect.named() }
    }

    pub(crate) fn post(url: Url, endpoint: &Endpoint, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Error::new(ErrorKind::Rejected, "The request cannot be written as JSON."))?;
        Ok(Self { body: Some(body), ..Self::get(url, endpoint) })
    }
}

/// RFC 6750 §2.1.
pub(crate) fn bearer(secret: Option<&SecretString>) -> Option<(&'static str, SecretString)> {
    Some(("authorization", SecretString::from(format!("Bearer {}", secret?.expose_secret()))))
}

/// Appends path segments. A trailing slash on the base makes no difference.
pub(crate) fn join(base: &Url, segments: &[&str]) -> Result<Url, Error> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(segments),
        Err(()) => return Err(ErrorKind::Endpoint.into()),
    };
    Ok(url)
}

/// The base without the first of these ends that it has: the names of a provider's other surfaces.
pub(crate) fn without(base: &Url, ends: &[&str]) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = ends.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path).to_owned();
    let mut url = base.clone();
    url.set_path(&path);
    url
}

/// `join` below a base as tenants paste it: with a version (`…/v1`, `…/openai/v1/`, `…/v1beta/openai`) or without.
pub(crate) fn versioned(base: &Url, version: &str, segments: &[&str]) -> Result<Url, Error> {
    let is_version = |segment: &str| {
        let mut letters = segment.chars();
        letters.next() == Some('v') && letters.next().is_some_and(|letter| letter.is_ascii_digit())
    };
    let missing = (!base.path().split('/').any(is_version)).then_some(version);
    join(base, &missing.into_iter().chain(segments.iter().copied()).collect::<Vec<_>>())
}

impl Dialect {
    /// A decoder for one answer's bytes, for those who have them already; [`crate::Transport::chat`] brings its own.
    pub fn answer(self) -> AnswerDecoder {
        match self {
            Self::OpenAi | Self::Cohere => openai::answer(),
            Self::Ollama => ollama::answer(),
            Self::Anthropic => anthropic::answer(),
            Self::Gemini => gemini::answer(),
        }
    }

    pub(crate) fn chat(self, endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
        match self {
            Self::OpenAi => openai::chat(endpoint, request),
            Self::Ollama => ollama::chat(endpoint, request),
            Self::Anthropic => anthropic::chat(endpoint, request),
            Self::Gemini => gemini::chat(endpoint, request),
            Self::Cohere => cohere::chat(endpoint, request),
        }
    }

    pub(crate) fn embed(self, endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Call, Error> {
        match self {
            Self::OpenAi => openai::embed(endpoint, request),
            Self::Ollama => ollama::embed(endpoint, request),
            Self::Anthropic => Err(Error::new(ErrorKind::Rejected, "Anthropic has no embedding models.")),
            Self::Gemini => gemini::embed(endpoint, request),
            Self::Cohere => cohere::embed(endpoint, request),
        }
    }

    pub(crate) fn embeddings(self, body: &[u8]) -> Result<Embeddings, Error> {
        match self {
            Self::OpenAi | Self::Anthropic => openai::embeddings(body),
            Self::Ollama => ollama::embeddings(body),
            Self::Gemini => gemini::embeddings(body),
            Self::Cohere => cohere::embeddings(body),
        }
    }

    pub(crate) fn embed_limits(self, endpoint: &Endpoint) -> EmbedLimits {
        match self {
            Self::OpenAi | Self::Anthropic => openai::embed_limits(endpoint),
            Self::Ollama => ollama::EMBED,
            Self::Gemini => gemini::EMBED,
            Self::Cohere => cohere::EMBED,
        }
    }

    pub(crate) fn list(self, endpoint: &Endpoint) -> Result<Call, Error> {
        match self {
            Self::OpenAi => openai::list(endpoint),
            Self::Ollama => ollama::list(endpoint),
            Self::Anthropic => anthropic::list(endpoint),
            Self::Gemini => gemini::list(endpoint),
            Self::Cohere => cohere::list(endpoint),
        }
    }

    pub(crate) fn models(self, body: &[u8]) -> Result<Vec<String>, Error> {
        match self {
            // Anthropic's list has OpenAI's form.
            Self::OpenAi | Self::Anthropic => openai::models(body),
            Self::Ollama => ollama::models(body),
            Self::Gemini => gemini::models(body),
            Self::Cohere => cohere::models(body),
        }
    }

    pub(crate) fn named(self) -> fn(&[u8]) -> Option<ErrorKind> {
        match self {
            Self::OpenAi | Self::Cohere => openai::named,
            Self::Ollama => ollama::named,
            Self::Anthropic => anthropic::named,
            Self::Gemini => gemini::named,
        }
    }
}
