//! What is spent: reserved before a provider is asked, settled when it has answered, never beyond a cap.

mod caps;
mod dollars;
mod prices;
mod routes;
mod store;
mod tariff;

use jiff::Timestamp;
use uuid::Uuid;

pub use caps::{Cap, Purse};
pub use prices::{Price, Prices};
pub use routes::router;
pub use tariff::Tariff;

use crate::App;
use crate::auth::{Caller, TenantId};
use crate::db::TenantTx;
use crate::error::{Error, Result};
use crate::telemetry;

/// After this an open reservation lost its request: no call of a provider takes as long.
pub const STALE_SECONDS: i64 = 15 * 60;

/// Who spends.
#[derive(Clone, Debug)]
pub struct Spender {
    pub tenant: TenantId,
    pub token: Option<Uuid>,
    pub visitor: Option<String>,
}

/// A provider's call that is about to be made.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub kind: Kind,
    pub provider: &'a str,
    pub model: &'a str,
    pub paid_by: PaidBy,
    /// What the provider can bill at most. A token is at least one byte, so the bytes sent bound the input.
    pub most_input: u64,
    pub most_output: u64,
}

/// One call of a provider: what it may cost before, what it did cost after.
#[derive(Clone, Debug)]
pub struct Spending {
    id: Uuid,
    at: Timestamp,
    by: Spender,
    kind: Kind,
    provider: String,
    model: String,
    paid_by: PaidBy,
    price: Price,
    prices: String,
    /// What is reserved.
    micros: i64,
    operator_cap: Option<i64>,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The provider gave no count, or not all of it.
    pub estimated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Chat,
    Embedding,
}

/// Whose account at the provider pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidBy {
    Tenant,
    Operator,
}

/// Whether the tenant has a cap at all: one that has none needs no reservation before its question is embedded.
pub async fn capped(tx: &TenantTx) -> Result<bool> {
    store::caps::any(tx).await
}

/// Closes reservations whose request is gone, at the full amount: nobody knows what the provider billed.
pub async fn settle_stale(tx: &TenantTx, now: Timestamp) -> Result<usize> {
    let before = now.as_second().saturating_sub(STALE_SECONDS);
    let before = Timestamp::from_second(before).map_err(Error::internal)?;
    let stale = store::stale(tx, before).await?;
    if stale.is_empty() {
        return Ok(0);
    }
    store::lock(tx, &stale).await?;
    let settled = store::settle_full(tx, &stale, now).await?;
    tracing::warn!(tenant = %tx.tenant().uuid(), settled, "usage.sweep settled reservations whose request is gone");
    Ok(settled)
}

impl Spending {
    pub fn new(app: &App, by: Spender, call: &Call<'_>) -> Spending {
        let price = app.tariff.prices.find(call.provider, call.model, call.kind);
        Spending {
            id: app.clock.uuid(),
            at: app.clock.now(),
            by,
            kind: call.kind,
            provider: call.provider.to_owned(),
            model: call.model.to_owned(),
            paid_by: call.paid_by,
            price,
            prices: app.tariff.prices.version().to_owned(),
            micros: price.cost(call.most_input, call.most_output),
            operator_cap: app.tariff.operator_cap.filter(|_| call.paid_by == PaidBy::Operator),
        }
    }

