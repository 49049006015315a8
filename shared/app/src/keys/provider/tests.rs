//! Names, keys and base URLs: what is refused and why, what every provider needs, and that no string gets through.

use proptest::prelude::*;

use super::*;
use crate::config::Environment;

fn limits(variables: &[(&str, &str)]) -> Limits {
    let with = |environment: Environment, (name, value): &(&str, &str)| environment.with(name, *value);
    Limits::read(&variables.iter().fold(Environment::default(), with)).unwrap()
}

fn strict() -> Limits {
    limits(&[])
}

fn starred() -> Limits {
    limits(&[("PROVIDER_ORIGINS", "*")])
}

fn laptop() -> Limits {
    limits(&[("PROVIDER_ORIGINS", "*"), ("ALLOW_LOOPBACK_PROVIDERS", "1")])
}

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
        for limits in [strict(), starred()] {
            let error = base_url("openai", Some(url), &limits).unwrap_err();
            assert_eq!(error.code(), "invalid_request", "{url}");
            assert!(error.detail.contains(reason), "{url}: {}", error.detail);
        }
    }
}

#[test]
fn this_machine_is_reached_only_where_the_operator_allows_it() {
    for limits in [strict(), starred()] {
        assert!(base_url(OLLAMA, None, &limits).is_err());
    }
    let local = limits(&[("ALLOW_LOOPBACK_PROVIDERS", "1")]);
    for limits in [local, laptop()] {
        assert_eq!(base_url(OLLAMA, None, &limits).unwrap().as_str(), "http://127.0.0.1:11434/");
        assert!(base_url("openai", Some("http://10.0.0.1/v1"), &limits).is_err());
    }
}

/// As the providers' own documentation writes them.
const REAL: [&str; 26] = [
    "https://api.openai.com/v1",
    "https://api.openai.com",
    "https://api.openai.com/v1/",
    "https://API.OpenAI.com/v1",
    "https://api.openai.com:443/v1",
    "https://eu.api.openai.com/v1",
    "https://us.api.openai.com/v1",
    "https://api.anthropic.com",
    "https://api.anthropic.com/v1",
    "https://api.anthropic.com/v1/",
    "https://api.x.ai/v1",
    "https://us-east-1.api.x.ai/v1",
    "https://eu-west-1.api.x.ai/v1",
    "https://generativelanguage.googleapis.com",
    "https://generativelanguage.googleapis.com/v1beta",
    "https://generativelanguage.googleapis.com/v1beta/openai/",
    "https://api.mistral.ai",
    "https://api.mistral.ai/v1",
    "https://api.groq.com/openai/v1",
    "https://openrouter.ai/api/v1",
    "https://api.voyageai.com/v1",
    "https://api.cohere.com",
    "https://api.cohere.com/v2",
    "https://api.cohere.com/compatibility/v1",
    "https://api.cohere.ai/v1",
    "https://api.cohere.ai/compatibility/v1",
];

#[test]
fn real_provider_addresses_are_taken_without_any_configuration() {
    for url in REAL {
        assert!(base_url("anything", Some(url), &strict()).is_ok(), "{url}");
    }
    for (name, url, dialect, check) in KNOWN {
        check_name(name).unwrap();
        let limits = if name == OLLAMA { laptop() } else { strict() };
        let taken = base_url(name, None, &limits).unwrap();
        assert_eq!(taken, Url::parse(url).unwrap());
        let endpoint = endpoint(name, taken, None);
        assert_eq!((endpoint.dialect, endpoint.key_check), (dialect, check));
    }
    let error = base_url("acme", None, &strict()).unwrap_err();
    assert!(error.hint.contains("baseUrl"));
}

#[test]
fn another_origin_is_the_operators_to_allow() {
    let listed = limits(&[("PROVIDER_ORIGINS", "https://llm.example.com, https://GPU.example.org:443/")]);
    // (address, allowed by the list, allowed by the star)
    let table = [
        ("https://llm.example.com/v1", true, true),
        ("https://llm.example.com:443/", true, true),
        ("https://LLM.example.com/v1", true, true),
        ("https://gpu.example.org/openai/v1", true, true),
        ("https://api.example.com/v1", false, true),
        ("https://example.com/v1", false, true),
        ("https://sub.llm.example.com/v1", false, true),
        ("https://llm.example.com.evil.example/v1", false, true),
        ("https://api.openai.com.evil.example/v1", false, true),
        ("https://api.openai.com./v1", false, true),
        ("https://8.8.8.8/v1", false, true),
        ("https://llm.example.com:8443/v1", false, false),
        ("http://llm.example.com/v1", false, false),
        ("https://10.0.0.1/v1", false, false),
    ];
    for (url, list, star) in table {
        assert!(base_url("acme", Some(url), &strict()).is_err(), "{url}");
        assert_eq!(base_url("acme", Some(url), &listed).is_ok(), list, "{url}");
        assert_eq!(base_url("acme", Some(url), &starred()).is_ok(), star, "{url}");
    }
    let error = base_url("acme", Some("https://llm.example.com"), &strict()).unwrap_err();
    assert!(error.hint.contains("operator") && error.hint.contains("PROVIDER_ORIGINS"), "{}", error.hint);
    // Allowing public hosts says nothing about this machine.
    assert!(base_url("acme", Some("http://localhost:11434"), &starred()).is_err());
}

