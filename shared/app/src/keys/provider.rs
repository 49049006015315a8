//! Providers by name: the language that each speaks, where it answers, what a key and a base URL must look like. Pure.

use docent_llm::{Dialect, Url, address};

use crate::error::{Error, Result};

/// Longer ones are no key of any provider.
pub const KEY_LIMIT: usize = 8 * 1024;
/// The longest name of a provider; the schema knows it too.
pub const NAME_LIMIT: usize = 32;

/// Bots answer with the documents' own sentences under this name, so no key can have it.
const RESERVED: &str = "extractive";
const OLLAMA: &str = "ollama";

/// Where the providers answer that we know by name; any other one is used by giving its base URL.
const KNOWN: [(&str, &str); 6] = [
    ("openai", "https://api.openai.com/v1"),
    (OLLAMA, "http://127.0.0.1:11434"),
    ("xai", "https://api.x.ai/v1"),
    ("groq", "https://api.groq.com/openai/v1"),
    ("mistral", "https://api.mistral.ai/v1"),
    ("openrouter", "https://openrouter.ai/api/v1"),
];

/// What a provider speaks; a name that we do not know is taken for one of the many that copied OpenAI.
pub fn dialect(provider: &str) -> Dialect {
    if provider == OLLAMA { Dialect::Ollama } else { Dialect::OpenAi }
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
pub fn base_url(provider: &str, given: Option<&str>, allow_loopback: bool) -> Result<Url> {
    let known = KNOWN.iter().find(|(name, _)| *name == provider).map(|(_, url)| *url);
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
    address::check(&url, allow_loopback).map_err(|error| Error::invalid(error.to_string()).hint(error.hint()))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_refused_with_a_reason() {
        let long = format!("https://api.example.com/{}", "a".repeat(address::MAX_URL));
        let cases = [
            ("http://api.example.com/v1", "https"),
            ("https://user:secret@api.example.com", "user name"),
            ("https://api.example.com/#part", "fragment"),
            ("https://api.example.com/v1?key=1", "query"),
            ("https://api.example.com/v1?", "query"),
            ("https://10.0.0.1/v1", "public"),
            ("https://169.254.169.254/", "public"),
            ("https://localhost/", "public"),
            ("https://api.example.com:8443/", "443"),
            ("ftp://api.example.com", "https"),
            ("api.example.com", "not a URL"),
            (long.as_str(), "2,048"),
        ];
        for (url, reason) in cases {
            let error = base_url("openai", Some(url), false).unwrap_err();
            assert_eq!(error.code(), "invalid_request", "{url}");
            assert!(error.detail.contains(reason), "{url}: {}", error.detail);
        }
    }

    #[test]
    fn this_machine_is_reached_only_where_the_operator_allows_it() {
        assert!(base_url(OLLAMA, None, false).is_err());
        assert_eq!(base_url(OLLAMA, None, true).unwrap().as_str(), "http://127.0.0.1:11434/");
        assert!(base_url("openai", Some("http://10.0.0.1/v1"), true).is_err());
    }

    #[test]
    fn every_known_provider_has_a_lawful_name_and_address() {
        for (name, url) in KNOWN {
            check_name(name).unwrap();
            assert_eq!(base_url(name, None, name == OLLAMA).unwrap(), Url::parse(url).unwrap());
        }
        let error = base_url("acme", None, false).unwrap_err();
        assert!(error.hint.contains("baseUrl"));
        assert!(base_url("acme", Some("https://api.acme.example/v1"), false).is_ok());
    }

    #[test]
    fn names_follow_the_schema() {
        let longest = "a".repeat(NAME_LIMIT);
        for name in ["openai", "a", "my-gateway-2", longest.as_str()] {
            check_name(name).unwrap();
        }
        let longer = "a".repeat(NAME_LIMIT + 1);
        for name in ["", "OpenAI", "2go", "-a", "a b", "a/b", "é", "extractive", longer.as_str()] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn keys_are_visible_ascii_of_a_sane_length() {
        check_key("openai", &"k".repeat(KEY_LIMIT)).unwrap();
        check_key(OLLAMA, "").unwrap();
        for key in ["", "a b", "a\n", "\u{7f}", "ключ", "a\u{0}", &"k".repeat(KEY_LIMIT + 1)] {
            let error = check_key("openai", key).unwrap_err();
            assert!(key.is_empty() || !error.detail.contains(key));
        }
    }
}
