//! The one place that does network I/O: every limit on time, size and destination is kept here.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{self, ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, Request, Response, StatusCode};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout, timeout_at};

use crate::breaker::Breakers;
use crate::dialect::Call;
use crate::status::{Refusal, retry_after};
use crate::{
    EmbedRequest, Embeddings, Endpoint, Error, ErrorKind, Fetch, KeyStatus, Limits, Ranked, RerankRequest, address,
    embed, rerank, trace,
};

const USER_AGENT: &str = concat!("docent/", env!("CARGO_PKG_VERSION"));
const JSON: &str = "application/json";
/// Of a refused response no more than this is read to find its code.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// A shared connection pool. Cheap to make and to clone: nothing is built before the first call.
#[derive(Clone, Debug)]
pub struct Transport {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    breakers: Breakers,
    client: OnceLock<Client>,
}

impl Transport {
    pub fn new(limits: Limits) -> Self {
        let breakers = Breakers::new(limits.breaker_faults);
        Self { shared: Arc::new(Shared { limits, breakers, client: OnceLock::new() }) }
    }

    /// Embeds in as many requests as the provider's limits demand, one after the other.
    pub async fn embed(&self, endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Embeddings, Error> {
        let mut all = Embeddings::default();
        let mut dimensions = None;
        for batch in endpoint.embed_limits().split(request.inputs) {
            let request = EmbedRequest { inputs: batch, ..*request };
            let reply = self.json(endpoint.dialect.embed(endpoint, &request)?).await?;
            let mut part = endpoint.dialect.embeddings(&reply)?;
            embed::unit_vectors(&mut part.vectors, batch.len(), &mut dimensions)?;
            all.vectors.append(&mut part.vectors);
            all.input_tokens = all.input_tokens.saturating_add(part.input_tokens);
        }
        Ok(all)
    }

    /// Puts the passages that answer the question best first.
    pub async fn rerank(&self, endpoint: &Endpoint, request: &RerankRequest<'_>) -> Result<Vec<Ranked>, Error> {
        if request.passages.is_empty() {
            return Ok(Vec::new());
        }
        let reply = self.json(rerank::call(endpoint, request)?).await?;
        rerank::ranked(&reply, request.passages.len())
    }

    /// Asks the provider about the key; only Voyage makes that cost a token. `Err` means that it gave no verdict.
    pub async fn check(&self, endpoint: &Endpoint) -> Result<KeyStatus, Error> {
        let call = endpoint.key_check.call(endpoint)?;
        let read_name = call.named;
        let Limits { check_total: total, json_body: body, .. } = self.shared.limits;
        let answer = async {
            let body = self.send(call, Expected { media_type: JSON, total, body }).await?.read_to_end().await?;
            // Some gateways say 200 to everything and put the refusal into the body.
            read_name(&body).map_or_else(|| endpoint.key_check.verdict(&body), |kind| Err(kind.into()))
        };
        answer.await.or_else(|error: Error| match error.kind() {
            ErrorKind::Auth => Ok(KeyStatus::Invalid),
            ErrorKind::Forbidden => Ok(KeyStatus::Restricted),
            ErrorKind::Quota => Ok(KeyStatus::NoCredit),
            _ => Err(error),
        })
    }

    /// The names of the models that this key may use, in the provider's order.
    pub async fn models(&self, endpoint: &Endpoint) -> Result<Vec<String>, Error> {
        let body = self.json(endpoint.dialect.list(endpoint)?).await?;
        endpoint.dialect.models(&body)
    }

    /// One small JSON document of no provider, under the same walls: what an identity provider publishes about
    /// itself, or the answer of a store that speaks REST. Its limits are `fetch_total` and `fetch_body`.
    pub async fn fetch(&self, request: Fetch) -> Result<Vec<u8>, Error> {
        let Limits { fetch_total, fetch_body, .. } = self.shared.limits;
        let expected = Expected { media_type: JSON, total: fetch_total, body: fetch_body };
        self.send(request.into(), expected).await?.read_to_end().await
    }

    async fn json(&self, call: Call) -> Result<Vec<u8>, Error> {
        let Limits { total, json_body, .. } = self.shared.limits;
        self.send(call, Expected { media_type: JSON, total, body: json_body }).await?.read_to_end().await
    }
}

/// What a good answer looks like and the most that it may cost.
struct Expected {
    media_type: &'static str,
    total: Duration,
    body: usize,
}

impl Transport {
    /// Returns the body once the response's head is beyond reproach.
    async fn send(&self, call: Call, expected: Expected) -> Result<Body, Error> {
        let limits = &self.shared.limits;
        address::check(&call.url, limits.allow_loopback)?;
        let read_name = call.named;
        let request = request(call, expected.media_type)?;
        let deadline = Instant::now() + expected.total;
        let response = timeout(limits.first_byte.min(expected.total), self.client()?.execute(request))
            .await
            .map_err(|_| Error::from(ErrorKind::Timeout))?
            .map_err(|error| {
                Error::from(if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable })
            })?;

        let headers = response.headers();
        let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head > limits.head {
            return Err(Error::protocol("The head of the provider's answer is too large."));
        }
        let status = response.status();
        let sent_type = text(headers, CONTENT_TYPE).and_then(|value| value.split(';').next()).unwrap_or_default();
        let sent_type = sent_type.trim().to_ascii_lowercase();
        let wait = text(headers, RETRY_AFTER).and_then(|value| retry_after(value, text(headers, DATE)));

