//! What tokens cost: a versioned table of list prices, one row for each model. Pure.
//!
//! `PRICES_JSON` holds rows of the same form, `[{"provider":"openai","model":"gpt-6","input":1,"output":2}]` in
//! micro-dollars for one million tokens, which take the place of the table's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Kind;
use crate::config::Error;

/// One spending is never booked higher than a million dollars: a count that leads there is a provider's mistake, and
/// sums of such mistakes must still fit a bigint.
pub const MOST_MICROS: i64 = 1_000_000_000_000;

const TABLE: &str = include_str!("prices.json");
const ANY: &str = "*";

/// The price table with the operator's rows.
#[derive(Clone, Debug)]
pub struct Prices {
    version: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: String,
    #[serde(rename = "unit")]
    _unit: String,
    #[serde(rename = "note")]
    _note: String,
    #[serde(rename = "sources")]
    _sources: BTreeMap<String, String>,
    prices: Vec<Row>,
}

/// Micro-dollars for one million tokens. A row answers for the kinds whose prices it names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    model: String,
    input: Option<u64>,
    output: Option<u64>,
    embedding: Option<u64>,
}

/// What one model's tokens cost, in micro-dollars for one million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    /// The model is not in the table; this is the dearest that it may be.
    pub estimated: bool,
}

impl Prices {
    /// The table, with the operator's rows over it.
    pub fn new(overrides: Option<&str>) -> Result<Prices, Error> {
        let table: Table = serde_json::from_str(TABLE)
            .map_err(|error| Error::new("prices.json", format!("is malformed: {error}."), "Correct the table."))?;
        let Some(text) = overrides else { return Ok(Prices { version: table.version, rows: table.prices }) };
        let mut rows: Vec<Row> = serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        if rows.iter().any(|row| row.input.is_some() != row.output.is_some() || row.input.or(row.embedding).is_none()) {
            return Err(malformed("a row gives `input` and `output`, or `embedding`, or all three"));
        }
        // First come, first served: the operator's rows stand before the table's.
        rows.extend(table.prices);
        Ok(Prices { version: format!("{}+operator", table.version), rows })
    }

    /// Which table a cost was reckoned by.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The price of a model: its own, that of all its provider's models, the dearest of its provider's, or what
    /// providers cost that nobody listed.
    pub fn find(&self, provider: &str, model: &str, kind: Kind) -> Price {
        let own = || self.rows.iter().filter(move |row| row.provider == provider);
        let known = own().filter(|row| row.price(kind).is_some());
        // The longest name that fits; of equal ones the first.
        let named = known.clone().filter(|row| names(&row.model, model)).rev().max_by_key(|row| row.model.len());
        if let Some(price) =
            named.or_else(|| known.clone().find(|row| row.model == ANY)).and_then(|row| row.price(kind))
        {
            return price;
        }
        let listed = known.filter_map(|row| row.price(kind));
        let unlisted = self.rows.iter().filter(|row| row.provider == ANY).filter_map(|row| row.price(kind));
        dearest(listed).or_else(|| dearest(unlisted)).unwrap_or(Price { input: 0, output: 0, estimated: true })
    }
}

impl Price {
    /// Rounded up to a whole micro-dollar, once for both.
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> i64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let whole = part(input_tokens, self.input).saturating_add(part(output_tokens, self.output));
        i64::try_from(whole.div_ceil(1_000_000)).unwrap_or(MOST_MICROS).min(MOST_MICROS)
    }

    pub fn is_free(self) -> bool {
        self.input == 0 && self.output == 0
    }
}

impl Row {
    fn price(&self, kind: Kind) -> Option<Price> {
        let (input, output) = match kind {
            Kind::Chat => (self.input?, self.output?),
            Kind::Embedding => (self.embedding?, 0),
        };
        Some(Price { input, output, estimated: false })
    }
}

