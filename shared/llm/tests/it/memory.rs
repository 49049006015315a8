//! What an answer costs in memory while it comes: less than half a MiB in every dialect, whatever comes.

use docent_llm::Dialect;

/// Of 1 MiB for each stream, the rest is for what the network has read ahead: hyper holds up to 408 KiB.
const MOST: usize = 512 * 1024;
/// What a provider sends before it is believed to go on for ever.
const SENT: usize = 512 * 1024;

/// Bytes that are sent again and again, after others that are sent once.
const HOSTILE: [(&str, &[u8], &[u8]); 12] = [
    ("an endless line", b"", b"a"),
    ("an endless field", b"data: ", b"a"),
    ("an endless event", b"", b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
    ("an event of empty lines", b"", b"data\n"),
    ("an endless name", b"event: ", b"n"),
    ("names without data", b"", b"event: name name name name name name name name name\n"),
    ("comments", b"", b": a comment\n\n"),
    ("empty events", b"", b"\n\n"),
    ("carriage returns", b"", b"\r"),
    ("no text", b"data: ", b"\xff"),
    ("lines of no text", b"", b"data: \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n"),
    ("an endless string", b"data: {\"choices\":[{\"delta\":{\"content\":\"", b"a"),
];

#[test]
fn no_dialect_keeps_more_than_half_a_mebibyte_of_an_answer() {
    let dialects = [Dialect::OpenAi, Dialect::Ollama, Dialect::Anthropic, Dialect::Gemini, Dialect::Cohere];
    let mut highest = 0;
    for dialect in dialects {
        for (name, first, again) in HOSTILE {
            let stream: Vec<u8> = first.iter().chain(again.iter().cycle()).copied().take(SENT).collect();
            for packet in [61, 1460, SENT] {
                let (mut decoder, mut events) = (dialect.answer(), Vec::new());
                for bytes in stream.chunks(packet) {
                    let outcome = decoder.push(bytes, &mut events);
                    let held = decoder.held();
                    assert!(held <= MOST, "{dialect:?}, {name}, packets of {packet}: {held} bytes are kept");
                    highest = highest.max(held);
                    if outcome.is_err() {
                        break;
                    }
                }
                assert!(events.is_empty(), "{dialect:?}, {name}: {:?}", events.first());
            }
        }
    }
    assert!(highest > 128 * 1024, "nothing was kept: {highest}");
}
