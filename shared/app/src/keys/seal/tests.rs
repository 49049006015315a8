//! What the envelope promises, tried byte by byte.

use super::*;
use crate::config::Environment;

const SECRET: &[u8] = b"sk-test-0123456789abcdefghijklmnopqrstuvwxyz";

fn masters(current: &str, ids: &[&str]) -> Masters {
    let mut environment = Environment::default().with("MASTER_KEY_CURRENT", current);
    for id in ids {
        environment = environment.with(&format!("MASTER_KEY_{id}"), master_text(id));
    }
    Masters::read(&environment).unwrap()
}

/// Another master for each id, the same one every time.
fn master_text(id: &str) -> String {
    use base64::Engine;
    use sha2::Digest;
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(id))
}

fn clock() -> Clock {
    Clock::fixed(jiff::Timestamp::UNIX_EPOCH)
}

const ORIGIN: &str = "https://api.openai.com";

fn context() -> Context<'static> {
    Context { tenant: Uuid::from_u128(1), provider: "openai", row: Uuid::from_u128(2), origin: ORIGIN }
}

fn sealed(masters: &Masters) -> Vec<u8> {
    seal(masters, &context(), SECRET, &clock()).unwrap()
}

#[test]
fn what_was_sealed_opens() {
    let masters = masters("a", &["a"]);
    for secret in [SECRET, b"", b"x", &[0xff; 8192]] {
        let blob = seal(&masters, &context(), secret, &Clock::system()).unwrap();
        assert_eq!(open(&masters, &context(), &blob).unwrap().as_slice(), secret);
        assert!(secret.len() < 8 || !blob.windows(secret.len()).any(|part| part == secret));
        assert_eq!(blob.len(), WRAP + COMMITMENT + NONCE + secret.len() + TAG);
    }
}

