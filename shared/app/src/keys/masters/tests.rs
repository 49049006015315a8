//! Which masters are taken, which are refused and in which words.

use super::*;

const GOOD: &str = "q83vEjRWeJASNFZ4mrze8AEjRWeJq83v/ty6mHZUMhA=";

fn random(seed: u8) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest([seed]).into()
}

fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(variables: &[(&str, &str)]) -> Result<Masters, Error> {
    let environment = Environment::default();
    Masters::read(&variables.iter().fold(environment, |environment, (name, value)| environment.with(name, *value)))
}

#[test]
fn the_named_master_seals_and_all_are_found() {
    let [first, second] = [1, 2].map(|seed| base64(&random(seed)));
    let variables = [("MASTER_KEY_k1", &*first), ("MASTER_KEY_2026", &*second), ("MASTER_KEY_CURRENT", "2026")];
    let masters = read(&variables).unwrap();
    assert_eq!(*masters.current().unwrap().key, random(2));
    assert_eq!(*masters.find(MasterId::parse("k1").unwrap()).unwrap().key, random(1));
    assert!(masters.find(MasterId::parse("k2").unwrap()).is_none());
}

#[test]
fn a_single_key_may_be_base64_with_or_without_padding_or_hex() {
    let key = random(1);
    for text in [base64(&key), base64(&key).trim_end_matches('=').to_owned(), hex(&key), hex(&key).to_uppercase()] {
        let masters = read(&[("ENCRYPTION_KEY", &text)]).unwrap();
        assert_eq!(*masters.current().unwrap().key, key);
        assert_eq!(masters.current().unwrap().id, MasterId::parse("env0").unwrap());
    }
}

#[test]
fn a_single_key_can_be_rotated_away() {
    let [old, new] = [1, 2].map(|seed| base64(&random(seed)));
    let both = [("ENCRYPTION_KEY", &*old), ("MASTER_KEY_k1", &*new), ("MASTER_KEY_CURRENT", "k1")];
    let masters = read(&both).unwrap();
    assert_eq!(*masters.current().unwrap().key, random(2));
    assert_eq!(*masters.find(MasterId::parse("env0").unwrap()).unwrap().key, random(1));
    assert!(read(&both[..2]).is_err(), "which of two seals is never guessed");
}

#[test]
fn none_at_all_is_allowed_and_seals_nothing() {
    assert!(read(&[]).unwrap().current().is_none());
    assert!(read(&[("ENCRYPTION_KEY", " "), ("MASTER_KEY_k1", "")]).unwrap().current().is_none());
    assert!(Masters::empty().current().is_none());
}

#[test]
fn weak_masters_are_refused() {
    let mut nearly = [0u8; 32];
    nearly.iter_mut().enumerate().for_each(|(index, byte)| *byte = 128 + 13 * (index % 8) as u8);
    let mut few = random(1);
    let first = few[0];
    few[DISTINCT - 1..].fill(first);
    let cases: [(&[u8], &str); 8] = [
        (&[0; 32], "sequence"),
        (&[0xff; 32], "sequence"),
        (&std::array::from_fn::<u8, 32, _>(|index| index as u8), "sequence"),
        (&std::array::from_fn::<u8, 32, _>(|index| 255 - 3 * index as u8), "sequence"),
        (b"this-is-a-32-character-password!", "text"),
        (b"0123456789abcdef0123456789abcdef", "text"),
        (&nearly, "repeats"),
        (&few, "repeats"),
    ];
    for (bytes, reason) in cases {
        for (name, text) in
            [("MASTER_KEY_k1", base64(bytes)), ("ENCRYPTION_KEY", base64(bytes)), ("ENCRYPTION_KEY", hex(bytes))]
        {
            let error = read(&[(name, &text), ("MASTER_KEY_CURRENT", "k1")]).unwrap_err();
            assert_eq!(error.variable, name);
            assert!(error.problem.contains(reason), "{bytes:?}: {}", error.problem);
            assert!(error.remedy.contains("openssl rand -base64 32"));
        }
    }
}

