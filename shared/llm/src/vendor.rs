//! Those who speak the OpenAI dialect are data, not code: one row where they differ from the rest.

use crate::Endpoint;
use crate::embed::Batch;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vendor {
    host: &'static str,
    /// Newer OpenAI models refuse `max_tokens`; copies of the API know no other name.
    pub(crate) max_completion_tokens: bool,
    /// Whether `stream_options.include_usage` is understood.
    pub(crate) asks_for_usage: bool,
    /// A third of the bytes of decimal numbers, and the value exactly.
    pub(crate) base64_vectors: bool,
    pub(crate) batch: Batch,
}

/// Numbers as text need up to 100 KiB for one vector: 64 of them stay far below the body's limit.
const COPY: Vendor = Vendor {
    host: "",
    max_completion_tokens: false,
    asks_for_usage: true,
    base64_vectors: false,
    batch: Batch { inputs: 64, tokens: 300_000 },
};

const VENDORS: [Vendor; 3] = [
    Vendor {
        host: "api.openai.com",
        max_completion_tokens: true,
        base64_vectors: true,
        // <https://platform.openai.com/docs/api-reference/embeddings/create>
        batch: Batch { inputs: 2048, tokens: 300_000 },
        ..COPY
    },
    // Knows `base64` and nothing, but not `float`. <https://docs.voyageai.com/reference/embeddings-api>
    Vendor { host: "api.voyageai.com", base64_vectors: true, ..COPY },
    // Sends usage unasked, and answers 422 when asked for it.
    Vendor { host: "api.mistral.ai", asks_for_usage: false, batch: Batch { inputs: 32, tokens: 300_000 }, ..COPY },
];

pub(crate) fn of(endpoint: &Endpoint) -> Vendor {
    let host = endpoint.base_url.host_str().unwrap_or_default();
    VENDORS.into_iter().find(|vendor| vendor.host == host).unwrap_or(COPY)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{ChatRequest, Dialect, Endpoint, KeyCheck};

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
        // (base, name of the token limit, asks for usage, encoding of vectors)
        let table = [
            ("https://api.openai.com", "max_completion_tokens", true, "base64"),
            ("https://api.mistral.ai/v1", "max_tokens", false, "float"),
            ("https://openrouter.ai/api/v1", "max_tokens", true, "float"),
            ("https://api.x.ai/v1", "max_tokens", true, "float"),
            ("https://api.voyageai.com/v1", "max_tokens", true, "base64"),
        ];
        for (base, limit, usage, encoding) in table {
            let endpoint = endpoint(base);
            let call = endpoint.dialect.chat(&endpoint, &request).unwrap();
            let body: Value = serde_json::from_slice(&call.body.unwrap()).unwrap();
            assert_eq!(body[limit], 9, "{base}");
            assert_eq!(body.get("stream_options").is_some(), usage, "{base}");
            assert!(body.get("temperature").is_none() && body["messages"] == serde_json::json!([]), "{base}");
            let call = endpoint.dialect.embed(&endpoint, "m", &["a".into()]).unwrap();
            let body: Value = serde_json::from_slice(&call.body.unwrap()).unwrap();
            assert_eq!(body["encoding_format"], encoding, "{base}");
        }
        assert_eq!(super::of(&endpoint("https://api.openai.com")).batch.inputs, 2048);
    }
}