    pub fn tenant(&self) -> TenantId {
        self.by.tenant
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn paid_by(&self) -> PaidBy {
        self.paid_by
    }

    /// Makes one reservation of two, for calls of which only one is billed: it covers the dearer, and whichever is
    /// settled settles it. Those that two purses pay stay two.
    pub fn share(&mut self, other: &mut Spending) {
        if self.paid_by == other.paid_by {
            (other.id, other.at) = (self.id, self.at);
            self.micros = self.micros.max(other.micros);
            other.micros = self.micros;
        }
    }

    /// Takes the most that the call may cost out of every cap that binds it, or out of none and gives the error of a
    /// cap that would be passed. True: some cap binds, so the call must keep within what was reserved.
    ///
    /// All statements are sent at once, so that it shares the trip of what stands beside it. The counters stay locked
    /// until the transaction ends, always in the same order.
    pub async fn reserve(&self, tx: &TenantTx) -> Result<bool> {
        let standing = store::reserve(tx, self).await?;
        match standing.iter().find(|cap| !cap.fits) {
            Some(cap) => Err(caps::reached(&cap.subject, self)),
            None => Ok(!standing.is_empty()),
        }
    }

    /// Books what the call used instead of what was reserved.
    pub async fn settle(&self, tx: &TenantTx, used: Used) -> Result<()> {
        let micros = self.price.cost(used.input_tokens, used.output_tokens);
        if micros > self.micros {
            tracing::warn!(
                provider = self.provider,
                model = self.model,
                micros,
                reserved = self.micros,
                "usage.settle booked more than was reserved: the provider counts more tokens than there were bytes"
            );
        }
        self.told(used, micros);
        if !store::settle(tx, self, used, micros).await? {
            tracing::warn!(
                spending = crate::telemetry::hashed(self.id),
                micros,
                "usage.settle came too late: the sweep has settled it in full"
            );
        }
        Ok(())
    }

    /// Gives everything back: the call was never made.
    pub async fn release(&self, tx: &TenantTx) -> Result<()> {
        store::release(tx, self.id).await
    }

    /// Notes a call that no cap bound and that is over.
    pub async fn record(&self, tx: &TenantTx, used: Used) -> Result<()> {
        let micros = self.price.cost(used.input_tokens, used.output_tokens);
        self.told(used, micros);
        store::record(tx, self, used, micros).await
    }

    fn told(&self, Used { input_tokens, output_tokens, .. }: Used, micros: i64) {
        let used = telemetry::Used { input_tokens, output_tokens };
        telemetry::spent((&self.provider, &self.model), used, micros, self.kind == Kind::Embedding);
    }
}

/// A call that is over, to be booked in whatever transaction comes next.
#[derive(Clone, Debug)]
pub struct Bill {
    pub spending: Spending,
    pub used: Used,
    /// Whether it was reserved before.
    pub reserved: bool,
}

impl Bill {
    pub async fn book(&self, tx: &TenantTx) -> Result<()> {
        match self.reserved {
            true => self.spending.settle(tx, self.used).await,
            false => self.spending.record(tx, self.used).await,
        }
    }
}

impl Used {
    /// What a provider counted. Where it counted nothing although something was sent, the bytes are counted.
    pub fn counted(input_tokens: u64, output_tokens: u64, sent: usize, received: usize) -> Used {
        let input = (input_tokens == 0).then(|| tokens(sent)).filter(|tokens| *tokens > 0);
        let output = (output_tokens == 0).then(|| tokens(received)).filter(|tokens| *tokens > 0);
        Used {
            input_tokens: input.unwrap_or(input_tokens),
            output_tokens: output.unwrap_or(output_tokens),
            estimated: input.or(output).is_some(),
        }
    }

    /// What a call used that failed before it gave anything. A provider that refuses bills nothing; one that broke off
    /// has worked, and says no more.
    pub fn failed(code: &str, sent: usize) -> Used {
        match code {
            "provider_timeout" | "upstream_truncated" | "provider_protocol" | "provider_empty" | "deadline" => {
                Used::counted(0, 0, sent, 0)
            }
            _ => Used::default(),
        }
    }
}

/// Two bytes for a token is a high estimate: English has four, Chinese about three.
fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(2) as u64
}

impl Spender {
    pub fn of(caller: &Caller) -> Spender {
        Spender { tenant: caller.tenant, token: caller.token, visitor: caller.visitor.clone() }
    }

    /// Documents are read for the tenant, whoever uploaded them.
    pub fn documents(tenant: TenantId) -> Spender {
        Spender { tenant, token: None, visitor: None }
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Chat => "chat",
            Kind::Embedding => "embedding",
        }
    }
}

impl PaidBy {
    pub fn of(operator: bool) -> PaidBy {
        if operator { PaidBy::Operator } else { PaidBy::Tenant }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            PaidBy::Tenant => "tenant",
            PaidBy::Operator => "operator",
        }
    }
}
