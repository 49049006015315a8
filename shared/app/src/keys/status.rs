//! What is known about a key: the last verdict that a provider gave, and what to do about it. Pure.

use docent_llm::{ErrorKind, KeyStatus};

use crate::error::Result;

/// What the last check, or the last refused request, said about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "snake_case", inline)]
pub enum Status {
    Unchecked,
    Good,
    /// The provider does not know the key.
    Bad,
    /// The key is real and may not do what was asked of it.
    Restricted,
    OutOfCredit,
    RateLimited,
    Unreachable,
    /// Something answered that is not the provider's API.
    NotAnApi,
}

impl Status {
    pub(super) const ALL: [Status; 8] = [
        Status::Unchecked,
        Status::Good,
        Status::Bad,
        Status::Restricted,
        Status::OutOfCredit,
        Status::RateLimited,
        Status::Unreachable,
        Status::NotAnApi,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unchecked => "unchecked",
            Status::Good => "good",
            Status::Bad => "bad",
            Status::Restricted => "restricted",
            Status::OutOfCredit => "out_of_credit",
            Status::RateLimited => "rate_limited",
            Status::Unreachable => "unreachable",
            Status::NotAnApi => "not_an_api",
        }
    }

    /// As it was stored; the schema lets nothing else in.
    pub(super) fn stored(text: &str) -> Status {
        Status::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Status::Unchecked)
    }

    /// The next step; none for a key that works.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Status::Good => None,
            Status::Unchecked => Some("Check it with POST /api/keys/{provider}/check."),
            Status::Bad => Some("Copy the key again from the provider's console and save it again."),
            Status::Restricted => {
                Some("Give the key permission for models and chat at the provider, then check it again.")
            }
            Status::OutOfCredit => Some("Add credit to the account at the provider, then check the key again."),
            Status::RateLimited => Some("The provider asked for fewer requests. Check the key again in a minute."),
            Status::Unreachable => {
                Some("The provider gave no answer. Look at `baseUrl` and the provider's status page, then check again.")
            }
            Status::NotAnApi => {
                Some("What answers at `baseUrl` is not the provider's API. Save the key with another one.")
            }
        }
    }

    /// The verdict of a check. A provider that gave none says something about the endpoint only.
    pub(super) fn of(checked: &Result<KeyStatus, docent_llm::Error>) -> Status {
        match checked {
            Ok(KeyStatus::Valid) => Status::Good,
            Ok(KeyStatus::Invalid) => Status::Bad,
            Ok(KeyStatus::Restricted) => Status::Restricted,
            Ok(KeyStatus::NoCredit) => Status::OutOfCredit,
            Err(error) => Status::blamed(error.kind()).unwrap_or(match error.kind() {
                ErrorKind::RateLimited { .. } => Status::RateLimited,
                ErrorKind::Protocol | ErrorKind::Rejected => Status::NotAnApi,
                _ => Status::Unreachable,
            }),
        }
    }

    /// What a failed request says about the key that went with it, if anything.
    pub(super) fn blamed(kind: ErrorKind) -> Option<Status> {
        match kind {
            ErrorKind::Auth => Some(Status::Bad),
            ErrorKind::Forbidden => Some(Status::Restricted),
            ErrorKind::Quota => Some(Status::OutOfCredit),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_stored_under_its_name_and_only_a_good_one_needs_no_step() {
        let schema = include_str!("../../../../migrations/0002_callers.sql");
        for status in Status::ALL {
            assert_eq!(Status::stored(status.as_str()), status);
            assert_eq!(status.hint().is_none(), status == Status::Good, "{status:?}");
            assert!(schema.contains(&format!("'{}'", status.as_str())), "{status:?}");
        }
    }

    #[test]
    fn only_what_is_the_keys_fault_is_blamed_on_it() {
        assert_eq!(Status::blamed(ErrorKind::Auth), Some(Status::Bad));
        assert_eq!(Status::blamed(ErrorKind::Forbidden), Some(Status::Restricted));
        assert_eq!(Status::blamed(ErrorKind::Quota), Some(Status::OutOfCredit));
        let others = [
            ErrorKind::RateLimited { retry_after: None },
            ErrorKind::Unavailable,
            ErrorKind::Rejected,
            ErrorKind::Protocol,
            ErrorKind::Truncated,
            ErrorKind::Empty,
            ErrorKind::Timeout,
            ErrorKind::Endpoint,
        ];
        for kind in others {
            assert_eq!(Status::blamed(kind), None, "{kind:?}");
        }
    }
}
