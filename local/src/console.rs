//! The console's files and the widget's, carried inside the binary.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

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
];

/// Everything from the same origin, plus the bucket that files are sent to.
pub fn router(bucket_origin: &str) -> Router {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self' {bucket_origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let paths = [Some(asset.path), (asset.path == "/index.html").then_some("/")];
        let policy = policy.clone();
        paths.into_iter().flatten().fold(router, |router, path| {
            let policy = policy.clone();
            router.route(path, get(move || async move { answer(asset, policy) }))
        })
    })
}

fn answer(asset: &'static Asset, policy: HeaderValue) -> Response {
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
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
    use super::*;

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
