//! Uploads in parts: signed for somebody else to make, looked at before they are completed, and aborted when nobody does.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use url::Url;

use super::sigv4::{self, Scope};
use super::{Objects, PAGE, expiry, status, unavailable};
use crate::error::{Error, Result};

/// What S3 and R2 take: parts of one object, and bytes of each part but the last.
pub const MOST_PARTS: u64 = 10_000;
pub const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// RFC 3986 §2.3, as the signature counts it.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One step of an upload in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Create { content_type: &'a str },
    Part { upload: &'a str, number: u32 },
    List { upload: &'a str },
    Complete { upload: &'a str },
    Abort { upload: &'a str },
}

/// An upload in parts that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub key: String,
    pub upload: String,
    pub at: Timestamp,
}

impl Step<'_> {
    fn method(&self) -> &'static str {
        match self {
            Step::Create { .. } | Step::Complete { .. } => "POST",
            Step::Part { .. } => "PUT",
            Step::List { .. } => "GET",
            Step::Abort { .. } => "DELETE",
        }
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        match *self {
            Step::Create { .. } => vec![("uploads", String::new())],
            Step::Part { upload, number } => vec![("partNumber", number.to_string()), ("uploadId", upload.to_owned())],
            Step::List { upload } | Step::Complete { upload } | Step::Abort { upload } => {
                vec![("uploadId", upload.to_owned())]
            }
        }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Step::Create { content_type } => vec![("content-type", (*content_type).to_owned())],
            _ => Vec::new(),
        }
    }
}

impl Objects {
    /// Signs one step of an upload in parts of exactly this key. The S3 client signs only whole objects and parts.
    pub async fn presign_step(
        &self,
        key: &str,
        step: &Step<'_>,
        now: Timestamp,
        valid: Duration,
    ) -> Result<super::Presigned> {
        let mut url = self.address(key, now).await?;
        let bucket = &self.0.bucket;
        let headers = step.headers();
        let time = sigv4::time(now);
        let scope = Scope { time: &time, region: &bucket.region, service: "s3" };
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(Error::internal("the bucket's address has no host")),
        };
        let mut signed: BTreeMap<&str, String> = headers.iter().cloned().collect();
        signed.insert("host", host);
        let names = signed.keys().copied().collect::<Vec<_>>().join(";");
        let mut query: BTreeMap<&str, String> = step.query().into_iter().collect();
        query.insert("X-Amz-Algorithm", sigv4::ALGORITHM.to_owned());
        query.insert("X-Amz-Credential", format!("{}/{}", bucket.access_key, scope.text()));
        query.insert("X-Amz-Date", time.clone());
        query.insert("X-Amz-Expires", valid.as_secs().to_string());
        query.insert("X-Amz-SignedHeaders", names.clone());
        if let Some(token) = &bucket.session_token {
            query.insert("X-Amz-Security-Token", token.expose_secret().to_owned());
        }
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
        let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let text = query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let text = text.collect::<Vec<_>>().join("&");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let canonical = format!("{}\n{}\n{text}\n{lines}\n{names}\nUNSIGNED-PAYLOAD", step.method(), url.path());
        let signature = scope.sign(&bucket.secret_key, &canonical)?;
        url.set_query(Some(&format!("{text}&X-Amz-Signature={signature}")));
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(super::Presigned { url: url.into(), headers, expires_at: expiry(now, valid)? })
    }

    /// Where browsers find a key, as the client writes it.
    async fn address(&self, key: &str, now: Timestamp) -> Result<Url> {
        let expires = super::presigning(now, Duration::from_secs(60))?;
        let request = self.signer().get_object().bucket(self.bucket()).key(key);
        let signed = request.presigned(expires).await.map_err(unavailable)?;
        let mut url = Url::parse(signed.uri()).map_err(Error::internal)?;
        url.set_query(None);
        Ok(url)
    }

    /// How many bytes the parts of an upload have that came so far; `None` when there is no such upload.
    pub async fn received(&self, key: &str, upload: &str) -> Result<Option<u64>> {
        let (mut total, mut marker) = (0_u64, None::<String>);
        loop {
            let request = self.client().list_parts().bucket(self.bucket()).key(key).upload_id(upload);
            let page = match request.set_part_number_marker(marker.take()).send().await {
                Ok(page) => page,
                Err(error) if status(&error) == Some(404) => return Ok(None),
                Err(error) => return Err(unavailable(error)),
            };
            let sizes = page.parts().iter().filter_map(|part| u64::try_from(part.size()?).ok());
            total = total.saturating_add(sizes.sum());
            marker = page.next_part_number_marker().map(str::to_owned);
            if !page.is_truncated().unwrap_or_default() || marker.is_none() {
                return Ok(Some(total));
            }
        }
    }

    /// Uploads in parts below a prefix that nobody has completed yet, a thousand at most.
    pub async fn begun(&self, prefix: &str) -> Result<Vec<Begun>> {
        let request = self.client().list_multipart_uploads().bucket(self.bucket()).prefix(prefix).max_uploads(PAGE);
        let page = request.send().await.map_err(unavailable)?;
        let begun = page.uploads().iter().filter_map(|one| {
            let at = Timestamp::from_second(one.initiated()?.secs()).ok()?;
            Some(Begun { key: one.key()?.to_owned(), upload: one.upload_id()?.to_owned(), at })
        });
        Ok(begun.collect())
    }

    /// Takes the parts of an upload away; one that is gone already is a success.
    pub async fn abort(&self, key: &str, upload: &str) -> Result<()> {
        let request = self.client().abort_multipart_upload().bucket(self.bucket()).key(key).upload_id(upload);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}