/// Whether a row's name means this model: itself, or itself with a date or a tag. Another word makes another model,
/// which may cost another price: `gpt-4o-mini` is no `gpt-4o`.
fn names(row: &str, model: &str) -> bool {
    let Some(rest) = model.strip_prefix(row) else { return false };
    let Some(tag) = rest.strip_prefix(['-', '@', ':']) else { return rest.is_empty() };
    matches!(tag, "latest" | "preview")
        || (tag.len() >= 4 && tag.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn dearest(prices: impl Iterator<Item = Price>) -> Option<Price> {
    prices
        .reduce(|a, b| Price { input: a.input.max(b.input), output: a.output.max(b.output), estimated: true })
        .map(|price| Price { estimated: true, ..price })
}

fn malformed(why: &str) -> Error {
    Error::new(
        "PRICES_JSON",
        format!("is not a list of prices: {why}."),
        "Write [{\"provider\":…,\"model\":…,\"input\":…,\"output\":…}] in micro-dollars per million tokens.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(input: u64, output: u64, estimated: bool) -> Price {
        Price { input, output, estimated }
    }

    #[test]
    fn models_have_their_own_price_or_the_dearest_that_it_may_be() {
        use Kind::{Chat, Embedding};
        let prices = Prices::new(None).unwrap();
        for (provider, model, kind, expected) in [
            ("openai", "gpt-4o", Chat, price(2_500_000, 10_000_000, false)),
            ("openai", "gpt-4o-2024-08-06", Chat, price(2_500_000, 10_000_000, false)),
            ("openai", "gpt-4o-2024-05-13", Chat, price(5_000_000, 15_000_000, false)),
            ("openai", "gpt-4o-mini", Chat, price(150_000, 600_000, false)),
            ("openai", "gpt-4o-mini-2024-07-18", Chat, price(150_000, 600_000, false)),
            ("openai", "gpt-4o-audio-preview", Chat, price(150_000_000, 600_000_000, true)),
            ("openai", "gpt-4-32k", Chat, price(150_000_000, 600_000_000, true)),
            ("openai", "gpt-99", Chat, price(150_000_000, 600_000_000, true)),
            ("openai", "text-embedding-3-small", Embedding, price(20_000, 0, false)),
            ("openai", "text-embedding-9", Embedding, price(130_000, 0, true)),
            ("mistral", "mistral-large-latest", Chat, price(2_000_000, 6_000_000, false)),
            ("mistral", "mistral-large-2411", Chat, price(2_000_000, 6_000_000, false)),
            ("xai", "embed-1", Embedding, price(150_000, 0, true)),
            ("acme", "own-1", Chat, price(15_000_000, 75_000_000, true)),
            ("ollama", "gpt-4o", Chat, price(0, 0, false)),
            ("ollama", "nomic-embed-text", Embedding, price(0, 0, false)),
        ] {
            assert_eq!(prices.find(provider, model, kind), expected, "{provider}/{model}");
        }
    }

    #[test]
    fn the_operators_rows_come_first() {
        let rows = r#"[{"provider":"openai","model":"gpt-4o","input":1,"output":2},{"provider":"acme","model":"*","embedding":7}]"#;
        let prices = Prices::new(Some(rows)).unwrap();
        assert_eq!(prices.find("openai", "gpt-4o", Kind::Chat), price(1, 2, false));
        assert_eq!(prices.find("openai", "gpt-4o-2024-05-13", Kind::Chat), price(5_000_000, 15_000_000, false));
        assert_eq!(prices.find("acme", "any", Kind::Embedding), price(7, 0, false));
        assert!(prices.version().ends_with("+operator") && !Prices::new(None).unwrap().version().contains('+'));
        for bad in [
            "",
            "{}",
            r#"[{"provider":"a","model":"b"}]"#,
            r#"[{"provider":"a","model":"b","input":1}]"#,
            r#"[{"provider":"a","model":"b","input":-1,"output":1}]"#,
            r#"[{"provider":"a","model":"b","embeding":1}]"#,
        ] {
            assert_eq!(Prices::new(Some(bad)).unwrap_err().variable, "PRICES_JSON", "{bad}");
        }
    }

    #[test]
    fn costs_are_rounded_up_and_never_overflow() {
        let dollars = price(1_000_000, 3_000_000, false);
        for (input, output, micros) in [(0, 0, 0), (1, 0, 1), (1, 1, 4), (7, 2, 13)] {
            assert_eq!(dollars.cost(input, output), micros);
        }
        let cents = price(20_000, 0, false);
        assert_eq!((cents.cost(1, 0), cents.cost(50, 0), cents.cost(51, 0)), (1, 1, 2));
        assert_eq!(price(1, 1, false).cost(500_000, 500_000), 1, "both parts are rounded together");
        assert_eq!(price(u64::MAX, u64::MAX, false).cost(u64::MAX, u64::MAX), MOST_MICROS);
        assert_eq!(price(0, 0, false).cost(u64::MAX, u64::MAX), 0);
    }

    #[test]
    fn every_provider_of_the_table_names_its_source() {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        for row in table.prices.iter().filter(|row| row.provider != ANY && row.provider != "ollama") {
            assert!(table._sources.contains_key(&row.provider), "{}", row.provider);
            assert!(row.input.is_some() == row.output.is_some() && row.input.or(row.embedding).is_some(), "{row:?}");
        }
    }
}
