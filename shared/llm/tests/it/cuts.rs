//! No cut, at whatever byte, may look like a finished answer.

use docent_llm::Dialect;

use crate::server::{Then, cassette, endpoint, question, serve, transcript, transport};

/// Replays the first n bytes for every n. `complete` is the length from which on the end marker has arrived.
async fn cut_everywhere(dialect: Dialect, wire: &[u8], complete: usize) {
    let head = wire.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    serve(
        |nth, _| (wire[..nth].to_vec(), Then::Close),
        async |base| {
            let (transport, endpoint, question) = (transport(), endpoint(dialect, base), question());
            let mut cuts = Vec::new();
            for _ in 0..=wire.len() {
                cuts.push(transcript(transport.chat(&endpoint, &question).await).await);
            }
            let whole = cuts.last().cloned().unwrap();
            assert!(whole.last().unwrap().starts_with("finish"), "{whole:?}");
            for (at, lines) in cuts.iter().enumerate() {
                let (last, before) = lines.split_last().unwrap();
                assert!(whole.starts_with(before), "cut at {at}: {lines:?}");
                match at {
                    _ if at < head => assert_eq!(last, "refused provider_unavailable", "cut at {at}"),
                    _ if at < complete => assert_eq!(last, "error upstream_truncated", "cut at {at}"),
                    _ => assert_eq!(*lines, whole, "cut at {at}"),
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn openai_until_the_connection_closes() {
    let wire = cassette!("openai_chat");
    cut_everywhere(Dialect::OpenAi, &wire, wire.len()).await;
}

#[tokio::test]
async fn ollama_until_the_connection_closes() {
    let wire = cassette!("ollama_chat");
    cut_everywhere(Dialect::Ollama, &wire, wire.len()).await;
}

/// Events that end in CRLF, carried in small chunks: both kinds of framing are cut in their middle.
#[tokio::test]
async fn openai_in_chunks() {
    let wire = String::from_utf8(cassette!("openai_chat")).unwrap();
    let (head, body) = wire.split_once("\r\n\r\n").unwrap();
    let body = body.replace('\n', "\r\n");
    let mut chunked = format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    let mut complete = 0;
    for chunk in body.as_bytes().chunks(77) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        // The carriage return of the empty line already ends the event.
        complete = chunked.len() - 1;
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    cut_everywhere(Dialect::OpenAi, &chunked, complete).await;
}
