//! What the sidecar of an object says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use s3s::dto::{self, ETag};
use serde::{Deserialize, Serialize};

use super::checksums::Checksums;

/// What S3 says of an object that came without a content type.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Object {
    pub key: String,
    /// The file beside the sidecar that holds the bytes. A new version gets a new file, so the sidecar decides alone
    /// which version is the object.
    pub blob: String,
    pub size: u64,
    pub etag: String,
    pub modified: Timestamp,
    pub sequencer: u64,
    #[serde(default)]
    pub checksums: Checksums,
    #[serde(default)]
    pub headers: Headers,
}

impl Object {
    pub fn tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }
}

/// What the client wants to have back with the bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<dto::Timestamp>,
    pub metadata: BTreeMap<String, String>,
}

impl Headers {
    pub fn content_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())
    }

    pub fn metadata(&self) -> Option<dto::Metadata> {
        Some(self.metadata.clone().into_iter().collect())
    }
}

/// `aws-chunked` describes the request's framing, not the object.
pub(super) fn stored_encoding(sent: Option<String>) -> Option<String> {
    let kept: Vec<&str> =
        sent.as_deref()?.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "aws-chunked")).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Takes the headers out of the inputs of put, copy and create-multipart, which spell them alike but share no type.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::bucket::object::Headers {
            content_type: $input.content_type.take().filter(|value| !value.is_empty()),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::bucket::object::stored_encoding($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use headers_of;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_not_an_encoding_of_the_object() {
        for (sent, stored) in [
            (None, None),
            (Some(""), None),
            (Some("aws-chunked"), None),
            (Some("gzip"), Some("gzip")),
            (Some("aws-chunked, gzip"), Some("gzip")),
        ] {
            assert_eq!(stored_encoding(sent.map(str::to_owned)).as_deref(), stored, "{sent:?}");
        }
    }
}
