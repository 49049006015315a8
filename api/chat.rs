//! Vercel: `/api/chat/**` and the OpenAI dialect under `/v1/**`.
mod _adapter;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    _adapter::serve(docent::function::chat()?).await
}
