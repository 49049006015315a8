//! What holds for every answer of a model, whatever a provider sends: packets decide nothing, and only an end is an end.

use docent_llm::{Dialect, Error, Event};

/// What a decoder may keep of an answer between two packets.
const MOST_HELD: usize = 512 * 1024;

/// The first byte says how the rest is cut into packets.
pub fn answer(dialect: Dialect, bytes: &[u8]) {
    let Some((&size, wire)) = bytes.split_first() else { return };
    let (events, outcome) = decode(dialect, wire, wire.len().max(1));
    let packets = decode(dialect, wire, usize::from(size) % 80 + 1);
    assert_eq!(packets, (events.clone(), outcome.clone()), "packets made a difference");

    let finished = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Finish(_))).count();
    assert_eq!(finished(&events), usize::from(outcome.is_ok()), "an answer ends once, or it is an error");
    assert!(outcome.is_err() || matches!(events.last(), Some(Event::Finish(_))), "something followed the end");
    let said: usize = events
        .iter()
        .map(|event| match event {
            Event::Delta(text) => {
                assert!(!text.is_empty(), "an empty word");
                text.len()
            }
            _ => 0,
        })
        .sum();
    // A byte that is no UTF-8 becomes a mark of three.
    assert!(said <= 3 * wire.len(), "more was said than was sent");

    let half = decode(dialect, &wire[..wire.len() / 2], 1460).0;
    let shown = half.len() - finished(&half);
    assert_eq!(half[..shown], events[..shown], "a cut changed what came before it");
}

fn decode(dialect: Dialect, bytes: &[u8], packet: usize) -> (Vec<Event>, Result<(), Error>) {
    let (mut decoder, mut events) = (dialect.answer(), Vec::new());
    for bytes in bytes.chunks(packet) {
        let outcome = decoder.push(bytes, &mut events);
        assert!(decoder.held() <= MOST_HELD, "{} bytes are kept", decoder.held());
        if let Err(error) = outcome {
            return (events, Err(error));
        }
        if matches!(events.last(), Some(Event::Finish(_))) {
            return (events, Ok(()));
        }
    }
    let outcome = decoder.end(&mut events);
    (events, outcome)
}
