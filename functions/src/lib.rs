//! What the Lambda binaries share: the caller's address, and a handler of one queue message, raised to a batch.
use std::fmt::Display;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use docent::http::{EndsAt, Peer, PlatformId};
use docent::ingest::Ingest;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use lambda_runtime::{Error, LambdaEvent};
use tower::ServiceExt;
use tower::util::MapRequest;

/// Tells the service who called, until when it may take, and what Lambda's own log calls the invocation: an event names
/// the address, because there is no connection to look at, and the invocation's context the others.
pub fn with_peer<S: tower::Service<Request>>(service: S) -> MapRequest<S, fn(Request) -> Request> {
    service.map_request(|mut request: Request| {
        let address = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            request.extensions_mut().insert(Peer(address));
        }
        if let Some(context) = request.lambda_context_ref() {
            let (end, id) = (EndsAt(context.deadline), PlatformId(context.request_id.clone()));
            request.extensions_mut().insert(end);
            request.extensions_mut().insert(id);
        }
        request
    })
}

/// One invocation of the queue's consumer.
pub async fn messages(ingest: &Ingest, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    // One deadline for the whole batch: what was not begun by then stays as a hint for the next.
    let ingest = ingest.clone().before(event.context.deadline);
    let answer = batch(event.payload, async |body| ingest.message(body).await).await;
    ingest.told().await;
    Ok(answer)
}

/// Handles the messages one after the other and names those that failed, so that the queue delivers only them again.
///
/// A message without an id that fails is named by an empty one, which makes the queue deliver the whole batch again:
/// twice is harmless, never is not.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub async fn batch<E: Display>(event: SqsEvent, message: impl AsyncFn(&str) -> Result<(), E>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in event.records {
        let id = record.message_id.unwrap_or_default();
        // A future as deep as ingestion is too deep for the compiler when it lies inside the caller's own.
        let handled = Box::pin(message(record.body.as_deref().unwrap_or_default()));
        if let Err(error) = handled.await {
            tracing::warn!(message = id, %error, "ingest.message_failed");
            response.add_failure(id);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn only_what_failed_is_delivered_again() {
        let seen = RefCell::new(Vec::new());
        let response = batch(event(&[("m1", "good"), ("m2", "bad"), ("m3", "good")]), async |body| {
            seen.borrow_mut().push(body.to_owned());
            if body == "bad" { Err("as told") } else { Ok(()) }
        });
        assert_eq!(wire(response.await), json!({"batchItemFailures": [{"itemIdentifier": "m2"}]}));
        assert_eq!(*seen.borrow(), ["good", "bad", "good"], "a failure does not keep the next message waiting");
    }

    #[tokio::test]
    async fn a_clean_batch_names_nothing() {
        for records in [&[][..], &[("m1", "good")]] {
            let response = batch(event(records), async |_| Ok::<_, &str>(())).await;
            assert_eq!(wire(response), json!({"batchItemFailures": []}));
        }
    }

    #[tokio::test]
    async fn a_message_without_body_and_id_fails_the_batch() {
        let event = serde_json::from_value(json!({"Records": [{}]})).expect("an event");
        let response = batch(event, async |body| if body.is_empty() { Err("empty") } else { Ok(()) }).await;
        assert_eq!(wire(response), json!({"batchItemFailures": [{"itemIdentifier": ""}]}));
    }

    fn event(records: &[(&str, &str)]) -> SqsEvent {
        let records: Vec<Value> = records.iter().map(|(id, body)| json!({"messageId": id, "body": body})).collect();
        serde_json::from_value(json!({ "Records": records })).expect("an event")
    }

    fn wire(response: SqsBatchResponse) -> Value {
        serde_json::to_value(response).expect("a response is JSON")
    }
}
