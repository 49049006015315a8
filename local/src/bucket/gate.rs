//! Who may come in: signature v4 only, this bucket only, and nothing that changes the request outside the signature.

use async_trait::async_trait;
use http::{HeaderMap, Uri, header};
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};
use url::form_urlencoded;

/// The longest life of a presigned URL, as in S3: seven days.
pub(super) const MAX_EXPIRES_SECONDS: u64 = 7 * 24 * 60 * 60;

pub(super) struct Gate {
    pub bucket: String,
}

#[async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Sign the request: anonymous access is not allowed."));
        }
        check_signature_scope(context.uri(), context.headers())?;
        match context.s3_path() {
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } if **bucket != *self.bucket => {
                Err(s3_error!(NoSuchBucket, "This server has one bucket: {}.", self.bucket))
            }
            _ => Ok(()),
        }
    }
}

/// `s3s` has verified the signature; this checks what the signature covers. An unsigned `x-amz-copy-source` would turn
/// a presigned upload into a copy of somebody else's object, so S3 refuses unsigned `x-amz-` headers, and so do we.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn check_signature_scope(uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    let query = |name: &str| {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signed = if query("X-Amz-Signature").is_some() {
        let expires = query("X-Amz-Expires").and_then(|value| value.parse::<u64>().ok());
        if expires.is_none_or(|seconds| seconds > MAX_EXPIRES_SECONDS) {
            return Err(s3_error!(
                AuthorizationQueryParametersError,
                "X-Amz-Expires must be at most {MAX_EXPIRES_SECONDS}."
            ));
        }
        query("X-Amz-SignedHeaders").unwrap_or_default()
    } else if let Some(value) = authorization.filter(|value| value.starts_with("AWS4-HMAC-SHA256")) {
        let list = value.split(',').find_map(|part| part.trim().split_once("SignedHeaders="));
        list.map(|(_, names)| names.to_owned()).unwrap_or_default()
    } else if authorization.is_some() || query("Signature").is_some() {
        return Err(s3_error!(InvalidRequest, "Signature version 2 is not supported. Use AWS4-HMAC-SHA256."));
    } else {
        // A POST form: its policy names every field, and headers play no part.
        return Ok(());
    };
    let covered = |name: &str| name == "x-amz-content-sha256" || signed.split(';').any(|covered| covered == name);
    match headers.keys().find(|name| name.as_str().starts_with("x-amz-") && !covered(name.as_str())) {
        Some(name) => Err(s3_error!(AccessDenied, "The header {name} was not signed. Sign it or leave it out.")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_must_cover_what_it_allows() {
        let presigned =
            |expires: &str| format!("/b/k?X-Amz-Signature=s&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host");
        let v4 = "AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host;x-amz-date, Signature=s";
        for (uri, headers, refusal) in [
            (presigned("604800"), vec![], None),
            (presigned("604801"), vec![], Some("AuthorizationQueryParametersError")),
            (presigned("soon"), vec![], Some("AuthorizationQueryParametersError")),
            (presigned("60"), vec![("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], None),
            (presigned("60"), vec![("x-amz-copy-source", "b/other")], Some("AccessDenied")),
            ("/b/k".to_owned(), vec![("authorization", v4), ("x-amz-date", "d")], None),
            ("/b/k".to_owned(), vec![("authorization", v4), ("x-amz-meta-a", "1")], Some("AccessDenied")),
            ("/b/k".to_owned(), vec![("authorization", "AWS id:signature")], Some("InvalidRequest")),
            ("/b/k?AWSAccessKeyId=id&Signature=s&Expires=9".to_owned(), vec![], Some("InvalidRequest")),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name, value.parse().unwrap());
            }
            let outcome = check_signature_scope(&uri.parse().unwrap(), &map);
            assert_eq!(
                outcome.err().map(|error| error.code().as_str().to_owned()).as_deref(),
                refusal,
                "{uri} {map:?}"
            );
        }
    }
}