        let body = Body { response, idle: limits.idle, deadline, left: 0 };
        let json = is_json(&sent_type);
        if status == StatusCode::OK && (sent_type == expected.media_type || (json && expected.media_type == JSON)) {
            return Ok(Body { left: expected.body, ..body });
        }
        let named = match json {
            true => read_name(&Body { left: MAX_ERROR_BODY, ..body }.read_to_end().await.unwrap_or_default()),
            false => None,
        };
        if status == StatusCode::OK {
            // Some gateways answer a stream's request with an error object and the status 200.
            let wrong = Error::protocol("The provider's answer has another content type than documented.");
            return Err(named.map_or(wrong, Error::from));
        }
        Err(Refusal { status: status.as_u16(), retry_after: wait, html: sent_type == "text/html", named }.into())
    }

    fn client(&self) -> Result<&Client, Error> {
        let Shared { limits, client, .. } = &*self.shared;
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let built = build(limits, system)
            .map_err(|_| Error::new(ErrorKind::Unavailable, "The HTTP client cannot be built."))?;
        Ok(client.get_or_init(|| built))
    }
}

fn request(call: Call, media_type: &str) -> Result<Request, Error> {
    let method = if call.body.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::new(method, call.url);
    let headers = request.headers_mut();
    let accept = HeaderValue::from_str(media_type).map_err(|_| Error::from(ErrorKind::Rejected))?;
    headers.insert(ACCEPT, accept);
    if let Some((name, secret)) = call.secret {
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| Error::new(ErrorKind::Auth, "The key contains characters that no key has."))?;
        // Keeps it out of every Debug and out of HPACK's table.
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Some((name, value)) = call.header {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    for (name, value) in trace::headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if call.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    *request.body_mut() = call.body.map(Into::into);
    Ok(request)
}

/// Also `application/jwk-set+json` and its like (RFC 6839 §3.1).
fn is_json(media_type: &str) -> bool {
    media_type == JSON || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A response's body with its clock and its allowance.
struct Body {
    response: Response,
    idle: Duration,
    deadline: Instant,
    left: usize,
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let until = self.deadline.min(Instant::now() + self.idle);
        let piece = timeout_at(until, self.response.chunk())
            .await
            .map_err(|_| Error::from(ErrorKind::Timeout))?
            .map_err(|_| Error::from(ErrorKind::Truncated))?;
        if let Some(bytes) = &piece {
            self.left = self
                .left
                .checked_sub(bytes.len())
                .ok_or(Error::protocol("The provider's answer is larger than any documented one."))?;
        }
        Ok(piece)
    }

    async fn read_to_end(mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    fn into_stream(self) -> BoxStream<'static, Result<Bytes, Error>> {
        stream::try_unfold(self, |mut body| async move { Ok(body.next().await?.map(|bytes| (bytes, body))) }).boxed()
    }
}

/// Parsing 150 root certificates takes milliseconds that a cold start without a provider call need not pay.
static TLS: LazyLock<Result<rustls::ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
});

fn build(limits: &Limits, look_up: LookUp) -> Result<Client, Box<dyn std::error::Error>> {
    Ok(builder(limits)?.dns_resolver(PublicOnly { allow_loopback: limits.allow_loopback, look_up }).build()?)
}

/// A client that may not leave the address that it is given.
fn builder(limits: &Limits) -> Result<ClientBuilder, Box<dyn std::error::Error>> {
    let head = u32::try_from(limits.head).unwrap_or(u32::MAX);
    let builder = Client::builder()
        .tls_backend_preconfigured(TLS.clone()?)
        .user_agent(USER_AGENT)
        .connect_timeout(limits.connect)
        .http2_max_header_list_size(head)
        // A redirect or a proxy named by the environment would choose a destination that nobody checked.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false);
    Ok(builder)
}

/// Filters at connect time what a name resolves to. IP literals never come here: `address::check` judges them.
/// A pooled connection needs no second look, because it stays with the address that passed.
struct PublicOnly {
    allow_loopback: bool,
    look_up: LookUp,
}

/// How a name becomes addresses: a test has a way of its own, in which names change their minds.
type LookUp = fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

fn system(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { allow_loopback, look_up } = *self;
        Box::pin(async move {
            let mut allowed = look_up(name.as_str().to_owned()).await?;
            allowed.retain(|found| address::may_connect(name.as_str(), found.ip(), allow_loopback));
            // The same error as for an unknown name: otherwise tenants could map our private network.
            if allowed.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

mod chat;
mod inside;
mod outbound;
mod report;
use inside::private;
pub use inside::{Answer, Ask, Inside, Verb};
pub use outbound::{DOWNLOAD_TOTAL, Download, Downloaded, MAX_REDIRECTS, NOTIFY_TOTAL, Notice};
pub use report::{REPORT_TOTAL, Reports};

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_into_this_machine_has_no_address() {
        let resolve =
            |allow_loopback| PublicOnly { allow_loopback, look_up: system }.resolve("localhost".parse().unwrap());
        assert!(resolve(false).await.is_err());
        assert!(resolve(true).await.unwrap().all(|found| found.ip().is_loopback()));
    }

    #[test]
    fn a_request_does_not_print_its_key() {
        let url = "https://api.openai.com/v1/models".parse().unwrap();
        let secret = Some(("authorization", "Bearer sk-canary".to_owned().into()));
        let request = request(Call { url, secret, header: None, body: None, named: |_| None }, JSON).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer sk-canary");
        assert!(!format!("{request:?}").contains("canary"));
    }
}
