//! A circuit breaker: a model that fails every time is left alone for a while by the key that it failed for, so that
//! nobody waits for a failure that is known. Kept in this process; the clock is a parameter.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::{Endpoint, Error, ErrorKind};

/// How long it is left alone, and how long the one who tries again then has before another may.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);
/// Accounts whose failures are counted at once. Beyond, those that are not open are forgotten; and when all are open,
/// new ones are not counted.
const MOST_ACCOUNTS: usize = 1024;

pub(crate) const LEFT_ALONE: Error = Error::new(
    ErrorKind::Unavailable,
    "The provider failed several times in a row, so it is left alone for half a minute.",
);

/// Counts failures in a row. `Open` refuses all until its time has come, then admits one as a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed { faults: u32 },
    Open { until: Instant },
}

impl Breaker {
    fn admit(&mut self, now: Instant) -> bool {
        match self {
            Self::Closed { .. } => true,
            Self::Open { .. } if self.is_open(now) => false,
            // A probe that was cancelled says nothing: the next one goes when its time is over, too.
            Self::Open { until } => {
                *until = now + PAUSE;
                true
            }
        }
    }

    fn is_open(self, now: Instant) -> bool {
        matches!(self, Self::Open { until } if until > now)
    }

    fn fault(&mut self, most: u32, now: Instant) {
        *self = match *self {
            Self::Closed { faults } if faults + 1 < most => Self::Closed { faults: faults + 1 },
            _ => Self::Open { until: now + PAUSE },
        };
    }
}

/// Whose failures count together: one key at one provider for one model. Providers are overloaded model by model, and a
/// model that fails must not take the others of an account with it.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) model: &'a str,
}

pub(crate) struct Breakers {
    most: u32,
    /// Keyed with a secret of this process, so that no key lies in the map.
    hasher: RandomState,
    failing: Mutex<HashMap<u64, Breaker>>,
}

impl Breakers {
    /// 0 faults: every attempt is admitted.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, hasher: RandomState::new(), failing: Mutex::default() }
    }

    pub(crate) fn admit(&self, account: Account<'_>, now: Instant) -> bool {
        self.with(account, |failing, id| failing.get_mut(&id).is_none_or(|breaker| breaker.admit(now)))
    }

    /// What came of an attempt that was admitted.
    pub(crate) fn note(&self, account: Account<'_>, failure: Option<ErrorKind>, now: Instant) {
        self.with(account, |failing, id| match failure {
            Some(kind) if is_fault(kind) => {
                if failing.len() >= MOST_ACCOUNTS {
                    failing.retain(|known, breaker| *known == id || breaker.is_open(now));
                }
                if self.most > 0 && (failing.len() < MOST_ACCOUNTS || failing.contains_key(&id)) {
                    failing.entry(id).or_insert(Breaker::Closed { faults: 0 }).fault(self.most, now);
                }
            }
            // Nobody was asked.
            Some(ErrorKind::Endpoint) => {}
            // Whoever refuses a request is there.
            _ => drop(failing.remove(&id)),
        });
    }

    fn with<T>(&self, account: Account<'_>, act: impl FnOnce(&mut HashMap<u64, Breaker>, u64) -> T) -> T {
        let Account { endpoint, model } = account;
        let key = endpoint.key.as_ref().map(ExposeSecret::expose_secret);
        let id = self.hasher.hash_one((endpoint.base_url.as_str(), key, model));
        act(&mut self.failing.lock().unwrap_or_else(PoisonError::into_inner), id)
    }
}

fn is_fault(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Truncated)
}

