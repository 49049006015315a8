//! Caps: whom each binds, what is written about them, and the refusal at one. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::prices::MOST_MICROS;
use super::{PaidBy, Spending, dollars};
use crate::error::{Error, Kind, Result};

/// Caps that a tenant keeps: more than these are no policy any more.
pub const MOST_CAPS: usize = 200;

/// What may be spent in a day (UTC) by one subject: `tenant`, `token` (each one), `visitor` (each one), `token:<id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    pub subject: String,
    pub daily_micros: i64,
}

/// What a subject spent today on one account, and still holds reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purse {
    pub subject: String,
    pub paid_by: String,
    pub spent_micros: i64,
    pub reserved_micros: i64,
    /// The cap that binds it now.
    pub cap_micros: Option<i64>,
}

/// The counters of a spending, and beside each the cap that binds every one of its kind.
pub fn counters(spending: &Spending) -> (Vec<String>, Vec<String>) {
    // What costs nothing needs no cap, and is not refused because others spent too much.
    if spending.price.is_free() {
        return Default::default();
    }
    let token = spending.by.token.map(|id| (format!("token:{id}"), "token".to_owned()));
    let visitor = spending.by.visitor.as_deref().map(|name| (format!("visitor:{name}"), "visitor".to_owned()));
    [Some(("tenant".to_owned(), "tenant".to_owned())), token, visitor].into_iter().flatten().unzip()
}

/// The caps as they were sent, each checked.
pub fn check(sent: BTreeMap<String, String>) -> Result<Vec<Cap>> {
    if sent.len() > MOST_CAPS {
        return Err(Error::invalid(format!("A tenant keeps at most {MOST_CAPS} caps.")));
    }
    sent.into_iter().map(|(subject, amount)| cap(subject, &amount)).collect()
}

fn cap(subject: String, amount: &str) -> Result<Cap> {
    let token = subject.strip_prefix("token:");
    // Written as Postgres writes it, so that it names the same token.
    let named = token.is_some_and(|id| id.parse::<Uuid>().is_ok_and(|uuid| uuid.to_string() == id));
    if !named && !matches!(subject.as_str(), "tenant" | "token" | "visitor") {
        return Err(Error::invalid("A cap binds `tenant`, `token`, `visitor` or `token:<id of a token>`."));
    }
    let daily_micros = dollars::parse(amount).filter(|micros| *micros <= MOST_MICROS).ok_or_else(|| {
        Error::invalid("A cap is an amount of dollars a day in quotes, \"0\" to \"1000000\", with at most 6 decimals.")
    })?;
    Ok(Cap { subject, daily_micros })
}

/// The refusal: which cap, until when, and who can raise it. No amounts: a visitor reads this too.
pub fn reached(subject: &str, spending: &Spending) -> Error {
    let (kind, who) = match subject.split_once(':') {
        Some(("visitor", _)) => ("visitor", "this visitor"),
        Some(_) => ("token", "this token"),
        None => ("tenant", "this tenant"),
    };
    let hint = match spending.paid_by {
        PaidBy::Tenant => format!(
            "It begins anew at 00:00 UTC. Whoever holds the scope `admin` raises the cap `{kind}` with PUT /api/usage/caps."
        ),
        PaidBy::Operator => format!(
            "It begins anew at 00:00 UTC. The operator raises the cap; a key of your own, saved with PUT /api/keys/{}, is not bound by it.",
            spending.provider
        ),
    };
    Error::new(Kind::SpendCap, format!("The daily cap on what {who} may spend leaves too little for this request."))
        .hint(hint)
        .retry_after(until_midnight(spending.at))
}

/// Seconds until the next day begins in UTC, where every day is as long.
fn until_midnight(at: Timestamp) -> u64 {
    let now = at.to_zoned(TimeZone::UTC).time();
    let gone = u64::try_from(i64::from(now.hour()) * 3600 + i64::from(now.minute()) * 60 + i64::from(now.second()));
    86_400 - gone.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(subject: &str, amount: &str) -> Result<Vec<Cap>> {
        check(BTreeMap::from([(subject.to_owned(), amount.to_owned())]))
    }

    #[test]
    fn caps_are_read_or_refused_with_a_reason() {
        let id = "0193a000-0000-7000-8000-000000000001";
        for subject in ["tenant", "token", "visitor", &format!("token:{id}")] {
            assert_eq!(one(subject, "1.5").unwrap(), [Cap { subject: subject.to_owned(), daily_micros: 1_500_000 }]);
        }
        assert_eq!(one("tenant", "1000000").unwrap()[0].daily_micros, MOST_MICROS);
        let upper = format!("token:{}", id.to_uppercase().replace("0193A", "0193B"));
        for (subject, amount) in [
            ("", "1"),
            ("tenants", "1"),
            ("visitor:anna", "1"),
            ("token:", "1"),
            ("token:x", "1"),
            (upper.as_str(), "1"),
            ("tenant", ""),
            ("tenant", "-1"),
            ("tenant", "1000000.000001"),
            ("tenant", "five"),
        ] {
            assert_eq!(one(subject, amount).unwrap_err().code(), "invalid_request", "{subject} {amount}");
        }
        let many = (0..=MOST_CAPS).map(|n| (format!("token:{}", Uuid::from_u128(n as u128)), "1".to_owned()));
        assert_eq!(check(many.collect()).unwrap_err().code(), "invalid_request");
    }

    #[test]
    fn the_day_ends_at_midnight_in_utc() {
        for (at, seconds) in
            [("2026-11-21T00:00:00Z", 86_400), ("2026-11-21T23:59:59.9Z", 1), ("2026-11-21T12:00:01+02:00", 50_399)]
        {
            assert_eq!(until_midnight(at.parse().unwrap()), seconds, "{at}");
        }
    }
}
