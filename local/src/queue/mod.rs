//! The queues that feed `docent worker`. A message is only a hint: it becomes a row of the table of hints and is
//! acknowledged, and whoever keeps up with that table looks at the bucket. So no message has to be held for long.

mod pull;
mod sqs;

use std::time::Duration;

use docent::config;
use docent::ingest::Ingest;
use futures_util::future::Shared;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::command::Failure;

/// How long a message that was given to us is given to nobody else; writing a batch down takes a fraction of it.
pub const VISIBLE_AGAIN: Duration = Duration::from_secs(60);
/// What is not written down by then is left to whoever is given it next.
const WRITTEN_DOWN: Duration = Duration::from_secs(30);
/// Pauses before a message that could not be written down comes again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);
/// Pauses before a queue that gave no answer is asked again.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// More than any queue puts into one answer.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// A queue of the bucket's events.
pub enum Queue {
    Sqs(sqs::Sqs),
    Pull(pull::Pull),
}

/// One message, ours until [`VISIBLE_AGAIN`].
pub struct Message {
    pub id: String,
    pub body: Body,
    /// With which it is acknowledged or given back.
    pub receipt: String,
    /// How often it was given to anybody, this time included.
    pub attempts: u32,
}

pub enum Body {
    /// As S3 writes to SQS.
    S3(String),
    /// As R2 writes to its queue.
    R2(Value),
}

/// What became of the messages of a batch.
#[derive(Default)]
pub struct Settled {
    pub done: Vec<Message>,
    /// Not before so long.
    pub again: Vec<(Message, Duration)>,
}

/// Why a queue gave no answer; fit for a log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the queue cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the queue refused with {status} {code}")]
    Refused { status: StatusCode, code: String },
    #[error("the queue's answer is not in its documented form")]
    Unreadable,
    /// More would only use up the tries that a queue gives each message.
    #[error("none of its messages could be written down")]
    Unwritten,
    #[error("the request cannot be signed: {0}")]
    Unsigned(docent::Error),
}

impl Queue {
    pub fn new(config: config::Queue) -> Result<Queue, Failure> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(sqs::LONG_POLL + Duration::from_secs(10));
        let http = client.build().map_err(|error| Failure::new(error.to_string(), "Report this."))?;
        Ok(match config {
            config::Queue::Sqs(config) => Queue::Sqs(sqs::Sqs::new(http, config)),
            config::Queue::Pull(config) => Queue::Pull(pull::Pull::new(http, config)),
        })
    }

    /// What it has now; nothing after it was waited for a while.
    async fn take(&self) -> Result<Vec<Message>, Error> {
        match self {
            Queue::Sqs(queue) => queue.take().await,
            Queue::Pull(queue) => queue.take().await,
        }
    }

    async fn settle(&self, settled: &Settled) -> Result<(), Error> {
        match self {
            Queue::Sqs(queue) => queue.settle(settled).await,
            Queue::Pull(queue) => queue.settle(settled).await,
        }
    }

    /// Writes down what comes until it is asked to leave. A batch that was taken by then is settled.
    pub async fn listen(&self, ingest: &Ingest, leave: Shared<impl Future<Output = ()>>) {
        let mut rest = FIRST_REST;
        loop {
            let taken = tokio::select! {
                biased;
                () = leave.clone() => return,
                taken = self.take() => taken,
            };
            let outcome = match taken {
                Ok(messages) if messages.is_empty() => Ok(()),
                Ok(messages) => {
                    let settled = write_down(ingest, messages).await;
                    let stuck = settled.done.is_empty();
                    self.settle(&settled).await.and(if stuck { Err(Error::Unwritten) } else { Ok(()) })
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                rest = FIRST_REST;
                continue;
            };
            // What is not acknowledged comes again, and twice is harmless.
            tracing::warn!(%error, seconds = rest.as_secs(), "ingest.queue rests");
            tokio::select! {
                () = leave.clone() => return,
                () = sleep(rest) => {}
            }
            rest = (rest * 2).min(LONGEST_REST);
        }
    }
}

async fn write_down(ingest: &Ingest, messages: Vec<Message>) -> Settled {
    // Without any time of its own a message becomes a hint.
    let hints = ingest.clone().within(Duration::ZERO);
    let until = Instant::now() + WRITTEN_DOWN;
    let mut settled = Settled::default();
    for message in messages {
        if Instant::now() >= until {
            break;
        }
        let written = match &message.body {
            Body::S3(body) => hints.message(body).await,
            Body::R2(body) => hints.r2(body).await,
        };
        match written {
            Ok(()) => settled.done.push(message),
            Err(error) => {
                tracing::warn!(message = message.id, attempts = message.attempts, cause = ?error, "ingest.message failed");
                let pause = pause(message.attempts);
                settled.again.push((message, pause));
            }
        }
    }
    settled
}

/// Twice as long every time. How often a message comes, and where it then goes, the queue's own dead letters say.
fn pause(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// The JSON of an answer that agrees.
async fn json(mut response: Response) -> Result<Value, Error> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > LARGEST_ANSWER {
            return Err(Error::Unreadable);
        }
    }
    let read = serde_json::from_slice::<Value>(&body);
    if status.is_success() {
        return match body.is_empty() {
            true => Ok(Value::Null),
            false => read.map_err(|_| Error::Unreadable),
        };
    }
    // Codes of both vendors; their words may name what the log need not know.
    let refusal = read.unwrap_or_default();
    let code = refusal["__type"].as_str().and_then(|name| name.rsplit('#').next()).map(str::to_owned);
    let code = code.or_else(|| refusal["errors"][0]["code"].as_i64().map(|code| code.to_string()));
    Err(Error::Refused { status, code: code.unwrap_or_default().chars().take(80).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = |attempts| pause(attempts).as_secs();
        assert_eq!([0, 1, 2, 3, 7, 8, 99].map(seconds), [10, 10, 20, 40, 640, 900, 900]);
    }
}
