//! `/metrics` of a container, for Prometheus: on a listener of its own, because it has no credential and nobody outside
//! is to see it.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use docent::App;
use tokio::net::TcpListener;

use super::Failure;

/// What Prometheus asks for (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the address is named, and nowhere otherwise.
pub async fn bind(listen: Option<&str>) -> Result<Option<TcpListener>, Failure> {
    let Some(listen) = listen else { return Ok(None) };
    let bound = TcpListener::bind(listen).await.map_err(|error| {
        let remedy = "Choose another address with --metrics-listen, e.g. 127.0.0.1:9464.";
        Failure::new(format!("Cannot listen on {listen} for metrics: {error}."), remedy)
    })?;
    Ok(Some(bound))
}

/// Serves for ever, or without a listener does nothing for as long.
pub async fn serve(listener: Option<TcpListener>, app: App) {
    let Some(listener) = listener else { return std::future::pending().await };
    let page = get(move || async move {
        let page = app.telemetry.metrics().map(|metrics| metrics.page(app.db.standing()));
        ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], page.unwrap_or_default()).into_response()
    });
    if let Err(error) = axum::serve(listener, Router::new().route("/metrics", page)).await {
        tracing::warn!(%error, "metrics.listener ended");
    }
    std::future::pending().await
}
