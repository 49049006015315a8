//! Lambda: `/api/keys/**` and `/api/tokens/**`.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let keys = docent::http::waiting(docent::function::keys()?);
    lambda_http::run(docent_functions::with_peer(keys)).await
}
