//! The measured shares: pairs of claim and passage written to mislead, and pairs that are only reworded.

use serde_json::Value;

use super::*;

/// Rules and constants were tuned on these: the even lines first, then the odd ones, which stand over other passages.
const PAIRS: &str = include_str!("../../../tests/data/citations.jsonl");
/// Never tuned on, measured once: 21 of 27 misleading dropped, 2 of 27 supported lost. Here the shares are only kept from
/// getting worse.
const HELD_OUT: &str = include_str!("../../../tests/data/citations-held-out.jsonl");
const LEAST_DROPPED: f64 = 0.95;
const MOST_LOST: f64 = 0.05;
const LEAST_DROPPED_HELD_OUT: f64 = 0.75;
const MOST_LOST_HELD_OUT: f64 = 0.10;

/// Dropped and all: of the misleading pairs, and of the supported ones.
fn shares<'a>(name: &str, pairs: impl Iterator<Item = &'a str>) -> [(u32, u32); 2] {
    let mut shares = [(0, 0); 2];
    for (line, pair) in pairs.enumerate() {
        let pair: Value = serde_json::from_str(pair).unwrap();
        let text = |field: &str| pair[field].as_str().unwrap();
        let supported = text("kind") == "supported";
        let dropped = !supports(text("claim"), text("passage"));
        let share = &mut shares[usize::from(supported)];
        *share = (share.0 + u32::from(dropped), share.1 + 1);
        if dropped == supported {
            println!("{name} {line}, {}: {} | {}", text("kind"), text("claim"), text("passage"));
        }
    }
    let [misleading, supported] = shares;
    println!(
        "{name}: {} of {} misleading dropped, {} of {} supported lost",
        misleading.0, misleading.1, supported.0, supported.1
    );
    shares
}

fn gate([misleading, supported]: [(u32, u32); 2], least_dropped: f64, most_lost: f64) {
    assert!(misleading.1 >= 25 && supported.1 >= 25);
    assert!(f64::from(misleading.0) >= least_dropped * f64::from(misleading.1), "{misleading:?} misleading dropped");
    assert!(f64::from(supported.0) <= most_lost * f64::from(supported.1), "{supported:?} supported lost");
}

#[test]
fn what_misleads_is_dropped_and_what_is_said_stays() {
    let even = shares("even", PAIRS.lines().step_by(2));
    let odd = shares("odd", PAIRS.lines().skip(1).step_by(2));
    let held_out = shares("held out", HELD_OUT.lines());
    gate(even, LEAST_DROPPED, MOST_LOST);
    gate(odd, LEAST_DROPPED, MOST_LOST);
    gate(held_out, LEAST_DROPPED_HELD_OUT, MOST_LOST_HELD_OUT);
}

#[test]
fn markers_items_and_quotations_are_read_for_what_they_are() {
    let passage = "The gate says “No entry” in red. It closes at 8 pm.";
    for claim in ["[7] The gate closes at 8 pm", "3. The gate says \"no entry\"."] {
        assert!(supports(claim, passage), "{claim}");
    }
    for claim in ["The gate says \"Keep out\" in red.", "", "It is.", "[1]"] {
        assert!(!supports(claim, passage), "{claim}");
    }
}

#[test]
fn across_languages_the_numbers_decide() {
    let passage =
        "The warranty of the pump is valid for 24 months. The hose is not covered by it, and it costs 30 euros.";
    for (claim, right) in [
        ("Die Garantie der Pumpe ist 24 Monate lang gültig [1].", true),
        ("Die Garantie der Pumpe ist 36 Monate lang gültig [1].", false),
        ("La garantie de la pompe est valable pendant 24 mois [1].", true),
        ("Der Schlauch ist in der Garantie nicht enthalten [1].", true),
    ] {
        assert_eq!(supports(claim, passage), right, "{claim}");
    }
}
