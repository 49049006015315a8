//! The bucket: every right that the product uses, what browsers may do, and its clock.

use std::time::Duration;

use bytes::Bytes;
use docent::clock::Clock;
use docent::config::{Bucket, Environment, Front};
use docent::objects::{Fetched, From, Objects, Put};
use reqwest::{Method, Response, header};

use super::{Finding, clock};
use crate::command::Failure;

const PROBE: &[u8] = b"docent doctor was here";
/// Outside of `t/`, where documents lie: no event that is filtered by that prefix tells of it.
const PLACE: &str = "doctor";
const PATIENCE: Duration = Duration::from_secs(10);
/// What a browser sends along with a presigned upload.
const HEADERS: [&str; 2] = ["content-type", "if-none-match"];

pub(super) async fn look(environment: &Environment, more_origins: &[String]) -> Vec<Finding> {
    const NAME: &str = "bucket's rights";
    let (Ok(bucket), Ok(objects)) = (Bucket::read(environment), Objects::new(environment)) else {
        return vec![Finding::skipped(NAME, "its variables cannot be used")];
    };
    let key = format!("{PLACE}/{}", Clock::system().uuid());
    let rights = match rights(&objects, &key).await {
        Ok(()) => Finding::good(NAME, "put, head, get, list and delete"),
        Err(mut failure) => {
            if failure.message.contains("refuses") {
                failure.next = format!(
                    "Give the key of AWS_ACCESS_KEY_ID all of put, get, list and delete on {}, and check this machine's clock.",
                    bucket.name
                );
            }
            let broken = vec![Finding::failed(NAME, failure)];
            return broken;
        }
    };
    let mut findings = vec![rights];
    let mut origins = Front::read(environment).map(|front| front.allowed_origins).unwrap_or_default();
    origins.extend(more_origins.iter().cloned());
    if origins.is_empty() {
        findings.push(Finding::skipped("bucket's CORS", "no page is named: give --origin https://your.page"));
    }
    for origin in &origins {
        findings.extend(cors(&objects, &key, origin).await);
    }
    findings
}

/// Each call by itself, so that the right that is missing is named.
async fn rights(objects: &Objects, key: &str) -> Result<(), Failure> {
    let of = |right: &'static str| {
        move |error: docent::Error| {
            let failure = Failure::from(error);
            Failure::new(format!("{right}: {}", failure.message), failure.next)
        }
    };
    objects.put(key, "text/plain", Bytes::from_static(PROBE)).await.map_err(of("put"))?;
    let looked = async {
        let head = objects.head(key).await.map_err(of("head"))?;
        let head = head.ok_or_else(|| {
            Failure::new(
                "head: what was just put is not there.",
                "Check that S3_ENDPOINT and S3_BUCKET name one bucket.",
            )
        })?;
        match objects.fetch(key, &head, head.size).await.map_err(of("get"))? {
            Fetched::File(_) => {}
            _ => return Err(Failure::new("get: other bytes came than were put.", "Is something else writing there?")),
        }
        let listed = objects.list(&format!("{PLACE}/"), &From::Start).await.map_err(of("list"))?;
        match listed.objects.iter().any(|object| object.key == key) {
            true => Ok(()),
            false => Err(Failure::new(
                "list: what was just put is not listed.",
                "The sweep needs listings that are up to date.",
            )),
        }
    };
    let looked = looked.await;
    objects.delete(key).await.map_err(of("delete"))?;
    looked
}

/// Asks what a browser would ask before it sends a document.
async fn cors(objects: &Objects, key: &str, origin: &str) -> Vec<Finding> {
    const NAME: &str = "bucket's CORS";
    let now = Clock::system().now();
    let put = Put { key, content_type: "text/plain", size: 1, sha256: None };
    let presigned = match objects.presign_put(&put, now, Duration::from_secs(60)).await {
        Ok(presigned) => presigned,
        Err(error) => return vec![Finding::failed(NAME, error)],
    };
    let response = match preflight(&presigned.url, origin).await {
        Ok(response) => response,
        Err(error) => {
            return vec![Finding::bad(
                NAME,
                format!("no answer: {}", error.without_url()),
                "Check S3_ENDPOINT and S3_PUBLIC_ENDPOINT from where browsers are.",
            )];
        }
    };
    let said = |name: header::HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_lowercase()
    };
    let allowed = said(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let (methods, headers) = (said(header::ACCESS_CONTROL_ALLOW_METHODS), said(header::ACCESS_CONTROL_ALLOW_HEADERS));
    let lacks = match () {
        () if allowed != "*" && allowed != origin => "does not let it in",
        () if !methods.contains("put") => "does not allow PUT",
        () if headers != "*" && HEADERS.iter().any(|header| !headers.contains(header)) => {
            "does not allow the headers content-type and if-none-match"
        }
        () => "",
    };
    let mut findings = vec![match lacks {
        "" => Finding::good(NAME, format!("{origin} may upload")),
        lacks => Finding::bad(
            NAME,
            format!("{origin}: the bucket {lacks}"),
            "Set its CORS: AllowedOrigins with exactly this origin, AllowedMethods PUT, AllowedHeaders *, ExposeHeaders ETag.",
        ),
    }];
    findings.extend(date(&response).map(|date| clock("bucket's clock", now, date)));
    findings
}

async fn preflight(url: &str, origin: &str) -> reqwest::Result<Response> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let asked = http.request(Method::OPTIONS, url).header(header::ORIGIN, origin);
    let asked = asked.header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT");
    asked.header(header::ACCESS_CONTROL_REQUEST_HEADERS, HEADERS.join(",")).send().await
}

/// RFC 9110 §6.6.1, in the one form that servers write.
fn date(response: &Response) -> Option<jiff::Timestamp> {
    let text = response.headers().get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp())
}
