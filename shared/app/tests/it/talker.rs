//! A provider of chat on OpenAI's wire that says what a test wants it to say, when it wants it, and notices when nobody
//! listens any more.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use docent::App;
use docent::config::Environment;
use docent::function::{self, Files};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::world::{Client, World, spawn};

pub const MOON: &str = "The Moon orbits the Earth at a mean distance of 384400 kilometres.";
/// A token of the second model costs three times as much.
const PRICES: &str = r#"[{"provider":"acme","model":"m","input":1000000,"output":1000000},
  {"provider":"spare","model":"m2","input":3000000,"output":3000000}]"#;
pub const QUESTION: &str = "At what mean distance does the Moon orbit?";

/// What one request gets.
pub enum Reply {
    /// A refusal, with OpenAI's code.
    Refused(u16, &'static str),
    /// These words and a proper end.
    Words(&'static [&'static str]),
    /// The head of an answer, and then what the test says.
    Fed,
    /// Not even a head.
    Silence,
}

/// A request that is being answered by the test.
pub struct Turn {
    frames: mpsc::UnboundedSender<String>,
    gone: oneshot::Receiver<()>,
}

impl Turn {
    pub fn say(&self, words: &str) {
        let _ = self.frames.send(frame(words));
    }

    /// The proper end.
    pub fn end(self) {
        let _ = self.frames.send(END.to_owned());
    }

    /// Ends when the connection is closed from the other side.
    pub async fn cancelled(self) {
        tokio::time::timeout(Duration::from_secs(10), self.gone).await.expect("the provider is left").unwrap_err();
    }
}

type Script = Box<dyn Fn(&str) -> Reply + Send>;

/// By the model's name, because tests have two providers in one.
#[derive(Clone)]
pub struct Talker {
    script: Arc<Mutex<Script>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    fed: mpsc::UnboundedSender<Turn>,
}

const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":9}}\n\ndata: [DONE]\n\n";

fn frame(words: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": words } }] }))
}

impl Talker {
    /// Gives its base URL, too, and where the turns arrive that the test feeds.
    pub async fn start(
        script: impl Fn(&str) -> Reply + Send + 'static,
    ) -> (Talker, String, mpsc::UnboundedReceiver<Turn>) {
        let (fed, turns) = mpsc::unbounded_channel();
        let talker = Talker { script: Arc::new(Mutex::new(Box::new(script))), asked: Arc::default(), fed };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/chat/completions", post(chat)).with_state(talker.clone());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        (talker, base_url, turns)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn chat(State(talker): State<Talker>, Json(body): Json<Value>) -> Response {
    let model = body["model"].as_str().unwrap().to_owned();
    talker.asked.lock().unwrap().push(model.clone());
    let reply = (talker.script.lock().unwrap())(&model);
    let streaming = Response::builder().header("content-type", "text/event-stream");
    match reply {
        Reply::Refused(status, code) => {
            let body = json!({ "error": { "code": code, "message": "as told" } }).to_string();
            Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(Body::from(body))
                .unwrap()
        }
        Reply::Words(words) => {
            let frames: String = words.iter().map(|words| frame(words)).collect();
            streaming.body(Body::from(frames + END)).unwrap()
        }
        Reply::Silence => std::future::pending().await,
        Reply::Fed => {
            let (frames, mut fed) = mpsc::unbounded_channel();
            let (noticed, gone) = oneshot::channel();
            talker.fed.send(Turn { frames, gone }).unwrap();
            let words = stream::poll_fn(move |context| {
                let _dropped_with_the_body: &oneshot::Sender<()> = &noticed;
                fed.poll_recv(context)
            });
            streaming.body(Body::from_stream(words.map(Ok::<_, Infallible>))).unwrap()
        }
    }
}

/// A tenant whose bot asks `acme`'s model `m`, about a document on the Moon; `spare` is reached at the same address.
pub async fn asking(world: &mut World, base: &str, adjust: impl FnOnce(Environment) -> Environment) -> Client {
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", MOON.as_bytes()).await;
    let environment = adjust(world.environment.clone().with("PRICES_JSON", PRICES));
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    world.files = files.clone();
    let client = client.through(&function::everything(files));
    for provider in ["acme", "spare"] {
        let key = json!({ "key": "sk-test", "baseUrl": base }).to_string();
        assert_eq!(client.send("PUT", &format!("/api/keys/{provider}"), Some(key), &[]).await.status, 200);
    }
    change_bot(&client, json!({ "provider": "acme", "model": "m" })).await;
    client
}

pub async fn change_bot(client: &Client, change: Value) {
    let bots = client.get("/api/bots").await.json();
    let path = format!("/api/bots/{}", bots["bots"][0]["id"].as_str().unwrap());
    let reply = client.send("PATCH", &path, Some(change.to_string()), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// The last answer of a conversation, as it is stored.
pub async fn stored(client: &Client, conversation: &str) -> Value {
    let messages = client.get(&format!("/api/conversations/{conversation}")).await.json()["messages"].clone();
    messages.as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default()
}
