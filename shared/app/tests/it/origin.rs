//! A server of somebody else: pages to be pulled, endpoints to be told, and a record of what was asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

/// What a path answers.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What somebody asked.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Origin {
    pub url: String,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Origin {
    /// Serves on loopback until the test's runtime ends.
    pub async fn start() -> Origin {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin { url: format!("http://{}", listener.local_addr().unwrap()), ..Origin::default() };
        let served = origin.clone();
        let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let served = served.clone();
            async move { served.answer(&uri, headers, &body) }
        };
        #[expect(clippy::disallowed_methods, reason = "it lives as long as the test")]
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        origin
    }

    pub fn set(&self, path: &str, status: u16, headers: &[(&'static str, &str)], body: &[u8]) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.pages.lock().unwrap().insert(path.to_owned(), Page { status, headers, body: body.to_vec() });
    }

    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    fn answer(&self, uri: &Uri, headers: HeaderMap, body: &[u8]) -> Response {
        let path = uri.path().to_owned();
        let page = self.pages.lock().unwrap().get(&path).cloned();
        let known = headers.get("if-none-match").cloned();
        self.heard.lock().unwrap().push(Heard { path, headers, body: body.to_vec() });
        let Some(page) = page else { return StatusCode::NOT_FOUND.into_response() };
        let etag = page.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value.clone());
        if known.is_some() && known.as_ref().and_then(|value| value.to_str().ok()) == etag.as_deref() {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let mut response = (StatusCode::from_u16(page.status).unwrap(), page.body).into_response();
        response.headers_mut().remove("content-type");
        for (name, value) in page.headers {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        response
    }
}
