//! A count of tokens as a provider sends it. What is no count is none, and not a broken answer: nobody loses his text
//! over its bill, which is reckoned from the bytes instead.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// No model reads or writes more in one call: a larger number is a mistake, and would use up a tenant's cap.
pub(crate) const MOST: u64 = u32::MAX as u64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl Count {
    pub(crate) fn or_zero(self) -> u64 {
        self.0.unwrap_or_default()
    }

    pub(crate) fn or(self, other: Count) -> Count {
        Count(self.0.or(other.0))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Count;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(Count((count <= MOST).then_some(count)))
    }

    fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(count).ok().filter(|count| *count <= MOST)))
    }

    /// Some count in decimal numbers.
    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        Ok(Count((0.0..=MOST as f64).contains(&count).then_some(count as u64)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counts_and_everything_else_is_none() {
        for (json, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("12.0", Some(12)),
            ("12.9", Some(12)),
            ("4294967295", Some(MOST)),
            ("4294967296", None),
            ("18446744073709551615", None),
            ("18446744073709551616", None),
            ("1e300", None),
            ("-1", None),
            ("-0.5", None),
            ("null", None),
            ("true", None),
            ("\"7\"", None),
            ("[7, {}]", None),
            (r#"{"tokens": [7]}"#, None),
        ] {
            assert_eq!(serde_json::from_str::<Count>(json).unwrap(), Count(expected), "{json}");
        }
    }
}
