//! The faults, one row each: what the provider does, and what must come of it.

use std::time::Duration;

use super::plan::{Bill, Draft, End, FIRST_BYTE, IDLE, Place, Plan, RETRIES, Text};
use super::provider::{Act, Then};
use super::wire::Refusal::{BadKey, BadRequest, Broken, Forbidden, NoCredit, NoModel, RateLimited, TooLarge};
use super::wire::{CANARY, Stop, Vendor};

pub struct Fault {
    pub name: &'static str,
    pub plan: fn(&mut Draft) -> Plan,
}

const fn row(name: &'static str, plan: fn(&mut Draft) -> Plan) -> Fault {
    Fault { name, plan }
}

pub const FAULTS: [Fault; 37] = [
    row("none", |d| d.answers(Stop::Done, 1)),
    // Refused: never asked again, and the key is marked where it is to blame.
    row("401-bad-key", |d| d.refused(BadKey, "provider_auth").key("bad")),
    row("403-forbidden", |d| d.refused(Forbidden, "provider_auth").key("restricted")),
    row("402-no-credit", |d| d.refused(NoCredit, "provider_quota").key("out_of_credit")),
    row("404-no-model", |d| d.refused(NoModel, "provider_rejected")),
    row("400-bad-request", |d| d.refused(BadRequest, "provider_rejected")),
    row("413-too-large", |d| d.refused(TooLarge, "provider_rejected")),
    row("504-gateway", |d| d.refused(Broken(504), "provider_timeout").bill(Bill::Prompt)),
    row("429-wait-too-long", |d| d.refused_until(RateLimited, "\r\nretry-after: 11", "provider_rate_limited")),
    // Before the first word: asked again, twice at most.
    row("429", |d| d.refused_again(RateLimited, "", "provider_rate_limited")),
    row("429-wait-a-second", a_second),
    row("500", |d| d.refused_again(Broken(500), "", "provider_unavailable")),
    row("503", |d| d.refused_again(Broken(503), "", "provider_unavailable")),
    row("529-overloaded", |d| d.refused_again(Broken(529), "", "provider_unavailable")),
    row("no-head", no_head),
    row("connection-refused", |d| Plan {
        place: Place::Nowhere,
        asked: 0,
        ..d.refused(BadKey, "provider_unavailable")
    }),
    row("error-body-with-200", error_body),
    // Nothing that may be called an answer: never asked again.
    row("web-page-with-200", web_page),
    row("slow-head", slow_head),
    // After some words, or before the first: they are kept, and nothing is asked again.
    row("cut", Draft::cut),
    row("no-end-marker", Draft::unmarked),
    row("reset", reset),
    row("error-event", error_event),
    row("bad-frame", bad_frame),
    row("invalid-utf8", invalid_utf8),
    row("endless-line", |d| d.breaks(0, (b"data: ", Then::Repeat(vec![b'a'; 8192])), "provider_protocol")),
    row("silence", |d| d.breaks(0, (b"", Then::Hang), "provider_timeout").within(IDLE)),
    row("odd-counts", odd_counts),
    // Ends that are no faults of the wire, and must not look like whole answers.
    row("content-filter", |d| d.answers(Stop::Filter, 0)),
    row("length", |d| d.answers(Stop::Length, 1)),
    row("empty", empty),
    row("endless-answer", endless_answer),
    // Nobody lets it end: the client goes, or the server's own time is over.
    row("client-leaves", Draft::leaves),
    row("deadline", Draft::too_late),
    // Another answers where the first cannot begin, and never where it has begun.
    row("fallback", fallback),
    row("fallback-fails", |d| {
        let first = cannot_begin(d);
        let plan = d.would_fall_back(first, 1);
        Plan { end: End::Error("provider_rejected"), ..plan }
    }),
    row("no-fallback-now", |d| {
        let first = d.breaks(1, (b"", Then::Close), "upstream_truncated");
        d.would_fall_back(first, 0)
    }),
];

fn a_second(d: &mut Draft) -> Plan {
    let plan = d.refused_again(RateLimited, "\r\nretry-after: 1", "provider_rate_limited");
    Plan { least: Duration::from_secs(plan.asked as u64 - 1), ..plan }
}

/// The connection breaks before the response has a head: at once, within the head, by FIN or RST.
fn no_head(d: &mut Draft) -> Plan {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n", d.vendor.media_type());
    let bytes = head.as_bytes()[..d.dice.below(head.len())].to_vec();
    let then = if d.dice.percent(50) { Then::Close } else { Then::Reset };
    d.again(Act { bytes, then }, "provider_unavailable")
}

fn error_body(d: &mut Draft) -> Plan {
    let (_, body) = d.vendor.refusal(Broken(503));
    let act = d.body(200, "content-type: application/json", &body.to_string());
    match d.vendor.names_overload() {
        true => d.again(act, "provider_unavailable"),
        false => d.once(act, "provider_protocol").bill(Bill::Prompt),
    }
}

