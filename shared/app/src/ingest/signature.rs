//! The queue worker's signature: `x-ingest-signature: t=<unix seconds>,v1=<hex hmac-sha256(secret, "t.body")>`. Pure.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the signer's clock may be from ours: a recorded request is worthless afterwards.
pub const WINDOW_SECONDS: i64 = 300;

/// Whether the body was signed with the secret, within the window. Says nothing about why not.
pub fn verify(secret: &str, header: &str, body: &[u8], now: Timestamp) -> bool {
    let field = |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(time), Some(given)) = (field("t"), field("v1")) else { return false };
    let Ok(seconds) = time.parse::<i64>() else { return false };
    if seconds.abs_diff(now.as_second()) > WINDOW_SECONDS.unsigned_abs() {
        return false;
    }
    let Some(given) = from_hex(given) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    // `verify_slice` compares in constant time.
    mac.verify_slice(&given).is_ok()
}

/// Whether a bearer token is the secret, in a time that depends on lengths alone.
pub fn same(secret: &str, given: &str) -> bool {
    secret.as_bytes().ct_eq(given.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf '1772366400.{"messages":[]}' | openssl dgst -sha256 -hmac 'a secret of 16 or more'
    const GOOD: &str = "2b4455290155c69bbb414eb24b844dee6ff7bfffba457805823d56e39d669aed";
    const SECRET: &str = "a secret of 16 or more";
    const BODY: &[u8] = br#"{"messages":[]}"#;

    #[test]
    fn signatures_by_table() {
        let at = |seconds: i64| Timestamp::from_second(1_772_366_400 + seconds).unwrap();
        let header = format!("t=1772366400,v1={GOOD}");
        for seconds in [-WINDOW_SECONDS, 0, WINDOW_SECONDS] {
            assert!(verify(SECRET, &header, BODY, at(seconds)), "{seconds}");
        }
        assert!(verify(SECRET, &format!(" v1={} , t=1772366400", GOOD.to_uppercase()), BODY, at(0)));
        for seconds in [-WINDOW_SECONDS - 1, WINDOW_SECONDS + 1] {
            assert!(!verify(SECRET, &header, BODY, at(seconds)), "{seconds}");
        }
        assert!(!verify("another secret entirely", &header, BODY, at(0)));
        assert!(!verify(SECRET, &header, br#"{"messages":[1]}"#, at(0)));
        assert!(!verify(SECRET, &format!("t=1772366401,v1={GOOD}"), BODY, at(0)), "the time is signed too");
        for wrong in [
            "",
            "t=1772366400",
            &format!("v1={GOOD}"),
            "t=1772366400,v1=",
            "t=x,v1=00",
            "t=1772366400,v1=é0",
            &format!("{header}00"),
        ] {
            assert!(!verify(SECRET, wrong, BODY, at(0)), "{wrong}");
        }
        assert!(!verify(SECRET, &format!("t={},v1={GOOD}", i64::MIN), BODY, at(0)));
    }

    #[test]
    fn a_secret_equals_only_itself() {
        assert!(same(SECRET, SECRET));
        assert!(!same(SECRET, "") && !same(SECRET, &SECRET[1..]) && !same(SECRET, "a secret of 16 or morf"));
    }
}
