//! A provider made of a listener: what it does to each request is written down by the model that the request names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{CANARY, Vendor};
use crate::dice::Dice;
use crate::world::spawn;

/// How often a provider that has nothing to say shows that it lives.
const DRIP: Duration = Duration::from_millis(20);

/// What it does to one request.
#[derive(Clone, Debug)]
pub struct Act {
    pub bytes: Vec<u8>,
    pub then: Then,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    Close,
    /// RST instead of FIN: what is on its way may be lost.
    Reset,
    /// Says nothing more, until the other side goes.
    Hang,
    /// Says this for ever, as fast as it is heard.
    Repeat(Vec<u8>),
    /// Says this for ever, every now and then.
    Drip(Vec<u8>),
}

/// What it was asked by one name.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub requests: usize,
    /// When the other side went away from a provider that was not done.
    pub left: Option<Instant>,
    /// What was wrong with a request.
    pub wrong: Option<String>,
}

#[derive(Default)]
struct Script {
    acts: Vec<Act>,
    seed: u64,
    seen: Seen,
}

#[derive(Clone)]
pub struct Provider {
    pub vendor: Vendor,
    pub base_url: String,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
}

impl Provider {
    pub async fn start(vendor: Vendor) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}{}", listener.local_addr().unwrap(), vendor.base());
        let provider = Provider { vendor, base_url, scripts: Arc::default() };
        let serving = provider.clone();
        spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let provider = serving.clone();
                spawn(async move { provider.serve(socket).await });
            }
        });
        provider
    }

    /// The nth request that names this model gets the nth of these, and every later one the last.
    pub fn expect(&self, model: &str, acts: &[Act], seed: u64) {
        let script = Script { acts: acts.to_vec(), seed, seen: Seen::default() };
        self.scripts.lock().unwrap().insert(model.to_owned(), script);
    }

    pub fn seen(&self, model: &str) -> Seen {
        self.scripts.lock().unwrap().get(model).map(|script| script.seen.clone()).unwrap_or_default()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let Some(request) = read(&mut socket).await else { return };
        if request.starts_with("GET ") {
            let nothing = r#"{"data":[],"models":[]}"#;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
            let _ = socket
                .write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{nothing}", nothing.len()).as_bytes())
                .await;
            return;
        }
        let model = model(&request);
        let next = {
            let mut scripts = self.scripts.lock().unwrap();
            let script = scripts.entry(model.clone()).or_default();
            script.seen.requests += 1;
            let line = format!("POST {} HTTP/1.1\r\n", self.vendor.path(&model));
            let credential = format!("\r\n{}\r\n", self.vendor.credential(CANARY));
            if !request.starts_with(&line) || !request.contains(&credential) {
                script.seen.wrong = Some(request.clone());
            }
            let nth = script.seen.requests.min(script.acts.len());
            script.acts.get(nth.wrapping_sub(1)).cloned().map(|act| (act, script.seed))
        };
        let Some((act, seed)) = next else { return };
        let left = play(socket, act, Dice::new(seed)).await;
        if let Some(script) = self.scripts.lock().unwrap().get_mut(&model) {
            script.seen.left = left;
        }
    }
}

/// When the other side left, if it did so first.
async fn play(mut socket: TcpStream, act: Act, mut dice: Dice) -> Option<Instant> {
    let _ = socket.set_nodelay(true);
    let mut rest = act.bytes.as_slice();
    while !rest.is_empty() {
        let (packet, later) = rest.split_at(1 + dice.below(rest.len()));
        if socket.write_all(packet).await.is_err() {
            return Some(Instant::now());
        }
        tokio::task::yield_now().await;
        rest = later;
    }
    match act.then {
        Then::Close => {
            let _ = socket.shutdown().await;
            None
        }
        Then::Reset => {
            let _ = socket.set_zero_linger();
            None
        }
        Then::Hang => {
            while socket.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
            Some(Instant::now())
        }
        Then::Repeat(bytes) => {
            while socket.write_all(&bytes).await.is_ok() {
                tokio::task::yield_now().await;
            }
            Some(Instant::now())
        }
        Then::Drip(bytes) => {
            let mut ear = [0; 64];
            loop {
                match tokio::time::timeout(DRIP, socket.read(&mut ear)).await {
                    Ok(Ok(1..)) => {}
                    Ok(_) => return Some(Instant::now()),
                    Err(_) if socket.write_all(&bytes).await.is_err() => return Some(Instant::now()),
                    Err(_) => {}
                }
            }
        }
    }
}

async fn read(socket: &mut TcpStream) -> Option<String> {
    let (mut request, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = socket.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if whole {
            return Some(text.into_owned());
        }
    }
}

/// Gemini names it in the address, everybody else in the body.
fn model(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let address = || request.split_once("/models/")?.1.split_once(':').map(|(model, _)| model);
    body["model"].as_str().or_else(address).unwrap_or_default().to_owned()
}