#[test]
fn an_allow_list_that_cannot_work_stops_the_start() {
    let refused = [
        "llm.example.com",
        "http://llm.example.com",
        "https://llm.example.com/v1",
        "https://llm.example.com/?a",
        "https://llm.example.com:8443",
        "https://user@llm.example.com",
        "https://10.0.0.1",
        "https://localhost",
        "https://*.example.com/v1",
        "*,https://llm.example.com",
        "https://llm.example.com,,https://a.example.com",
    ];
    for text in refused {
        let environment = Environment::default().with("PROVIDER_ORIGINS", text);
        let error = Limits::read(&environment).unwrap_err();
        assert_eq!(error.variable, "PROVIDER_ORIGINS", "{text}");
    }
    assert_eq!(limits(&[("PROVIDER_ORIGINS", " ")]).provider_origins, Origins::Listed(Vec::new()));
}

#[test]
fn a_known_address_decides_what_is_spoken_and_how_its_key_is_checked() {
    let table = [
        ("acme", "https://openrouter.ai/api/v1", Dialect::OpenAi, KeyCheck::OpenRouter),
        ("openai", "https://api.anthropic.com/v1", Dialect::Anthropic, KeyCheck::Anthropic),
        ("anthropic", "https://api.openai.com/v1", Dialect::OpenAi, KeyCheck::Models),
        ("anthropic", "https://gateway.example.com/anthropic", Dialect::Anthropic, KeyCheck::Anthropic),
        ("gemini", "http://127.0.0.1:9/v1beta", Dialect::Gemini, KeyCheck::Gemini),
        ("acme", "https://api.cohere.ai/compatibility/v1", Dialect::Cohere, KeyCheck::Cohere),
        ("acme", "https://gateway.example.com/v1", Dialect::OpenAi, KeyCheck::Models),
    ];
    for (name, url, dialect, check) in table {
        let endpoint = endpoint(name, Url::parse(url).unwrap(), None);
        assert_eq!((endpoint.dialect, endpoint.key_check), (dialect, check), "{name} {url}");
    }
}

/// Strings that are almost URLs, so that the cases meet the rules, and some that are nothing at all.
fn almost_a_url() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("https://"),
        Just("http://"),
        Just("HTTPS:"),
        Just("//"),
        Just("/"),
        Just("\\"),
        Just("@"),
        Just(":"),
        Just("?"),
        Just("#"),
        Just("."),
        Just("[::1]"),
        Just("[::ffff:7f00:1]"),
        Just("127.1"),
        Just("0x7f.1"),
        Just("localhost"),
        Just("169.254.169.254"),
        Just("api.openai.com"),
        Just("8.8.8.8"),
        Just("２１３０７０６４３３"),
        Just("。"),
        Just("443"),
        Just("8443"),
        Just("%2e"),
        Just("\t"),
        Just("\u{ad}"),
        Just("xn--"),
        Just("v1"),
    ];
    prop_oneof![
        8 => proptest::collection::vec(part, 0..9).prop_map(|parts| parts.concat()),
        8 => r"(https://){0,1}[a-z0-9.@:/\\\[\]%?#-]{0,40}",
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_taken_is_https_and_allowed(text in almost_a_url()) {
        for limits in [strict(), starred(), laptop()] {
            let Ok(url) = base_url("openai", Some(&text), &limits) else { continue };
            if address::is_local(&url) {
                prop_assert!(limits.loopback_providers, "{url}");
                continue;
            }
            prop_assert_eq!(url.scheme(), "https");
            prop_assert_eq!(url.port_or_known_default(), Some(443));
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none());
            let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
            prop_assert!(literal.is_none_or(address::is_public), "{url}");
            let known = KNOWN.iter().map(|(_, home, ..)| *home).chain(ALSO).any(|home| has_origin(&url, home));
            prop_assert!(known || limits.provider_origins == Origins::Any, "{url}");
        }
    }
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
