//! Lambda: a queue's batches of bucket events; the answer names the messages to deliver again.
use lambda_runtime::{Error, service_fn};

fn main() -> Result<(), Error> {
    docent::parse_if_asked();
    serve()
}

#[tokio::main]
async fn serve() -> Result<(), Error> {
    let ingest = &docent::function::ingest_messages()?;
    lambda_runtime::run(service_fn(async |event| docent_functions::messages(ingest, event).await)).await
}
