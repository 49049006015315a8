//! How much a caller may ask for in a while: policies, the buckets that they are counted in, and what a caller is told.
//! Lies below `auth`: the look-up of a caller and the debit of its buckets are one statement.

mod backend;
mod headers;
pub mod idempotency;
mod redis;
mod store;

use std::fmt;

pub use backend::{Backend, Request};
pub use headers::headers;
pub use redis::{REDIS_PATIENCE, RestRedis};
pub use store::{DEBIT, forget, hold, take};

use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};

/// `limit` requests at once, and from then on one for each `limit`-th part of the window (GCRA,
/// <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a client reads in `RateLimit-Policy`.
    pub name: &'static str,
    pub limit: u32,
    pub window_seconds: u32,
}

impl Policy {
    /// The most that a policy may admit in its window; more is no limit.
    pub const MOST: u32 = 1_000_000;

    pub const fn per_minute(name: &'static str, limit: u32) -> Policy {
        Policy { name, limit, window_seconds: 60 }
    }

    /// How far one request moves its bucket's arrival, and how far ahead of now the arrival may lie, in microseconds.
    /// Rounded up, so that the window never admits more than it says; their quotient is the limit exactly.
    pub fn pace(&self) -> [i64; 2] {
        let limit = i64::from(self.limit.max(1));
        let step = (i64::from(self.window_seconds.max(1)) * 1_000_000 + limit - 1) / limit;
        [step, step * limit]
    }
}

/// What applies to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// One platform token, or one signed-in person.
    pub token: Policy,
    /// Everything of one tenant together.
    pub tenant: Policy,
    /// One visitor of a widget.
    pub visitor: Policy,
    /// One client address without a valid credential.
    pub address: Policy,
}

/// Where a caller stands after a request that was admitted; sent with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub policy: Policy,
    pub remaining: u32,
    /// Until the whole limit is there again.
    pub reset_seconds: u32,
}

/// A request that came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub policy: Policy,
    /// Seconds, at least one.
    pub retry_after: u32,
}

/// The row of `standing`, see [`DEBIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// 0: admitted, 1: the narrow bucket refused, 2: the tenant's did.
    pub verdict: i32,
    /// What is left in the narrow bucket.
    pub remaining: i64,
    /// Until the narrow bucket is full again, or, when refused, until the same request is admitted.
    pub wait_millis: i64,
}

impl Debit {
    pub fn judge(self, narrow: Policy, tenant: Policy) -> Result<Standing, Refused> {
        let seconds = u32::try_from(self.wait_millis.max(0).saturating_add(999) / 1000).unwrap_or(u32::MAX);
        match self.verdict {
            0 => {
                let remaining = u32::try_from(self.remaining.max(0)).unwrap_or(u32::MAX).min(narrow.limit);
                Ok(Standing { policy: narrow, remaining, reset_seconds: seconds })
            }
            1 => Err(Refused { policy: narrow, retry_after: seconds.max(1) }),
            _ => Err(Refused { policy: tenant, retry_after: seconds.max(1) }),
        }
    }
}

/// Whose narrow bucket a request is counted in.
pub fn bucket(policy: Policy, id: impl fmt::Display) -> String {
    format!("{}:{id}", policy.name)
}

/// Debits a caller's buckets by a statement of its own, for those whose look-up does not.
pub async fn debit(tx: &TenantTx, bucket: &str, narrow: Policy, tenant: Policy) -> Result<Standing> {
    let debit = store::debit(tx, bucket, narrow, tenant).await?;
    debit.judge(narrow, tenant).map_err(Error::from)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        let Policy { name, limit, window_seconds } = refused.policy;
        let detail = format!("The limit `{name}` admits {limit} requests in {window_seconds} seconds.");
        Error::new(Kind::RateLimited, detail)
            .hint(format!("Wait {} s (see Retry-After), then go slower.", refused.retry_after))
            .retry_after(u64::from(refused.retry_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_holds_its_limit_exactly() {
        for (limit, window) in
            [(1, 1), (7, 60), (9, 60), (60, 60), (999, 60), (Policy::MOST, 60), (900_000, 60), (3, 86_400)]
        {
            let [step, span] = Policy { name: "p", limit, window_seconds: window }.pace();
            assert_eq!(span / step, i64::from(limit));
            assert_eq!(span % step, 0);
            let nominal = i64::from(window) * 1_000_000;
            assert!((nominal..nominal + i64::from(limit)).contains(&span), "{limit} in {window} s: {span} µs");
        }
    }

    #[test]
    fn a_debit_is_told_in_whole_seconds() {
        let (narrow, tenant) = (Policy::per_minute("token", 60), Policy::per_minute("tenant", 1200));
        let judge = |verdict, remaining, wait_millis| Debit { verdict, remaining, wait_millis }.judge(narrow, tenant);
        assert_eq!(judge(0, 59, 1000), Ok(Standing { policy: narrow, remaining: 59, reset_seconds: 1 }));
        assert_eq!(judge(0, -3, 1001), Ok(Standing { policy: narrow, remaining: 0, reset_seconds: 2 }));
        assert_eq!(judge(1, 0, 1), Err(Refused { policy: narrow, retry_after: 1 }));
        assert_eq!(judge(2, 5, -7), Err(Refused { policy: tenant, retry_after: 1 }));
        let error = Error::from(judge(1, 0, 2500).unwrap_err());
        assert_eq!((error.code(), error.status().as_u16(), error.retry_after), ("rate_limited", 429, Some(3)));
        assert!(error.retryable());
    }
}