#[test]
fn no_two_blobs_are_alike() {
    let masters = masters("a", &["a"]);
    let [first, second] = [(); 2].map(|()| seal(&masters, &context(), SECRET, &Clock::system()).unwrap());
    for part in [5..29, 29..77, 77..93, 93..117, 117..161] {
        assert_ne!(first[part.clone()], second[part.clone()], "{part:?}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let masters = masters("a", &["a", "c", "b"]);
    let blob = sealed(&masters);
    for bit in 0..blob.len() * 8 {
        let mut flipped = blob.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&masters, &context(), &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn the_commitment_is_checked_by_itself() {
    let masters = masters("a", &["a", "b"]);
    for position in WRAP..WRAP + COMMITMENT {
        let mut blob = sealed(&masters);
        blob[position] ^= 0x80;
        assert_eq!(open(&masters, &context(), &blob).unwrap_err(), Refusal::Damaged);
        // A rotation must not bless a blob that would never open.
        let wanted = masters_with_b_current();
        assert_eq!(rewrap(&wanted, &context(), &blob, &clock()).unwrap_err(), Refusal::Damaged);
    }
}

fn masters_with_b_current() -> Masters {
    masters("b", &["a", "b"])
}

#[test]
fn a_cut_or_longer_blob_does_not_open() {
    let masters = masters("a", &["a"]);
    let blob = sealed(&masters);
    for length in 0..blob.len() {
        assert_eq!(open(&masters, &context(), &blob[..length]).unwrap_err(), Refusal::Damaged, "{length}");
        assert!(open(&masters, &context(), &blob[length + 1..]).is_err(), "{length}");
    }
    assert!(open(&masters, &context(), &[blob, vec![0]].concat()).is_err());
}

#[test]
fn a_blob_opens_in_its_own_place_only() {
    let masters = masters("a", &["a"]);
    let places = [
        context(),
        Context { tenant: Uuid::from_u128(3), ..context() },
        Context { provider: "openrouter", ..context() },
        Context { row: Uuid::from_u128(3), ..context() },
        Context { origin: "https://api.openai.com.attacker.example", ..context() },
        Context { origin: "http://api.openai.com", ..context() },
        // These two would write the same bytes in a row, cut elsewhere: what the length prefixes are for.
        Context { row: Uuid::from_bytes([b'h'; 16]), ..context() },
        Context {
            provider: "openaih",
            row: Uuid::from_bytes([b'h'; 16]),
            origin: "ttps://api.openai.com",
            ..context()
        },
        Context { tenant: Uuid::from_u128(2), row: Uuid::from_u128(1), ..context() },
    ];
    for (home, from) in places.iter().enumerate() {
        let blob = seal(&masters, from, SECRET, &clock()).unwrap();
        for (visited, to) in places.iter().enumerate() {
            assert_eq!(open(&masters, to, &blob).is_ok(), home == visited, "{home} in {visited}");
        }
    }
}

#[test]
fn the_parts_of_two_blobs_do_not_mix() {
    let masters = masters("a", &["a"]);
    let [first, second] = [(); 2].map(|()| seal(&masters, &context(), SECRET, &Clock::system()).unwrap());
    for border in [WRAP, WRAP + COMMITMENT, WRAP + COMMITMENT + NONCE] {
        let mixed = [&first[..border], &second[border..]].concat();
        assert_eq!(open(&masters, &context(), &mixed).unwrap_err(), Refusal::Damaged, "{border}");
    }
}

#[test]
fn only_the_named_master_is_tried() {
    let blob = sealed(&masters("a", &["a"]));
    let unknown = open(&masters("b", &["b"]), &context(), &blob).unwrap_err();
    assert_eq!(unknown.to_string(), "the blob names the master key `a`, which is not configured");
    assert!(matches!(open(&Masters::empty(), &context(), &blob).unwrap_err(), Refusal::UnknownMaster(_)));

    // `b` is configured, but it did not wrap this; that `a` did must not help.
    let mut renamed = blob;
    renamed[1] = b'b';
    assert_eq!(open(&masters_with_b_current(), &context(), &renamed).unwrap_err(), Refusal::Damaged);

    // A master that changed its bytes but kept its name opens nothing either.
    let impostor = Environment::default().with("MASTER_KEY_a", master_text("other")).with("MASTER_KEY_CURRENT", "a");
    let impostor = Masters::read(&impostor).unwrap();
    assert_eq!(open(&impostor, &context(), &sealed(&masters("a", &["a"]))).unwrap_err(), Refusal::Damaged);
}

#[test]
fn without_a_master_nothing_is_sealed() {
    assert_eq!(seal(&Masters::empty(), &context(), SECRET, &clock()).unwrap_err(), Refusal::NoMaster);
}

#[test]
fn a_rotation_changes_the_wrap_and_nothing_else() {
    let blob = sealed(&masters("a", &["a"]));
    let both = masters_with_b_current();
    let rewrapped = rewrap(&both, &context(), &blob, &Clock::system()).unwrap().unwrap();
    assert_eq!(rewrapped[WRAP..], blob[WRAP..]);
    assert_ne!(rewrapped[5..29], blob[5..29]);
    assert_ne!(rewrapped[29..WRAP], blob[29..WRAP]);

    // While the rotation runs both open; when it is done the old master may go.
    for each in [&blob, &rewrapped] {
        assert_eq!(open(&both, &context(), each).unwrap().as_slice(), SECRET);
    }
    let new_only = masters("b", &["b"]);
    assert_eq!(open(&new_only, &context(), &rewrapped).unwrap().as_slice(), SECRET);
    assert!(open(&new_only, &context(), &blob).is_err());

    assert_eq!(rewrap(&both, &context(), &rewrapped, &clock()).unwrap(), None, "a second time there is nothing to do");
    assert!(matches!(rewrap(&new_only, &context(), &blob, &clock()), Err(Refusal::UnknownMaster(_))));
    let elsewhere = Context { row: Uuid::nil(), ..context() };
    assert_eq!(rewrap(&both, &elsewhere, &blob, &clock()).unwrap_err(), Refusal::Damaged);
}

/// Blobs outlive releases: one that was written by the first must open in every later one. These bytes were made by
/// another program, written from the format's description alone.
#[test]
fn the_format_stands_still() {
    let written = bytes(concat!(
        "0161000000",
        "000000000000000300000000000000030000000000000003",
        "03df08afd79eab7f84fb789b33118ed8ecb910573fea4f64d50192b348aa7bae9021cdac77f39692c7024414d6648e5f",
        "4bfc7d6cd2900e5c5dad9c9cd632fa8e",
        "000000000000000200000000000000020000000000000002",
        "fe2823092e55d8cb126745819c400e3ad31f5eaca77970fc78345da50e602ef25e6603a84ad0f212a31e67232d04c3cb",
        "268cddc3054cd74040cda00f",
    ));
    let masters = masters("a", &["a"]);
    assert_eq!(open(&masters, &context(), &written).unwrap().as_slice(), SECRET);
    assert_eq!(sealed(&masters), written);
}

fn bytes(hex: &str) -> Vec<u8> {
    let value = |at: usize| char::from(hex.as_bytes()[at]).to_digit(16).unwrap() as u8;
    (0..hex.len() / 2).map(|pair| value(2 * pair) << 4 | value(2 * pair + 1)).collect()
}

/// The test vector of <https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03#appendix-A.3.1>.
#[test]
fn the_cipher_is_xchacha20_poly1305() {
    let key: [u8; 32] = std::array::from_fn(|index| 0x80 + index as u8);
    let nonce: [u8; 24] = std::array::from_fn(|index| 0x40 + index as u8);
    let aad = bytes("50515253c0c1c2c3c4c5c6c7");
    let message = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let expected = bytes(concat!(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
        "21f9664c97637da9768812f615c68b13b52e",
        "c0875924c1c7987947deafd8780acf49",
    ));
    assert_eq!(encrypt(&key, &nonce, &aad, message).unwrap(), expected);
    assert_eq!(decrypt(&key, &nonce, &aad, &expected).unwrap().as_slice(), message);
}

mod attacks;
mod wycheproof;
