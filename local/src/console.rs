//! The console's files, the widget's and the API's description, carried inside the binary.

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use docent::http::{compressed, list};
use sha2::{Digest, Sha256};

struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal => $kind:expr),* $(,)?) => {
        &[$(Asset { path: concat!("/", $path), content_type: $kind, bytes: include_bytes!(concat!("../../public/", $path)) }),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = assets![
    "index.html" => HTML,
    "api.html" => HTML,
    "api.css" => CSS,
    "api.js" => SCRIPT,
    "openapi.json" => "application/json",
    "console.css" => CSS,
    "console.js" => SCRIPT,
    "theme.js" => SCRIPT,
    "widget.js" => SCRIPT,
    "favicon.svg" => "image/svg+xml",
    "console/answer.mjs" => SCRIPT,
    "console/api.mjs" => SCRIPT,
    "console/ask-first.mjs" => SCRIPT,
    "console/bot-embed.mjs" => SCRIPT,
    "console/bot-form.mjs" => SCRIPT,
    "console/bot-gaps.mjs" => SCRIPT,
    "console/bot-preview.mjs" => SCRIPT,
    "console/bots.mjs" => SCRIPT,
    "console/caps.mjs" => SCRIPT,
    "console/chart.mjs" => SCRIPT,
    "console/chat.mjs" => SCRIPT,
    "console/citations.mjs" => SCRIPT,
    "console/conversations.mjs" => SCRIPT,
    "console/document-row.mjs" => SCRIPT,
    "console/document.mjs" => SCRIPT,
    "console/documents.mjs" => SCRIPT,
    "console/dom.mjs" => SCRIPT,
    "console/drop.mjs" => SCRIPT,
    "console/eval-file.mjs" => SCRIPT,
    "console/evaluation.mjs" => SCRIPT,
    "console/fields.mjs" => SCRIPT,
    "console/guide.mjs" => SCRIPT,
    "console/kept.mjs" => SCRIPT,
    "console/keys.mjs" => SCRIPT,
    "console/pages.css" => CSS,
    "console/pages.mjs" => SCRIPT,
    "console/parts.mjs" => SCRIPT,
    "console/prose.mjs" => SCRIPT,
    "console/retry.mjs" => SCRIPT,
    "console/sample.mjs" => SCRIPT,
    "console/search.mjs" => SCRIPT,
    "console/session.mjs" => SCRIPT,
    "console/sse.mjs" => SCRIPT,
    "console/stream.mjs" => SCRIPT,
    "console/theme.mjs" => SCRIPT,
    "console/token-form.mjs" => SCRIPT,
    "console/tokens.mjs" => SCRIPT,
    "console/upload.mjs" => SCRIPT,
    "console/usage.mjs" => SCRIPT,
    "console/view.mjs" => SCRIPT,
    "console/watch.mjs" => SCRIPT,
    "reference/example.mjs" => SCRIPT,
    "reference/operation.mjs" => SCRIPT,
    "reference/schema.mjs" => SCRIPT,
];

/// Everything from the same origin, plus the bucket that files are sent to.
pub fn router(bucket_origin: &str) -> Router {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self' {bucket_origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    compressed(ASSETS.iter().fold(Router::new(), |router, asset| {
        let paths = [Some(asset.path), (asset.path == "/index.html").then_some("/")];
        let (policy, etag) = (policy.clone(), etag(asset));
        paths.into_iter().flatten().fold(router, |router, path| {
            let (policy, etag) = (policy.clone(), etag.clone());
            router.route(path, get(move |asked: HeaderMap| async move { answer(asset, policy, &etag, &asked) }))
        })
    }))
}

/// A name for the bytes: a browser asks each time whether they are still the same, because a release may change them.
fn etag(asset: &Asset) -> String {
    let digest: String = Sha256::digest(asset.bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

fn answer(asset: &'static Asset, policy: HeaderValue, etag: &str, asked: &HeaderMap) -> Response {
    let mut response = match list::unchanged(asked, etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => asset.bytes.into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    // Other sites embed this one file, also those that check its hash or isolate themselves.
    if asset.path == "/widget.js" {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_file_is_packed_and_not_sent_twice() {
        let ask = async |headers: &[(&str, &str)]| {
            let request = headers
                .iter()
                .fold(Request::get("/console.css"), |request, (name, value)| request.header(*name, *value));
            router("https://bucket.example").oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        };
        let plain = ask(&[]).await;
        let etag = plain.headers()["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"') && !plain.headers().contains_key("content-encoding"));
        let packed = ask(&[("accept-encoding", "gzip, br")]).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let weak = packed.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(weak, format!("W/{etag}"));
        for known in [etag, weak] {
            let again = ask(&[("if-none-match", &known), ("accept-encoding", "gzip")]).await;
            assert_eq!(
                (again.status(), &again.headers()["cache-control"]),
                (StatusCode::NOT_MODIFIED, &"no-cache".parse().unwrap())
            );
        }
        let changed = ask(&[("if-none-match", "\"other\"")]).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }

    #[test]
    fn every_public_file_is_carried() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../public");
        let mut folders = vec![root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension != "md"));
        assert!(!files.is_empty());
        for file in files {
            let path = format!("/{}", file.strip_prefix(&root).unwrap().display());
            assert!(ASSETS.iter().any(|asset| asset.path == path), "{path} is not listed");
        }
    }
}
