//! Project Wycheproof's vectors through the two calls that seal and open: known answers, edge cases, forgeries.

use super::{NONCE, bytes, decrypt, encrypt};

const VECTORS: &str = include_str!("wycheproof.txt");

#[test]
fn every_vector_is_judged_as_its_authors_do() {
    let (mut valid, mut forged, mut unfit) = (0, 0, 0);
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [id, verdict, key, nonce, aad, message, text, tag] = fields[..] else { panic!("{line}") };
        let field = |hex: &str| bytes(hex.trim_matches('-'));
        let (key, message, aad) = (field(key).try_into().unwrap(), field(message), field(aad));
        // A nonce of another length is no argument that these calls could be given.
        let Ok(nonce) = <[u8; NONCE]>::try_from(field(nonce)) else {
            assert_eq!(verdict, "invalid", "{id}");
            unfit += 1;
            continue;
        };
        let sealed = [field(text), field(tag)].concat();
        let opened = decrypt(&key, &nonce, &aad, &sealed);
        match verdict {
            "valid" => {
                assert_eq!(opened.unwrap().as_slice(), message, "{id}");
                assert_eq!(encrypt(&key, &nonce, &aad, &message).unwrap(), sealed, "{id}");
                valid += 1;
            }
            "invalid" => {
                assert!(opened.is_err(), "{id}");
                forged += 1;
            }
            other => panic!("{id} is judged {other}"),
        }
    }
    // Counted in the source, so that a table that lost its lines is noticed.
    assert_eq!((valid, forged, unfit), (246, 60, 9));
}
