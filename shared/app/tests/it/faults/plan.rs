//! What a provider does in one run, drawn by the seed, and what must come of it.

use std::time::Duration;

use super::provider::{Act, Then};
use super::wire::{Refusal, Stop, Vendor};
use crate::dice::Dice;

/// The limits of the runs. A busy machine must not pass one by itself.
pub const FIRST_BYTE: Duration = Duration::from_secs(3);
pub const IDLE: Duration = Duration::from_secs(3);
pub const TOTAL: Duration = Duration::from_secs(8);
/// What a server in a hurry has for an answer.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// Asked again this often before the first word.
pub const RETRIES: usize = 2;
/// Bytes of an answer after which it is stopped.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// What a whole answer is counted at by its provider.
pub const COUNTS: [&str; 2] = ["70", "9"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Finish(&'static str),
    Error(&'static str),
    /// The client went.
    Left,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Exactly this.
    Is(String),
    /// Some of it: what the network lost is lost.
    StartOf(String),
    /// As much as an answer may be.
    Endless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bill {
    /// What the provider counted.
    Counted,
    /// Nothing was done, nothing is paid.
    Nothing,
    /// The prompt at least, by count or by its bytes.
    Prompt,
    /// Prompt and words, by count or by their bytes.
    Both,
}

/// Where the question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    There,
    /// Nobody listens at the provider's address.
    Nowhere,
    /// There, by a server that has no more than `DEADLINE` for an answer.
    Hurried,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub acts: Vec<Act>,
    /// What the fallback does; none is configured where this is empty.
    pub spare: Vec<Act>,
    pub place: Place,
    /// The client leaves after so many words, once the provider was asked.
    pub leaves: Option<usize>,
    pub end: End,
    pub text: Text,
    /// Requests that the provider saw, and those that the fallback did.
    pub asked: usize,
    pub spared: usize,
    /// What is known of the key afterwards.
    pub key: &'static str,
    pub bill: Bill,
    pub least: Duration,
    pub most: Duration,
    /// The provider has not ended, and sees us go.
    pub lets_go: bool,
}

impl Plan {
    pub fn key(self, key: &'static str) -> Plan {
        Plan { key, ..self }
    }

    pub fn within(self, most: Duration) -> Plan {
        Plan { most, ..self }
    }

    pub fn bill(self, bill: Bill) -> Plan {
        Plan { bill, ..self }
    }
}

/// One run's vendor and chance.
pub struct Draft {
    pub vendor: Vendor,
    pub dice: Dice,
}

const WORDS: [&str; 12] =
    ["It", " is", " 384400", " kilometres", " [1]", ",", " in", " Größe", " und", " 🦀", " mean\n", ".\n\n"];

impl Draft {
    pub fn words(&mut self, least: usize) -> Vec<&'static str> {
        let count = least + self.dice.below(12);
        (0..count).map(|_| *self.dice.pick(&WORDS)).collect()
    }

    /// The frames of an answer up to its end.
    fn begun(&self, words: &[&str]) -> Vec<String> {
        self.vendor.opening().into_iter().chain(words.iter().map(|word| self.vendor.word(word))).collect()
    }

    /// One HTTP response. One that is not whole ends where its body does, short of what its framing promised.
    pub fn http(&mut self, status: u16, headers: &str, body: &[u8], whole: bool) -> Vec<u8> {
        let mut wire = format!("HTTP/1.1 {status} Test\r\nconnection: close\r\n{headers}").into_bytes();
        if self.dice.percent(50) {
            wire.extend_from_slice(b"\r\n\r\n");
            wire.extend_from_slice(body);
            return wire;
        }
        wire.extend_from_slice(b"\r\ntransfer-encoding: chunked\r\n\r\n");
        for piece in body.chunks(1 + self.dice.below(300)) {
            wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            wire.extend_from_slice(piece);
            wire.extend_from_slice(b"\r\n");
        }
        if whole {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        wire
    }

    /// The head of a stream and these frames.
    pub fn stream(&mut self, frames: &[String], whole: bool) -> Vec<u8> {
        self.http(200, &format!("content-type: {}", self.vendor.media_type()), frames.concat().as_bytes(), whole)
    }

    fn plan(&self, acts: Vec<Act>, end: End) -> Plan {
        Plan {
            acts,
            spare: Vec::new(),
            place: Place::There,
            leaves: None,
            end,
            text: Text::Is(String::new()),
            asked: 1,
            spared: 0,
            key: "good",
            bill: Bill::Nothing,
            least: Duration::ZERO,
            most: TOTAL,
            lets_go: false,
        }
    }

    /// A whole answer that ends in this way.
    pub fn answers(&mut self, stop: Stop, least: usize) -> Plan {
        self.counts(stop, least, COUNTS)
    }

    pub fn counts(&mut self, stop: Stop, least: usize, counts: [&str; 2]) -> Plan {
        let words = self.words(least);
        self.says(&words, stop, counts)
    }

    pub fn says(&mut self, words: &[&str], stop: Stop, counts: [&str; 2]) -> Plan {
        let mut frames = self.begun(words);
        frames.extend(self.vendor.ending(stop, counts));
        let bytes = self.stream(&frames, true);
        let reason = match stop {
            Stop::Done => "stop",
            Stop::Length => "length",
            // Ollama knows no filter: whatever else it says is another reason.
            Stop::Filter if self.vendor == Vendor::Ollama => "other",
            Stop::Filter => "content-filter",
        };
        let plan = self.plan(vec![Act { bytes, then: Then::Close }], End::Finish(reason));
        Plan { text: Text::Is(words.concat()), bill: Bill::Counted, ..plan }
    }

    fn refusal(&mut self, why: Refusal, headers: &str) -> Act {
        let (status, body) = self.vendor.refusal(why);
        self.body(status, &format!("content-type: application/json{headers}"), &body.to_string())
    }

    pub fn body(&mut self, status: u16, headers: &str, body: &str) -> Act {
        Act { bytes: self.http(status, headers, body.as_bytes(), true), then: Then::Close }
    }

    /// Refused once and for all.
    pub fn refused(&mut self, why: Refusal, code: &'static str) -> Plan {
        let act = self.refusal(why, "");
        self.plan(vec![act], End::Error(code))
    }

    pub fn refused_until(&mut self, why: Refusal, header: &str, code: &'static str) -> Plan {
        let act = self.refusal(why, header);
        self.plan(vec![act], End::Error(code))
    }

    /// A fault before the first word, which the seed lets pass once, twice or never.
    pub fn again(&mut self, fault: Act, code: &'static str) -> Plan {
        let faults = 1 + self.dice.below(RETRIES + 1);
        let mut plan = self.plan(Vec::new(), End::Error(code));
        if faults <= RETRIES {
            plan = self.answers(Stop::Done, 1);
        }
        plan.acts.splice(0..0, vec![fault; faults]);
        Plan { asked: faults.min(RETRIES) + 1, ..plan }
    }

    pub fn refused_again(&mut self, why: Refusal, headers: &str, code: &'static str) -> Plan {
        let act = self.refusal(why, headers);
        self.again(act, code)
    }

    /// An answer that ends at once with this act.
    pub fn once(&mut self, act: Act, code: &'static str) -> Plan {
        self.plan(vec![act], End::Error(code))
    }

    /// Words, then these bytes, and then this.
    pub fn breaks(&mut self, least: usize, then: (&[u8], Then), code: &'static str) -> Plan {
        let words = self.words(least);
        self.breaks_after(&words, then, code)
    }

    pub fn breaks_after(&mut self, words: &[&str], (bytes, then): (&[u8], Then), code: &'static str) -> Plan {
        let mut wire = self.begun(words).concat().into_bytes();
        wire.extend_from_slice(bytes);
        let media_type = format!("content-type: {}", self.vendor.media_type());
        // What goes on for ever is not in chunks.
        let endless = matches!(then, Then::Repeat(_) | Then::Drip(_));
        let bytes = match endless {
            true => {
                [format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{media_type}\r\n\r\n").as_bytes(), &wire].concat()
            }
            false => self.http(200, &media_type, &wire, then == Then::Close),
        };
        let lets_go = then != Then::Close && then != Then::Reset;
        let bill = if words.is_empty() { Bill::Prompt } else { Bill::Both };
        let plan = self.plan(vec![Act { bytes, then }], End::Error(code));
        Plan { text: Text::Is(words.concat()), bill, lets_go, ..plan }
    }

    /// A whole answer, cut at any byte of its body.
    pub fn cut(&mut self) -> Plan {
        let words = self.words(0);
        let mut frames = self.begun(&words);
        let first = self.vendor.opening().len();
        frames.extend(self.vendor.ending(Stop::Done, COUNTS));
        let ends: Vec<usize> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        let body = frames.concat();
        let at = self.dice.below(body.len());
        let heard = ends[first..first + words.len()].iter().filter(|end| **end <= at).count();
        let media_type = format!("content-type: {}", self.vendor.media_type());
        let bytes = self.http(200, &media_type, &body.as_bytes()[..at], false);
        let plan = self.plan(vec![Act { bytes, then: Then::Close }], End::Error("upstream_truncated"));
        let bill = if heard == 0 { Bill::Prompt } else { Bill::Both };
        Plan { text: Text::Is(words[..heard].concat()), bill, ..plan }
    }

    /// Everything but one half of the end marker, or all of it.
    pub fn unmarked(&mut self) -> Plan {
        let words = self.words(0);
        let mut frames = self.begun(&words);
        let mut ending = self.vendor.ending(Stop::Done, COUNTS);
        match self.dice.below(3) {
            0 => ending.clear(),
            _ => drop(ending.remove(*self.dice.pick(self.vendor.markers()))),
        }
        frames.extend(ending);
        let bytes = self.stream(&frames, true);
        let plan = self.plan(vec![Act { bytes, then: Then::Close }], End::Error("upstream_truncated"));
        let bill = if words.is_empty() { Bill::Prompt } else { Bill::Both };
        Plan { text: Text::Is(words.concat()), bill, ..plan }
    }

    /// Words, or not even a head, and then nothing, or nothing but signs of life.
    fn stalls(&mut self, code: &'static str) -> Plan {
        if self.dice.percent(20) {
            let plan = self.once(Act { bytes: Vec::new(), then: Then::Hang }, code);
            return Plan { lets_go: true, bill: Bill::Prompt, ..plan };
        }
        let sign = if self.vendor == Vendor::Ollama { "\n" } else { ": ping\n\n" };
        let then = if self.dice.percent(50) { Then::Hang } else { Then::Drip(sign.as_bytes().to_vec()) };
        self.breaks(0, (b"", then), code)
    }

    /// The client leaves after some of the words, or before the first.
    pub fn leaves(&mut self) -> Plan {
        let plan = self.stalls("");
        let Text::Is(text) = plan.text else { return plan };
        let after = if plan.bill == Bill::Both { self.dice.below(2) } else { 0 };
        let bill = if after == 0 { Bill::Prompt } else { Bill::Both };
        Plan { end: End::Left, leaves: Some(after), text: Text::StartOf(text), bill, ..plan }
    }

    /// The server's own time is over.
    pub fn too_late(&mut self) -> Plan {
        let plan = self.stalls("deadline");
        let least = DEADLINE.saturating_sub(Duration::from_millis(50));
        Plan { place: Place::Hurried, least, most: DEADLINE, ..plan }
    }

    /// Another provider answers in the place of one that cannot begin; only who answered is paid.
    pub fn falls_back(&mut self, first: Plan) -> Plan {
        let own = std::mem::replace(&mut self.vendor, Vendor::OpenAi);
        let second = self.answers(Stop::Done, 1);
        self.vendor = own;
        Plan {
            acts: first.acts,
            spare: second.acts,
            asked: first.asked,
            spared: 1,
            key: first.key,
            place: first.place,
            ..second
        }
    }

    /// So it would, but there is no answer to begin, or one that has begun.
    pub fn would_fall_back(&mut self, first: Plan, spared: usize) -> Plan {
        let own = std::mem::replace(&mut self.vendor, Vendor::OpenAi);
        let act = self.refusal(Refusal::NoModel, "");
        self.vendor = own;
        Plan { spare: vec![act], spared, ..first }
    }
}
