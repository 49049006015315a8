//! Vercel: `/api/keys/**` and `/api/tokens/**`.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::keys()?).await
}