fn web_page(d: &mut Draft) -> Plan {
    let page = format!("<!doctype html><title>{CANARY}</title><p>data: hello</p>\n\n");
    let (media_type, code) = *d.dice.pick(&[
        ("text/html; charset=utf-8", "provider_protocol"),
        ("text/plain", "provider_protocol"),
        ("", "upstream_truncated"),
    ]);
    let (media_type, code) = match (media_type, d.vendor) {
        // A page under the right name: lines that are no events, or no JSON.
        ("", Vendor::Ollama) => (d.vendor.media_type(), "provider_protocol"),
        ("", _) => (d.vendor.media_type(), code),
        other => (other.0, code),
    };
    let act = d.body(200, &format!("content-type: {media_type}"), &page);
    d.once(act, code).bill(Bill::Prompt)
}

fn slow_head(d: &mut Draft) -> Plan {
    let plan = d.once(Act { bytes: Vec::new(), then: Then::Hang }, "provider_timeout");
    Plan { lets_go: true, least: FIRST_BYTE, bill: Bill::Prompt, ..plan }.within(FIRST_BYTE)
}

fn reset(d: &mut Draft) -> Plan {
    let plan = d.breaks(1, (b"", Then::Reset), "upstream_truncated");
    let Text::Is(text) = plan.text else { return plan };
    Plan { text: Text::StartOf(text), bill: Bill::Prompt, ..plan }
}

/// In the stream, after words; before the first it is as good as a status.
fn error_event(d: &mut Draft) -> Plan {
    let event = d.vendor.giving_up();
    if d.dice.percent(30) {
        let frames = [d.vendor.opening(), vec![event]].concat();
        let bytes = d.stream(&frames, true);
        return d.again(Act { bytes, then: Then::Close }, "provider_unavailable");
    }
    d.breaks(1, (event.as_bytes(), Then::Close), "provider_unavailable")
}

fn bad_frame(d: &mut Draft) -> Plan {
    let frame = *d.dice.pick(&["{", "nonsense", "[1,", "{\"choices\":[{\"index\":NaN}]}", "\"\\ud800\"", "7"]);
    let frame = if d.vendor == Vendor::Ollama { format!("{frame}\n") } else { format!("data: {frame}\n\n") };
    d.breaks(0, (frame.as_bytes(), Then::Close), "provider_protocol")
}

/// Events are read with replacement characters, as their standard demands; lines of JSON are refused.
fn invalid_utf8(d: &mut Draft) -> Plan {
    let words = d.words(1);
    let mut bytes = d.vendor.word("@").into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'@').for_each(|byte| *byte = 0xff);
    if d.vendor == Vendor::Ollama {
        return d.breaks_after(&words, (&bytes, Then::Close), "provider_protocol");
    }
    bytes.extend_from_slice(d.vendor.ending(Stop::Done, super::plan::COUNTS).concat().as_bytes());
    let plan = d.breaks_after(&words, (&bytes, Then::Close), "");
    let text = Text::Is(words.concat() + "\u{fffd}");
    Plan { end: End::Finish("stop"), text, bill: Bill::Counted, ..plan }
}

/// All is said, and it was nothing, or blanks: no answer, and asking again would be billed again.
fn empty(d: &mut Draft) -> Plan {
    let words: &[&str] = if d.dice.percent(50) { &[] } else { &[" ", "\n\n"] };
    let plan = d.says(words, Stop::Done, super::plan::COUNTS);
    Plan { end: End::Error("provider_empty"), text: Text::Is(String::new()), bill: Bill::Prompt, ..plan }
}

fn cannot_begin(d: &mut Draft) -> Plan {
    match d.dice.below(7) {
        // Who answered in its place is billed alone.
        6 => empty(d).bill(Bill::Nothing),
        0 => d.refused(BadKey, "").key("bad"),
        1 => d.refused(NoCredit, "").key("out_of_credit"),
        2 => d.refused(NoModel, ""),
        3 => d.refused_until(RateLimited, "\r\nretry-after: 11", ""),
        4 => Plan { asked: RETRIES + 1, ..d.refused(Broken(503), "") },
        _ => Plan { place: Place::Nowhere, asked: 0, ..d.refused(BadKey, "") },
    }
}

fn fallback(d: &mut Draft) -> Plan {
    let first = cannot_begin(d);
    d.falls_back(first)
}

/// Counts that are none leave the answer alone and are reckoned from its bytes; what is no JSON is no frame.
fn odd_counts(d: &mut Draft) -> Plan {
    let odd = *d.dice.pick(&[
        "-1",
        "null",
        "1e400",
        "18446744073709551615",
        "18446744073709551616",
        "70.5",
        "\"70\"",
        "[]",
        "{}",
        "true",
        "0",
        "NaN",
    ]);
    let plan = d.counts(Stop::Done, 1, [odd, odd]);
    match odd {
        "NaN" | "1e400" => Plan { end: End::Error("provider_protocol"), bill: Bill::Both, ..plan },
        _ => plan.bill(Bill::Both),
    }
}

fn endless_answer(d: &mut Draft) -> Plan {
    let word = d.vendor.word(&"word ".repeat(1600));
    let plan = d.breaks_after(&["It"], (b"", Then::Repeat(word.into_bytes())), "");
    Plan { end: End::Finish("length"), text: Text::Endless, ..plan }
}
