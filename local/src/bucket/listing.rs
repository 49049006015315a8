//! ListObjectsV2 over the index: prefix, delimiter, pages.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::clock::http_date;
use super::events::encode;
use super::objects::signed;
use super::s3::Bucket;

/// The most entries of one page, as in S3.
pub(super) const MAX_KEYS: i32 = 1000;

/// Where the last page ended.
enum Mark {
    Key(String),
    /// A folded prefix: everything below it was part of that one entry.
    Prefix(String),
}

impl Mark {
    fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(match self {
            Self::Key(key) => format!("k{key}"),
            Self::Prefix(prefix) => format!("p{prefix}"),
        })
    }

    fn parse(token: &str) -> S3Result<Self> {
        let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match text.as_deref().map(|text| (text.get(..1), text.get(1..))) {
            Some((Some("k"), Some(key))) => Ok(Self::Key(key.to_owned())),
            Some((Some("p"), Some(prefix))) => Ok(Self::Prefix(prefix.to_owned())),
            _ => Err(s3_error!(InvalidArgument, "The continuation token provided is incorrect.")),
        }
    }
}

impl Bucket {
    pub(super) fn list(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let max_keys = input.max_keys.unwrap_or(MAX_KEYS);
        if max_keys < 0 {
            return Err(s3_error!(InvalidArgument, "max-keys must not be negative."));
        }
        let limit = usize::try_from(max_keys.min(MAX_KEYS)).unwrap_or(0);
        let start = match &input.continuation_token {
            Some(token) => Some(Mark::parse(token)?),
            None => input.start_after.clone().filter(|key| !key.is_empty()).map(Mark::Key),
        };
        let page = self.page(&input, start, limit);

        // Some bytes that a key may have are impossible in XML, so clients can ask for an encoding.
        let encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let spell = |text: String| if encoded { encode(&text, "%20") } else { text };
        let count = page.contents.len() + page.prefixes.len();
        let contents = page.contents.into_iter().map(|object| Object { key: object.key.map(spell), ..object });
        let prefixes = page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(spell(prefix)) });
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(spell(input.prefix.unwrap_or_default())),
            max_keys: Some(max_keys.min(MAX_KEYS)),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|mark| mark.token()),
            contents: Some(contents.collect()),
            common_prefixes: Some(prefixes.collect()),
            delimiter: input.delimiter.map(spell),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(spell),
            request_charged: None,
        })
    }

    fn page(&self, input: &ListObjectsV2Input, start: Option<Mark>, limit: usize) -> Page {
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let mut page = Page::default();
        let mut last = start;
        let index = self.store.index();
        let from = match &last {
            Some(Mark::Key(key)) if key.as_str() >= prefix => Bound::Excluded(key.clone()),
            Some(Mark::Prefix(folded)) if folded.as_str() >= prefix => Bound::Included(folded.clone()),
            _ => Bound::Included(prefix.to_owned()),
        };
        for (key, object) in index.range((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix)) {
            if matches!(&last, Some(Mark::Prefix(folded)) if key.starts_with(folded.as_str())) {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == limit {
                // An empty page cannot say where it ended, so S3 calls it complete.
                page.next = last.filter(|_| limit > 0);
                break;
            }
            let cut = delimiter.and_then(|delimiter| Some(key[prefix.len()..].find(delimiter)? + delimiter.len()));
            last = Some(match cut {
                Some(length) => {
                    let folded = &key[..prefix.len() + length];
                    page.prefixes.push(folded.to_owned());
                    Mark::Prefix(folded.to_owned())
                }
                None => {
                    page.contents.push(entry(object));
                    Mark::Key(key.clone())
                }
            });
        }
        page
    }
}

#[derive(Default)]
struct Page {
    contents: Vec<Object>,
    prefixes: Vec<String>,
    next: Option<Mark>,
}

fn entry(object: &super::object::Object) -> Object {
    let algorithms = object.checksums.sums.keys().map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name()));
    Object {
        checksum_algorithm: Some(algorithms.collect()),
        checksum_type: object.checksums.kind(),
        e_tag: Some(object.tag()),
        key: Some(object.key.clone()),
        last_modified: Some(http_date(object.modified)),
        size: Some(signed(object.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}
