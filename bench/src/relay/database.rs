//! Stands between Docent and Postgres and counts how long each request's transactions take, so that they can be told
//! apart from the relay.

use std::collections::HashMap;
use std::net::TcpListener as Listener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Outcome, table};

/// What a request carries, followed by nine digits, wherever its statements bind something of it.
pub const MARK: &str = "relay-";
const DIGITS: usize = 9;

/// How a server says that no transaction is open.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html> (ReadyForQuery)
const IDLE: &[u8] = b"Z\0\0\0\x05I";

/// How long the transactions of each request took.
#[derive(Clone, Default)]
pub struct Waits(Arc<Mutex<HashMap<usize, Duration>>>);

impl Waits {
    pub fn take(&self, number: usize) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number).unwrap_or_default()
    }

    fn add(&self, number: usize, spent: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default() += spent;
    }
}

pub fn mark(number: usize) -> String {
    format!("{MARK}{number:0DIGITS$}")
}

/// Forwards to that port from a thread of its own; gives the port to connect to.
pub fn watch(port: u16) -> Outcome<(u16, Waits)> {
    let listener = Listener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let (here, waits) = (listener.local_addr()?.port(), Waits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let counted = waits.clone();
    thread::spawn(move || {
        let ended: Outcome<()> = runtime.block_on(async {
            let (listener, mut open) = (TcpListener::from_std(listener)?, JoinSet::new());
            loop {
                let (client, server) = (listener.accept().await?.0, TcpStream::connect(("127.0.0.1", port)).await?);
                open.spawn(forward(client, server, counted.clone()));
                while open.try_join_next().is_some() {}
            }
        });
        if let Err(error) = ended {
            table::note(&format!("the way to the database ended: {error}"));
        }
    });
    Ok((here, waits))
}

/// A transaction takes from its first byte until the server is idle again.
async fn forward(mut client: TcpStream, mut server: TcpStream, waits: Waits) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let (mut begun, mut number) = (None, None);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(bytes) = asked.get(..read?).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
                begun = begun.or_else(|| Some(Instant::now()));
                number = number.or_else(|| marked(bytes));
                server.write_all(bytes).await?;
            }
            read = server.read(&mut answered) => {
                let Some(bytes) = answered.get(..read?).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
                client.write_all(bytes).await?;
                if bytes.ends_with(IDLE) {
                    if let (Some(begun), Some(number)) = (begun, number) {
                        waits.add(number, begun.elapsed());
                    }
                    (begun, number) = (None, None);
                }
            }
        }
    }
}

fn marked(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes())? + MARK.len();
    std::str::from_utf8(bytes.get(at..at + DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_mark() {
        assert_eq!(marked(format!("B\0\0{}\0", mark(42)).as_bytes()), Some(42));
        assert_eq!(marked(b"relay-12"), None);
        assert_eq!(marked(b"nothing"), None);
    }

    #[tokio::test]
    async fn a_transaction_is_counted_from_its_first_byte_until_the_server_is_idle() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, waits) = watch(server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut server, _) = server.accept().await.unwrap();
        let (pause, mut bytes) = (Duration::from_millis(20), [0; 64]);

        client.write_all(mark(7).as_bytes()).await.unwrap();
        assert_eq!(server.read(&mut bytes).await.unwrap(), mark(7).len());
        server.write_all(b"Z\0\0\0\x05T").await.unwrap();
        assert_eq!(client.read(&mut bytes).await.unwrap(), IDLE.len());
        tokio::time::sleep(pause).await;
        server.write_all(IDLE).await.unwrap();
        assert_eq!(client.read(&mut bytes).await.unwrap(), IDLE.len());
        // Told a moment after the bytes were passed on.
        tokio::time::sleep(pause).await;
        let counted = waits.take(7);
        assert!(counted >= pause && counted < 2 * pause + pause / 2, "{counted:?}");
        assert_eq!(waits.take(7), Duration::ZERO);
    }
}
