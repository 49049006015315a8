//! Metrics on Lambda: a line of JSON per request that CloudWatch reads numbers out of, which no permission, no call and no
//! waiting is needed for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::io::Write;

use serde_json::{Value, json};

use super::facts::Facts;
use super::request::Request;
use crate::clock::Clock;

/// One dimension, the function: each further one, and each value of it, is a metric that is paid for.
const REQUEST: [(&str, &str); 8] = [
    ("Requests", "Count"),
    ("Errors", "Count"),
    ("Duration", "Milliseconds"),
    ("FirstByte", "Milliseconds"),
    ("DatabaseTrips", "Count"),
    ("InputTokens", "Count"),
    ("OutputTokens", "Count"),
    ("CostMicros", "Count"),
];

const DOCUMENT: [(&str, &str); 3] =
    [("Documents", "Count"), ("DocumentsFailed", "Count"), ("DocumentsPutOff", "Count")];

pub fn request(function: &str, request: &Request, facts: &Facts) {
    let mut line = of_request(function, facts);
    (line["Route"], line["request_id"]) = (json!(request.arrival.route), json!(request.arrival.id));
    write(&line);
}

/// A document that was looked at.
pub fn document(function: &str, outcome: &str) {
    write(&of_document(function, outcome));
}

fn of_request(function: &str, facts: &Facts) -> Value {
    let millis = |time: std::time::Duration| json!(time.as_secs_f64() * 1000.0);
    let values = [
        json!(1),
        json!(u8::from(facts.status >= 500)),
        millis(facts.end.unwrap_or(facts.head)),
        millis(facts.first.unwrap_or(facts.head)),
        json!(facts.trips),
        json!(facts.used.input_tokens + facts.embedded_tokens),
        json!(facts.used.output_tokens),
        json!(facts.cost_micros),
    ];
    line(function, &REQUEST, values)
}

fn of_document(function: &str, outcome: &str) -> Value {
    let is = |word: &str| json!(u8::from(outcome == word));
    line(function, &DOCUMENT, [json!(1), is("failed"), is("put_off")])
}

fn line<const N: usize>(function: &str, metrics: &[(&str, &str); N], values: [Value; N]) -> Value {
    let named: Vec<Value> = metrics.iter().map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": Clock::system().now().as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": "Docent", "Dimensions": [["Function"]], "Metrics": named }],
        },
        "Function": function,
    });
    for ((name, _), value) in metrics.iter().zip(values) {
        line[*name] = value;
    }
    line
}

fn write(line: &Value) {
    // As with the log's own lines: who cannot write them cannot say so either.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_announced_is_a_number_beside_it() {
        let failed = of_request("docent-chat", &Facts { status: 503, ..Facts::default() });
        assert_eq!((&failed["Errors"], &failed["Requests"]), (&json!(1), &json!(1)));
        let put_off = of_document("docent-ingest", "put_off");
        assert_eq!((&put_off["DocumentsPutOff"], &put_off["DocumentsFailed"]), (&json!(1), &json!(0)));
        for (line, count) in [(failed, REQUEST.len()), (put_off, DOCUMENT.len())] {
            assert!(line["_aws"]["Timestamp"].as_i64().is_some_and(|millis| millis > 1_700_000_000_000));
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert_eq!(metrics.len(), count);
            for metric in metrics {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
            }
        }
    }
}
