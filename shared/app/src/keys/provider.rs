//! Providers by name: the language that each speaks, how it is asked about keys, where it answers, and what a key and
//! a base URL must look like. Pure.

use docent_llm::{Dialect, Endpoint, KeyCheck, SecretString, Url, address};

use crate::config::{Limits, Origins};
use crate::error::{Error, Result};

/// Longer ones are no key of any provider.
pub const KEY_LIMIT: usize = 8 * 1024;
/// The longest name of a provider; the schema knows it too.
pub const NAME_LIMIT: usize = 32;

/// Bots answer with the documents' own sentences under this name, so no key can have it.
const RESERVED: &str = "extractive";
const OLLAMA: &str = "ollama";

/// The providers that we know by name, where they answer, what they speak and how they are asked about a key. Any other
/// one is used by giving its base URL.
const KNOWN: [Known; 10] = [
    ("openai", "https://api.openai.com/v1", Dialect::OpenAi, KeyCheck::Models),
    ("anthropic", "https://api.anthropic.com/v1", Dialect::Anthropic, KeyCheck::Anthropic),
    ("cohere", "https://api.cohere.ai/v2", Dialect::Cohere, KeyCheck::Cohere),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta", Dialect::Gemini, KeyCheck::Gemini),
    ("groq", "https://api.groq.com/openai/v1", Dialect::OpenAi, KeyCheck::Models),
    ("mistral", "https://api.mistral.ai/v1", Dialect::OpenAi, KeyCheck::Models),
    (OLLAMA, "http://127.0.0.1:11434", Dialect::Ollama, KeyCheck::Models),
    ("openrouter", "https://openrouter.ai/api/v1", Dialect::OpenAi, KeyCheck::OpenRouter),
    ("voyage", "https://api.voyageai.com/v1", Dialect::OpenAi, KeyCheck::Voyage),
    ("xai", "https://api.x.ai/v1", Dialect::OpenAi, KeyCheck::XAi),
];

type Known = (&'static str, &'static str, Dialect, KeyCheck);

/// Where known providers answer besides: their regions, and a second name of the same API.
const ALSO: [&str; 5] = [
    "https://api.cohere.com",
    "https://eu.api.openai.com",
    "https://us.api.openai.com",
    "https://eu-west-1.api.x.ai",
    "https://us-east-1.api.x.ai",
];

/// The known providers that bill somebody, and where they answer.
pub fn hosted() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().filter(|(name, ..)| *name != OLLAMA).map(|(name, url, ..)| (*name, *url))
}

/// How a provider is called there. One that we know neither by its address nor by its name is taken for one of the many
/// that copied OpenAI.
pub fn endpoint(provider: &str, base_url: Url, key: Option<SecretString>) -> Endpoint {
    let (dialect, key_check) = known(provider, &base_url)
        .map_or((Dialect::OpenAi, KeyCheck::Models), |(.., dialect, check)| (*dialect, *check));
    Endpoint { dialect, key_check, base_url, key }
}

/// A known address decides before the name does: a tenant may call OpenRouter anything, and its list of models would
/// call any key good.
fn known(provider: &str, base_url: &Url) -> Option<&'static Known> {
    let home = KNOWN.iter().find(|(_, home, ..)| has_origin(base_url, home));
    home.or_else(|| KNOWN.iter().find(|(name, ..)| *name == provider))
}

/// Whether a provider may have this name: what the schema's check says, in words.
pub fn check_name(provider: &str) -> Result<()> {
    let mut bytes = provider.bytes();
    let plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !plain || provider.len() > NAME_LIMIT {
        return Err(Error::invalid(
            "A provider's name is 1 to 32 characters a-z, 0-9 and `-`, and begins with a letter.",
        ));
    }
    if provider == RESERVED {
        return Err(Error::invalid("`extractive` answers without any provider, so it takes no key."));
    }
    Ok(())
}

/// A key becomes a header of a request, so it holds visible ASCII alone.
pub fn check_key(provider: &str, key: &str) -> Result<()> {
    if key.is_empty() && provider != OLLAMA {
        return Err(Error::invalid("`key` is empty."));
    }
    if key.len() > KEY_LIMIT {
        return Err(Error::invalid("`key` is longer than 8,192 bytes."));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid("`key` holds white space, a control character or a letter outside ASCII.")
            .hint("Copy the key again, without quotes, spaces or line breaks."));
    }
    Ok(())
}

/// The base URL that was given, or else the provider's own.
pub fn base_url(provider: &str, given: Option<&str>, limits: &Limits) -> Result<Url> {
    let known = KNOWN.iter().find(|(name, ..)| *name == provider).map(|(_, url, ..)| *url);
    let text = given.or(known).ok_or_else(|| {
        Error::invalid(format!("The base URL of `{provider}` is not known here.")).hint("Give it as `baseUrl`.")
    })?;
    if text.len() > address::MAX_URL {
        return Err(Error::invalid("The base URL is longer than 2,048 bytes."));
    }
    let url =
        Url::parse(text).map_err(|_| Error::invalid("`baseUrl` is not a URL.").hint("Write https://host/path."))?;
    if url.query().is_some() {
        return Err(Error::invalid("The base URL must not carry a query."));
    }
    check_origin(&url, limits)?;
    Ok(url)
}

/// Whether keys may be sent there at all. Asked again at every use: what the operator withdraws is out of use at once.
pub fn check_origin(url: &Url, limits: &Limits) -> Result<()> {
    address::check(url, limits.loopback_providers)
        .map_err(|error| Error::invalid(error.to_string()).hint(error.hint()))?;
    let listed = match &limits.provider_origins {
        Origins::Any => true,
        Origins::Listed(listed) => listed.contains(&url.origin().ascii_serialization()),
    };
    let known = || KNOWN.iter().map(|(_, home, ..)| *home).chain(ALSO).any(|home| has_origin(url, home));
    // What the check above let pass on this machine was allowed by a variable of its own.
    if listed || address::is_local(url) || known() {
        return Ok(());
    }
    Err(Error::invalid("The base URL belongs to none of the providers that this server knows.").hint(
        "Use a known provider's own address, or ask the operator to add this origin (https://host) to \
         PROVIDER_ORIGINS.",
    ))
}

fn has_origin(url: &Url, other: &str) -> bool {
    Url::parse(other).is_ok_and(|other| other.origin() == url.origin())
}

#[cfg(test)]
mod tests;
