//! Change notifications in S3's own words, so that the ingest room reads one format everywhere.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

use super::object::Object;
use super::sequence;

/// What happened, in S3's event names.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Put,
    Post,
    Copy,
    Complete,
    Delete,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::Complete => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
        }
    }
}

pub(super) struct Notifier {
    pub bucket: String,
    pub sender: mpsc::Sender<String>,
}

impl Notifier {
    pub fn created(&self, change: Change, object: &Object) {
        let entity = json!({
            "key": encode(&object.key, "+"),
            "size": object.size,
            "eTag": object.etag,
            "sequencer": sequence::text(object.sequencer),
        });
        self.send(change, object.modified, entity, object.sequencer);
    }

    pub fn removed(&self, key: &str, sequencer: u64, time: Timestamp) {
        let entity = json!({ "key": encode(key, "+"), "sequencer": sequence::text(sequencer) });
        self.send(Change::Delete, time, entity, sequencer);
    }

    fn send(&self, change: Change, time: Timestamp, entity: serde_json::Value, sequencer: u64) {
        let document = json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": super::s3::REGION,
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            "eventName": change.name(),
            "userIdentity": { "principalId": "docent" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": sequence::text(sequencer) },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "docent",
                "bucket": {
                    "name": self.bucket,
                    "ownerIdentity": { "principalId": "docent" },
                    "arn": format!("arn:aws:s3:::{}", self.bucket),
                },
                "object": entity,
            },
        }]});
        // The change is already committed and somebody waits for the answer: never block on a slow reader.
        if let Err(error) = self.sender.try_send(document.to_string()) {
            tracing::warn!(event = change.name(), %error, "bucket event dropped; the sweep will find the object");
        }
    }
}

/// Percent-encodes a key as S3 does in events (`+` for a space) and in listings (`%20`); slashes stay.
pub(super) fn encode(key: &str, space: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => encoded.push(byte.into()),
            b' ' => encoded.push_str(space),
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does() {
        for (key, expected) in [
            ("red flower.jpg", "red+flower.jpg"),
            ("a/b+c&d=e%", "a/b%2Bc%26d%3De%25"),
            ("Übung/日.txt", "%C3%9Cbung/%E6%97%A5.txt"),
            ("../x~(1)", "../x%7E%281%29"),
        ] {
            assert_eq!(encode(key, "+"), expected);
        }
        assert_eq!(encode("red flower", "%20"), "red%20flower");
    }

    #[test]
    fn a_full_channel_drops_instead_of_blocking() {
        let (sender, mut receiver) = mpsc::channel(1);
        let notifier = Notifier { bucket: "docent".into(), sender };
        notifier.removed("first", 1, Timestamp::UNIX_EPOCH);
        notifier.removed("second", 2, Timestamp::UNIX_EPOCH);
        assert!(receiver.try_recv().unwrap().contains("first"));
        assert!(receiver.try_recv().is_err());
    }
}
