//! AWS's side of a Lambda function: the Runtime API that the binary polls, and what it posts there.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
use std::{path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    door::{PATIENCE, Reply},
    event,
    process::Process,
};

pub struct Lambda {
    pub process: Process,
    events: mpsc::Sender<(u32, Value)>,
    posts: mpsc::Receiver<Post>,
    polled: watch::Receiver<bool>,
    invocations: u32,
    _server: JoinSet<()>,
}

/// What a function posts: `response`, `error` or (before its first poll) `init/error`.
#[derive(Debug)]
pub struct Post {
    pub path: String,
    pub headers: HeaderMap,
    pub chunks: Vec<(Instant, Bytes)>,
    /// A function that fails in the midst of a stream says so here.
    pub trailers: HeaderMap,
}

impl Lambda {
    pub async fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (events, queue) = mpsc::channel(16);
        let (posted, posts) = mpsc::channel(16);
        let (poll, polled) = watch::channel(false);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::new(Api { queue: Mutex::new(queue), posted, poll })));

        let platform = [
            ("AWS_LAMBDA_RUNTIME_API", &*address),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "us-east-1"),
        ];
        let environment = platform.iter().chain(environment).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let process = Process::start(Path::new(binary(name)), &environment);
        Self { process, events, posts, polled, invocations: 0, _server: server }
    }

    /// Waits for the first poll; with a function that ends instead, the test ends too.
    pub async fn ready(&mut self) {
        tokio::select! {
            polled = timeout(PATIENCE, self.polled.wait_for(|polled| *polled)) => {
                polled.expect("a poll in time").expect("the server lives");
            }
            status = self.process.ended() => panic!("{status} before the first poll:\n{}", self.process.log()),
        }
    }

    pub async fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let begin = Instant::now();
        let post = self.post(event::http(method, path, headers, body)).await;
        assert!(post.path.ends_with("/response"), "{post:?}");
        assert!(post.trailers.is_empty(), "the stream failed: {post:?}");
        event::reply(post, begin)
    }

    /// The JSON that the function answers an event with that is not HTTP.
    pub async fn invoke(&mut self, event: Value) -> Value {
        let post = self.post(event).await;
        assert!(post.path.ends_with("/response"), "{post:?}");
        serde_json::from_slice(&post.body()).expect("an answer in JSON")
    }

    pub async fn post(&mut self, event: Value) -> Post {
        self.send(event).await;
        self.posted().await
    }

    /// Begins an invocation whose answer nobody waits for.
    pub async fn send(&mut self, event: Value) {
        self.invocations += 1;
        self.events.send((self.invocations, event)).await.expect("the server lives");
    }

    pub async fn posted(&mut self) -> Post {
        tokio::select! {
            biased;
            post = timeout(PATIENCE, self.posts.recv()) => post.expect("an answer in time").expect("the server lives"),
            status = self.process.ended() => panic!("{status} before an answer:\n{}", self.process.log()),
        }
    }
}

impl Post {
    pub fn body(&self) -> Bytes {
        self.chunks.iter().flat_map(|(_, chunk)| chunk.iter().copied()).collect()
    }
}

struct Api {
    queue: Mutex<mpsc::Receiver<(u32, Value)>>,
    posted: mpsc::Sender<Post>,
    poll: watch::Sender<bool>,
}

async fn serve(listener: TcpListener, api: Arc<Api>) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let api = Arc::clone(&api);
        connections.spawn(async move {
            // A function that is killed leaves its connection in the midst of anything.
            let _ended = converse(connection, &api).await;
        });
    }
}

async fn converse(connection: TcpStream, api: &Api) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut connection = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers = fields(&mut connection).await?;
        if path.ends_with("/invocation/next") {
            api.poll.send_replace(true);
            let Some((number, event)) = api.queue.lock().await.recv().await else { return Ok(()) };
            connection.write_all(invocation(number, &event).as_bytes()).await?;
            continue;
        }
        let (chunks, trailers) = body(&mut connection, &headers).await?;
        connection.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
        let _receiver_may_be_gone = api.posted.send(Post { path, headers, chunks, trailers }).await;
    }
}

fn invocation(number: u32, event: &Value) -> String {
    /// The year 2100: a test has its own deadline.
    const DEADLINE_MS: u64 = 4_102_444_800_000;
    let event = event.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         lambda-runtime-aws-request-id: invocation-{number}\r\nlambda-runtime-deadline-ms: {DEADLINE_MS}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:docent\r\n\
         lambda-runtime-trace-id: Root=1-00000000-000000000000000000000000;Sampled=0\r\n\r\n{event}",
        event.len()
    )
}

async fn fields(connection: &mut BufReader<TcpStream>) -> std::io::Result<HeaderMap> {
    let mut fields = HeaderMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(fields) };
        let name: HeaderName = name.parse().expect("a field's name");
        fields.append(name, HeaderValue::from_str(value.trim()).expect("a field's value"));
    }
}

type Chunks = Vec<(Instant, Bytes)>;

async fn body(connection: &mut BufReader<TcpStream>, headers: &HeaderMap) -> std::io::Result<(Chunks, HeaderMap)> {
    let mut chunks = Vec::new();
    if headers.get("transfer-encoding").is_none_or(|encoding| encoding != "chunked") {
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let mut whole = vec![0; length.unwrap_or(0)];
        connection.read_exact(&mut whole).await?;
        chunks.push((Instant::now(), whole.into()));
        return Ok((chunks, HeaderMap::new()));
    }
    loop {
        let mut size = String::new();
        connection.read_line(&mut size).await?;
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        if size == 0 {
            return Ok((chunks, fields(connection).await?));
        }
        let mut chunk = vec![0; size + 2];
        connection.read_exact(&mut chunk).await?;
        chunk.truncate(size);
        chunks.push((Instant::now(), chunk.into()));
    }
}

/// Cargo builds this package's own binaries with its tests.
fn binary(name: &str) -> &'static str {
    match name {
        "lambda-bots" => env!("CARGO_BIN_EXE_lambda-bots"),
        "lambda-chat" => env!("CARGO_BIN_EXE_lambda-chat"),
        "lambda-health" => env!("CARGO_BIN_EXE_lambda-health"),
        "lambda-ingest" => env!("CARGO_BIN_EXE_lambda-ingest"),
        "lambda-keys" => env!("CARGO_BIN_EXE_lambda-keys"),
        "lambda-upload" => env!("CARGO_BIN_EXE_lambda-upload"),
        unknown => panic!("no binary {unknown}"),
    }
}
