//! A provider made of a listener and a transcript. It runs inside the test's own task, so nothing outlives a test.

use std::time::Duration;

use docent_llm::{
    ChatRequest, ChatStream, Dialect, Endpoint, Error, Event, KeyCheck, Limits, Role, Transport, Turn, Url,
};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Looks like a key and must never be seen again.
pub const CANARY: &str = "sk-canary-0123456789";

/// A test that takes longer has lost a time limit and would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(60);

macro_rules! cassette {
    ($name:literal) => {
        crate::server::wire(include_str!(concat!("cassettes/", $name, ".txt")))
    };
}
pub(crate) use cassette;

/// A transcript's head gets the line ends of HTTP; its body stays as it is.
pub fn wire(transcript: &str) -> Vec<u8> {
    let (head, body) = transcript.split_once("\n\n").unwrap();
    format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")).into_bytes()
}

/// One whole answer of each provider, in its dialect.
pub fn cassettes() -> [(&'static str, Dialect, Vec<u8>); 8] {
    [
        ("openai", Dialect::OpenAi, cassette!("openai_chat")),
        ("xai", Dialect::OpenAi, cassette!("xai_chat")),
        ("groq", Dialect::OpenAi, cassette!("groq_chat")),
        ("mistral", Dialect::OpenAi, cassette!("mistral_chat")),
        ("openrouter", Dialect::OpenAi, cassette!("openrouter_chat")),
        ("anthropic", Dialect::Anthropic, cassette!("anthropic_chat")),
        ("gemini", Dialect::Gemini, cassette!("gemini_chat")),
        ("ollama", Dialect::Ollama, cassette!("ollama_chat")),
    ]
}

/// The OpenAI cassette up to its first word.
pub fn first_word() -> Vec<u8> {
    let mut wire = cassette!("openai_chat");
    let second = wire.windows(5).position(|window| window == " 🦀".as_bytes()).unwrap();
    wire.truncate(second);
    wire
}

pub fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    wire(&format!("HTTP/1.1 {status} Test\nconnection: close\n{headers}\n\n{body}"))
}

/// A stream of events, one for each piece of data.
pub fn sse(frames: &[&str]) -> Vec<u8> {
    let body: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    answer(200, "content-type: text/event-stream", &body)
}

pub fn json(status: u16, body: &str) -> Vec<u8> {
    answer(status, "content-type: application/json", body)
}

/// What the server does after the first bytes.
pub enum Then<'a> {
    Close,
    Hang,
    Repeat(&'a [u8], Duration),
    /// Waits for the client to go away and says so.
    Tell(&'a Notify),
}

/// Runs `client` against a server that answers the nth request as `reply` says.
pub async fn serve<'a, T>(
    mut reply: impl FnMut(usize, String) -> (Vec<u8>, Then<'a>),
    client: impl AsyncFnOnce(Url) -> T,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = async {
        let mut held = Vec::new();
        for nth in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            let (bytes, then) = reply(nth, request);
            // The client may hang up early: that is its right and sometimes the point of the test.
            let mut alive = socket.write_all(&bytes).await.is_ok();
            match then {
                Then::Close => drop(socket.shutdown().await),
                Then::Hang => held.push(socket),
                Then::Repeat(bytes, pause) => {
                    while alive {
                        tokio::time::sleep(pause).await;
                        alive = socket.write_all(bytes).await.is_ok();
                    }
                }
                Then::Tell(notify) => {
                    while socket.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                    notify.notify_one();
                }
            }
        }
    };
    tokio::select! {
        () = server => unreachable!("the listener never ends"),
        () = tokio::time::sleep(PATIENCE) => unreachable!("the client still waits: a time limit is not kept"),
        value = client(base) => value,
    }
}

/// The same answer for everybody.
pub async fn replay<T>(bytes: &[u8], client: impl AsyncFnOnce(Url) -> T) -> T {
    serve(|_, _| (bytes.to_vec(), Then::Close), client).await
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = socket.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let done = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        // A TLS handshake (RFC 8446 §5.1, record type 22) gets its answer at once.
        if done || read == 0 || request[0] == 22 {
            return text.into_owned();
        }
    }
}

/// Limits that let a test reach this machine and fail fast: every request is one that the test made.
pub fn limits() -> Limits {
    Limits { allow_loopback: true, retries: 0, breaker_faults: 0, ..Limits::default() }
}

pub fn transport() -> Transport {
    Transport::new(limits())
}

pub fn endpoint(dialect: Dialect, base_url: Url) -> Endpoint {
    Endpoint { dialect, key_check: KeyCheck::Models, base_url, key: Some(CANARY.to_owned().into()) }
}

pub fn question() -> ChatRequest {
    ChatRequest {
        model: "test-model".into(),
        system: "Answer from the sources.".into(),
        turns: vec![
            Turn { role: Role::User, text: "Hi".into() },
            Turn { role: Role::Assistant, text: "Hello".into() },
            Turn { role: Role::User, text: "Who?".into() },
        ],
        max_tokens: Some(64),
        temperature: Some(0.2),
    }
}

/// One line for each event, and one for the error that ends a broken answer.
pub async fn transcript(outcome: Result<ChatStream, Error>) -> Vec<String> {
    let mut stream = match outcome {
        Ok(stream) => stream,
        Err(error) => return vec![format!("refused {}", error.code())],
    };
    let mut lines = Vec::new();
    while let Some(item) = stream.next().await {
        lines.push(match item {
            Ok(Event::Delta(text)) => format!("delta {text:?}"),
            Ok(Event::Usage(usage)) => format!("usage {} {}", usage.input_tokens, usage.output_tokens),
            Ok(Event::Finish(reason)) => format!("finish {reason:?}"),
            Err(error) => format!("error {}", error.code()),
        });
    }
    assert!(stream.next().await.is_none(), "a stream that ended stays ended");
    lines
}

/// Chats once against one answer.
pub async fn chat(dialect: Dialect, bytes: &[u8]) -> Vec<String> {
    replay(bytes, async |base| transcript(transport().chat(&endpoint(dialect, base), &question()).await).await).await
}
