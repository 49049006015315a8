//! How long an answer may take, and how soon its producer counts as dead.

use std::time::Duration;

use super::{Environment, Error};

/// Answers end this long before a function is cut off: enough to store what was said and to tell the client.
pub const BEFORE_THE_PLATFORM: Duration = Duration::from_secs(5);

/// What `vercel.json` and `template.yaml` give the chat function, less those seconds.
const ANSWER_SECONDS: u64 = 295;

/// The longest that a platform runs a function; well before open reservations count as lost (`usage::STALE_SECONDS`).
const MOST_ANSWER_SECONDS: u64 = 800;

/// A dead producer is noticed this soon, and a live one has to say so this often.
const STREAM_LEASE_SECONDS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// `ANSWER_SECONDS`: an answer that takes longer ends with the error `deadline`. A platform that tells when it will
    /// end the invocation (Lambda) is obeyed where that is sooner.
    pub longest: Duration,
    /// `STREAM_LEASE_SECONDS`: after this silence in the log of a resumable answer its producer counts as lost, and after
    /// three times as long in the row of another.
    pub lease: Duration,
}

impl Answers {
    pub(super) fn read(environment: &Environment) -> Result<Answers, Error> {
        let seconds = |name, default, most: u64| match environment.number(name, default)? {
            seconds if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
            _ => Err(Error::new(name, "is no time that works.", format!("Give 1 to {most} seconds."))),
        };
        Ok(Answers {
            longest: seconds("ANSWER_SECONDS", ANSWER_SECONDS, MOST_ANSWER_SECONDS)?,
            lease: seconds("STREAM_LEASE_SECONDS", STREAM_LEASE_SECONDS, 300)?,
        })
    }
}

/// A day: a model behind an unchanged name may change in time.
const MOST_QUESTION_CACHE: u64 = 24 * 60 * 60;

/// `QUESTION_CACHE_SECONDS`: how long the vector of a question is kept, so that the same question of the same tenant is
/// not embedded, and paid for, again. Not at all unless set.
pub(super) fn question_cache(environment: &Environment) -> Result<Duration, Error> {
    const NAME: &str = "QUESTION_CACHE_SECONDS";
    match environment.get(NAME).map_or(Ok(0), str::parse) {
        Ok(seconds) if seconds <= MOST_QUESTION_CACHE => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::new(NAME, "is no time that works.", format!("Give 0 to {MOST_QUESTION_CACHE} seconds."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_platform_unless_somebody_says_otherwise() {
        let read = |name: &str, value: &str| Answers::read(&Environment::default().with(name, value));
        let seconds =
            |longest, lease| Answers { longest: Duration::from_secs(longest), lease: Duration::from_secs(lease) };
        assert_eq!(read("ANSWER_SECONDS", "").unwrap(), seconds(295, 10));
        assert_eq!(read("ANSWER_SECONDS", "55").unwrap(), seconds(55, 10));
        assert_eq!(read("STREAM_LEASE_SECONDS", "2").unwrap(), seconds(295, 2));
        for (name, value) in
            [("ANSWER_SECONDS", "0"), ("ANSWER_SECONDS", "801"), ("ANSWER_SECONDS", "x"), ("STREAM_LEASE_SECONDS", "0")]
        {
            assert_eq!(read(name, value).unwrap_err().variable, name, "{value}");
        }
    }

    #[test]
    fn questions_are_kept_for_a_day_at_most_and_not_at_all_unless_told() {
        let read = |value: &str| question_cache(&Environment::default().with("QUESTION_CACHE_SECONDS", value));
        assert_eq!((read("").unwrap(), read("86400").unwrap()), (Duration::ZERO, Duration::from_secs(86_400)));
        for bad in ["86401", "-1", "x"] {
            assert_eq!(read(bad).unwrap_err().variable, "QUESTION_CACHE_SECONDS", "{bad}");
        }
    }
}
