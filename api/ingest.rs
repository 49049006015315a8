//! Vercel: `/api/ingest`, the signed hints of a bucket's queue, and `/api/ingest/sweep`, the scheduled repair.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::ingest()?).await
}
