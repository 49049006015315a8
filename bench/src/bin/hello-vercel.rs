//! The least that a Vercel function can be: what every other one's cold start is divided by.
use vercel_runtime::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| Ok::<_, Error>("hello".to_owned()))).await
}
