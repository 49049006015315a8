//! Which documents a search looks into: by collection, by themselves, by their date, and by a condition on their
//! metadata, which becomes one SQL/JSON path (<https://www.postgresql.org/docs/current/functions-json.html>) and is
//! bound as a parameter. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::documents::metadata::{LONGEST_KEY, LONGEST_VALUE};
use crate::error::{Error, Result};

/// Comparisons of one condition.
pub const MOST_COMPARISONS: usize = 64;
/// Values of one `in`.
pub const MOST_VALUES: usize = 100;
/// How deep `and`, `or` and `not` may stand in each other.
pub const DEEPEST: usize = 8;
/// Bytes of the path that a condition becomes.
pub const LONGEST_PATH: usize = 65_536;
/// Collections and documents that one search may name.
pub const MOST_NAMED: usize = 100;

/// Everything that is named must hold; nothing named: every document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub collections: Option<Vec<Uuid>>,
    pub documents: Option<Vec<Uuid>>,
    /// A predicate over a document's metadata, as [`condition`] makes it.
    pub metadata: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}

/// Compiles `{"field": "year", "range": {"gte": 2020}}`, with `eq`, `in`, `range` (`gt`, `gte`, `lt`, `lte`) or `exists`,
/// and `{"and": […]}`, `{"or": […]}`, `{"not": …}` around it. Values of another type than the document's never match.
pub fn condition(given: &Value) -> Result<String> {
    let mut path = String::new();
    Compiler { path: &mut path, left: MOST_COMPARISONS }.condition(given, 0)?;
    if path.len() > LONGEST_PATH {
        return Err(wrong(format!("it has more than {LONGEST_PATH} bytes")));
    }
    Ok(path)
}

struct Compiler<'p> {
    path: &'p mut String,
    left: usize,
}

impl Compiler<'_> {
    fn condition(&mut self, given: &Value, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(wrong(format!("it is deeper than {DEEPEST}")));
        }
        let object = given.as_object().ok_or_else(|| wrong("each part of it is an object"))?;
        if let Some(field) = object.get("field") {
            return self.comparison(field, object);
        }
        let mut entries = object.iter();
        match (entries.next(), entries.next()) {
            (Some((name, parts)), None) if name == "and" => self.all(parts, " && ", depth),
            (Some((name, parts)), None) if name == "or" => self.all(parts, " || ", depth),
            (Some((name, part)), None) if name == "not" => {
                // What cannot be compared is not equal: a filter keeps nothing of what is unknown.
                self.path.push_str("!exists($ ? (");
                self.condition(part, depth + 1)?;
                self.path.push_str("))");
                Ok(())
            }
            _ => Err(wrong("each part of it has a `field`, or exactly one of `and`, `or` and `not`")),
        }
    }

    fn all(&mut self, parts: &Value, between: &str, depth: usize) -> Result<()> {
        let parts = parts.as_array().filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| wrong("`and` and `or` hold a list of at least one condition"))?;
        for (at, part) in parts.iter().enumerate() {
            self.path.push_str(if at == 0 { "(" } else { between });
            self.condition(part, depth + 1)?;
        }
        self.path.push(')');
        Ok(())
    }

    fn comparison(&mut self, field: &Value, object: &Map<String, Value>) -> Result<()> {
        self.left =
            self.left.checked_sub(1).ok_or_else(|| wrong(format!("more than {MOST_COMPARISONS} comparisons")))?;
        let field = field.as_str().filter(|field| (1..=LONGEST_KEY).contains(&field.len()));
        let field = literal(&field.ok_or_else(|| wrong("`field` names an entry of the metadata"))?.into())?;
        let mut others = object.iter().filter(|(name, _)| *name != "field");
        let (Some((name, value)), None) = (others.next(), others.next()) else {
            return Err(wrong("a `field` stands beside exactly one of `eq`, `in`, `range` and `exists`"));
        };
        let path = match (name.as_str(), value) {
            ("eq", value) => format!("$.{field} == {}", literal(value)?),
            ("in", Value::Array(values)) if (1..=MOST_VALUES).contains(&values.len()) => {
                let each = values.iter().map(|value| Ok(format!("$.{field} == {}", literal(value)?)));
                format!("({})", each.collect::<Result<Vec<_>>>()?.join(" || "))
            }
            ("in", _) => return Err(wrong(format!("`in` holds a list of 1 to {MOST_VALUES} values"))),
            ("range", Value::Object(bounds)) => range(&field, bounds)?,
            ("range", _) => return Err(wrong("`range` holds an object with `gt`, `gte`, `lt` or `lte`")),
            ("exists", Value::Bool(true)) => format!("exists($.{field})"),
            ("exists", Value::Bool(false)) => format!("!exists($.{field})"),
            ("exists", _) => return Err(wrong("`exists` is true or false")),
            _ => return Err(wrong("there are only `eq`, `in`, `range` and `exists`")),
        };
        self.path.push_str(&path);
        Ok(())
    }
}

