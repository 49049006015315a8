//! Vercel: `/api/health/**`, and the answer to every path under `/api` that no function has.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::health()?).await
}
