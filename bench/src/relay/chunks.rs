//! CPU per relayed chunk: of the process that relays, between the first token and the last.

use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use tokio::sync::Barrier;

use super::client::Target;
use super::provider::Manner;
use super::stage::{Actors, DIRECT, PROXY, Stage};
use super::{Effort, middle};
use crate::table::Table;
use crate::{Outcome, build, process};

/// As models speak: each chunk is a packet, and wakes whoever relays it.
const PACED: Manner = Manner { first: 1, hold: 100, ticks: 0, every: 4, rest: 100, silent: false };
const STREAMS: usize = 4;
/// As fast as it is read: many chunks in a packet.
const FAST: Manner = Manner { every: 0, ..PACED };
/// So many more chunks are sent where there is no pace.
const MORE: usize = 5;

pub async fn run(stage: &Stage, actors: &Actors, effort: Effort) -> Outcome<()> {
    let title = format!(
        "CPU per relayed chunk, medians of {} rounds: {STREAMS} streams of {} chunks, one every {} ms; one of {} at once ({})",
        effort.rounds,
        effort.chunks,
        PACED.every,
        effort.chunks * MORE,
        build::profile_name()
    );
    let head = ["through", "paced µs", "of the bare proxy's", "unpaced µs", "of the bare proxy's"];
    let mut table = Table::new(title, &head);
    let targets: Vec<&Target> = actors.all.iter().filter(|target| target.name != DIRECT).collect();
    let mut spent = vec![[Vec::new(), Vec::new()]; targets.len()];
    for _ in 0..effort.rounds {
        for (target, [paced, fast]) in targets.iter().zip(&mut spent) {
            paced.push(chunk(stage, target, Manner { ticks: effort.chunks, ..PACED }, STREAMS).await?);
            fast.push(chunk(stage, target, Manner { ticks: effort.chunks * MORE, ..FAST }, 1).await?);
        }
    }
    let middles: Vec<[f64; 2]> = spent.into_iter().map(|spent| spent.map(middle)).collect();
    let bare = targets.iter().zip(&middles).find(|(target, _)| target.name == PROXY).map(|(_, spent)| *spent);
    let [bare_paced, bare_fast] = bare.ok_or("there is no bare proxy")?;
    for (target, [paced, fast]) in targets.iter().zip(middles) {
        let ratio = |spent: f64, bare: f64| format!("{:.2}×", spent / bare);
        table.row(vec![
            target.name.to_owned(),
            format!("{paced:.2}"),
            ratio(paced, bare_paced),
            format!("{fast:.2}"),
            ratio(fast, bare_fast),
        ]);
    }
    table.print();
    Ok(())
}

/// Microseconds of CPU for each chunk.
async fn chunk(stage: &Stage, target: &Target, manner: Manner, streams: usize) -> Outcome<f64> {
    stage.behave(manner).await?;
    let (begun, ended) = (Barrier::new(streams + 1), Barrier::new(streams + 1));
    let read = async || -> Outcome<()> {
        let mut reading = target.ask(&stage.http, &stage.question, stage.number()).await?;
        reading.stamped().await?;
        begun.wait().await;
        while reading.ticks < manner.ticks {
            if !reading.more().await? {
                return Err(format!("{}: {} chunks of {}", target.name, reading.ticks, manner.ticks).into());
            }
        }
        ended.wait().await;
        while reading.more().await? {}
        Ok(())
    };
    let watch = async {
        begun.wait().await;
        let before = cpu(target);
        ended.wait().await;
        Ok(cpu(target).saturating_sub(before))
    };
    let (_, spent) = try_join(try_join_all((0..streams).map(|_| read())), watch).await?;
    Ok(spent.as_secs_f64() * 1e6 / (manner.ticks * streams) as f64)
}

fn cpu(target: &Target) -> Duration {
    target.processes.iter().filter_map(|process| process::cpu(*process)).sum()
}
