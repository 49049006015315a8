//! Lambda: `/api/health/**`, and the answer to every path that no function has.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let health = docent::http::waiting(docent::function::health()?);
    lambda_http::run(docent_functions::with_peer(health)).await
}
