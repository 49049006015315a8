//! What buckets say about their changes, reduced to what may be believed: "look at this key". Pure.
//! An event's size, etag and sequencer are not read: events come twice, late and out of order, and whoever looks at the
//! bucket knows more than any of them. That is why two events need no order either.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use uuid::Uuid;

use crate::error::{Error, Result};

/// Event documents larger than this are not ours: SQS carries at most 1 MiB, S3 writes far less.
pub const LARGEST_MESSAGE: usize = 1024 * 1024;

/// One thing that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A key of our own shape. Whose it is remains a claim until its row is found.
    Key { tenant: Uuid, document: Uuid, key: String },
    /// The schedule's own message.
    Sweep,
    /// Nothing to do, now or later; the reason is for the log.
    Ignored(&'static str),
}

/// What the schedule of `template.yaml` puts into the queue.
const SWEEP: &str = "docent:Sweep";

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    name: Option<String>,
    s3: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// <https://developers.cloudflare.com/r2/buckets/event-notifications/>
#[derive(Deserialize)]
struct R2 {
    action: String,
    bucket: String,
    object: Object,
}

/// Reads an S3 notification as SQS delivers it. A text that is no notification at all is an error, so that the queue
/// puts it aside for a person; a notification about something else is ignored.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn s3(body: &str, bucket: &str) -> Result<Vec<Seen>> {
    if body.len() > LARGEST_MESSAGE {
        return Err(Error::invalid("The message is larger than any bucket's event."));
    }
    let notification: Notification = serde_json::from_str(body)
        .map_err(|cause| Error::invalid("The message is not a bucket's event.").because(cause))?;
    match (notification.records, notification.event.as_deref()) {
        (Some(records), _) => Ok(records.into_iter().map(|record| s3_record(record, bucket)).collect()),
        (None, Some("s3:TestEvent")) => Ok(vec![Seen::Ignored("test_event")]),
        (None, Some(SWEEP)) => Ok(vec![Seen::Sweep]),
        (None, _) => Err(Error::invalid("The message is not a bucket's event: it has no `Records`.")),
    }
}

fn s3_record(record: Record, bucket: &str) -> Seen {
    // Other services write `Records` too, with no `s3` inside.
    let Some(place) = record.s3 else { return Seen::Ignored("foreign_record") };
    // Some vendors write the name with its `s3:` prefix.
    let name = record.name.unwrap_or_default();
    let name = name.strip_prefix("s3:").unwrap_or(&name);
    let changed = ["ObjectCreated:", "ObjectRemoved:", "ObjectRestore:", "LifecycleExpiration:"];
    match () {
        () if place.bucket.name != bucket => Seen::Ignored("foreign_bucket"),
        () if !changed.iter().any(|kind| name.starts_with(kind)) => Seen::Ignored("other_event"),
        () => match decode(&place.object.key) {
            Some(key) => claim(key),
            None => Seen::Ignored("undecodable_key"),
        },
    }
}

/// Reads the body of one message of an R2 queue. R2 writes keys as they are.
pub fn r2(body: &serde_json::Value, bucket: &str) -> Result<Seen> {
    let event =
        R2::deserialize(body).map_err(|cause| Error::invalid("The message is not an R2 event.").because(cause))?;
    let changed = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "LifecycleDeletion"];
    Ok(match () {
        () if event.bucket != bucket => Seen::Ignored("foreign_bucket"),
        () if !changed.contains(&event.action.as_str()) => Seen::Ignored("other_event"),
        () => claim(event.object.key),
    })
}

/// Whose a key claims to be: `t/{tenant}/{document}/{version}`, in exactly the spelling of `documents::version_key`.
pub fn claim(key: String) -> Seen {
    let mut parts = key.split('/');
    let named = (parts.next(), parts.next().and_then(id), parts.next().and_then(id), parts.next(), parts.next());
    match named {
        (Some("t"), Some(tenant), Some(document), Some(version), None) if counts(version) => {
            Seen::Key { tenant, document, key }
        }
        _ => Seen::Ignored("foreign_key"),
    }
}

/// A number from 1 on, as it is written.
fn counts(version: &str) -> bool {
    version.parse::<i32>().is_ok_and(|number| number >= 1 && number.to_string() == version)
}

fn id(text: &str) -> Option<Uuid> {
    let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| Uuid::try_parse(text).ok())?
}

