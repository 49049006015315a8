//! No cut, at whatever byte and in whatever packets, may look like a finished answer.

use docent_llm::{Dialect, Error, Event};

use crate::server::{Then, cassette, cassettes, endpoint, question, serve, transcript, transport};

/// The events of these bytes, cut into packets of that size, and what the end of the body then means.
fn decode(dialect: Dialect, bytes: &[u8], packet: usize) -> (Vec<Event>, Result<(), Error>) {
    let (mut decoder, mut events) = (dialect.answer(), Vec::new());
    for bytes in bytes.chunks(packet) {
        decoder.push(bytes, &mut events).unwrap();
    }
    let finished = matches!(events.last(), Some(Event::Finish(_)));
    let outcome = if finished { Ok(()) } else { decoder.end(&mut events) };
    (events, outcome)
}

/// What the end of the body means after each byte, in packets of one.
fn ends(dialect: Dialect, body: &[u8]) -> Vec<(Vec<Event>, Result<(), Error>)> {
    let (mut decoder, mut events) = (dialect.answer(), Vec::new());
    let mut ends = vec![(Vec::new(), decoder.end(&mut Vec::new()))];
    for byte in body {
        decoder.push(&[*byte], &mut events).unwrap();
        let mut said = events.clone();
        let outcome = decoder.end(&mut said);
        ends.push((said, outcome));
    }
    ends
}

#[test]
fn every_provider_at_every_byte_in_packets_of_several_sizes() {
    let mut cuts = 0;
    for (name, dialect, wire) in cassettes() {
        let head = wire.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let body = &wire[head..];
        let whole = decode(dialect, body, body.len());
        assert!(matches!(whole, (ref events, Ok(())) if matches!(events.last(), Some(Event::Finish(_)))), "{name}");
        let ends = ends(dialect, body);
        for (at, bytewise) in ends.iter().take(body.len()).enumerate() {
            let packet = [2, 7, 64, 1460][at % 4];
            assert_eq!(decode(dialect, &body[..at], packet), *bytewise, "{name}, cut at {at}, packets of {packet}");
            let (events, outcome) = bytewise;
            assert!(whole.0.starts_with(events), "{name}, cut at {at}");
            assert!(!events.iter().any(|event| matches!(event, Event::Finish(_))), "{name}, cut at {at}");
            assert_eq!(outcome.as_ref().unwrap_err().code(), "upstream_truncated", "{name}, cut at {at}");
            cuts += 2;
        }
        for packet in [1, 2, 3, 7, 64, 1460] {
            assert_eq!(decode(dialect, body, packet), whole, "{name}, packets of {packet}");
        }
    }
    assert!(cuts >= 40_000, "{cuts} cuts");
}

/// Replays the first n bytes for every n, in several rounds of patience. `complete` is the length from which on the end
/// marker has arrived.
async fn cut_everywhere(dialect: Dialect, wire: &[u8], complete: usize) {
    let head = wire.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut cuts = Vec::new();
    while cuts.len() <= wire.len() {
        let from = cuts.len();
        serve(
            |nth, _| (wire[..from + nth].to_vec(), Then::Close),
            async |base| {
                let (transport, endpoint, question) = (transport(), endpoint(dialect, base), question());
                for _ in from..(from + 500).min(wire.len() + 1) {
                    cuts.push(transcript(transport.chat(&endpoint, &question).await).await);
                }
            },
        )
        .await;
    }
    let whole = cuts.last().cloned().unwrap();
    assert!(whole.last().unwrap().starts_with("finish"), "{whole:?}");
    for (at, lines) in cuts.iter().enumerate() {
        let (last, before) = lines.split_last().unwrap();
        assert!(whole.starts_with(before), "cut at {at}: {lines:?}");
        let spoken = before.iter().any(|line| line.starts_with("delta"));
        match at {
            _ if at < head => assert_eq!(last, "refused provider_unavailable", "cut at {at}"),
            _ if at < complete && spoken => assert_eq!(last, "error upstream_truncated", "cut at {at}"),
            _ if at < complete => assert_eq!(last, "refused upstream_truncated", "cut at {at}"),
            _ => assert_eq!(*lines, whole, "cut at {at}"),
        }
    }
}

// Until the connection closes: only the bytes themselves tell.

#[tokio::test]
async fn openai_on_the_wire() {
    let wire = cassette!("openai_chat");
    cut_everywhere(Dialect::OpenAi, &wire, wire.len()).await;
}

#[tokio::test]
async fn ollama_on_the_wire() {
    let wire = cassette!("ollama_chat");
    cut_everywhere(Dialect::Ollama, &wire, wire.len()).await;
}

#[tokio::test]
async fn anthropic_on_the_wire() {
    let wire = cassette!("anthropic_chat");
    cut_everywhere(Dialect::Anthropic, &wire, wire.len()).await;
}

#[tokio::test]
async fn gemini_on_the_wire() {
    let wire = cassette!("gemini_chat");
    cut_everywhere(Dialect::Gemini, &wire, wire.len()).await;
}

/// Events that end in CRLF, carried in small chunks: both kinds of framing are cut in their middle. Gives the wire and
/// the length from which on the carriage return of the last empty line has arrived.
fn chunked(wire: Vec<u8>) -> (Vec<u8>, usize) {
    let wire = String::from_utf8(wire).unwrap();
    let (head, body) = wire.split_once("\r\n\r\n").unwrap();
    let body = body.replace('\n', "\r\n");
    let mut chunked = format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    let mut complete = 0;
    for chunk in body.as_bytes().chunks(77) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        complete = chunked.len() - 1;
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    (chunked, complete)
}

#[tokio::test]
async fn openai_in_chunks() {
    let (wire, complete) = chunked(cassette!("openai_chat"));
    cut_everywhere(Dialect::OpenAi, &wire, complete).await;
}

/// Its answer ends with its body, so the last chunk counts to the last byte.
#[tokio::test]
async fn gemini_in_chunks() {
    let (wire, _) = chunked(cassette!("gemini_chat"));
    cut_everywhere(Dialect::Gemini, &wire, wire.len()).await;
}
