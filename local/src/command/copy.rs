//! `docent reindex --to qdrant`: copies every vector that Postgres has into the Qdrant of `QDRANT_URL`.

use std::time::Instant;

use docent::config::Environment;
use docent::db::copy::{self, Part, Progress};
use docent::vectors::{Qdrant, Vectors};
use serde_json::json;
use uuid::Uuid;

use super::{Failure, admin};
use crate::terminal;

pub struct Copy {
    pub tenant: Option<Uuid>,
    pub check: bool,
    pub json: bool,
}

pub async fn run(environment: &Environment, options: Copy) -> Result<(), Failure> {
    let url = admin::direct(environment)?;
    let vectors = Vectors::read(environment)?;
    let Some(qdrant) = vectors.qdrant() else {
        return Err(Failure::new("QDRANT_URL: is not set.", "Set it to the address of your Qdrant."));
    };
    let mut all = Progress::default();
    for part in copy::parts(url, options.tenant).await? {
        let begun = Instant::now();
        let progress = one(url, qdrant, &part, options.check).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let Progress { seen, missing } = progress;
        let Part { tenant, model, .. } = &part;
        let told = json!({ "tenant": tenant, "model": model, "vectors": seen, "missing": missing, "seconds": seconds });
        let verb = if options.check { "missing" } else { "copied" };
        let text = format!("{verb} {missing} of {seen} vectors of {model}, tenant {tenant} in {seconds:.1} s");
        terminal::line(&if options.json { told.to_string() } else { text });
        all.seen += seen;
        all.missing += missing;
    }
    let mut strays = 0;
    for tenant in copy::tenants(url, options.tenant).await? {
        let points = copy::strays(url, qdrant, tenant, options.check).await?;
        if points > 0 {
            let verb = if options.check { "stray:" } else { "removed" };
            let text = format!("{verb} {points} points that Postgres knows nothing of, tenant {tenant}");
            terminal::line(&if options.json {
                json!({ "tenant": tenant, "strays": points }).to_string()
            } else {
                text
            });
        }
        strays += points;
    }
    if options.check && (all.missing > 0 || strays > 0) {
        let problem = format!("{} of {} vectors are missing, {strays} points are too many.", all.missing, all.seen);
        return Err(Failure::new(problem, "docent reindex --to qdrant"));
    }
    Ok(())
}

async fn one(url: &str, qdrant: &Qdrant, part: &Part, check: bool) -> Result<Progress, Failure> {
    let total = part.count.unsigned_abs();
    let bar = terminal::bar(total, &part.model);
    let told = |progress: Progress| {
        let tenth = |position: u64| position * 10 / total.max(1);
        let (before, now) = (bar.position(), progress.seen.unsigned_abs());
        bar.set_position(now);
        if bar.is_hidden() && tenth(now) > tenth(before) {
            terminal::note(&format!("· {now}/{total} vectors"));
        }
    };
    let done = copy::run(url, qdrant, part, check, &told).await;
    bar.finish_and_clear();
    Ok(done?)
}
