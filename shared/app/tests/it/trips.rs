//! Round trips, counted at the wire: how often the database was asked and waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use docent::App;
use docent::function::{self, Files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, spawn};

/// Forwards to Postgres and counts each time the client speaks after the server has: one trip.
async fn counting_proxy(target: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let trips = Arc::new(AtomicUsize::new(0));
    let counted = trips.clone();
    spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.unwrap();
            spawn(forward(client, server, counted.clone()));
        }
    });
    (port, trips)
}

async fn forward(mut client: TcpStream, mut server: TcpStream, trips: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut client_spoke = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(1..) = read else { return };
                if !std::mem::replace(&mut client_spoke, true) {
                    trips.fetch_add(1, Ordering::SeqCst);
                }
                if server.write_all(&asked[..read.unwrap()]).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(1..) = read else { return };
                client_spoke = false;
                if client.write_all(&answered[..read.unwrap()]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test]
async fn a_warm_chat_request_asks_the_database_twice_before_its_first_token() {
    // Another store of vectors is told what is searched, which Postgres has to be asked for.
    for (world, expected) in World::on_each_store().await.into_iter().zip([2, 3]) {
        warm(world, expected).await;
    }
}

async fn warm(mut world: World, expected: usize) {
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", b"The Moon orbits the Earth at a mean distance of 384400 kilometres.").await;

    let mut url = url::Url::parse(world.environment.get("DATABASE_URL").unwrap()).unwrap();
    let target = format!("127.0.0.1:{}", url.port().unwrap());
    let (port, trips) = counting_proxy(target).await;
    url.set_port(Some(port)).unwrap();
    let environment = world.environment.clone().with("DATABASE_URL", url.to_string()).with("DATABASE_POOL_SIZE", "1");
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    let client = client.through(&function::everything(files));

    assert_eq!(client.get("/api/documents").await.status, 200);
    let before = trips.load(Ordering::SeqCst);
    assert_eq!(client.get("/api/documents").await.status, 200);
    assert_eq!(trips.load(Ordering::SeqCst) - before, 2, "a listing: one trip for the caller, one for the rows");

    let before = trips.load(Ordering::SeqCst);
    let mut answer = client.open_answer("warm", "At what mean distance does the Moon orbit?").await;
    let first = answer.until("text-delta").await;
    assert!(first.contains("384400"), "{first}");
    assert_eq!(
        trips.load(Ordering::SeqCst) - before,
        expected,
        "caller, bot, keys, history in one; search and opening in the other"
    );
    answer.until("\"finish\"").await;
    assert_eq!(trips.load(Ordering::SeqCst) - before, expected + 1, "closing the answer: its row and the commit");
}
