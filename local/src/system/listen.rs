//! The functions behind one port, until they are told to stop and what they left to do is done.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::{ListenerExt, TapIo};
use docent::Tasks;
use tokio::net::{TcpListener, TcpStream};

pub async fn serve(
    listener: TcpListener,
    router: Router,
    tasks: &Tasks,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let outcome = axum::serve(at_once(listener), service).with_graceful_shutdown(stop).await;
    tasks.drained().await;
    outcome
}

/// What is written leaves at once. Otherwise each word of an answer would wait until its reader's machine has
/// acknowledged the one before, which it puts off by up to 40 ms (Nagle's algorithm, RFC 9293 §3.7.4).
fn at_once(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|stream| {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "http.listen cannot send at once");
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener;

    use super::*;

    #[tokio::test]
    async fn what_is_written_leaves_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (stream, _) = at_once(listener).accept().await;
        assert!(stream.nodelay().unwrap());
    }
}
