//! Vercel: `/api/upload/**` and `/api/documents/**`.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::upload()?).await
}