impl fmt::Debug for Breakers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breakers").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, KeyCheck};

    const DOWN: Option<ErrorKind> = Some(ErrorKind::Unavailable);

    fn endpoint(key: &str) -> Endpoint {
        let base_url = "https://api.example".parse().unwrap();
        Endpoint { dialect: Dialect::OpenAi, key_check: KeyCheck::Models, base_url, key: Some(key.into()) }
    }

    /// A second at which an attempt is made, whether it is admitted, and what then comes of it.
    type Step = (u64, bool, Option<ErrorKind>);

    const CUT: Option<ErrorKind> = Some(ErrorKind::Truncated);
    const REFUSED: Option<ErrorKind> = Some(ErrorKind::Auth);
    const NOBODY: Option<ErrorKind> = Some(ErrorKind::Endpoint);

    const STATES: [(&str, &[Step]); 6] = [
        ("the third opens", &[(0, true, DOWN), (1, true, DOWN), (2, true, DOWN), (3, false, None), (31, false, None)]),
        (
            "a probe closes",
            &[
                (0, true, CUT),
                (0, true, CUT),
                (0, true, DOWN),
                (30, true, None),
                (30, true, DOWN),
                (30, true, DOWN),
                (30, true, None),
            ],
        ),
        (
            "a probe opens again",
            &[(0, true, DOWN), (0, true, DOWN), (0, true, DOWN), (31, true, DOWN), (60, false, None), (61, true, None)],
        ),
        (
            "only in a row",
            &[(0, true, DOWN), (0, true, DOWN), (0, true, None), (0, true, DOWN), (0, true, DOWN), (0, true, None)],
        ),
        (
            "a refusal is an answer",
            &[(0, true, DOWN), (0, true, DOWN), (0, true, REFUSED), (0, true, DOWN), (0, true, DOWN), (0, true, None)],
        ),
        ("nobody was asked", &[(0, true, DOWN), (0, true, DOWN), (0, true, NOBODY), (0, true, DOWN), (0, false, None)]),
    ];

    #[test]
    fn states_by_table() {
        let (start, endpoint) = (Instant::now(), endpoint("a"));
        let account = Account { endpoint: &endpoint, model: "m" };
        for (name, steps) in STATES {
            let breakers = Breakers::new(3);
            for (nth, (second, admitted, outcome)) in steps.iter().enumerate() {
                let now = start + Duration::from_secs(*second);
                assert_eq!(breakers.admit(account, now), *admitted, "{name}, step {nth}");
                if *admitted {
                    breakers.note(account, *outcome, now);
                }
            }
        }
    }

    #[test]
    fn one_probe_at_a_time_and_a_lost_one_blocks_nobody_for_long() {
        let (start, endpoint, breakers) = (Instant::now(), endpoint("a"), Breakers::new(1));
        let account = Account { endpoint: &endpoint, model: "m" };
        breakers.note(account, DOWN, start);
        for (seconds, admitted) in [(29, false), (30, true), (30, false), (59, false), (60, true)] {
            assert_eq!(breakers.admit(account, start + Duration::from_secs(seconds)), admitted, "{seconds}");
        }
    }

    #[test]
    fn another_key_and_another_model_are_not_blamed() {
        let (now, one, other, breakers) = (Instant::now(), endpoint("a"), endpoint("b"), Breakers::new(1));
        breakers.note(Account { endpoint: &one, model: "m" }, DOWN, now);
        assert!(!breakers.admit(Account { endpoint: &one, model: "m" }, now));
        assert!(breakers.admit(Account { endpoint: &other, model: "m" }, now));
        assert!(breakers.admit(Account { endpoint: &one, model: "n" }, now));
        let never = Breakers::new(0);
        (0..9).for_each(|_| never.note(Account { endpoint: &one, model: "m" }, DOWN, now));
        assert!(never.admit(Account { endpoint: &one, model: "m" }, now));
    }

    #[test]
    fn no_more_accounts_are_kept_than_the_most() {
        let (now, endpoint, breakers) = (Instant::now(), endpoint("a"), Breakers::new(2));
        let fail = |model: &str| breakers.note(Account { endpoint: &endpoint, model }, DOWN, now);
        let kept = || breakers.failing.lock().unwrap().len();
        ["open", "open"].into_iter().for_each(fail);
        (0..2 * MOST_ACCOUNTS).for_each(|nth| fail(&nth.to_string()));
        assert!(kept() <= MOST_ACCOUNTS);
        assert!(!breakers.admit(Account { endpoint: &endpoint, model: "open" }, now), "what is open is kept");
        for model in (0..2 * MOST_ACCOUNTS).map(|nth| nth.to_string()) {
            [&model, &model].into_iter().for_each(|model| fail(model));
        }
        assert_eq!(kept(), MOST_ACCOUNTS, "all are open");
    }
}
