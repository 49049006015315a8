//! Lambda: a queue's batches of bucket events; the answer names the messages to deliver again.
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let ingest = &docent::function::ingest_messages()?;
    let batch = async |event: LambdaEvent<SqsEvent>| {
        // One deadline for the whole batch: what was not begun by then is delivered again.
        let ingest = ingest.clone().within(docent::ingest::WORK_TIME);
        Ok::<_, Error>(docent_functions::batch(event.payload, async |body| ingest.message(body).await).await)
    };
    lambda_runtime::run(service_fn(batch)).await
}