/// S3 writes keys as in a form: `+` is a space, the rest is percent-encoded UTF-8.
fn decode(key: &str) -> Option<String> {
    percent_decode_str(&key.replace('+', " ")).decode_utf8().ok().map(|key| key.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: &str = "0190a1b2c3d47e5f8091a2b3c4d5e6f7";
    const DOCUMENT: &str = "0190a1b2c3d47e5f8091a2b3c4d5e6f8";

    fn ours() -> Seen {
        let key = format!("t/{TENANT}/{DOCUMENT}/1");
        Seen::Key { tenant: TENANT.parse().unwrap(), document: DOCUMENT.parse().unwrap(), key }
    }

    fn event(name: &str, bucket: &str, key: &str) -> serde_json::Value {
        json!({"eventVersion": "2.6", "eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "00"}}})
    }

    #[test]
    fn s3_events_by_table() {
        let key = format!("t/{TENANT}/{DOCUMENT}/1");
        let encoded = key.replace('/', "%2F");
        for (record, expected) in [
            (event("ObjectCreated:Put", "library", &key), ours()),
            (event("ObjectCreated:CompleteMultipartUpload", "library", &encoded), ours()),
            (event("s3:ObjectCreated:Post", "library", &key), ours()),
            (event("ObjectRemoved:Delete", "library", &key), ours()),
            (event("LifecycleExpiration:Delete", "library", &key), ours()),
            (event("ObjectTagging:Put", "library", &key), Seen::Ignored("other_event")),
            (event("ObjectCreated:Put", "other", &key), Seen::Ignored("foreign_bucket")),
            (event("ObjectCreated:Put", "library", "%FF"), Seen::Ignored("undecodable_key")),
            (event("ObjectCreated:Put", "library", "My+R%C3%A9sum%C3%A9.pdf"), Seen::Ignored("foreign_key")),
            (json!({"eventSource": "aws:sns"}), Seen::Ignored("foreign_record")),
        ] {
            let body = json!({"Records": [record]}).to_string();
            assert_eq!(s3(&body, "library").unwrap(), [expected], "{body}");
        }
    }

    /// As S3 writes keys: a form's encoding, in which a space is a plus.
    fn encoded(key: &str) -> String {
        let escaped = |byte: u8| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'*' | b'_' | b'/' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        key.bytes().map(escaped).collect()
    }

    #[test]
    fn every_character_of_a_key_survives_its_encoding() {
        let ascii = (0_u8..128).map(char::from);
        let odd = "äßñ日本語🙂\u{0}\u{202e}\u{feff}\u{10ffff}".chars();
        for letter in ascii.chain(odd) {
            let key = format!("a{letter}b +%2B");
            assert_eq!(decode(&encoded(&key)).as_deref(), Some(key.as_str()), "{letter:?}");
        }
        // However a key of ours is written, it is the same key; nothing else turns into one.
        let key = format!("t/{TENANT}/{DOCUMENT}/1");
        let all: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for (written, expected) in [
            (all, ours()),
            (format!("{key}%00"), Seen::Ignored("foreign_key")),
            (format!("+{key}"), Seen::Ignored("foreign_key")),
            (format!("%ff{key}"), Seen::Ignored("undecodable_key")),
            (key.replace('/', "%252F"), Seen::Ignored("foreign_key")),
        ] {
            let body = json!({"Records": [event("ObjectCreated:Put", "library", &written)]}).to_string();
            assert_eq!(s3(&body, "library").unwrap(), [expected], "{written}");
        }
    }

    #[test]
    fn one_message_may_name_several_keys_or_none() {
        let key = format!("t/{TENANT}/{DOCUMENT}/1");
        let body =
            json!({"Records": [event("ObjectCreated:Put", "library", &key), event("ObjectCreated:Put", "x", "y")]});
        assert_eq!(s3(&body.to_string(), "library").unwrap(), [ours(), Seen::Ignored("foreign_bucket")]);
        assert_eq!(s3(r#"{"Records":[]}"#, "library").unwrap(), []);
        let test =
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"library"}"#;
        assert_eq!(s3(test, "library").unwrap(), [Seen::Ignored("test_event")]);
    }

    #[test]
    fn the_schedule_asks_for_a_sweep() {
        assert_eq!(s3(r#"{"Event":"docent:Sweep"}"#, "library").unwrap(), [Seen::Sweep]);
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for body in ["", "not json", "[]", "{}", r#"{"Records":7}"#, r#"{"Event":"other"}"#] {
            assert_eq!(s3(body, "library").unwrap_err().code(), "invalid_request", "{body}");
        }
        assert!(s3(&" ".repeat(LARGEST_MESSAGE + 1), "library").is_err());
    }

    #[test]
    fn r2_events_by_table() {
        let key = format!("t/{TENANT}/{DOCUMENT}/1");
        let body = |action: &str, bucket: &str, key: &str| json!({"account": "a", "action": action, "bucket": bucket, "object": {"key": key}, "eventTime": "2024-05-24T19:36:44.379Z"});
        for (body, expected) in [
            (body("PutObject", "library", &key), ours()),
            (body("DeleteObject", "library", &key), ours()),
            (body("PutObject", "other", &key), Seen::Ignored("foreign_bucket")),
            (body("Dance", "library", &key), Seen::Ignored("other_event")),
            (body("PutObject", "library", "a+b"), Seen::Ignored("foreign_key")),
        ] {
            assert_eq!(r2(&body, "library").unwrap(), expected, "{body}");
        }
        assert!(r2(&json!({"action": "PutObject"}), "library").is_err());
    }

    #[test]
    fn only_our_own_spelling_of_a_key_claims_anything() {
        assert_eq!(claim(format!("t/{TENANT}/{DOCUMENT}/1")), ours());
        assert!(matches!(claim(format!("t/{TENANT}/{DOCUMENT}/27")), Seen::Key { .. }));
        for key in [
            String::new(),
            format!("t/{TENANT}/{DOCUMENT}"),
            format!("t/{TENANT}/{DOCUMENT}/0"),
            format!("t/{TENANT}/{DOCUMENT}/01"),
            format!("t/{TENANT}/{DOCUMENT}/+1"),
            format!("t/{TENANT}/{DOCUMENT}/-1"),
            format!("t/{TENANT}/{DOCUMENT}/2147483648"),
            format!("t/{TENANT}/{DOCUMENT}/1/"),
            format!("/t/{TENANT}/{DOCUMENT}/1"),
            format!("T/{TENANT}/{DOCUMENT}/1"),
            format!("t/{}/{DOCUMENT}/1", TENANT.to_uppercase()),
            format!("t/{}/{DOCUMENT}/1", TENANT.parse::<Uuid>().unwrap()),
            format!("t/../{DOCUMENT}/1"),
        ] {
            assert_eq!(claim(key.clone()), Seen::Ignored("foreign_key"), "{key}");
        }
    }
}
