//! CORS, outside the S3 service: a preflight carries no signature.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use url::{Origin, Url};

use super::Error;

/// How long a browser may remember a preflight.
const MAX_AGE: Duration = Duration::from_secs(600);

pub(super) fn layer(origins: &[String]) -> Result<CorsLayer, Error> {
    let exposed = [header::ETAG, HeaderName::from_static("x-amz-checksum-sha256")];
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(MAX_AGE);
    if origins.iter().any(|origin| origin == "*") {
        return Ok(layer.allow_origin(AllowOrigin::any()));
    }
    let origins = origins.iter().map(|origin| header_value(origin)).collect::<Result<Vec<_>, _>>()?;
    Ok(layer.allow_origin(AllowOrigin::list(origins)))
}

/// A browser sends the origin in one spelling only, so anything else would silently never match.
fn header_value(origin: &str) -> Result<HeaderValue, Error> {
    let wrong = || Error::Origin(origin.to_owned());
    let parsed = Url::parse(origin).map_err(|_| wrong())?.origin();
    if !matches!(parsed, Origin::Tuple(..)) || parsed.ascii_serialization() != origin {
        return Err(wrong());
    }
    HeaderValue::from_str(origin).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        for good in ["https://app.example.com", "http://localhost:3000", "*"] {
            assert!(layer(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["app.example.com", "https://app.example.com/", "https://App.example.com", "null", "", "data:,x"] {
            let error = layer(&[bad.to_owned()]).unwrap_err();
            assert_eq!(error.code(), "bucket_origin_invalid", "{bad}");
        }
    }
}
