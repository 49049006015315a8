//! The line of a request, and what of it a browser may see.

use std::fmt::Write;
use std::time::Duration;

use super::facts::{Facts, hashed};
use super::request::Request;
use super::step::Part;

/// What is not known is left out.
pub fn write(request: &Request, facts: &Facts) {
    let Facts { used, cost_micros, .. } = facts;
    let asked = facts.model.is_some();
    let millis = |time: Duration| time.as_millis() as u64;
    let some = |time: Duration| (!time.is_zero()).then(|| millis(time));
    tracing::info!(
        request_id = request.arrival.id,
        method = %request.arrival.method,
        route = request.arrival.route,
        status = facts.status,
        millis = millis(facts.end.unwrap_or(facts.head)),
        head_millis = millis(facts.head),
        first_millis = facts.first.map(millis),
        left = facts.left.then_some(true),
        code = facts.code,
        trace_id = format!("{:032x}", request.context.trace),
        tenant = facts.tenant,
        caller = facts.caller,
        bot = facts.bot.map(hashed),
        provider = facts.provider,
        model = facts.model,
        input_tokens = asked.then_some(used.input_tokens),
        output_tokens = asked.then_some(used.output_tokens),
        embedded_tokens = Some(facts.embedded_tokens).filter(|tokens| *tokens > 0),
        cost_micros = Some(*cost_micros).filter(|micros| *micros > 0),
        db_trips = facts.trips,
        db_millis = millis(facts.time(Part::Db)),
        connect_millis = some(facts.time(Part::Connect)),
        embed_millis = some(facts.time(Part::Embed)),
        search_millis = some(facts.time(Part::Search)),
        vectors_millis = some(facts.time(Part::Vectors)),
        rerank_millis = some(facts.time(Part::Rerank)),
        provider_millis = some(facts.time(Part::Provider)),
        cold = request.cold.then_some(true),
        "http.request answered"
    );
}

/// The value of `Server-Timing`: what took time, in milliseconds.
pub fn timing(facts: &Facts, total: Duration) -> String {
    let mut text = format!("total;dur={:.1}", total.as_secs_f64() * 1000.0);
    for (part, name) in Part::NAMES {
        let time = facts.time(part);
        if !time.is_zero() {
            let _ = write!(text, ", {name};dur={:.1}", time.as_secs_f64() * 1000.0);
        }
        if part == Part::Db && facts.trips > 0 {
            let _ = write!(text, ";desc=\"{} trips\"", facts.trips);
        }
    }
    text
}
