//! Lambda: `/api/keys/**` and `/api/tokens/**`.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(docent_functions::with_peer(docent::function::keys()?)).await
}
