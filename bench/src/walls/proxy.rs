//! Round trips counted at the wire, between us and Postgres.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

/// Forwards each connection to `target`, and counts each time that a client speaks after the server has: one trip.
/// Never returns but with an error.
pub async fn count(listener: &TcpListener, target: &str, trips: &AtomicUsize) -> Outcome<()> {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => open.push(forward(accepted?.0, TcpStream::connect(target).await?, trips)),
            Some(ended) = open.next() => ended?,
            () = pending() => {}
        }
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, trips: &AtomicUsize) -> Outcome<()> {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut client_spoke = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(bytes) = asked.get(..read?).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
                if !std::mem::replace(&mut client_spoke, true) {
                    trips.fetch_add(1, Ordering::Relaxed);
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut answered) => {
                let Some(bytes) = answered.get(..read?).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
                client_spoke = false;
                client.write_all(bytes).await?;
            }
        }
    }
}