fn range(field: &str, bounds: &Map<String, Value>) -> Result<String> {
    let sides = bounds.iter().map(|(name, value)| {
        let sign = match name.as_str() {
            "gt" => ">",
            "gte" => ">=",
            "lt" => "<",
            "lte" => "<=",
            _ => return Err(wrong("`range` knows `gt`, `gte`, `lt` and `lte`")),
        };
        Ok(format!("@ {sign} {}", literal(value)?))
    });
    let sides = sides.collect::<Result<Vec<_>>>()?.join(" && ");
    if sides.is_empty() { Err(wrong("`range` names a bound")) } else { Ok(format!("exists($.{field} ? ({sides}))")) }
}

/// JSON's texts, numbers and truths are those of the path language too.
fn literal(value: &Value) -> Result<String> {
    match value {
        Value::String(text) if text.len() > LONGEST_VALUE || text.contains('\0') => {
            Err(wrong(format!("a text has at most {LONGEST_VALUE} bytes and no U+0000")))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong("values are texts, numbers, true and false")),
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("`filter.metadata` cannot be used: {why}."))
        .hint("For example {\"and\": [{\"field\": \"team\", \"eq\": \"legal\"}, {\"field\": \"year\", \"range\": {\"gte\": 2020}}]}.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_become_paths() {
        let year = json!({ "field": "year", "range": { "gte": 2020, "lt": 2024.5 } });
        for (given, expected) in [
            (json!({ "field": "team", "eq": "legal" }), r#"$."team" == "legal""#),
            (json!({ "field": "n", "eq": -5 }), r#"$."n" == -5"#),
            (json!({ "field": "ok", "in": [true, "a\"b"] }), r#"($."ok" == true || $."ok" == "a\"b")"#),
            (year.clone(), r#"exists($."year" ? (@ >= 2020 && @ < 2024.5))"#),
            (json!({ "field": "a", "exists": true }), r#"exists($."a")"#),
            (json!({ "field": "a", "exists": false }), r#"!exists($."a")"#),
            (
                json!({ "or": [{ "not": { "field": "a", "eq": 1 } }, { "and": [{ "field": "b", "eq": 2 }] }] }),
                r#"(!exists($ ? ($."a" == 1)) || ($."b" == 2))"#,
            ),
        ] {
            assert_eq!(condition(&given).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_the_reason() {
        let deep = (0..=DEEPEST).fold(json!({ "field": "a", "eq": 1 }), |inner, _| json!({ "not": inner }));
        let many = json!({ "or": vec![json!({ "field": "a", "eq": 1 }); MOST_COMPARISONS + 1] });
        for (given, why) in [
            (json!([]), "object"),
            (json!({}), "exactly one of"),
            (json!({ "and": [] }), "at least one"),
            (json!({ "and": [{}], "or": [{}] }), "exactly one of"),
            (json!({ "field": "a" }), "exactly one of"),
            (json!({ "field": "a", "eq": 1, "in": [1] }), "exactly one of"),
            (json!({ "field": "", "eq": 1 }), "names an entry"),
            (json!({ "field": 1, "eq": 1 }), "names an entry"),
            (json!({ "field": "a", "eq": null }), "texts, numbers"),
            (json!({ "field": "a", "eq": "\0" }), "U+0000"),
            (json!({ "field": "a", "in": [] }), "1 to 100"),
            (json!({ "field": "a", "range": {} }), "names a bound"),
            (json!({ "field": "a", "range": { "above": 1 } }), "knows"),
            (json!({ "field": "a", "exists": 1 }), "true or false"),
            (json!({ "field": "a", "like": "x" }), "only"),
            (deep, "deeper"),
            (many, "more than"),
            (json!({ "field": "a", "in": vec!["x".repeat(LONGEST_VALUE); MOST_VALUES] }), "bytes"),
        ] {
            let error = condition(&given).unwrap_err();
            assert!(error.detail.contains(why), "{given}: {}", error.detail);
        }
    }
}
