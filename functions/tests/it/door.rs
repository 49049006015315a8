//! One way to call a function, whatever platform's binary stands behind it.
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{runtime_api::Lambda, vercel::Vercel};

/// How long a test waits for anything that a function must do.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub enum Door {
    Vercel(Vercel),
    Lambda(Lambda),
}

/// An answer, with each part of its body and when it came, counted from the request.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub chunks: Vec<(Duration, Bytes)>,
}

impl Door {
    /// Starts the binary of `api/<name>.rs` and waits until it listens.
    pub async fn vercel(name: &str, environment: &[(&str, &str)]) -> Self {
        Self::Vercel(Vercel::start(name, environment).await)
    }

    /// Starts the binary `name` and waits until it polls for its first invocation.
    pub async fn lambda(name: &str, environment: &[(&str, &str)]) -> Self {
        let mut lambda = Lambda::start(name, environment).await;
        lambda.ready().await;
        Self::Lambda(lambda)
    }

    pub async fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        match self {
            Self::Vercel(vercel) => vercel.request(method, path, headers, body).await,
            Self::Lambda(lambda) => lambda.request(method, path, headers, body).await,
        }
    }

    /// What the process has written so far.
    pub fn log(&self) -> String {
        match self {
            Self::Vercel(vercel) => vercel.process.log(),
            Self::Lambda(lambda) => lambda.process.log(),
        }
    }
}

impl Reply {
    pub fn body(&self) -> Bytes {
        self.chunks.iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body().into()).expect("the body is text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }
}
