//! W3C Trace Context: which trace a request belongs to (<https://www.w3.org/TR/trace-context/>).

use http::HeaderMap;

use crate::clock::Clock;

/// A longer `tracestate` need not be passed on (§3.3.1.5), and one of more members must not be (§3.3.1.1).
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

/// One request's place in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    /// Ours, below which everything is that the request leads to.
    pub span: u64,
    /// Who asked, where somebody told; as it was sent, too.
    pub parent: Option<(u64, String)>,
    pub state: Option<String>,
    /// Whoever began the trace wants it to be kept; a new one is kept where somebody keeps any.
    pub sampled: bool,
}

impl Context {
    /// The caller's trace, or a new one where it names none or names it wrongly: then its `tracestate` says nothing,
    /// either (§4.3).
    pub fn of(headers: &HeaderMap, kept: bool) -> Context {
        let [high, low, span] = random();
        let mut parents = headers.get_all("traceparent").iter();
        let told = parents.next().filter(|_| parents.next().is_none()).and_then(|value| value.to_str().ok());
        match told.and_then(|text| Some((read(text)?, text))) {
            Some(((trace, parent, flags), text)) => Context {
                trace,
                span,
                // What a later version has behind its flags is as long as a caller likes.
                parent: Some((parent, text.get(..55).unwrap_or(text).to_owned())),
                state: state(headers),
                sampled: flags & 1 == 1,
            },
            None => {
                let trace = (u128::from(high) << 64) | u128::from(low);
                Context { trace, span, parent: None, state: None, sampled: kept }
            }
        }
    }

    /// The header that names `span` as the parent of what it is sent to.
    pub fn header(&self, span: u64) -> String {
        format!("00-{:032x}-{span:016x}-{:02x}", self.trace, u8::from(self.sampled))
    }
}

/// An id for a span: anything but zero.
pub fn span_id() -> u64 {
    u64::from_be_bytes(Clock::system().random()).max(1)
}

fn random() -> [u64; 3] {
    let bytes: [u8; 24] = Clock::system().random();
    let mut numbers = bytes.chunks_exact(8).map(|part| part.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)));
    std::array::from_fn(|_| numbers.next().unwrap_or_default().max(1))
}

/// `version-trace-parent-flags` in lower case; a later version may go on behind a dash (§4.3).
fn read(text: &str) -> Option<(u128, u64, u8)> {
    let hex = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
    };
    let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
    let whole = match hex(0, 2)? {
        "ff" => false,
        "00" => text.len() == 55,
        _ => text.len() == 55 || dash(55),
    };
    if !whole || ![2, 35, 52].into_iter().all(dash) {
        return None;
    }
    let trace = u128::from_str_radix(hex(3, 35)?, 16).ok().filter(|trace| *trace != 0)?;
    let parent = u64::from_str_radix(hex(36, 52)?, 16).ok().filter(|parent| *parent != 0)?;
    Some((trace, parent, u8::from_str_radix(hex(53, 55)?, 16).ok()?))
}

/// The list of all its lines, if it is one.
fn state(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<&str> =
        headers.get_all("tracestate").iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    let list = lines.join(",");
    let members: Vec<&str> = list.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
    let good = |member: &&str| member.split_once('=').is_some_and(|(key, value)| !key.is_empty() && !value.is_empty());
    let fits = (1..=MOST_MEMBERS).contains(&members.len()) && list.len() <= LONGEST_STATE;
    (fits && members.iter().all(good)).then(|| members.join(","))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_exactly_or_not_at_all() {
        assert_eq!(read(GOOD), Some((0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, 1)));
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(read(later), read(GOOD));
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-x"),
            &later.replace("-what", "what"),
            &GOOD.replace("00-4", "ff-4"),
            &GOOD.replace("4bf9", "4BF9"),
            &GOOD.replace("4bf9", "4bg9"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace('-', "_"),
            &"é".repeat(30),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_goes_on_and_a_wrong_one_begins_anew() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        headers.append("tracestate", HeaderValue::from_static("a=1, b=2"));
        headers.append("tracestate", HeaderValue::from_static("c=3"));
        let context = Context::of(&headers, false);
        assert_eq!((context.state.as_deref(), context.sampled), (Some("a=1,b=2,c=3"), true));
        assert_eq!(context.header(1), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01");
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        let context = Context::of(&headers, false);
        assert_eq!((context.parent, context.state, context.sampled), (None, None, false));
        let [one, other] = [Context::of(&HeaderMap::new(), true), Context::of(&HeaderMap::new(), true)];
        assert!(one.sampled && one.trace != other.trace && one.span != other.span);
    }

    #[test]
    fn a_state_that_is_no_list_is_left_behind() {
        for (text, kept) in [
            ("a=1", true),
            ("a", false),
            ("=1", false),
            ("", false),
            (&format!("a={}", "x".repeat(510)), true),
            (&format!("a={}", "x".repeat(511)), false),
            (&vec!["a=1"; 32].join(","), true),
            (&vec!["a=1"; 33].join(","), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("tracestate", HeaderValue::from_str(text).unwrap());
            assert_eq!(state(&headers).is_some(), kept, "{text}");
        }
    }
}
