//! What a relay costs: time to the first token, CPU per chunk, memory per silent stream and requests per second, beside
//! the direct call, a bare proxy and LiteLLM.

mod chunks;
mod client;
mod database;
mod first;
mod idle;
mod part;
mod provider;
mod proxy;
mod rate;
mod stage;

use std::time::Duration;

use clap::{Args, ValueEnum};
use docent_llm::Url;

use crate::{Outcome, table};
use stage::Stage;

#[derive(Args)]
pub struct Options {
    /// One short round of everything: shows that it runs, and nothing else
    #[arg(long)]
    quick: bool,
    /// Silent streams that are opened, and then so many again
    #[arg(long, default_value_t = 1000)]
    idle: usize,
    /// Leave LiteLLM out, which takes minutes to install
    #[arg(long)]
    alone: bool,
}

/// What runs in a process of its own, so that its CPU and memory are its own.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    Provider,
    Proxy,
    Docent,
}

#[derive(Args)]
pub struct PartOptions {
    role: Role,
    /// What a proxy stands before
    #[arg(long)]
    target: Option<Url>,
    /// Where Docent keeps its data
    #[arg(long)]
    data: Option<String>,
}

/// How much of everything is done.
#[derive(Clone, Copy)]
pub struct Effort {
    rounds: usize,
    /// Requests of each round at each concurrency.
    requests: usize,
    /// Chunks of each paced stream.
    chunks: usize,
    /// How long requests per second are counted in each round.
    counted: Duration,
    idle: usize,
}

impl Effort {
    fn of(options: &Options) -> Effort {
        let counted = Duration::from_secs(3);
        match options.quick {
            true => Effort { rounds: 1, requests: 32, chunks: 100, counted: counted / 6, idle: options.idle.min(50) },
            false => Effort { rounds: 7, requests: 128, chunks: 1000, counted, idle: options.idle },
        }
    }
}

pub fn run(options: &Options) -> Outcome<()> {
    part::open_files();
    let effort = Effort::of(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stage = Stage::set(options.alone).await?;
        first::run(&stage, effort).await?;
        // Nothing stands between it and its database any more.
        let actors = stage.actors(stage.database()).await?;
        chunks::run(&stage, &actors, effort).await?;
        rate::run(&stage, &actors, effort).await?;
        idle::run(&stage, &actors, effort).await?;
        drop(actors);
        stage.strike().await
    })
}

pub fn act(options: &PartOptions) -> Outcome<()> {
    part::open_files();
    match (options.role, &options.target, &options.data) {
        (Role::Provider, ..) => provider::run(),
        (Role::Proxy, Some(target), _) => proxy::run(target),
        (Role::Docent, _, Some(data)) => part::docent(data),
        _ => Err("this part needs to be told more".into()),
    }
}

fn micros(nanos: f64) -> String {
    format!("{:.0}", nanos / 1000.0)
}

/// The middle of what the rounds gave.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    table::quantile(&values, 0.5).unwrap_or(f64::NAN)
}
