//! Lambda: `/api/bots/**`, `/api/usage/**`, `/api/widget/**`, `/api/search` and `/api/conversations/**`.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let bots = docent::http::waiting(docent::function::bots()?);
    lambda_http::run(docent_functions::with_peer(bots)).await
}
