//! Those who speak the OpenAI dialect are data, not code: one row where they differ from the rest.

use crate::Endpoint;
use crate::embed::{EmbedLimits, Pace};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vendor {
    hosts: &'static [&'static str],
    /// Newer OpenAI models refuse `max_tokens`; copies of the API know no other name.
    pub(crate) max_completion_tokens: bool,
    /// Whether `stream_options.include_usage` is understood.
    pub(crate) asks_for_usage: bool,
    /// A third of the bytes of decimal numbers, and the value exactly.
    pub(crate) base64_vectors: bool,
    /// Whether `input_type` tells a question from a document.
    pub(crate) takes_input_type: bool,
    pub(crate) embed: EmbedLimits,
}

/// Numbers as text need up to 100 KiB for one vector: 64 of them stay far below the body's limit.
const COPY: Vendor = Vendor {
    hosts: &[],
    max_completion_tokens: false,
    asks_for_usage: true,
    base64_vectors: false,
    takes_input_type: false,
    embed: EmbedLimits { inputs: 64, input_tokens: 8192, tokens: 300_000, pace: None },
};

/// Paces are those of the lowest tier that is paid for; an account that may go faster says so by a setting.
const VENDORS: [Vendor; 3] = [
    Vendor {
        hosts: &["api.openai.com", "eu.api.openai.com", "us.api.openai.com"],
        max_completion_tokens: true,
        base64_vectors: true,
        // <https://platform.openai.com/docs/api-reference/embeddings/create>
        embed: EmbedLimits {
            inputs: 2048,
            input_tokens: 8192,
            tokens: 300_000,
            pace: Some(Pace { requests: 3000, tokens: 1_000_000 }),
        },
        ..COPY
    },
    // Knows `base64` and nothing, but not `float`. <https://docs.voyageai.com/reference/embeddings-api>
    Vendor {
        hosts: &["api.voyageai.com"],
        base64_vectors: true,
        takes_input_type: true,
        // 120,000 tokens is what its largest models take, 320,000 and 1,000,000 what others do.
        embed: EmbedLimits {
            inputs: 1000,
            input_tokens: 32_000,
            tokens: 120_000,
            pace: Some(Pace { requests: 2000, tokens: 3_000_000 }),
        },
        ..COPY
    },
    // Sends usage unasked, and answers 422 when asked for it. Its limits are told by its refusals alone: "Too many
    // tokens in batch. Max is 16384", and code 3210 beyond 512 inputs.
    Vendor {
        hosts: &["api.mistral.ai"],
        asks_for_usage: false,
        embed: EmbedLimits {
            inputs: 512,
            input_tokens: 8192,
            tokens: 16_384,
            pace: Some(Pace { requests: 60, tokens: 500_000 }),
        },
        ..COPY
    },
];

pub(crate) fn of(endpoint: &Endpoint) -> Vendor {
    let host = endpoint.base_url.host_str().unwrap_or_default();
    VENDORS.into_iter().find(|vendor| vendor.hosts.contains(&host)).unwrap_or(COPY)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{ChatRequest, Dialect, EmbedRequest, Endpoint, InputType, KeyCheck};

    fn endpoint(base: &str) -> Endpoint {
        Endpoint { dialect: Dialect::OpenAi, key_check: KeyCheck::Models, base_url: base.parse().unwrap(), key: None }
    }

    #[test]
    fn each_vendor_gets_the_fields_it_understands() {
        let request = ChatRequest {
            model: "m".into(),
            system: String::new(),
            turns: Vec::new(),
            max_tokens: Some(9),
            temperature: None,
        };
        // (base, name of the token limit, asks for usage, encoding of vectors, kind of input)
        let table = [
            ("https://api.openai.com", "max_completion_tokens", true, "base64", None),
            ("https://api.mistral.ai/v1", "max_tokens", false, "float", None),
            ("https://openrouter.ai/api/v1", "max_tokens", true, "float", None),
            ("https://api.x.ai/v1", "max_tokens", true, "float", None),
            ("https://api.voyageai.com/v1", "max_tokens", true, "base64", Some(["document", "query"])),
        ];
        for (base, limit, usage, encoding, kinds) in table {
            let endpoint = endpoint(base);
            let call = endpoint.dialect.chat(&endpoint, &request).unwrap();
            let body: Value = serde_json::from_slice(&call.body.unwrap()).unwrap();
            assert_eq!(body[limit], 9, "{base}");
            assert_eq!(body.get("stream_options").is_some(), usage, "{base}");
            assert!(body.get("temperature").is_none() && body["messages"] == serde_json::json!([]), "{base}");
            for (nth, input_type) in [InputType::Document, InputType::Query].into_iter().enumerate() {
                let request = EmbedRequest { model: "m", inputs: &["a".into()], input_type };
                let call = endpoint.dialect.embed(&endpoint, &request).unwrap();
                let body: Value = serde_json::from_slice(&call.body.unwrap()).unwrap();
                assert_eq!(body["encoding_format"], encoding, "{base}");
                assert_eq!(body.get("input_type").and_then(Value::as_str), kinds.map(|kinds| kinds[nth]), "{base}");
            }
        }
    }

    #[test]
    fn each_vendor_gets_as_much_as_it_takes() {
        // (base, inputs, tokens of one, tokens of all)
        let table = [
            ("https://api.openai.com/v1", 2048, 8192, 300_000),
            ("https://eu.api.openai.com/v1", 2048, 8192, 300_000),
            ("https://api.voyageai.com/v1", 1000, 32_000, 120_000),
            ("https://api.mistral.ai/v1", 512, 8192, 16_384),
            ("https://somebody.example/v1", 64, 8192, 300_000),
        ];
        for (base, inputs, each, all) in table {
            let limits = endpoint(base).embed_limits();
            assert_eq!((limits.inputs, limits.input_tokens, limits.tokens), (inputs, each, all), "{base}");
        }
        // Who has a dialect of its own has its limits wherever it answers.
        for (dialect, inputs) in [(Dialect::Gemini, 100), (Dialect::Cohere, 96), (Dialect::Ollama, 16)] {
            assert_eq!(Endpoint { dialect, ..endpoint("https://somebody.example") }.embed_limits().inputs, inputs);
        }
        let ollama = Endpoint { dialect: Dialect::Ollama, ..endpoint("http://127.0.0.1:11434") };
        assert_eq!(ollama.embed_limits().pace, None);
    }
}
