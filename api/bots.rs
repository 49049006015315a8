//! Vercel: `/api/bots/**`, `/api/usage/**`, `/api/widget/**`, `/api/search` and `/api/conversations/**`.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::bots()?).await
}
