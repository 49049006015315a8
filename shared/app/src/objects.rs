//! The bucket: S3, R2 or anything that speaks S3. Building an [`Objects`] touches no network; the client comes to life
//! with the first call.

pub mod multipart;
pub mod sigv4;

use std::fs::File;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::{Client, Config};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::config::{self, Environment};
use crate::error::{Error, Kind, Result};

/// Opening a connection to the bucket takes milliseconds; longer means that it is not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From sending a request until its answer's head. A body may take longer as long as bytes keep coming.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Tries of one call, the first one included.
const TRIES: u32 = 3;
/// What S3 and R2 give at most in one page of a listing.
pub const PAGE: i32 = 1000;

/// A bucket, cheap to clone.
#[derive(Clone)]
pub struct Objects(Arc<Inner>);

struct Inner {
    bucket: config::Bucket,
    client: OnceLock<Client>,
    /// Signs for the address that browsers use; a signature covers the host.
    signer: OnceLock<Client>,
}

/// One upload that somebody else may make.
#[derive(Clone, Debug)]
pub struct Put<'a> {
    pub key: &'a str,
    pub content_type: &'a str,
    /// Exactly this many bytes: the length is signed.
    pub size: u64,
    pub sha256: Option<[u8; 32]>,
}

/// A signed upload: what to send, unchanged, and until when.
#[derive(Clone, Debug)]
pub struct Presigned {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub expires_at: Timestamp,
}

/// What the bucket says about a key now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub etag: String,
    pub size: u64,
}

/// What came of asking for exact bytes.
#[derive(Debug)]
pub enum Fetched {
    /// All of them, in a file that has no name.
    File(File),
    /// There are other bytes now (412).
    Changed,
    Gone,
    /// More bytes than the caller allows.
    TooLarge,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub etag: String,
}

/// Where a page of a listing begins.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    Start,
    /// Behind this key, which need not be there.
    Behind(&'a str),
    /// Where the page before ended.
    Page(&'a str),
}

/// One page of a listing, in the order of the keys; `next` asks for the one after it.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub objects: Vec<Listed>,
    pub next: Option<String>,
}

impl Objects {
    pub fn new(environment: &Environment) -> Result<Objects, config::Error> {
        let bucket = config::Bucket::read(environment)?;
        Ok(Objects(Arc::new(Inner { bucket, client: OnceLock::new(), signer: OnceLock::new() })))
    }

    /// The bucket's name, as its events carry it.
    pub fn bucket(&self) -> &str {
        &self.0.bucket.name
    }

    /// Signs an upload of exactly these bytes that cannot replace an object (`if-none-match: *`).
    pub async fn presign_put(&self, put: &Put<'_>, now: Timestamp, valid: Duration) -> Result<Presigned> {
        let expires = presigning(now, valid)?;
        let size = i64::try_from(put.size).map_err(Error::internal)?;
        let request = self
            .signer()
            .put_object()
            .bucket(self.bucket())
            .key(put.key)
            .content_type(put.content_type)
            .content_length(size)
            .if_none_match("*")
            .set_checksum_sha256(put.sha256.map(|hash| STANDARD.encode(hash)));
        let signed = request.presigned(expires).await.map_err(unavailable)?;
        let headers = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Presigned { url: signed.uri().to_owned(), headers, expires_at: expiry(now, valid)? })
    }

    /// Puts bytes where none are; that some are there already is a success.
    pub async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<()> {
        let request = self.client().put_object().bucket(self.bucket()).key(key).content_type(content_type);
        match request.if_none_match("*").body(bytes.into()).send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(412) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// `None` when there is no such object.
    pub async fn head(&self, key: &str) -> Result<Option<Head>> {
        match self.client().head_object().bucket(self.bucket()).key(key).send().await {
            Ok(head) => Ok(Some(Head { etag: etag(head.e_tag()), size: bytes(head.content_length()) })),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Exactly the bytes that were there at a look, on their way into a file: memory holds no more of them than the
    /// connection has in flight.
    pub async fn fetch(&self, key: &str, head: &Head, most: u64) -> Result<Fetched> {
        let quoted = format!("\"{}\"", head.etag);
        let sent = self.client().get_object().bucket(self.bucket()).key(key).if_match(quoted).send().await;
        let mut object = match sent {
            Ok(object) => object,
            Err(error) => {
                return match status(&error) {
                    Some(404) => Ok(Fetched::Gone),
                    Some(412) => Ok(Fetched::Changed),
                    _ => Err(unavailable(error)),
                };
            }
        };
        if object.content_length().map_or(head.size, |length| bytes(Some(length))) > most {
            return Ok(Fetched::TooLarge);
        }
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(no_room)?);
        let mut received = 0;
        while let Some(piece) = object.body.try_next().await.map_err(broken)? {
            received += piece.len() as u64;
            if received > head.size {
                break;
            }
            file.write_all(&piece).await.map_err(no_room)?;
        }
        if received != head.size {
            return Err(broken(format!("{received} bytes came of {}", head.size)));
        }
        file.flush().await.map_err(no_room)?;
        Ok(Fetched::File(file.into_std().await))
    }

    /// One page of the keys that begin with `prefix`.
    pub async fn list(&self, prefix: &str, from: &From<'_>) -> Result<Listing> {
        let request = self.client().list_objects_v2().bucket(self.bucket()).prefix(prefix).max_keys(PAGE);
        let request = match *from {
            From::Start => request,
            From::Behind(key) => request.start_after(key),
            From::Page(token) => request.continuation_token(token),
        };
        let answer = request.send().await.map_err(unavailable)?;
        let objects = answer
            .contents()
            .iter()
            .filter_map(|object| Some(Listed { key: object.key()?.to_owned(), etag: etag(object.e_tag()) }));
        let next = answer.is_truncated().unwrap_or_default().then(|| answer.next_continuation_token()).flatten();
        Ok(Listing { objects: objects.collect(), next: next.map(str::to_owned) })
    }

    /// Deleting what is not there is a success, as S3 has it.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.client().delete_object().bucket(self.bucket()).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| client(&self.0.bucket, self.0.bucket.endpoint.as_ref()))
    }

    fn signer(&self) -> &Client {
        let bucket = &self.0.bucket;
        match &bucket.public_endpoint {
            None => self.client(),
            Some(public) => self.0.signer.get_or_init(|| client(bucket, Some(public))),
        }
    }
}

