//! A running system: that it is healthy, and that the bucket's event of an upload arrives there by itself.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::Finding;
use crate::client::Client;
use crate::command::{Failure, Remote};

const EVENT: &str = "events";
/// Most queues deliver within seconds; the sweep would come after minutes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn look(remote: &Remote) -> Vec<Finding> {
    let client = match Client::remote(remote) {
        Ok(Some(client)) => client,
        Ok(None) => return vec![Finding::skipped("running system", "give --url and --token to look at one")],
        Err(failure) => return vec![Finding::failed("running system", failure)],
    };
    let health = match client.json(Method::GET, "/api/health", None).await {
        Ok(health) => {
            Finding::good("running system", format!("version {}", health["version"].as_str().unwrap_or("unknown")))
        }
        Err(failure) => return vec![Finding::failed("running system", failure)],
    };
    let events = match event(&client).await {
        Ok(Some(took)) => {
            Finding::good(EVENT, format!("an upload was taken up by itself after {:.1} s", took.as_secs_f64()))
        }
        Ok(None) => Finding::bad(
            EVENT,
            format!("an upload was not taken up within {} s", PATIENCE.as_secs()),
            "Check the bucket's notification, the queue behind it (and its dead letters), and INGEST_SECRET on both sides.",
        ),
        Err(failure) => Finding::failed(EVENT, failure),
    };
    vec![health, events]
}

/// Uploads a few bytes without saying so, waits for them to be ready, and deletes them.
async fn event(client: &Client) -> Result<Option<Duration>, Failure> {
    let began = Instant::now();
    let document = client.leave("docent-doctor.txt", b"docent doctor was here").await?;
    let path = format!("/api/documents/{document}");
    let mut taken = None;
    while taken.is_none() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let status = client.json(Method::GET, &path, None).await?;
        let status = status["status"].as_str().unwrap_or_default().to_owned();
        taken = (status == "ready" || status == "failed").then(|| began.elapsed());
    }
    client.json(Method::DELETE, &path, None).await?;
    Ok(taken)
}
