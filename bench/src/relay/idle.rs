//! Memory of a stream that says nothing after its first words.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::timeout;

use super::Effort;
use super::client::{Reading, Target};
use super::provider::Manner;
use super::stage::{Actors, DIRECT, Stage};
use crate::table::Table;
use crate::{Outcome, build, process};

/// So many are opened at the same time.
const AT_ONCE: usize = 16;
/// Whoever has not opened them all by then does not hold so many.
const PATIENCE: Duration = Duration::from_secs(60);
const SILENT: Manner = Manner { first: 0, hold: 0, ticks: 1, every: 0, rest: 0, silent: true };

pub async fn run(stage: &Stage, actors: &Actors, effort: Effort) -> Outcome<()> {
    let title = format!("Memory of {} silent streams, and of so many more ({})", effort.idle, build::profile_name());
    let head = ["through", "before MiB", "with them MiB", "bytes per stream", "bytes per further stream"];
    let mut table = Table::new(title, &head);
    stage.behave(SILENT).await?;
    for target in actors.all.iter().filter(|target| target.name != DIRECT) {
        // What only the first need, and what was left behind by other tables, is not a stream's.
        drop(open(stage, target, AT_ONCE).await?);
        let before = resident(target);
        let first = open(stage, target, effort.idle).await?;
        let with = resident(target);
        let more = match first {
            Some(_) => open(stage, target, effort.idle).await?,
            None => None,
        };
        let further = resident(target);
        let mebibytes = |bytes: f64| format!("{:.1}", bytes / 1024.0 / 1024.0);
        let each = |held: bool, bytes: f64| match held {
            true => format!("{:.0}", bytes / effort.idle as f64),
            false => format!("not open after {} s", PATIENCE.as_secs()),
        };
        table.row(vec![
            target.name.to_owned(),
            mebibytes(before),
            mebibytes(with),
            each(first.is_some(), with - before),
            each(more.is_some(), further - with),
        ]);
    }
    table.print();
    Ok(())
}

/// Streams whose first words were read; none where some never came.
async fn open(stage: &Stage, target: &Target, streams: usize) -> Outcome<Option<Vec<Reading>>> {
    let opening = stream::iter(0..streams).map(async |_| {
        let mut reading = target.ask(&stage.http, &stage.question, stage.number()).await?;
        reading.stamped().await?;
        Ok(reading)
    });
    match timeout(PATIENCE, opening.buffer_unordered(AT_ONCE).collect::<Vec<Outcome<Reading>>>()).await {
        Ok(open) => open.into_iter().collect::<Outcome<_>>().map(Some),
        Err(_) => Ok(None),
    }
}

/// Bytes.
fn resident(target: &Target) -> f64 {
    target.processes.iter().filter_map(|process| process::resident(*process)).sum::<u64>() as f64 * 1024.0
}
