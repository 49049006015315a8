//! Those who speak the OpenAI dialect are data, not code: one row where they differ from the rest.

use crate::Endpoint;
use crate::embed::Batch;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vendor {
    host: &'static str,
    /// Path below the version whose answer depends on the key.
    pub(crate) check: &'static str,
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
    check: "models",
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
    // Its list of models is public and would call every key valid.
    Vendor { host: "openrouter.ai", check: "key", ..COPY },
    // Sends usage unasked, and answers 422 when asked for it.
    Vendor { host: "api.mistral.ai", asks_for_usage: false, batch: Batch { inputs: 32, tokens: 300_000 }, ..COPY },
];

pub(crate) fn of(endpoint: &Endpoint) -> Vendor {
    let host = endpoint.base_url.host_str().unwrap_or_default();
    VENDORS.into_iter().find(|vendor| vendor.host == host).unwrap_or(COPY)
}