#[test]
fn malformed_masters_are_refused_by_name_and_never_quoted() {
    let cases = [
        ("MASTER_KEY_k1", "this-is-a-32-character-password!", "is 32 characters, not 32 random bytes"),
        ("ENCRYPTION_KEY", "this-is-a-32-character-password!", "is 32 characters, not 32 random bytes"),
        ("ENCRYPTION_KEY", "abcdefghijklmnopqrstuvwxyz012345", "is 32 characters, not 32 random bytes"),
        ("ENCRYPTION_KEY", &hex(&random(1)[..16]), "is 32 characters, not 32 random bytes"),
        ("ENCRYPTION_KEY", "thirty-one characters of a text", "not base64"),
        ("ENCRYPTION_KEY", &base64(&random(1)[..31]), "32 bytes"),
        ("ENCRYPTION_KEY", &base64(&[&random(1)[..], &[0]].concat()), "32 bytes"),
        ("ENCRYPTION_KEY", "correct horse battery staple", "not base64"),
        ("MASTER_KEY_k1", "c2hvcnQ=", "32 bytes"),
        ("MASTER_KEY_k1", &base64(&[random(1), random(2)].concat()), "32 bytes"),
        ("MASTER_KEY_k1", &hex(&random(1)), "32 bytes"),
        ("MASTER_KEY_K1", GOOD, "id of 1 to 4"),
        ("MASTER_KEY_", GOOD, "id of 1 to 4"),
        ("MASTER_KEY_first", GOOD, "id of 1 to 4"),
        ("MASTER_KEY_é", GOOD, "id of 1 to 4"),
    ];
    for (name, text, reason) in cases {
        let error = read(&[(name, text), ("MASTER_KEY_CURRENT", "k1")]).unwrap_err();
        assert_eq!(error.variable, name);
        assert!(error.problem.contains(reason), "{name}: {}", error.problem);
        assert!(!error.to_string().contains(text), "{error}");
    }
}

#[test]
fn contradictions_are_refused() {
    let [first, second] = [1, 2].map(|seed| base64(&random(seed)));
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Variables, &str, &str); 5] = [
        (&[("MASTER_KEY_k1", &first)], CURRENT, "not set"),
        (&[("MASTER_KEY_CURRENT", "k1")], CURRENT, "names a master"),
        (&[("MASTER_KEY_k1", &first), ("MASTER_KEY_CURRENT", "k2")], CURRENT, "names a master"),
        (
            &[("MASTER_KEY_k1", &first), ("MASTER_KEY_k2", &first), ("MASTER_KEY_CURRENT", "k2")],
            "MASTER_KEY_k2",
            "same key",
        ),
        (&[("MASTER_KEY_env0", &first), ("ENCRYPTION_KEY", &second)], SINGLE, "second master"),
    ];
    for (variables, variable, reason) in cases {
        let error = read(variables).unwrap_err();
        assert_eq!(error.variable, variable);
        assert!(error.problem.contains(reason), "{}", error.problem);
    }
}

#[test]
fn nothing_is_ever_shown() {
    let masters = read(&[("ENCRYPTION_KEY", GOOD)]).unwrap();
    let master = masters.current().unwrap();
    assert_eq!(format!("{masters:?} {:?}", master.id), "Masters([REDACTED]) MasterId(env0)");
}

#[test]
fn an_id_fills_four_bytes() {
    let bytes = |text: &str| MasterId::parse(text).map(|id| *id.as_bytes());
    assert_eq!(bytes("k1"), Some(*b"k1\0\0"));
    assert_eq!(bytes("2026"), Some(*b"2026"));
    for text in ["", "K1", "k_1", "20260", "é", "k1\0"] {
        assert_eq!(bytes(text), None, "{text}");
    }
    assert_eq!(MasterId::parse("k1").unwrap().to_string(), "k1");
    assert_eq!(MasterId::stored([b'k', 0, 7, 0xff]).to_string(), "k\\x00\\x07\\xff");
}
