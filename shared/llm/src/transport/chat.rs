//! A chat's request, and when it is sent again: only while nothing of an answer was handed out.

use std::hash::{BuildHasher, Hasher, RandomState};

use tokio::time::{Instant, sleep};

use super::{Expected, Transport};
use crate::breaker::{self, Account};
use crate::dialect::Call;
use crate::{AnswerDecoder, ChatRequest, ChatStream, Endpoint, Error, Limits, retry};

impl Transport {
    /// Starts an answer and waits for its first word. An error here means that there was none, whatever was tried.
    pub async fn chat(&self, endpoint: &Endpoint, request: &ChatRequest) -> Result<ChatStream, Error> {
        let call = endpoint.dialect.chat(endpoint, request)?;
        let Limits { total, retries, .. } = self.shared.limits;
        let deadline = Instant::now() + total;
        let account = Account { endpoint, model: &request.model };
        let mut again = 0;
        loop {
            if !self.shared.breakers.admit(account, Instant::now()) {
                return Err(breaker::LEFT_ALONE);
            }
            let begun = self.begin(call.clone(), endpoint.dialect.answer(), deadline).await;
            let now = Instant::now();
            self.shared.breakers.note(account, begun.as_ref().err().map(Error::kind), now);
            let error = match begun {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(now);
            let pause = retry::pause(error.kind(), again, left, chance()).filter(|_| again < retries);
            sleep(pause.ok_or(error)?).await;
            again += 1;
        }
    }

    async fn begin(&self, call: Call, decoder: AnswerDecoder, deadline: Instant) -> Result<ChatStream, Error> {
        let total = deadline.saturating_duration_since(Instant::now());
        let body = self.shared.limits.stream_body;
        let expected = Expected { media_type: decoder.framing.media_type(), total, body };
        ChatStream::new(self.send(call, expected).await?.into_stream(), decoder).begun().await
    }
}

/// Between 0 and 1: enough chance to spread out those who failed together. The standard library seeds each of these.
fn chance() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
