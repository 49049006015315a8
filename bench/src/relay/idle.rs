//! Memory of a stream that says nothing after its first words.

use futures_util::StreamExt;
use futures_util::stream;

use super::Effort;
use super::client::{Reading, Target};
use super::provider::Manner;
use super::stage::{Actors, DIRECT, Stage};
use crate::table::Table;
use crate::{Outcome, build, process};

/// So many are opened at the same time.
const AT_ONCE: usize = 16;
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
        let more = open(stage, target, effort.idle).await?;
        let further = resident(target);
        drop((first, more));
        let mebibytes = |bytes: f64| format!("{:.1}", bytes / 1024.0 / 1024.0);
        let each = |bytes: f64| format!("{:.0}", bytes / effort.idle as f64);
        table.row(vec![
            target.name.to_owned(),
            mebibytes(before),
            mebibytes(with),
            each(with - before),
            each(further - with),
        ]);
    }
    table.print();
    Ok(())
}

/// Streams whose first words were read.
async fn open(stage: &Stage, target: &Target, streams: usize) -> Outcome<Vec<Reading>> {
    let opening = stream::iter(0..streams).map(async |_| {
        let mut reading = target.ask(&stage.http, &stage.question, stage.number()).await?;
        reading.stamped().await?;
        Ok(reading)
    });
    let open: Vec<Outcome<Reading>> = opening.buffer_unordered(AT_ONCE).collect().await;
    open.into_iter().collect()
}

/// Bytes.
fn resident(target: &Target) -> f64 {
    target.processes.iter().filter_map(|process| process::resident(*process)).sum::<u64>() as f64 * 1024.0
}
