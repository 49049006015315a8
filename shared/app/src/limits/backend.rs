//! Where buckets are kept: in Postgres, where the look-up of a caller debits them on its way, or in a Redis.

use docent_llm::Transport;

use super::redis::RestRedis;
use super::{DEBIT, Debit, Policy, Refused, Standing, store};
use crate::config::{self, Environment};
use crate::db::{Db, TenantId};
use crate::error::Result;

/// Cheap to clone.
#[derive(Clone)]
pub enum Backend {
    Postgres,
    Redis(RestRedis),
}

/// A verified caller's request, as its buckets see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub tenant: TenantId,
    pub bucket: &'a str,
    pub narrow: Policy,
    /// The tenant's.
    pub wide: Policy,
}

/// Stands in for [`DEBIT`] where Postgres counts nothing.
const DEFERRED: &str = "
  standing as (select 3 as verdict, 0::int8 as remaining, 0::int8 as wait_millis from held)";

impl Backend {
    pub fn read(environment: &Environment, transport: &Transport) -> Result<Backend, config::Error> {
        Ok(match config::Redis::read(environment)? {
            Some(redis) => Backend::Redis(RestRedis::new(redis, transport.clone())),
            None => Backend::Postgres,
        })
    }

    /// [`DEBIT`], or what takes its place and parameters when the buckets are elsewhere.
    pub fn sql(&self) -> &'static str {
        match self {
            Backend::Postgres => DEBIT,
            Backend::Redis(_) => DEFERRED,
        }
    }

    /// What the look-up found becomes a verdict. A debit that the look-up left out is made here: after the credential
    /// was found good, because a tenant's id is no secret and a forged credential must not use up its limit.
    ///
    /// Without an answer from Redis, Postgres counts: a limit holds in both, so that one which Redis had used up in
    /// part begins anew, once.
    pub async fn settle(&self, db: &Db, request: Request<'_>, found: Debit) -> Result<Result<Standing, Refused>> {
        let Request { tenant, bucket, narrow, wide } = request;
        let debit = match self {
            Backend::Postgres => found,
            Backend::Redis(redis) => match redis.debit(&request).await {
                Ok(debit) => debit,
                Err(cause) => {
                    tracing::warn!(%cause, "limits.redis gave no answer; Postgres counts instead");
                    let tx = db.tenant(tenant).await?;
                    tx.finish(store::debit(&tx, bucket, narrow, wide)).await?
                }
            },
        };
        Ok(debit.judge(narrow, wide))
    }
}
