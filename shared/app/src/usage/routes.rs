//! `/api/usage`: what the last 30 days cost, by day, kind, provider and model.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::get;
use serde::Serialize;

use super::store::{self, Sum};
use crate::App;
use crate::auth::{May, Read};
use crate::error::Result;
use crate::http::Json;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/usage", get(show_usage))
}

#[derive(Serialize)]
struct UsageWire {
    days: i32,
    usage: Vec<SumWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SumWire {
    day: String,
    kind: String,
    provider: String,
    model: String,
    requests: i64,
    input_tokens: i64,
    output_tokens: i64,
}

impl From<Sum> for SumWire {
    fn from(sum: Sum) -> SumWire {
        let Sum { day, kind, provider, model, requests, input_tokens, output_tokens } = sum;
        SumWire { day, kind, provider, model, requests, input_tokens, output_tokens }
    }
}

async fn show_usage(State(app): State<App>, caller: May<Read>) -> Result<Json<UsageWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let sums = tx.finish(store::sums(&tx)).await?;
    Ok(Json(UsageWire { days: store::DAYS, usage: sums.into_iter().map(SumWire::from).collect() }))
}
