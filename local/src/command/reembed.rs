//! `docent reembed`: moves a running system's library to another embedding model, step by step.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Failure, Remote};
use crate::client::Client;
use crate::{eval, terminal};

const PATH: &str = "/api/collections/migration";
/// How often the system is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
#[command(after_help = "\
Readers go on with the model they have until `switch`, and no answer mixes the two. The work is done by the system's
own worker; stopping this command stops nothing.

Examples:
  docent reembed to minilm-l6-v2                 make the new vectors, wait until all are there
  docent reembed compare questions.jsonl         ask both models the same, before anybody notices
  docent reembed switch                          readers use the new model from the next query on
  docent reembed rollback                        and back, at once
  docent reembed finish                          stay with what readers use now, delete the other vectors")]
pub enum Verb {
    /// Begin, and follow until every chunk has its vector of the new model (begun already: only follow)
    To(To),
    /// Say how far it is, as JSON
    Status(At),
    /// Ask both models the questions of a file of JSON Lines: {"question", "expected"?} (see `docent eval --golden`)
    Compare(Compare),
    /// Let readers use the new model
    Switch(At),
    /// Let readers use the old model again
    Rollback(At),
    /// End the migration and delete the vectors that readers do not use
    Finish(At),
}

#[derive(Args)]
pub struct At {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub struct To {
    /// hash-384, the system's local model, or provider/model with one of the tenant's keys
    model: String,
    /// The model to replace, where collections have several
    #[arg(long, value_name = "MODEL")]
    from: Option<String>,
    /// Switch as soon as every vector is there
    #[arg(long)]
    switch: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub struct Compare {
    #[arg(value_name = "FILE")]
    questions: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::To(options) => to(options).await,
        Verb::Compare(options) => compare(options).await,
        Verb::Status(at) => {
            let found = client(&at.remote)?.json(Method::GET, PATH, None).await?;
            if found["migration"].is_null() {
                terminal::note("No move is under way; `docent reembed to MODEL` begins one.");
            }
            terminal::line(&found["migration"].to_string());
            Ok(())
        }
        Verb::Switch(at) => step(&at, Method::POST, "/switch").await,
        Verb::Rollback(at) => step(&at, Method::POST, "/rollback").await,
        Verb::Finish(at) => step(&at, Method::DELETE, "").await,
    }
}

fn client(remote: &Remote) -> Result<Client, Failure> {
    let none = || Failure::new("No system was named.", "Give --url and --token, or set DOCENT_URL and DOCENT_TOKEN.");
    Client::remote(remote)?.ok_or_else(none)
}

async fn step(at: &At, method: Method, step: &str) -> Result<(), Failure> {
    let migration = client(&at.remote)?.json(method, &format!("{PATH}{step}"), Some(json!({}))).await?;
    told(&migration);
    Ok(())
}

fn told(migration: &Value) {
    let text = |name: &str| migration[name].as_str().unwrap_or_default().to_owned();
    let (from, to, state) = (text("from"), text("to"), text("state"));
    let next = match state.as_str() {
        "filling" => format!("readers use {from}; vectors of {to} are being made"),
        "ready" => format!("readers use {from}; every vector of {to} is there: compare, then switch"),
        "switched" => format!("readers use {to}; the vectors of {from} are kept: rollback or finish"),
        _ => "the vectors that nobody uses are being deleted".to_owned(),
    };
    terminal::line(&format!("{state}: {next}"));
}

async fn to(options: To) -> Result<(), Failure> {
    let client = client(&options.remote)?;
    let mut migration = client.json(Method::GET, PATH, None).await?["migration"].take();
    if migration["to"].as_str() != Some(options.model.as_str()) {
        let body = match &options.from {
            Some(from) => json!({ "from": from, "to": options.model }),
            None => json!({ "to": options.model }),
        };
        migration = client.json(Method::POST, PATH, Some(body)).await?;
    }
    let bar = terminal::bar(migration["total"].as_u64().unwrap_or_default(), "chunks");
    let (mut reason, mut tenth) = (String::new(), 0);
    while migration["state"] == "filling" {
        progress(&bar, &migration, &mut tenth);
        waits(&bar, &migration, &mut reason);
        tokio::time::sleep(LOOK).await;
        migration = client.json(Method::GET, PATH, None).await?["migration"].take();
    }
    bar.finish_and_clear();
    if options.switch && migration["state"] == "ready" {
        migration = client.json(Method::POST, &format!("{PATH}/switch"), Some(json!({}))).await?;
    }
    match migration.is_null() {
        true => Err(Failure::new("The migration was ended meanwhile.", "Begin it again with `docent reembed to`.")),
        false => {
            told(&migration);
            Ok(())
        }
    }
}

fn progress(bar: &ProgressBar, migration: &Value, tenth: &mut u64) {
    let (done, total) =
        (migration["done"].as_u64().unwrap_or_default(), migration["total"].as_u64().unwrap_or_default());
    bar.set_length(total);
    bar.set_position(done);
    let now = done * 10 / total.max(1);
    if bar.is_hidden() && now > *tenth {
        *tenth = now;
        terminal::note(&format!("· {done}/{total} chunks"));
    }
}

/// Why it does not go on is said once, not every second.
fn waits(bar: &ProgressBar, migration: &Value, reason: &mut String) {
    let text = |name: &str| migration["error"][name].as_str().unwrap_or_default().to_owned();
    let now = text("code");
    if now != *reason && !now.is_empty() {
        bar.suspend(|| terminal::note(&format!("waits: {now}: {} {}", text("message"), text("hint"))));
    }
    *reason = now;
}

async fn compare(options: Compare) -> Result<(), Failure> {
    let client = client(&options.remote)?;
    let migration = client.json(Method::GET, PATH, None).await?["migration"].take();
    let text = |name: &str| migration[name].as_str().unwrap_or_default();
    let models = match text("state") {
        "switched" => [text("to"), text("from")],
        "filling" | "ready" => [text("from"), text("to")],
        _ => return Err(Failure::new("There is nothing to compare.", "Begin with `docent reembed to MODEL`.")),
    };
    let compared = eval::compare(&eval::questions(&options.questions)?, &client, models).await?;
    terminal::line(&eval::overview(&compared.accounts));
    let percent = |share: f64| 100.0 * share;
    terminal::line(&format!(
        "\n{} questions: the first passage is the same for {:.0} %, of the first ten {:.0} % are.",
        compared.questions,
        percent(compared.same_first),
        percent(compared.overlap)
    ));
    Ok(())
}
