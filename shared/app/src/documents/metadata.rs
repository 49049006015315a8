//! What a document's keeper notes beside it: a flat object of small values, to filter lists by. Pure.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Entries of one document.
pub const MOST_ENTRIES: usize = 32;
/// Bytes of an entry's name.
pub const LONGEST_KEY: usize = 64;
/// Bytes of a text.
pub const LONGEST_VALUE: usize = 1000;

/// A checked object: texts, numbers, true and false, nothing nested.
pub fn check(given: Map<String, Value>) -> Result<Value> {
    if given.len() > MOST_ENTRIES {
        return Err(Error::invalid(format!("`metadata` holds at most {MOST_ENTRIES} entries.")));
    }
    for (key, value) in &given {
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if !plain || !(1..=LONGEST_KEY).contains(&key.len()) {
            return Err(Error::invalid(format!(
                "A key of `metadata` holds 1 to {LONGEST_KEY} letters, digits, `_`, `-` and `.`."
            )));
        }
        let fits = match value {
            Value::String(text) => text.len() <= LONGEST_VALUE && !text.contains('\0'),
            Value::Number(_) | Value::Bool(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        if !fits {
            return Err(Error::invalid(format!(
                "`metadata.{key}` is neither a text of at most {LONGEST_VALUE} bytes nor a number nor true or false."
            )));
        }
    }
    Ok(Value::Object(given))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(value: Value) -> Option<&'static str> {
        let Value::Object(map) = value else { panic!("a test gives objects") };
        check(map).err().map(|error| error.code())
    }

    #[test]
    fn flat_and_small_is_what_passes() {
        for good in [json!({}), json!({ "team": "legal", "year": 2024, "final": true, "a.b-c_d": 1.5, "empty": "" })] {
            assert_eq!(code(good.clone()), None, "{good}");
        }
        for bad in [
            json!({ "a": null }),
            json!({ "a": [] }),
            json!({ "a": {} }),
            json!({ "": 1 }),
            json!({ "ä": 1 }),
            json!({ "a": "\0" }),
        ] {
            assert_eq!(code(bad.clone()), Some("invalid_request"), "{bad}");
        }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let entries = |count: usize| (0..count).map(|n| (format!("k{n}"), json!(n))).collect::<Map<_, _>>();
        assert!(check(entries(MOST_ENTRIES)).is_ok() && check(entries(MOST_ENTRIES + 1)).is_err());
        let one = |key: usize, value: usize| code(json!({ "k".repeat(key): "v".repeat(value) })).is_none();
        assert!(one(LONGEST_KEY, 1) && !one(LONGEST_KEY + 1, 1));
        assert!(one(1, LONGEST_VALUE) && !one(1, LONGEST_VALUE + 1));
    }
}
