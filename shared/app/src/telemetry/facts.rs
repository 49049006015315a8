//! What rooms note about the request that they work for. Outside of one, as in a worker, a note goes nowhere.

use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::request::note;
use super::step::{PARTS, Part, Span};
use crate::error::Error;

/// All that is known of one request so far.
#[derive(Debug, Default)]
pub struct Facts {
    pub status: u16,
    /// From the request's arrival until its answer's head, first byte and end.
    pub head: Duration,
    pub first: Option<Duration>,
    pub end: Option<Duration>,
    /// The client left before the end.
    pub left: bool,
    /// Why it failed, also where the status was sent before it did.
    pub code: Option<&'static str>,
    /// What a person who mends it wants to know.
    pub cause: Option<String>,
    pub tenant: Option<String>,
    pub caller: Option<&'static str>,
    pub bot: Option<Uuid>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub used: Used,
    pub embedded_tokens: u64,
    pub cost_micros: i64,
    pub trips: u32,
    pub times: [Duration; PARTS],
    pub spans: Vec<Span>,
}

/// What one call of a provider used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Facts {
    pub fn time(&self, part: Part) -> Duration {
        self.times[part as usize]
    }
}

/// A caller whose credential was found good. Its tenant is told as a short hash: enough to tell tenants apart and to look
/// for one that is known, no way from a line of a log to a name.
pub fn caller(kind: &'static str, tenant: Uuid) {
    note(|facts| {
        facts.caller = Some(kind);
        facts.tenant = Some(hashed(tenant));
    });
}

pub fn bot(id: Uuid) {
    note(|facts| facts.bot = Some(id));
}

/// What an answer's call of a provider came to, or with `embedding` a question's; a call that is booked again, because
/// its transaction was tried again, counts once.
pub fn spent(called: (&str, &str), used: Used, micros: i64, embedding: bool) {
    note(|facts| {
        if embedding {
            facts.embedded_tokens += used.input_tokens;
            facts.cost_micros += micros;
            return;
        }
        if facts.model.is_none() {
            facts.cost_micros += micros;
        }
        let (provider, model) = called;
        (facts.provider, facts.model) = (Some(provider.to_owned()), Some(model.to_owned()));
        facts.used = used;
    });
}

/// Why a request failed whose status says that it did not: a stream's end.
pub fn failed(code: &'static str, failure: Option<&Error>) {
    let cause = failure.filter(|failure| failure.is_ours()).map(|failure| format!("{failure:?}"));
    note(|facts| {
        facts.code = Some(code);
        // Whoever stores an answer's end does not know any more why it failed.
        facts.cause = cause.or(facts.cause.take());
    });
}

/// In Postgres: `left(encode(sha256(('docent/log/v1' || tenant_id)::bytea), 'hex'), 16)`.
pub fn hashed(id: Uuid) -> String {
    let digest = Sha256::digest(format!("docent/log/v1{id}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
