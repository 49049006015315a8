//! Lambda: `/api/upload/**` and `/api/documents/**`.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let upload = docent::http::waiting(docent::function::upload()?);
    lambda_http::run(docent_functions::with_peer(upload)).await
}
