//! Whether and how soon an answer of which nothing came is asked for again. Pure: the caller sleeps.

use std::time::Duration;

use crate::ErrorKind;

/// The first pause is any length up to this, the second up to twice as much, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause of ours is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A provider that asks for more than this has told a person, not a program: the answer is its refusal.
pub(crate) const MOST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long to wait before the next attempt, after `again` earlier repetitions and with `left` until the deadline; None
/// when it is not to be repeated. `chance` is between 0 and 1 and draws the pause out of its whole range (full jitter:
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
///
/// A time limit that ran out is not repeated, because a person has waited for it; nor is a stream that broke off, because
/// its prompt was read and is billed.
pub(crate) fn pause(kind: ErrorKind, again: u32, left: Duration, chance: f64) -> Option<Duration> {
    let asked = match kind {
        ErrorKind::RateLimited { retry_after } => retry_after.unwrap_or_default(),
        ErrorKind::Unavailable => Duration::ZERO,
        _ => return None,
    };
    let most = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(again)).min(LONGEST_PAUSE);
    let pause = asked + most.mul_f64(chance.clamp(0.0, 1.0));
    (asked <= MOST_RETRY_AFTER && pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn limited(seconds: u64) -> ErrorKind {
        ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn only_a_provider_that_may_be_better_soon_is_asked_again() {
        let again = [ErrorKind::Unavailable, ErrorKind::RateLimited { retry_after: None }, limited(10)];
        let never = [
            ErrorKind::Auth,
            ErrorKind::Forbidden,
            ErrorKind::Quota,
            ErrorKind::Rejected,
            ErrorKind::TooLarge,
            ErrorKind::Protocol,
            ErrorKind::Truncated,
            ErrorKind::Empty,
            ErrorKind::Timeout,
            ErrorKind::Endpoint,
            limited(11),
        ];
        assert!(again.iter().all(|kind| pause(*kind, 0, HOUR, 0.5).is_some()));
        for kind in never {
            assert_eq!(pause(kind, 0, HOUR, 0.5), None, "{kind:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_most_and_never_undercut_what_was_asked() {
        // (kind, earlier repetitions, chance, milliseconds)
        let table = [
            (ErrorKind::Unavailable, 0, 0.0, 0),
            (ErrorKind::Unavailable, 0, 1.0, 500),
            (ErrorKind::Unavailable, 1, 1.0, 1000),
            (ErrorKind::Unavailable, 1, 0.5, 500),
            (ErrorKind::Unavailable, 3, 1.0, 4000),
            (ErrorKind::Unavailable, 99, 1.0, 4000),
            (ErrorKind::RateLimited { retry_after: None }, 0, 1.0, 500),
            (limited(3), 0, 0.0, 3000),
            (limited(3), 1, 1.0, 4000),
            (ErrorKind::Unavailable, 0, 7.0, 500),
        ];
        for (kind, again, chance, millis) in table {
            assert_eq!(
                pause(kind, again, HOUR, chance),
                Some(Duration::from_millis(millis)),
                "{kind:?} {again} {chance}"
            );
        }
    }

    #[test]
    fn what_cannot_end_before_the_deadline_is_not_begun() {
        let left = Duration::from_secs(3);
        assert_eq!(pause(limited(3), 0, left, 0.0), None);
        assert_eq!(pause(limited(2), 0, left, 1.0), Some(Duration::from_millis(2500)));
        assert_eq!(pause(ErrorKind::Unavailable, 0, Duration::ZERO, 0.0), None);
    }
}
