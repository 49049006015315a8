//! Session cookies as Auth.js and Clerk set them, read from the request's `Cookie` header.

use std::borrow::Cow;

use super::MAX_TOKEN;
use super::refusal::Refusal;

/// The value of a cookie, put together again when it was too long for one: Auth.js cuts it into `name.0`, `name.1` …
/// of some 3,900 bytes (https://authjs.dev/concepts/session-strategies#jwt-session).
pub(super) fn value<'a>(header: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    if let Some(whole) = one(header, name) {
        return Ok(Some(Cow::Borrowed(whole)));
    }
    let mut joined = String::new();
    let mut next = 0;
    while let Some(piece) = one(header, &format!("{name}.{next}")) {
        joined.push_str(piece);
        if joined.len() > MAX_TOKEN {
            return Err(Refusal::TooLarge);
        }
        next += 1;
    }
    Ok((next > 0).then_some(Cow::Owned(joined)))
}

/// The first cookie of that name: browsers send the one with the longest path first (RFC 6265 §5.4). Empty ones are
/// those that are being deleted.
fn one<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, value)| *found == name && !value.is_empty()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, name: &str) -> Result<Option<String>, Refusal> {
        value(header, name).map(|found| found.map(Cow::into_owned))
    }

    #[test]
    fn pieces_are_joined_by_their_number() {
        let pieces: Vec<String> = (0..12).rev().map(|at| format!("s.{at}=<{at}>")).collect();
        let joined = (0..12).map(|at| format!("<{at}>")).collect::<String>();
        assert_eq!(read(&pieces.join("; "), "s"), Ok(Some(joined)));
        assert_eq!(read("s.1=b; other=x; s.0=a", "s"), Ok(Some("ab".to_owned())));
        assert_eq!(read("s.0=a; s.2=c", "s"), Ok(Some("a".to_owned())), "what lies behind a gap is not ours");
        assert_eq!(read("s.1=b", "s"), Ok(None));
    }

    #[test]
    fn a_name_is_exact_and_the_first_one_counts() {
        assert_eq!(read("s=a=b; s=c", "s"), Ok(Some("a=b".to_owned())));
        assert_eq!(read("xs=1; sx=2; S=3; s=; s.0=4", "s"), Ok(Some("4".to_owned())));
        assert_eq!(read("", "s"), Ok(None));
    }

    #[test]
    fn pieces_end_where_the_largest_token_ends() {
        let piece = "x".repeat(4000);
        let line = (0..5).map(|at| format!("s.{at}={piece}")).collect::<Vec<_>>().join("; ");
        assert_eq!(read(&line, "s"), Err(Refusal::TooLarge));
    }
}
