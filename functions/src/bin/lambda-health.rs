//! Lambda: `/api/health/**`, and the answer to every path that no function has.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(docent_functions::with_peer(docent::function::health()?)).await
}
