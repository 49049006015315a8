//! What a verified token says about its bearer, and the rules that its claims must keep (RFC 7519 §4.1).

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::auth::Role;

pub(super) type Claims = Map<String, Value>;

/// What the columns that keep an issuer, a subject and an organisation hold.
const MAX_IDENTIFIER: usize = 500;
const MAX_NAME: usize = 200;

/// A claim by its name, or by its place (a JSON Pointer, RFC 6901) when the configured text begins with `/`: names of
/// claims are often addresses, so that neither a dot nor a slash inside could part them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim(pub String);

impl Claim {
    fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        let found = match self.0.strip_prefix('/') {
            None => claims.get(&self.0),
            Some(path) => {
                let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
                let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
                rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
            }
        };
        found.filter(|value| !value.is_null())
    }
}

/// Where an issuer writes the organisation and the role; neither is standardised.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub organisation: Option<Claim>,
    pub role: Option<Claim>,
}

/// `exp` must be there and ahead, `nbf` and `iat` must not be ahead; `skew` seconds of disagreement are forgiven.
pub(super) fn times(claims: &Claims, now: i64, skew: i64) -> Result<(), Refusal> {
    let skew = skew as f64;
    let now = now as f64;
    if date(claims, "exp")?.ok_or(Refusal::NoExpiry)? <= now - skew {
        return Err(Refusal::Expired);
    }
    for name in ["nbf", "iat"] {
        if date(claims, name)?.is_some_and(|at| at > now + skew) {
            return Err(Refusal::Early);
        }
    }
    Ok(())
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn date(claims: &Claims, name: &str) -> Result<Option<f64>, Refusal> {
    claims.get(name).map(|value| value.as_f64().ok_or(Refusal::Malformed)).transpose()
}

pub(super) fn subject(claims: &Claims) -> Result<String, Refusal> {
    claims.get("sub").and_then(identifier).ok_or(Refusal::Subject)
}

fn identifier(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let sound = !text.is_empty() && text.len() <= MAX_IDENTIFIER && !text.contains(char::is_control);
    sound.then(|| text.to_owned())
}

/// One audience, or any of several, must be ours.
pub(super) fn audience(claims: &Claims, ours: &[String]) -> Result<(), Refusal> {
    let named = match claims.get("aud") {
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let fits = named.iter().filter_map(Value::as_str).any(|name| ours.iter().any(|own| own == name));
    fits.then_some(()).ok_or(Refusal::Audience)
}

/// Who the token was handed to: `azp`, or `client_id` (RFC 9068; all that Cognito's access tokens have). When both are
/// there, both must be allowed.
pub(super) fn party(claims: &Claims, allowed: &[String]) -> Result<(), Refusal> {
    let mut named = ["azp", "client_id"].into_iter().filter_map(|name| claims.get(name)).peekable();
    let fits = |value: &Value| value.as_str().is_some_and(|name| allowed.iter().any(|own| own == name));
    (named.peek().is_some() && named.all(fits)).then_some(()).ok_or(Refusal::Party)
}

/// The organisation, when the token names one. Several at once would leave the tenant to chance.
pub(super) fn organisation(claims: &Claims, place: Option<&Claim>) -> Result<Option<String>, Refusal> {
    let found = place.and_then(|place| place.find(claims));
    found.map(|value| identifier(value).ok_or(Refusal::Organisation)).transpose()
}

/// The highest role that we know among those that the token names.
pub(super) fn role(claims: &Claims, place: Option<&Claim>) -> Option<Role> {
    let named = match place?.find(claims)? {
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let held: Vec<Role> = named.iter().filter_map(Value::as_str).filter_map(Role::parse).collect();
    Role::ALL.into_iter().find(|role| held.contains(role))
}

/// A name for people to read; one that could disturb a page or a log is none.
pub(super) fn name(claims: &Claims) -> Option<String> {
    let name = claims.get("name")?.as_str()?.trim();
    let sound = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control);
    sound.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn times() {
        for (value, expected) in [
            (json!({"exp": 1001}), Ok(())),
            (json!({"exp": 991}), Ok(())),
            (json!({"exp": 990}), Err(Refusal::Expired)),
            (json!({"exp": 990.5}), Ok(())),
            (json!({"exp": -1}), Err(Refusal::Expired)),
            (json!({}), Err(Refusal::NoExpiry)),
            (json!({"exp": "9999"}), Err(Refusal::Malformed)),
            (json!({"exp": null}), Err(Refusal::Malformed)),
            (json!({"exp": 2000, "nbf": 1010, "iat": 1010}), Ok(())),
            (json!({"exp": 2000, "nbf": 1011}), Err(Refusal::Early)),
            (json!({"exp": 2000, "iat": 1011}), Err(Refusal::Early)),
            (json!({"exp": 2000, "nbf": "0"}), Err(Refusal::Malformed)),
        ] {
            assert_eq!(super::times(&claims(value.clone()), 1000, 10), expected, "{value}");
        }
    }

    #[test]
    fn audience_and_party() {
        let ours = ["a".to_owned(), "b".to_owned()];
        for (value, fits) in [
            (json!({"aud": "a"}), true),
            (json!({"aud": ["x", "b"]}), true),
            (json!({"aud": "ab"}), false),
            (json!({"aud": ["x"]}), false),
            (json!({"aud": []}), false),
            (json!({"aud": {"a": 1}}), false),
            (json!({"aud": null}), false),
            (json!({}), false),
        ] {
            assert_eq!(audience(&claims(value.clone()), &ours).is_ok(), fits, "{value}");
        }
        for (value, fits) in [
            (json!({"azp": "a"}), true),
            (json!({"client_id": "b"}), true),
            (json!({"azp": "a", "client_id": "b"}), true),
            (json!({"azp": "a", "client_id": "x"}), false),
            (json!({"azp": ["a"]}), false),
            (json!({"azp": "A"}), false),
            (json!({"azp": null}), false),
            (json!({}), false),
        ] {
            assert_eq!(party(&claims(value.clone()), &ours).is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn a_subject_is_short_visible_text() {
        for (value, expected) in [
            (json!({"sub": "auth0|1"}), Some("auth0|1")),
            (json!({"sub": ""}), None),
            (json!({"sub": 7}), None),
            (json!({"sub": "a\u{0}b"}), None),
            (json!({"sub": "x".repeat(501)}), None),
            (json!({}), None),
        ] {
            assert_eq!(subject(&claims(value.clone())).ok().as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn an_organisation_is_one_and_lies_where_the_operator_says() {
        let token = claims(json!({
            "org": "o1", "https://example.com/org": "o2", "app": {"org": "o3", "a/b": "o4"}, "several": ["x", "y"],
            "empty": "", "nothing": null,
        }));
        for (place, expected) in [
            ("org", Ok(Some("o1"))),
            ("https://example.com/org", Ok(Some("o2"))),
            ("/app/org", Ok(Some("o3"))),
            ("/app/a~1b", Ok(Some("o4"))),
            ("/org", Ok(Some("o1"))),
            ("app", Err(Refusal::Organisation)),
            ("several", Err(Refusal::Organisation)),
            ("empty", Err(Refusal::Organisation)),
            ("nothing", Ok(None)),
            ("absent", Ok(None)),
            ("/app/absent", Ok(None)),
        ] {
            let found = organisation(&token, Some(&Claim(place.to_owned())));
            assert_eq!(found.as_ref().map(|found| found.as_deref()), expected.as_ref().map(|found| *found), "{place}");
        }
        assert_eq!(organisation(&token, None), Ok(None));
    }

    #[test]
    fn the_highest_known_role_counts() {
        let place = Claim("role".to_owned());
        for (value, expected) in [
            (json!("owner"), Some(Role::Owner)),
            (json!("admin"), Some(Role::Owner)),
            (json!("org:admin"), Some(Role::Owner)),
            (json!("org:editor"), Some(Role::Editor)),
            (json!("viewer"), Some(Role::Viewer)),
            (json!(["viewer", "editor", "billing"]), Some(Role::Editor)),
            (json!("Owner"), None),
            (json!("org:org:admin"), None),
            (json!({"owner": true}), None),
            (json!(true), None),
            (json!([]), None),
        ] {
            assert_eq!(role(&claims(json!({"role": value})), Some(&place)), expected, "{value}");
        }
    }

    #[test]
    fn a_name_that_disturbs_is_none() {
        for (value, expected) in [
            (json!(" Ada Lovelace "), Some("Ada Lovelace")),
            (json!("a\nb"), None),
            (json!(""), None),
            (json!("x".repeat(201)), None),
            (json!(1), None),
        ] {
            assert_eq!(name(&claims(json!({"name": value}))).as_deref(), expected, "{value}");
        }
    }
}
