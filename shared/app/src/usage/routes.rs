//! `/api/usage`: what the last 30 days cost and how far today's caps are used up. `/api/usage/caps`: the tenant's own.

use std::collections::BTreeMap;

use axum::extract::{FromRef, State};
use futures_util::future::try_join;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::store::{self, sums::Sum};
use super::{Cap, Purse, caps, dollars};
use crate::App;
use crate::auth::{Admin, May, Read};
use crate::error::Result;
use crate::http::{Json, Router, get};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/usage", get(show_usage)).route("/api/usage/caps", get(list_caps).put(replace_caps))
}

#[derive(Serialize, JsonSchema)]
struct UsageWire {
    days: i32,
    /// Which price table is in force now.
    prices: String,
    usage: Vec<SumWire>,
    today: Vec<PurseWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "UsageOfDay")]
struct SumWire {
    day: String,
    kind: String,
    provider: String,
    model: String,
    paid_by: String,
    requests: i64,
    input_tokens: i64,
    output_tokens: i64,
    cost_usd: String,
    estimated: bool,
}

impl From<Sum> for SumWire {
    fn from(sum: Sum) -> SumWire {
        let Sum { day, kind, provider, model, paid_by, requests, input_tokens, output_tokens, micros, estimated } = sum;
        let cost_usd = dollars::format(micros);
        SumWire { day, kind, provider, model, paid_by, requests, input_tokens, output_tokens, cost_usd, estimated }
    }
}

/// A subject that a cap bound today. `capUsd` is what binds it now; nothing when the cap was taken away.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PurseWire {
    subject: String,
    paid_by: String,
    spent_usd: String,
    reserved_usd: String,
    cap_usd: Option<String>,
    left_usd: Option<String>,
}

impl From<Purse> for PurseWire {
    fn from(purse: Purse) -> PurseWire {
        let left = purse.cap_micros.map(|cap| (cap - purse.spent_micros - purse.reserved_micros).max(0));
        PurseWire {
            subject: purse.subject,
            paid_by: purse.paid_by,
            spent_usd: dollars::format(purse.spent_micros),
            reserved_usd: dollars::format(purse.reserved_micros),
            cap_usd: purse.cap_micros.map(dollars::format),
            left_usd: left.map(dollars::format),
        }
    }
}

async fn show_usage(State(app): State<App>, caller: May<Read>) -> Result<Json<UsageWire>> {
    let now = app.clock.now();
    let tx = app.db.tenant(caller.tenant).await?;
    let (sums, mut purses) = tx.finish(try_join(store::sums::sums(&tx, now), store::caps::purses(&tx, now))).await?;
    for purse in purses.iter_mut().filter(|purse| purse.paid_by == "operator" && purse.subject == "tenant") {
        purse.cap_micros = purse.cap_micros.or(app.tariff.operator_cap);
    }
    Ok(Json(UsageWire {
        days: store::sums::DAYS,
        prices: app.tariff.prices.version().to_owned(),
        usage: sums.into_iter().map(SumWire::from).collect(),
        today: purses.into_iter().map(PurseWire::from).collect(),
    }))
}

/// Dollars a day by subject, as decimal strings: `{"caps":{"tenant":"5.00","visitor":"0.05"}}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CapsWire {
    caps: BTreeMap<String, String>,
}

impl From<Vec<Cap>> for CapsWire {
    fn from(caps: Vec<Cap>) -> CapsWire {
        CapsWire { caps: caps.into_iter().map(|cap| (cap.subject, dollars::format(cap.daily_micros))).collect() }
    }
}

async fn list_caps(State(app): State<App>, caller: May<Admin>) -> Result<Json<CapsWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    Ok(Json(tx.finish(store::caps::list(&tx)).await?.into()))
}

/// Replaces all caps: what is not named is not capped any more.
async fn replace_caps(
    State(app): State<App>,
    caller: May<Admin>,
    Json(sent): Json<CapsWire>,
) -> Result<Json<CapsWire>> {
    let caps = caps::check(sent.caps)?;
    let tx = app.db.tenant(caller.tenant).await?;
    tx.finish(store::caps::replace(&tx, &caps, app.clock.now())).await?;
    Ok(Json(caps.into()))
}
