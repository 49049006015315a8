//! `docent ask`: a question to a running system, or to a private one that is started for it.

use std::path::PathBuf;

use clap::Args;
use docent::config::Environment;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Failure, Place, Remote, ingest, up};
use crate::client::Client;
use crate::scratch::Scratch;
use crate::system::{self, System};
use crate::terminal::{self, Steps};

/// What scripts can tell apart from a failure.
const NOTHING_FOUND: u8 = 3;

#[derive(Args)]
pub struct Options {
    question: String,
    /// Ask of this file alone (repeat for several, or name a folder), in a system that is thrown away afterwards
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Print the answer, its citations and sources as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    docent::telemetry::start(&environment.clone().or("LOG_LEVEL", "error"));
    if let (Some(client), true) = (Client::remote(&options.remote)?, options.files.is_empty()) {
        return print(&ask(&client, &options.question).await?, options.json);
    }
    let files = if options.files.is_empty() { Vec::new() } else { ingest::files(&options.files)? };
    let mut place = options.place.clone();
    // Held until the answer is there.
    let scratch = (!files.is_empty()).then(|| Scratch::of("ask")).transpose()?;
    if let Some(scratch) = &scratch {
        place.data = Some(scratch.folder().to_owned());
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| system::port(0, &error))?;
    let url = format!("http://{}", listener.local_addr().map_err(|error| system::port(0, &error))?);
    let steps = Steps::start();
    let system = System::start(environment, &place, &url, &|step| steps.step(step)).await?;
    steps.clear();
    let client = Client::new(&url, &system.token)?;
    let work = async {
        if !files.is_empty() {
            let failed = ingest::ingest(&client, &files).await;
            match failed {
                // One file that cannot be read does not keep the others from answering.
                Err(failure) if files.len() > 1 => terminal::note(&format!("warning: {failure}")),
                other => other?,
            }
        }
        ask(&client, &options.question).await
    };
    let answer = tokio::select! {
        answer = work => answer?,
        () = up::terminated() => return Err(Failure::new("Interrupted.", "Ask again.")),
        ended = system.serve(listener, std::future::pending()) => {
            ended?;
            return Err(Failure::new("The private system ended early.", "Try again."));
        }
    };
    print(&answer, options.json)
}

/// An answer as it was streamed.
#[derive(Default)]
struct Answer {
    text: String,
    answerer: String,
    refused: bool,
    sources: Vec<Value>,
    citations: Vec<Value>,
}

async fn ask(client: &Client, question: &str) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let mut end = None;
    let event = |chunk: Value| match chunk["type"].as_str().unwrap_or_default() {
        "start" => answer.answerer = chunk["messageMetadata"]["answerer"].as_str().unwrap_or_default().to_owned(),
        "source-document" => answer.sources.push(chunk),
        "text-delta" => answer.text.push_str(chunk["delta"].as_str().unwrap_or_default()),
        "data-refusal" => answer.refused = true,
        "data-citations" => answer.citations = chunk["data"].as_array().cloned().unwrap_or_default(),
        "finish" => end = Some(Ok(())),
        "error" => end = Some(Err(chunk["errorText"].as_str().unwrap_or_default().to_owned())),
        _ => {}
    };
    client.ask(question, event).await?;
    match end {
        Some(Ok(())) => Ok(answer),
        Some(Err(text)) => Err(Failure::new(text, "Ask again.")),
        // A stream that merely stops is not an answer.
        None => Err(Failure::new("The answer broke off.", "Ask again.")),
    }
}

fn print(answer: &Answer, json: bool) -> Result<(), Failure> {
    if json {
        let Answer { text, answerer, refused, sources, citations } = answer;
        terminal::line(&json!({ "text": text, "answerer": answerer, "refused": refused, "citations": citations, "sources": sources }).to_string());
    } else {
        terminal::line(&format!("{}\n", answer.text));
        for citation in &answer.citations {
            terminal::line(&cited(answer, citation));
        }
        terminal::note(&format!("answered by: {}", answer.answerer));
    }
    match answer.refused {
        true => Err(Failure {
            message: "Nothing in the documents answers this.".into(),
            next: "Ask with words that stand in them.".into(),
            exit: NOTHING_FOUND,
        }),
        false => Ok(()),
    }
}

fn cited(answer: &Answer, citation: &Value) -> String {
    let number = citation["n"].as_u64().unwrap_or_default();
    let source = usize::try_from(number).ok().and_then(|number| answer.sources.get(number.checked_sub(1)?));
    let filename = source.and_then(|source| source["filename"].as_str()).unwrap_or_default();
    let page = citation["page"].as_u64().map(|page| format!(", page {page}")).unwrap_or_default();
    let quote = citation["quote"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("  [{number}] {filename}{page}\n      “{quote}”")
}
