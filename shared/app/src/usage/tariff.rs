//! What the operator sets: prices, and the most that a tenant may spend on the operator's own keys.

use super::{Prices, dollars};
use crate::config::{Environment, Error, OPERATOR_CAP as CAP};

#[derive(Clone, Debug)]
pub struct Tariff {
    /// The price table under `PRICES_JSON`.
    pub prices: Prices,
    /// `OPERATOR_SPEND_CAP_DAILY_USD`: what each tenant may spend in a day on the operator's keys, in millionths.
    /// Absent: the operator's keys serve nobody.
    pub operator_cap: Option<i64>,
}

impl Tariff {
    pub fn read(environment: &Environment) -> Result<Tariff, Error> {
        let amount = |text| {
            dollars::parse(text).filter(|micros| *micros > 0).ok_or_else(|| {
                Error::new(CAP, "is not an amount above 0.", "Write dollars, e.g. 5 or 0.50; or remove it.")
            })
        };
        let operator_cap = environment.get(CAP).map(amount).transpose()?;
        Ok(Tariff { prices: Prices::new(environment.get("PRICES_JSON"))?, operator_cap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_an_amount_above_zero() {
        let read = |text: &str| Tariff::read(&Environment::default().with(CAP, text));
        assert_eq!(read("0.50").unwrap().operator_cap, Some(500_000));
        assert_eq!(read("").unwrap().operator_cap, None);
        for text in ["0", "-1", "free", "0.0000001"] {
            assert_eq!(read(text).unwrap_err().variable, CAP, "{text}");
        }
    }
}
