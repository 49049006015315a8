//! The decoder against the standard's rules, its own limits, and any way to cut the bytes.

use docent_llm::sse::{Decoder, Event, MAX_EVENT, MAX_LINE, MAX_NAME};
use proptest::prelude::*;

/// The events, and whether an error ended them.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    for piece in pieces {
        if decoder.push(piece, &mut events).is_err() {
            return (events, true);
        }
    }
    (events, false)
}

#[test]
fn follows_the_standard() {
    let table: [(&str, &[(&str, &str)]); 16] = [
        ("data: a\n\n", &[("", "a")]),
        ("data: a\r\n\r\n", &[("", "a")]),
        ("data: a\r\r", &[("", "a")]),
        ("\u{feff}data: a\n\n", &[("", "a")]),
        ("data: a\n\n\u{feff}data: b\n\n", &[("", "a")]),
        ("data:a\ndata:  b\n\n", &[("", "a\n b")]),
        ("data\n\n", &[("", "")]),
        ("data\ndata\n\n", &[("", "\n")]),
        (": comment\n\n:\n\ndata: a\n\n", &[("", "a")]),
        ("event: error\ndata: {}\n\ndata: a\n\n", &[("error", "{}"), ("", "a")]),
        // A name without data is dropped, and does not stick to the next event.
        ("event: ping\n\ndata: a\n\n", &[("", "a")]),
        ("id: 1\nretry: 10\nfoo: bar\nDATA: x\ndata: a\n\n", &[("", "a")]),
        ("data: a: b\n\n", &[("", "a: b")]),
        ("data: a", &[]),
        ("data: a\n", &[]),
        ("\n\n\r\n\r", &[]),
    ];
    for (wire, expected) in table {
        let (events, failed) = decode([wire.as_bytes()]);
        let events: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
        assert_eq!((events.as_slice(), failed), (expected, false), "{wire:?}");
    }
    let (events, _) = decode([b"data: \xff\n\n".as_slice()]);
    assert_eq!(events[0].data, "\u{fffd}");
}

#[test]
fn lines_and_events_are_capped_to_the_byte() {
    let line = format!("data:{}", "a".repeat(MAX_LINE - 5));
    assert_eq!(decode([format!("{line}\n\n").as_bytes()]).0.len(), 1);
    assert!(decode([format!("{line}a\n\n").as_bytes()]).1);
    assert!(decode([line.as_bytes(), b"a"]).1, "an endless line is refused before it ends");

    let name = format!("event:{}", "a".repeat(MAX_NAME));
    assert_eq!(decode([format!("{name}\ndata\n\n").as_bytes()]).0[0].name.len(), MAX_NAME);
    assert!(decode([format!("{name}a\n").as_bytes()]).1);

    // Sixteen lines and the fifteen line feeds between them.
    let mut wire = format!("data:{}\n", "a".repeat(MAX_EVENT / 16 - 6)).repeat(16);
    let room = MAX_EVENT - (MAX_EVENT / 16 - 6) * 16 - 15;
    wire.push_str(&format!("data:{}", "a".repeat(room - 1)));
    let (events, failed) = decode([format!("{wire}\n\n").as_bytes()]);
    assert_eq!((events[0].data.len(), failed), (MAX_EVENT, false));
    assert!(decode([format!("{wire}a\n\n").as_bytes()]).1);
}

/// Bytes that are mostly what a stream is made of, so that the cases meet.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"data".to_vec()),
        Just(b"event".to_vec()),
        Just(b":".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just("\u{feff}".as_bytes().to_vec()),
        Just("🦀".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(bytes in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let whole = decode([bytes.as_slice()]);
        prop_assert_eq!(&decode(bytes.chunks(1)), &whole);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        prop_assert_eq!(&decode(at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), &whole);
    }
}
