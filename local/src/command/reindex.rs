//! `docent reindex`: gives every tenant whose vectors are worth it an index of its own, while everything keeps running.

use std::time::Instant;

use clap::{Args, ValueEnum};
use docent::config::Environment;
use docent::db::reindex::{self, Step, What};
use serde_json::json;
use uuid::Uuid;

use super::{Failure, admin, copy};
use crate::terminal;

#[derive(Args)]
#[command(after_help = "\
Nothing waits for it: until a tenant has its index, its vectors are all read, which is exact and slower. Stop it, kill
it, run it again: the next run goes on with what is missing. Run it every night; it also takes away what a tenant has
become too small for.

With --to qdrant it copies what vectors the Qdrant of QDRANT_URL does not have, of this tenant or of all, removes what
Postgres has no more, and makes no index in Postgres. Copy, set QDRANT_URL for the functions, and copy once more what came meanwhile. The way back is to
unset it: Postgres keeps every vector.

Exit codes: 0 all is as it should be; 1 something is not (--check), or it failed; 2 wrong usage")]
pub struct Options {
    /// Only this tenant's
    #[arg(long, value_name = "ID")]
    tenant: Option<Uuid>,
    /// Change nothing; say what is to be done and exit 1 if anything is
    #[arg(long)]
    check: bool,
    /// Memory for one build, at most; a graph that does not fit takes many times as long
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    memory: u32,
    /// Copy the vectors into this store instead
    #[arg(long, value_name = "STORE")]
    to: Option<Store>,
    /// Print JSON, one line per index, or per tenant and model
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Store {
    /// The one of QDRANT_URL
    Qdrant,
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    if let Some(Store::Qdrant) = options.to {
        let Options { tenant, check, json, .. } = options;
        return copy::run(environment, copy::Copy { tenant, check, json }).await;
    }
    let url = admin::direct(environment)?;
    let steps = reindex::plan(url, options.tenant).await?;
    for step in &steps {
        let begun = Instant::now();
        if !options.check {
            one(url, step, options.memory).await?;
        }
        let seconds = (!options.check).then(|| begun.elapsed().as_secs_f64());
        terminal::line(&if options.json { as_json(step, seconds) } else { as_text(step, seconds) });
    }
    match (options.check && !steps.is_empty(), steps.is_empty()) {
        (true, _) => Err(Failure::new(format!("{} indexes are not as they should be.", steps.len()), "docent reindex")),
        (_, true) if !options.json => {
            terminal::line("every index is as it should be");
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn one(url: &str, step: &Step, memory: u32) -> Result<(), Failure> {
    let What::Make { vectors, .. } = &step.what else {
        return Ok(reindex::run(url, step, memory, &|_| ()).await?);
    };
    let bar = terminal::bar(vectors.count.unsigned_abs(), "vectors");
    let told = |done: i64| {
        let tenth = |position: u64| position * 10 / vectors.count.unsigned_abs().max(1);
        let (before, now) = (bar.position(), done.unsigned_abs());
        bar.set_position(now);
        if bar.is_hidden() && tenth(now) > tenth(before) {
            terminal::note(&format!("· {now}/{} vectors", vectors.count));
        }
    };
    let done = reindex::run(url, step, memory, &told).await;
    bar.finish_and_clear();
    Ok(done?)
}

fn as_text(step: &Step, seconds: Option<f64>) -> String {
    let Step { name, tenant, what } = step;
    let took = seconds.map_or(String::new(), |seconds| format!(" in {seconds:.1} s"));
    match what {
        What::Make { vectors, broken } => {
            let verb = match (seconds, broken) {
                (Some(_), _) => "made",
                (None, true) => "broken:",
                (None, false) => "missing:",
            };
            let (model, dimensions, count) = (&vectors.model, vectors.dimensions, vectors.count);
            format!("{verb} {name}: {count} vectors of {model} ({dimensions}), tenant {tenant}{took}")
        }
        What::Drop => {
            format!("{} {name}, tenant {tenant}{took}", if seconds.is_some() { "dropped" } else { "superfluous:" })
        }
    }
}

fn as_json(step: &Step, seconds: Option<f64>) -> String {
    let Step { name, tenant, what } = step;
    let mut told = json!({ "index": name, "tenant": tenant, "seconds": seconds });
    match what {
        What::Make { vectors, broken } => {
            told["step"] = json!(if *broken { "mend" } else { "make" });
            told["model"] = json!(vectors.model);
            told["dimensions"] = json!(vectors.dimensions);
            told["vectors"] = json!(vectors.count);
        }
        What::Drop => told["step"] = json!("drop"),
    }
    told.to_string()
}
