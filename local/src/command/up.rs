//! `docent up`: everything on this machine, and the next three commands to try.

use clap::Args;
use docent::config::Environment;
use tokio::net::TcpListener;

use super::{Failure, Place};
use crate::system::{self, System};
use crate::terminal::{self, Steps};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Port of the console and of all functions, on loopback
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    docent::telemetry::start(&environment.clone().or("LOG_LEVEL", "warn"));
    let port = options.port;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| system::port(port, &error))?;
    let port = listener.local_addr().map_err(|error| system::port(port, &error))?.port();
    // A web origin leaves the default port out.
    let url = if port == 80 { "http://127.0.0.1".to_owned() } else { format!("http://127.0.0.1:{port}") };
    let steps = Steps::start();
    let system = System::start(environment, &options.place, &url, &|step| steps.step(step)).await?;
    steps.clear();
    let System { token, answerer, embedder, home, .. } = &system;
    let home = home.display();
    terminal::line(&format!(
        "\nDocent is up.\n
  console   {url}/#token={token}
  answers   {answerer}
  vectors   {embedder}
  data      {home}

Try next:
  export DOCENT_URL={url} DOCENT_TOKEN={token}
  docent ingest README.md
  docent ask \"What does cargo docent up need?\"
  curl -N $DOCENT_URL/api/chat -H \"authorization: Bearer $DOCENT_TOKEN\" -H 'content-type: application/json' \\
       -d '{{\"id\":\"first\",\"messages\":[{{\"role\":\"user\",\"parts\":[{{\"type\":\"text\",\"text\":\"What is Docent?\"}}]}}]}}'

Stop with Ctrl-C; the data stays. (In this clone, `docent` is `cargo docent`.)"
    ));
    system.serve(listener, terminated()).await
}

/// Ctrl-C, or the platform's polite request to end.
pub async fn terminated() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
