//! What a provider may cost us in time and memory, and where it may be.

use std::time::Duration;

/// The defaults suit a function that must answer within five minutes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Resolving the name, connecting and the TLS handshake.
    pub connect: Duration,
    /// From sending the request until the response's head. Embeddings and slow models work in this time.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// From sending the request until the last byte.
    pub total: Duration,
    /// All header names and values of a response together.
    pub head: usize,
    /// One streamed answer on the wire, some 300 bytes for each token.
    pub stream_body: usize,
    /// One JSON body: 2,048 vectors of 3,072 dimensions in base64 need 33 MiB.
    pub json_body: usize,
    /// From sending a key check's request until its last byte: a person waits for it.
    pub check_total: Duration,
    /// From sending `Transport::fetch`'s request until its last byte: a person waits for a login meanwhile.
    pub fetch_total: Duration,
    /// What `Transport::fetch` reads at most. A large identity provider publishes some 20 keys of 2 KiB each.
    pub fetch_body: usize,
    /// How often an answer is asked for again when nothing of it has come yet; see `retry.rs` for when and how soon.
    pub retries: u32,
    /// Failures in a row after which a model is left alone for a while by one key; see `breaker.rs`. 0: never.
    pub breaker_faults: u32,
    /// For a laptop: `localhost` over plain http and on any port, for Ollama. Never for many tenants.
    pub allow_loopback: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(300),
            head: 32 * 1024,
            stream_body: 16 * 1024 * 1024,
            json_body: 40 * 1024 * 1024,
            check_total: Duration::from_secs(10),
            fetch_total: Duration::from_secs(5),
            fetch_body: 256 * 1024,
            retries: 2,
            breaker_faults: 5,
            allow_loopback: false,
        }
    }
}
