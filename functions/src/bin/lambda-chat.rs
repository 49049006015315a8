//! Lambda: `/api/chat/**` and the OpenAI dialect under `/v1/**`, the one function whose answers stream.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let chat = docent::http::waiting(docent::function::chat()?);
    lambda_http::run_with_streaming_response(docent_functions::with_peer(chat)).await
}
