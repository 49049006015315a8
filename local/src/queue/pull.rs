//! A queue of Cloudflare's that is pulled from by HTTP, which answers at once also when there is nothing.
//! <https://developers.cloudflare.com/queues/configuration/pull-consumers/>

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docent::config;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Body, Error, Message, Settled, VISIBLE_AGAIN};

/// The most messages that one request gives.
const MOST: usize = 100;
/// Between two looks into an empty queue: 300 requests in five minutes, of 1,200 that an account has
/// (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
const PAUSE: Duration = Duration::from_secs(1);

pub struct Pull {
    http: reqwest::Client,
    config: config::Pull,
}

#[derive(Deserialize)]
struct Answered {
    result: Pulled,
}

#[derive(Deserialize)]
struct Pulled {
    #[serde(default)]
    messages: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
    lease_id: String,
    #[serde(default)]
    attempts: u32,
    body: Value,
}

impl Pull {
    pub fn new(http: reqwest::Client, config: config::Pull) -> Pull {
        Pull { http, config }
    }

    pub async fn take(&self) -> Result<Vec<Message>, Error> {
        let wanted = json!({ "batch_size": MOST, "visibility_timeout_ms": VISIBLE_AGAIN.as_millis() as u64 });
        let pulled = self.call("pull", &wanted).await?;
        let Answered { result } = serde_json::from_value(pulled).map_err(|_| Error::Unreadable)?;
        if result.messages.is_empty() {
            sleep(PAUSE).await;
        }
        let message = |one: One| Message {
            id: one.id,
            receipt: one.lease_id,
            attempts: one.attempts,
            body: Body::R2(decoded(one.body)),
        };
        Ok(result.messages.into_iter().map(message).collect())
    }

    pub async fn settle(&self, settled: &Settled) -> Result<(), Error> {
        let acks: Vec<Value> = settled.done.iter().map(|message| json!({ "lease_id": message.receipt })).collect();
        let retry = |(message, pause): &(Message, Duration)| json!({ "lease_id": message.receipt, "delay_seconds": pause.as_secs() });
        let retries: Vec<Value> = settled.again.iter().map(retry).collect();
        self.call("ack", &json!({ "acks": acks, "retries": retries })).await.map(|_| ())
    }

    async fn call(&self, action: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}/messages/{action}", self.config.url.as_str().trim_end_matches('/'));
        let request = self.http.post(url).bearer_auth(self.config.token.expose_secret()).json(body);
        super::json(request.send().await?).await
    }
}

/// Messages of the content types `json` and `bytes` come in base64, those of `text` as they are.
fn decoded(body: Value) -> Value {
    let Value::String(text) = &body else { return body };
    let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
    serde_json::from_slice(&bytes).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_in_whatever_form_it_comes() {
        let event = json!({ "action": "PutObject", "bucket": "b", "object": { "key": "ü" } });
        let text = event.to_string();
        for body in [event.clone(), json!(text), json!(STANDARD.encode(&text))] {
            assert_eq!(decoded(body), event);
        }
        for body in [json!("hello"), json!("{"), json!(""), json!(7), Value::Null] {
            assert_eq!(decoded(body.clone()), body);
        }
    }
}
