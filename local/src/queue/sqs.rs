//! Amazon SQS, by its JSON protocol: three small requests, signed, instead of an SDK of their own.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html>

use std::time::Duration;

use docent::clock::Clock;
use docent::config;
use docent::objects::sigv4::{self, Scope};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Error, Message, Settled, VISIBLE_AGAIN};

/// The longest that SQS lets a request wait for a message, and the most messages that one gives or settles.
pub const LONG_POLL: Duration = Duration::from_secs(20);
const MOST: usize = 10;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

pub struct Sqs {
    http: reqwest::Client,
    config: config::Sqs,
    clock: Clock,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(default)]
    messages: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    message_id: String,
    receipt_handle: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
}

impl Sqs {
    pub fn new(http: reqwest::Client, config: config::Sqs) -> Sqs {
        Sqs { http, config, clock: Clock::system() }
    }

    pub async fn take(&self) -> Result<Vec<Message>, Error> {
        let wanted = json!({
            "QueueUrl": self.config.url.as_str(), "MaxNumberOfMessages": MOST, "WaitTimeSeconds": LONG_POLL.as_secs(),
            "VisibilityTimeout": VISIBLE_AGAIN.as_secs(), "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        });
        let received = self.call("ReceiveMessage", &wanted).await?;
        let Received { messages } = serde_json::from_value(received).map_err(|_| Error::Unreadable)?;
        let message = |one: One| Message {
            id: one.message_id,
            receipt: one.receipt_handle,
            attempts: one.attributes.approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
            body: Body::S3(one.body),
        };
        Ok(messages.into_iter().map(message).collect())
    }

    pub async fn settle(&self, settled: &Settled) -> Result<(), Error> {
        let done = settled.done.iter().map(|message| (message, None));
        let again = settled.again.iter().map(|(message, pause)| (message, Some(pause.as_secs())));
        self.batch("DeleteMessageBatch", done.collect()).await?;
        self.batch("ChangeMessageVisibilityBatch", again.collect()).await
    }

    async fn batch(&self, action: &str, messages: Vec<(&Message, Option<u64>)>) -> Result<(), Error> {
        for part in messages.chunks(MOST) {
            let entry = |(place, (message, pause)): (usize, &(&Message, Option<u64>))| {
                let mut entry = json!({ "Id": place.to_string(), "ReceiptHandle": message.receipt });
                if let Some(pause) = pause {
                    entry["VisibilityTimeout"] = json!(pause);
                }
                entry
            };
            let entries: Vec<Value> = part.iter().enumerate().map(entry).collect();
            let answer =
                self.call(action, &json!({ "QueueUrl": self.config.url.as_str(), "Entries": entries })).await?;
            for failed in answer["Failed"].as_array().into_iter().flatten() {
                // It comes again when it is visible again.
                tracing::warn!(action, code = failed["Code"].as_str(), "ingest.queue did not settle a message");
            }
        }
        Ok(())
    }

    /// The address of the endpoint is that of the queue without its path: the queue is named in the body.
    async fn call(&self, action: &str, body: &Value) -> Result<Value, Error> {
        let config::Sqs { url, region, access_key, secret_key, session_token } = &self.config;
        let (body, target) = (body.to_string(), format!("AmazonSQS.{action}"));
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let time = sigv4::time(self.clock.now());
        let mut headers = vec![("content-type", CONTENT_TYPE), ("host", &host), ("x-amz-date", &time)];
        headers.extend(session_token.as_ref().map(|token| ("x-amz-security-token", token.expose_secret())));
        headers.push(("x-amz-target", &target));
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sigv4::sha256(body.as_bytes()));
        let scope = Scope { time: &time, region, service: "sqs" };
        let signature = scope.sign(secret_key, &canonical).map_err(Error::Unsigned)?;
        let credential = format!("{access_key}/{}", scope.text());
        let signed =
            format!("{} Credential={credential}, SignedHeaders={names}, Signature={signature}", sigv4::ALGORITHM);
        let request = self.http.post(url.origin().ascii_serialization()).header("authorization", signed).body(body);
        let sent = headers.iter().filter(|(name, _)| *name != "host");
        let request = sent.fold(request, |request, (name, value)| request.header(*name, *value));
        super::json(request.send().await?).await
    }
}
