//! Buckets in a Redis that speaks REST, as Upstash's does (<https://upstash.com/docs/redis/features/restapi>): one
//! script, one request.

use std::time::Duration;

use docent_llm::{Fetch, Transport};
use serde::Deserialize;
use serde_json::json;

use super::{Debit, Request};
use crate::config;

/// Longer than this nobody waits for a counter: Postgres has one too.
pub const REDIS_PATIENCE: Duration = Duration::from_millis(400);

const SCRIPT: &str = include_str!("gcra.lua");

/// Cheap to clone.
#[derive(Clone)]
pub struct RestRedis {
    config: config::Redis,
    transport: Transport,
}

/// Why Redis gave no answer. Its own words are not repeated: they could quote the request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it did not answer within {} ms", REDIS_PATIENCE.as_millis())]
    Slow,
    #[error("{0}")]
    Unreachable(#[from] docent_llm::Error),
    #[error("its answer is not that of the script")]
    Unreadable,
}

#[derive(Deserialize)]
struct Answer {
    result: (i32, i64, i64),
}

impl RestRedis {
    pub fn new(config: config::Redis, transport: Transport) -> RestRedis {
        RestRedis { config, transport }
    }

    pub(super) async fn debit(&self, request: &Request<'_>) -> Result<Debit, Failure> {
        let Request { tenant, bucket, narrow, wide } = request;
        // The braces put both buckets of a tenant into one slot of a cluster.
        let tenant = tenant.uuid().simple();
        let keys = [bucket, "tenant"].map(|bucket| format!("docent:rate:{{{tenant}}}:{bucket}"));
        let ([step, span], [wide_step, wide_span]) = (narrow.pace(), wide.pace());
        let command = json!(["EVAL", SCRIPT, 2, keys[0], keys[1], step, span, wide_step, wide_span]);
        let fetch = Fetch {
            url: self.config.url.clone(),
            body: Some(command.to_string().into_bytes()),
            bearer: Some(self.config.token.clone()),
        };
        let answered = tokio::time::timeout(REDIS_PATIENCE, self.transport.fetch(fetch));
        let body = answered.await.map_err(|_| Failure::Slow)??;
        let Answer { result: (verdict, remaining, wait_millis) } =
            serde_json::from_slice(&body).map_err(|_| Failure::Unreadable)?;
        match verdict {
            0..=2 => Ok(Debit { verdict, remaining, wait_millis }),
            _ => Err(Failure::Unreadable),
        }
    }
}
