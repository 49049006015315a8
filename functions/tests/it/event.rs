//! HTTP as Lambda sees it: function URL events (payload format 2.0) and the two forms of an answer.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>
use std::{collections::BTreeMap, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::{door::Reply, runtime_api::Post};

pub fn http(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut fields = BTreeMap::from([("host", "docent.example")]);
    fields.extend(headers.iter().copied());
    let text = std::str::from_utf8(body);
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": fields,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "docent",
            "domainName": "docent.example",
            "domainPrefix": "docent",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "test"},
            "requestId": "request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": text.map_or_else(|_| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_err(),
    })
}

pub fn reply(post: Post, begin: Instant) -> Reply {
    let streams = post.headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
    if streams { streamed(post, begin) } else { buffered(&post, begin) }
}

fn buffered(post: &Post, begin: Instant) -> Reply {
    let answer: Value = serde_json::from_slice(&post.body()).expect("an answer in JSON");
    let body = answer["body"].as_str().unwrap_or_default();
    let encoded = answer["isBase64Encoded"] == true;
    let body = if encoded { STANDARD.decode(body).expect("base64") } else { body.as_bytes().to_vec() };
    let arrival = post.chunks.last().map_or(begin, |(arrival, _)| *arrival);
    Reply { status: status(&answer), headers: headers(&answer), chunks: vec![(arrival - begin, body.into())] }
}

/// A stream begins with its status and headers in JSON, then eight zero bytes; both may be cut anywhere.
fn streamed(post: Post, begin: Instant) -> Reply {
    const END_OF_PRELUDE: [u8; 8] = [0; 8];
    let mut prelude = Vec::new();
    let mut chunks = post.chunks.into_iter();
    let (arrival, rest) = loop {
        let (arrival, chunk) = chunks.next().expect("the prelude has an end");
        prelude.extend_from_slice(&chunk);
        if let Some(at) = prelude.windows(8).position(|window| window == END_OF_PRELUDE) {
            let rest = Bytes::from(prelude.split_off(at + END_OF_PRELUDE.len()));
            prelude.truncate(at);
            break (arrival, rest);
        }
    };
    let answer: Value = serde_json::from_slice(&prelude).expect("a prelude in JSON");
    let body = std::iter::once((arrival, rest)).filter(|(_, rest)| !rest.is_empty()).chain(chunks);
    let chunks = body.map(|(arrival, chunk)| (arrival - begin, chunk)).collect();
    Reply { status: status(&answer), headers: headers(&answer), chunks }
}

fn status(answer: &Value) -> StatusCode {
    let code = answer["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
    StatusCode::from_u16(code.expect("a status")).expect("a status of HTTP")
}

fn headers(answer: &Value) -> HeaderMap {
    let fields = answer["headers"].as_object().into_iter().flatten();
    let field = |(name, value): (&String, &Value)| (name.parse(), value.as_str().unwrap_or_default().parse());
    fields.map(field).map(|(name, value)| (name.expect("a name"), value.expect("a value"))).collect()
}

#[test]
fn a_prelude_may_be_cut_anywhere() {
    let whole = b"{\"statusCode\":201,\"headers\":{\"x-a\":\"b\"}}\0\0\0\0\0\0\0\0first".as_slice();
    let begin = Instant::now();
    for cut in 0..whole.len() {
        let chunks = [&whole[..cut], &whole[cut..], b"last"].map(|part| (begin, Bytes::from_static(part))).to_vec();
        let post = Post { path: String::new(), headers: HeaderMap::new(), chunks, trailers: HeaderMap::new() };
        let reply = streamed(post, begin);
        assert_eq!(
            (reply.status.as_u16(), reply.header("x-a"), reply.text().as_str()),
            (201, "b", "firstlast"),
            "{cut}"
        );
    }
}
