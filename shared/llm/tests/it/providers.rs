//! The question about a key, provider by provider: what is asked, and what each of their answers means.
//! The bodies follow the providers' documented errors; every refusal quotes the key, as some providers do.

use std::time::Duration;

use docent_llm::{Dialect, Endpoint, KeyCheck, KeyStatus, Limits, Transport, Url};

use crate::server::{CANARY, Then, answer, json, limits, serve};

/// One provider: how it is asked and how it says the four things that only it can say.
struct Provider {
    name: &'static str,
    check: KeyCheck,
    base: &'static str,
    request: &'static str,
    /// The header with the key, up to the key.
    header: &'static str,
    good: &'static str,
    bad: (u16, &'static str),
    restricted: (u16, &'static str),
    no_credit: (u16, &'static str),
}

const PROVIDERS: [Provider; 10] = [
    Provider {
        name: "openai",
        check: KeyCheck::Models,
        base: "/v1",
        request: "GET /v1/models HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"object":"list","data":[{"id":"gpt-4o-mini","object":"model"}]}"#,
        bad: (401, r#"{"error":{"message":"Incorrect API key provided: $KEY.","code":"invalid_api_key"}}"#),
        restricted: (403, r#"{"error":"You have insufficient permissions. Missing scopes: api.model.read. $KEY"}"#),
        no_credit: (
            429,
            r#"{"error":{"message":"$KEY","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
        ),
    },
    Provider {
        name: "anthropic",
        check: KeyCheck::Anthropic,
        base: "/v1",
        request: "GET /v1/models?limit=1 HTTP/1.1",
        header: "x-api-key: ",
        good: r#"{"data":[{"type":"model","id":"claude-sonnet-4-5"}],"has_more":true}"#,
        bad: (401, r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key $KEY"}}"#),
        restricted: (403, r#"{"type":"error","error":{"type":"permission_error","message":"$KEY"}}"#),
        no_credit: (402, r#"{"type":"error","error":{"type":"billing_error","message":"$KEY"}}"#),
    },
    Provider {
        name: "xai",
        check: KeyCheck::XAi,
        base: "/v1",
        request: "GET /v1/api-key HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"redacted_api_key":"xai-...b14o","acls":["api-key:model:*"],"team_blocked":false,
            "api_key_blocked":false,"api_key_disabled":false}"#,
        bad: (400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: $KEY."}"#),
        restricted: (403, r#"{"code":"The caller does not have permission to execute the operation","error":"$KEY"}"#),
        no_credit: (403, r#"{"code":"Forbidden","error":"Your team has either used all available credits $KEY"}"#),
    },
    Provider {
        name: "gemini",
        check: KeyCheck::Gemini,
        base: "/v1beta/openai",
        request: "GET /v1beta/models?pageSize=1 HTTP/1.1",
        header: "x-goog-api-key: ",
        good: r#"{"models":[{"name":"models/gemini-2.5-flash"}],"nextPageToken":"x"}"#,
        bad: (
            400,
            r#"{"error":{"code":400,"message":"API key not valid. $KEY","status":"INVALID_ARGUMENT","details":[
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"x"}]}}"#,
        ),
        restricted: (
            403,
            r#"{"error":{"code":403,"message":"$KEY","status":"PERMISSION_DENIED","details":[
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_SERVICE_BLOCKED"}]}}"#,
        ),
        no_credit: (
            403,
            r#"{"error":{"code":403,"message":"$KEY","status":"PERMISSION_DENIED","details":[
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BILLING_DISABLED"}]}}"#,
        ),
    },
    Provider {
        name: "mistral",
        check: KeyCheck::Models,
        base: "/v1/",
        request: "GET /v1/models HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"object":"list","data":[{"id":"mistral-small-latest"}]}"#,
        bad: (401, r#"{"detail":"Unauthorized $KEY"}"#),
        restricted: (403, r#"{"message":"Forbidden $KEY"}"#),
        no_credit: (402, r#"{"message":"Payment required $KEY"}"#),
    },
    Provider {
        name: "groq",
        check: KeyCheck::Models,
        base: "/openai/v1",
        request: "GET /openai/v1/models HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"object":"list","data":[{"id":"llama-3.3-70b-versatile","active":true}]}"#,
        bad: (401, r#"{"error":{"message":"$KEY","type":"invalid_request_error","code":"invalid_api_key"}}"#),
        restricted: (403, r#"{"error":{"message":"$KEY","type":"permissions_error"}}"#),
        no_credit: (402, r#"{"error":{"message":"$KEY"}}"#),
    },
    Provider {
        name: "openrouter",
        check: KeyCheck::OpenRouter,
        base: "/api/v1",
        request: "GET /api/v1/key HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"data":{"label":"sk-or-v1-116...0ce","limit":null,"limit_remaining":null,"is_free_tier":true}}"#,
        bad: (401, r#"{"error":{"message":"No auth credentials found $KEY","code":401}}"#),
        restricted: (403, r#"{"error":{"message":"$KEY","code":403}}"#),
        no_credit: (200, r#"{"data":{"label":"$KEY","limit":5,"usage":5.1,"limit_remaining":-0.1}}"#),
    },
    Provider {
        name: "ollama",
        check: KeyCheck::Models,
        base: "",
        request: "GET /api/tags HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"models":[]}"#,
        bad: (401, r#"{"error":"unauthorized $KEY"}"#),
        restricted: (403, r#"{"error":"$KEY"}"#),
        no_credit: (402, r#"{"error":"$KEY"}"#),
    },
    Provider {
        name: "voyage",
        check: KeyCheck::Voyage,
        base: "/v1",
        request: "POST /v1/embeddings HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"object":"list","data":[{"embedding":[0.1],"index":0}],"usage":{"total_tokens":1}}"#,
        bad: (401, r#"{"detail":"Provided API key is invalid. $KEY"}"#),
        restricted: (403, r#"{"detail":"$KEY"}"#),
        no_credit: (402, r#"{"detail":"$KEY"}"#),
    },
    Provider {
        name: "cohere",
        check: KeyCheck::Cohere,
        base: "/compatibility/v1",
        request: "GET /v1/models?page_size=1 HTTP/1.1",
        header: "authorization: Bearer ",
        good: r#"{"models":[{"name":"command-r"}],"next_page_token":"x"}"#,
        bad: (401, r#"{"message":"invalid api token $KEY"}"#),
        restricted: (403, r#"{"message":"$KEY"}"#),
        no_credit: (402, r#"{"message":"You have reached your billing limit. $KEY"}"#),
    },
];

const HTML: &str = "content-type: text/html; charset=utf-8";

type Verdict = Result<KeyStatus, &'static str>;

impl Provider {
    fn endpoint(&self, mut base_url: Url) -> Endpoint {
        let dialect = if self.name == "ollama" { Dialect::Ollama } else { Dialect::OpenAi };
        base_url.set_path(self.base);
        Endpoint { dialect, key_check: self.check, base_url, key: Some(CANARY.to_owned().into()) }
    }

    /// Asks once, sees that the question is the right one, and that nothing said about the answer holds the key.
    async fn verdict(&self, wire: &[u8], limits: Limits) -> Verdict {
        let reply = |_, request: String| {
            let first = request.lines().next().unwrap().to_owned();
            assert_eq!(first, self.request, "{}", self.name);
            assert!(request.contains(&format!("\r\n{}{CANARY}\r\n", self.header)), "{}: {request}", self.name);
            assert_eq!(request.matches(CANARY).count(), 1, "{}", self.name);
            let pinned = request.contains("\r\nanthropic-version: 2023-06-01\r\n");
            assert_eq!(pinned, self.check == KeyCheck::Anthropic, "{}", self.name);
            (wire.to_vec(), if wire.is_empty() { Then::Hang } else { Then::Close })
        };
        serve(reply, async |base| {
            let endpoint = self.endpoint(base);
            let outcome = Transport::new(limits).check(&endpoint).await;
            let mut printed = format!("{endpoint:?} {outcome:?}");
            if let Err(error) = &outcome {
                printed += &format!("{error} {}", error.hint());
            }
            assert!(!printed.contains("canary"), "{}: {printed}", self.name);
            outcome.map_err(|error| error.code())
        })
        .await
    }
}

#[tokio::test]
async fn every_provider_by_every_answer() {
    let mut cases = 0;
    for provider in &PROVIDERS {
        let said = |(status, body): (u16, &str)| json(status, &body.replace("$KEY", CANARY));
        let table: [(Vec<u8>, Verdict); 11] = [
            (said((200, provider.good)), Ok(KeyStatus::Valid)),
            (said(provider.bad), Ok(KeyStatus::Invalid)),
            (said(provider.restricted), Ok(KeyStatus::Restricted)),
            (said(provider.no_credit), Ok(KeyStatus::NoCredit)),
            (said((429, r#"{"message":"slow down $KEY"}"#)), Err("provider_rate_limited")),
            (said((500, r#"{"message":"$KEY"}"#)), Err("provider_unavailable")),
            (answer(503, HTML, CANARY), Err("provider_unavailable")),
            (Vec::new(), Err("provider_timeout")),
            (answer(200, HTML, CANARY), Err("provider_protocol")),
            (answer(403, HTML, CANARY), Err("provider_protocol")),
            (said((200, r#"{"status":"up, $KEY"}"#)), Err("provider_protocol")),
        ];
        for (wire, expected) in table {
            let total = if wire.is_empty() { Duration::from_millis(80) } else { Duration::from_secs(10) };
            let verdict = provider.verdict(&wire, Limits { check_total: total, ..limits() }).await;
            let shown = String::from_utf8_lossy(&wire);
            assert_eq!(verdict, expected, "{}: {shown}", provider.name);
            cases += 1;
        }
    }
    assert_eq!(cases, 110);
}

#[tokio::test]
async fn what_only_one_provider_says() {
    let table = [
        (
            "anthropic",
            429,
            r#"{"error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            Ok(KeyStatus::NoCredit),
        ),
        ("anthropic", 429, r#"{"error":{"type":"rate_limit_error"}}"#, Err("provider_rate_limited")),
        (
            "anthropic",
            400,
            r#"{"error":{"type":"invalid_request_error","message":"… your specified API usage limits"}}"#,
            Ok(KeyStatus::NoCredit),
        ),
        ("anthropic", 529, r#"{"error":{"type":"overloaded_error"}}"#, Err("provider_unavailable")),
        ("xai", 200, r#"{"redacted_api_key":"x","api_key_blocked":true}"#, Ok(KeyStatus::Invalid)),
        ("xai", 200, r#"{"redacted_api_key":"x","api_key_disabled":true}"#, Ok(KeyStatus::Invalid)),
        ("xai", 200, r#"{"redacted_api_key":"x","team_blocked":true}"#, Ok(KeyStatus::Restricted)),
        ("xai", 400, r#"{"code":"Client specified an invalid argument","error":"No."}"#, Err("provider_rejected")),
        ("gemini", 200, "{}", Ok(KeyStatus::Valid)),
        ("gemini", 200, r#""ok""#, Err("provider_protocol")),
        ("gemini", 400, r#"{"error":{"status":"INVALID_ARGUMENT"}}"#, Err("provider_rejected")),
        (
            "gemini",
            400,
            r#"{"error":{"status":"FAILED_PRECONDITION","message":"User location is not supported"}}"#,
            Ok(KeyStatus::Restricted),
        ),
        ("gemini", 403, r#"{"error":{"details":[{"reason":"CONSUMER_SUSPENDED"}]}}"#, Ok(KeyStatus::Invalid)),
        (
            "gemini",
            400,
            r#"[{"error":{"details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]}}]"#,
            Ok(KeyStatus::Invalid),
        ),
        ("openai", 429, r#"{"error":{"code":"project_spend_limit_exceeded"}}"#, Ok(KeyStatus::NoCredit)),
        ("openai", 200, r#"[{"id":"a bare list"}]"#, Ok(KeyStatus::Valid)),
        ("openai", 200, r#"{"error":{"code":"invalid_api_key"}}"#, Ok(KeyStatus::Invalid)),
        ("openrouter", 200, r#"{"data":{"limit_remaining":4.8984355238}}"#, Ok(KeyStatus::Valid)),
        ("openrouter", 402, r#"{"error":{"code":402}}"#, Ok(KeyStatus::NoCredit)),
    ];
    for (name, status, body, expected) in table {
        let provider = PROVIDERS.iter().find(|provider| provider.name == name).unwrap();
        assert_eq!(provider.verdict(&json(status, body), limits()).await, expected, "{name}: {status} {body}");
    }
}

#[tokio::test]
async fn the_question_finds_its_place_below_any_base() {
    let table = [
        ("anthropic", "", "/v1/models?limit=1"),
        ("anthropic", "/gateway/v1/", "/gateway/v1/models?limit=1"),
        ("gemini", "", "/v1beta/models?pageSize=1"),
        ("gemini", "/v1beta/", "/v1beta/models?pageSize=1"),
        ("gemini", "/v1beta/openai/", "/v1beta/models?pageSize=1"),
        ("cohere", "", "/v1/models?page_size=1"),
        ("cohere", "/v2", "/v1/models?page_size=1"),
        ("cohere", "/compatibility/v1/", "/v1/models?page_size=1"),
        ("voyage", "", "/v1/embeddings"),
        ("xai", "", "/v1/api-key"),
        ("openrouter", "/api/v1/", "/api/v1/key"),
    ];
    for (name, path, expected) in table {
        let provider = PROVIDERS.iter().find(|provider| provider.name == name).unwrap();
        let reply = |_, request: String| {
            assert_eq!(request.split(' ').nth(1), Some(expected), "{name} {path}");
            (json(200, provider.good), Then::Close)
        };
        serve(reply, async |base| {
            let mut endpoint = provider.endpoint(base);
            endpoint.base_url.set_path(path);
            assert_eq!(Transport::new(limits()).check(&endpoint).await, Ok(KeyStatus::Valid), "{name} {path}");
        })
        .await;
    }
}