fn client(bucket: &config::Bucket, endpoint: Option<&Url>) -> Client {
    let token = bucket.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    let credentials =
        Credentials::new(&bucket.access_key, bucket.secret_key.expose_secret(), token, None, "configuration");
    let mut settings = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(bucket.region.clone()))
        .credentials_provider(credentials)
        .http_client(https())
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ANSWER_TIMEOUT).build(),
        )
        // The SDK's own default adds a CRC32 trailer to every upload, which a browser could not send.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = endpoint {
        settings = settings.endpoint_url(endpoint.as_str()).force_path_style(true);
    }
    Client::from_conf(settings.build())
}

/// The roots that everything else here trusts, not whatever the machine happens to have.
fn https() -> SharedHttpClient {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&STANDARD.encode(certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    let roots = TrustStore::empty().with_pem_certificate(pem.into_bytes());
    let builder = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::rustls(tls::rustls_provider::CryptoMode::Ring));
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        Err(_) => builder.build_https(),
    }
}

fn presigning(now: Timestamp, valid: Duration) -> Result<PresigningConfig> {
    PresigningConfig::builder().start_time(now.into()).expires_in(valid).build().map_err(Error::internal)
}

fn expiry(now: Timestamp, valid: Duration) -> Result<Timestamp> {
    Ok(now + jiff::SignedDuration::try_from(valid).map_err(Error::internal)?)
}

/// ETags are compared as the events and listings of every vendor give them: without quotes.
fn etag(quoted: Option<&str>) -> String {
    quoted.unwrap_or_default().trim_matches('"').to_owned()
}

fn bytes(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn unavailable<E>(error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let refused = matches!(status(&error), Some(401 | 403));
    let failure = match refused {
        true => Error::new(Kind::StorageUnavailable, "The bucket refuses our credentials.")
            .hint("The operator must check the bucket's access key, its rights and this machine's clock."),
        false => Error::new(Kind::StorageUnavailable, "The bucket does not answer."),
    };
    failure.because(error)
}

/// Temporary files are all that is asked of the machine that reads documents.
pub fn no_room(cause: std::io::Error) -> Error {
    Error::new(Kind::StorageUnavailable, "There is no room for a temporary file on the machine that reads documents.")
        .hint("The operator must give it more temporary storage: about four times the largest file that may come.")
        .because(cause)
}

fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::StorageUnavailable, "The bucket broke off while sending the file.").because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(extra: &[(&str, &str)]) -> Objects {
        let mut environment = Environment::default()
            .with("S3_BUCKET", "library")
            .with("S3_REGION", "eu-central-1")
            .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .with("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        for (name, value) in extra {
            environment = environment.with(name, *value);
        }
        Objects::new(&environment).unwrap()
    }

    const PUT: Put<'_> = Put { key: "t/a/b/1", content_type: "text/plain", size: 5, sha256: Some([7; 32]) };

    #[tokio::test]
    async fn a_signed_upload_fixes_type_length_content_and_absence() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let signed = objects(&[]).presign_put(&PUT, now, Duration::from_secs(900)).await.unwrap();
        let url = Url::parse(&signed.url).unwrap();
        assert_eq!(url.host_str(), Some("library.s3.eu-central-1.amazonaws.com"));
        let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(query("X-Amz-Date"), "20260301T120000Z");
        assert_eq!(query("X-Amz-Expires"), "900");
        let covered = query("X-Amz-SignedHeaders");
        let mut headers = signed.headers.clone();
        headers.sort();
        let expected = [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("if-none-match", "*"),
            ("x-amz-checksum-sha256", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (name, _) in expected {
            assert!(covered.split(';').any(|signed| signed == name), "{name} is not signed: {covered}");
        }
        assert_eq!(signed.expires_at, "2026-03-01T12:15:00Z".parse().unwrap());
    }

    #[tokio::test]
    async fn browsers_get_the_public_address_in_path_style() {
        let objects =
            objects(&[("S3_ENDPOINT", "http://bucket:9000"), ("S3_PUBLIC_ENDPOINT", "http://localhost:9000")]);
        let signed = objects.presign_put(&PUT, Timestamp::UNIX_EPOCH, Duration::from_secs(60)).await.unwrap();
        assert!(signed.url.starts_with("http://localhost:9000/library/t/a/b/1?"), "{}", signed.url);
    }

    #[tokio::test]
    async fn a_bucket_that_is_not_there_is_said_so() {
        // Port 9 of this machine (discard) is closed.
        let objects = objects(&[("S3_ENDPOINT", "http://127.0.0.1:9")]);
        assert_eq!(objects.head("t/a/b/1").await.unwrap_err().code(), "storage_unavailable");
    }
}
