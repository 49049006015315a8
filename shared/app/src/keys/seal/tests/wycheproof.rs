//! Project Wycheproof's vectors through the two calls that seal and open: known answers, edge cases, forgeries.
//! The file stands unchanged from <https://github.com/C2SP/wycheproof> (testvectors_v1, Apache-2.0).

use serde_json::Value;

use super::{NONCE, TAG, bytes, decrypt, encrypt};

const VECTORS: &str = include_str!("../../../../tests/data/wycheproof/xchacha20_poly1305_test.json");

#[test]
fn every_vector_is_judged_as_its_authors_do() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut valid, mut forged, mut unfit) = (0, 0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        assert_eq!((&group["keySize"], &group["tagSize"]), (&Value::from(256), &Value::from(8 * TAG)));
        for vector in group["tests"].as_array().unwrap() {
            let field = |name: &str| bytes(vector[name].as_str().unwrap());
            let (id, key) = (&vector["tcId"], field("key").try_into().unwrap());
            let (message, aad) = (field("msg"), field("aad"));
            // A nonce of another length is no argument that these calls could be given.
            let Ok(nonce) = <[u8; NONCE]>::try_from(field("iv")) else {
                assert_eq!(vector["result"], "invalid", "{id}");
                unfit += 1;
                continue;
            };
            let sealed = [field("ct"), field("tag")].concat();
            let opened = decrypt(&key, &nonce, &aad, &sealed);
            match vector["result"].as_str().unwrap() {
                "valid" => {
                    assert_eq!(opened.unwrap().as_slice(), message, "{id}");
                    assert_eq!(encrypt(&key, &nonce, &aad, &message).unwrap(), sealed, "{id}");
                    valid += 1;
                }
                "invalid" => {
                    assert!(opened.is_err(), "{id}: {}", vector["comment"]);
                    forged += 1;
                }
                other => panic!("{id} is judged {other}"),
            }
        }
    }
    assert_eq!(file["numberOfTests"], valid + forged + unfit);
    assert!(valid > 200 && forged > 30, "{valid} valid, {forged} forged: the file is not the one that was meant");
}
