//! Answers of more than a kilobyte, compressed for whoever takes gzip. Streams go out as they come: what a compressor
//! holds back is what somebody waits for.

use std::io::Write;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Below it the packet is the same.
pub const LEAST_COMPRESSED: u64 = 1024;
/// More than this would hold up every other request of its thread.
const AT_ONCE: usize = 128 * 1024;
/// Nearly as small as the default and twice as fast; the text is read once.
const LEVEL: u32 = 4;

/// Compresses what the router answers, where it may be and where that is worth it.
pub fn compressed<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(from_fn(compress))
}

async fn compress(request: Request, next: Next) -> Response {
    let wanted = *request.method() != Method::HEAD && takes_gzip(request.headers()) && !crosses(request.headers());
    let mut response = next.run(request).await;
    // Of what was not sent again a cache must know the same (RFC 9110 §15.4.5).
    if response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
        return response;
    }
    let worth = response.body().size_hint().exact().is_some_and(|size| size > LEAST_COMPRESSED);
    if !worth || !may_be(response.headers()) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It has a length, so all of it is here already.
    let Ok(plain) = to_bytes(body, usize::MAX).await else { return Response::from_parts(parts, Body::empty()) };
    let Some(small) = gzip(plain.clone()).await else { return Response::from_parts(parts, Body::from(plain)) };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    weaken(&mut parts.headers);
    Response::from_parts(parts, Body::from(small))
}

async fn gzip(plain: Bytes) -> Option<Vec<u8>> {
    let size = plain.len();
    let work = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(size / 4), Compression::new(LEVEL));
        encoder.write_all(&plain).ok()?;
        encoder.finish().ok().filter(|small| small.len() < size)
    };
    match size {
        0..=AT_ONCE => work(),
        _ => tokio::task::spawn_blocking(work).await.ok().flatten(),
    }
}

/// Whether these bytes may be sent in another form at all, and get smaller by it.
fn may_be(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let compressible = match media_type.split_once('/') {
        Some(("text", "event-stream")) | None => false,
        Some(("text", _)) => true,
        Some((_, subtype)) => {
            ["json", "javascript", "xml"].contains(&subtype) || subtype.ends_with("+json") || subtype.ends_with("+xml")
        }
    };
    compressible
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !text(header::CACHE_CONTROL).contains("no-transform")
}

/// Another form of the same bytes is not the same bytes (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let strong = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        headers.insert(header::ETAG, weak);
    }
}

/// A page of another site that has the browser send our cookies could learn an answer's secrets from its length
/// (<https://www.breachattack.com/>).
fn crosses(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    headers.contains_key(header::COOKIE) && site == Some(b"cross-site")
}

/// `Accept-Encoding` (RFC 9110 §12.5.3): gzip, by its name or by the star, at least as welcome as nothing at all.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings: Vec<(String, f32)> = lines.flat_map(|line| line.split(',')).filter_map(coding).collect();
    let weight =
        |names: &[&str]| codings.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, weight)| *weight);
    let gzip = weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight(&["identity"]).unwrap_or(0.0)
}

fn coding(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    // What cannot be read is not wanted.
    Some((name, weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whom_it_is_welcome() {
        for (accepted, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("br;q=1, gzip ; q=0.2", true),
            ("*", true),
            ("", false),
            ("br", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("identity, gzip;q=0.5", false),
            ("identity;q=0.5, gzip;q=0.5", true),
            ("gzip;q=x", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(takes_gzip(&headers), expected, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn only_text_that_nobody_encoded_is_compressed() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            may_be(&headers)
        };
        for kind in
            ["application/json", "application/problem+json", "text/html; charset=utf-8", "Text/CSS", "image/svg+xml"]
        {
            assert!(of(&[("content-type", kind)]), "{kind}");
        }
        for kind in
            ["text/event-stream", "text/event-stream; charset=utf-8", "image/png", "application/octet-stream", ""]
        {
            assert!(!of(&[("content-type", kind)]), "{kind}");
        }
        for more in [("content-encoding", "br"), ("content-range", "bytes 0-1/2"), ("cache-control", "no-transform")] {
            assert!(!of(&[("content-type", "text/html"), more]), "{more:?}");
        }
    }
}
