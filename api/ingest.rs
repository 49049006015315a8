//! Vercel: `/api/ingest`, the signed hints of a bucket's queue, and `/api/ingest/sweep`, the scheduled repair.
mod _adapter;

fn main() -> Result<(), vercel_runtime::Error> {
    docent::parse_if_asked();
    serve()
}

#[tokio::main]
async fn serve() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::ingest()?).await
}
