//! Lambda: `/api/bots/**`, `/api/usage/**`, `/api/widget/**`, `/api/search` and `/api/conversations/**`.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(docent_functions::with_peer(docent::function::bots()?)).await
}
