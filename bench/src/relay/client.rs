//! One question asked of anybody, and its answer read as it comes.

use reqwest::{Client, Response};
use serde_json::json;

use super::database::mark;
use super::provider::{STAMP, TICK, now};
use crate::Outcome;

/// How a question is put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's, of this model.
    Completions(&'static str),
    /// The AI SDK's.
    UiStream,
}

/// Somebody who answers.
pub struct Target {
    pub name: &'static str,
    pub url: String,
    pub token: String,
    pub dialect: Dialect,
    /// Where its CPU and memory are counted; nowhere for the provider itself.
    pub processes: Vec<u32>,
}

/// The provider's own account of an answer's first token, and when it was read here; nanoseconds since 1970.
#[derive(Clone, Copy)]
pub struct Stamp {
    pub arrived: i128,
    pub sent: i128,
    pub seen: i128,
}

pub struct Reading {
    response: Response,
    pub asked: i128,
    pub stamp: Option<Stamp>,
    pub ticks: usize,
    ended: bool,
    /// What a mark of the stream may still begin in.
    open: Vec<u8>,
}

/// What ends every stream, in both dialects.
const END: &str = "DONE";

impl Target {
    /// `number` is in what Docent's statements bind.
    pub async fn ask(&self, http: &Client, question: &str, number: usize) -> Outcome<Reading> {
        let mark = mark(number);
        let (path, body) = match self.dialect {
            Dialect::UiStream => {
                let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
                ("/api/chat", json!({ "id": mark, "messages": [message] }))
            }
            Dialect::Completions(model) => {
                let message = json!({ "role": "user", "content": format!("{question} {mark}") });
                ("/v1/chat/completions", json!({ "model": model, "stream": true, "messages": [message] }))
            }
        };
        let request = http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body).build()?;
        let asked = now();
        let response = http.execute(request).await?;
        if !response.status().is_success() {
            return Err(format!("{}: {} {}", self.name, response.status(), response.text().await?).into());
        }
        Ok(Reading { response, asked, stamp: None, ticks: 0, ended: false, open: Vec::new() })
    }
}

impl Reading {
    /// Reads on; false when all was read, which must have ended as it should.
    pub async fn more(&mut self) -> Outcome<bool> {
        let Some(bytes) = self.response.chunk().await? else {
            return match self.ended && self.stamp.is_some() {
                true => Ok(false),
                false => Err(format!("an answer broke off: {}", String::from_utf8_lossy(&self.open)).into()),
            };
        };
        self.take(&bytes);
        Ok(true)
    }

    /// Reads until the first token.
    pub async fn stamped(&mut self) -> Outcome<Stamp> {
        loop {
            if let Some(stamp) = self.stamp {
                return Ok(stamp);
            }
            if !self.more().await? {
                return Err("an answer has no stamp".into());
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        if self.stamp.is_none() {
            self.stamp = stamp(&self.open);
        }
        let Some(_) = self.stamp else { return };
        self.ticks += count(&self.open, TICK);
        self.ended |= count(&self.open, END) > 0;
        // Shorter than a tick, or one would be counted twice.
        self.open.drain(..self.open.len().saturating_sub(TICK.len() - 1));
    }
}

fn count(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

fn stamp(bytes: &[u8]) -> Option<Stamp> {
    let at = bytes.windows(STAMP.len()).position(|window| window == STAMP.as_bytes())? + STAMP.len();
    let text = std::str::from_utf8(bytes.get(at..)?).ok()?;
    let mut words = text.split_inclusive(' ').map(|word| word.strip_suffix(' ')?.parse().ok());
    Some(Stamp { arrived: words.next()??, sent: words.next()??, seen: now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_when_all_of_it_has_come() {
        let wire = b"data: {\"content\":\"stamp 12 34 ok \"}\n\n";
        for cut in 0..wire.len() {
            let complete = wire[..cut].ends_with(b"34 ") || wire[..cut].windows(3).any(|window| window == b"34 ");
            assert_eq!(stamp(&wire[..cut]).is_some(), complete, "cut at {cut}");
        }
        let stamp = stamp(wire).unwrap();
        assert_eq!((stamp.arrived, stamp.sent), (12, 34));
    }
}
