//! Requests per second with short answers, and the CPU that each of them takes.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::client::Target;
use super::provider::Manner;
use super::stage::{Actors, RIVAL, Stage};
use super::{Effort, middle};
use crate::table::Table;
use crate::{Outcome, build, process};

const AT_ONCE: usize = 16;
const SHORT: Manner = Manner { first: 0, hold: 0, ticks: 8, every: 0, rest: 0, silent: false };

/// One round of one of them.
#[derive(Clone, Copy)]
struct Count {
    /// Requests per second.
    rate: f64,
    /// Milliseconds of CPU per request: of whoever relays, and of the database.
    relay: f64,
    database: f64,
}

pub async fn run(stage: &Stage, actors: &Actors, effort: Effort) -> Outcome<()> {
    let title = format!(
        "Requests per second with answers of {} chunks at once, {AT_ONCE} at a time, medians of {} rounds of {} s ({})",
        SHORT.ticks,
        effort.rounds,
        effort.counted.as_secs_f64(),
        build::profile_name()
    );
    let head = ["through", "requests/s", "of LiteLLM's", "its CPU, ms", "LiteLLM's CPU to its", "database's CPU, ms"];
    let mut table = Table::new(title, &head);
    stage.behave(SHORT).await?;
    let mut counts = vec![Vec::new(); actors.all.len()];
    for _ in 0..effort.rounds {
        for (target, counts) in actors.all.iter().zip(&mut counts) {
            counts.push(count(stage, target, effort.counted).await?);
        }
    }
    let median = |counts: &[Count], value: fn(&Count) -> f64| middle(counts.iter().map(value).collect());
    let rival = actors.all.iter().zip(&counts).find(|(target, _)| target.name == RIVAL).map(|(_, counts)| counts);
    let ratio =
        |ours: f64, theirs: Option<f64>| theirs.map_or_else(String::new, |theirs| format!("{:.1}×", ours / theirs));
    for (target, counts) in actors.all.iter().zip(&counts) {
        let (rate, relay) = (median(counts, |count| count.rate), median(counts, |count| count.relay));
        let [their_rate, their_relay] = [|count: &Count| count.rate, |count: &Count| count.relay]
            .map(|value| rival.map(|counts| median(counts, value)));
        let its = |text: String| if target.processes.is_empty() { String::new() } else { text };
        table.row(vec![
            target.name.to_owned(),
            format!("{rate:.0}"),
            ratio(rate, their_rate),
            its(format!("{relay:.3}")),
            its(ratio(1.0, their_relay.map(|theirs| relay / theirs))),
            format!("{:.3}", median(counts, |count| count.database)),
        ]);
    }
    table.print();
    Ok(())
}

async fn count(stage: &Stage, target: &Target, counted: Duration) -> Outcome<Count> {
    let database: Vec<u32> = process::family(std::process::id())
        .into_iter()
        .filter(|process| process::name(*process).is_some_and(|name| name.starts_with("postgres")))
        .collect();
    let cpu = |processes: &[u32]| -> Duration { processes.iter().filter_map(|process| process::cpu(*process)).sum() };
    let before = [cpu(&target.processes), cpu(&database)];
    let begin = Instant::now();
    let lane = async || -> Outcome<usize> {
        let mut answered = 0;
        while begin.elapsed() < counted {
            let mut reading = target.ask(&stage.http, &stage.question, stage.number()).await?;
            while reading.more().await? {}
            answered += 1;
        }
        Ok(answered)
    };
    let answered = try_join_all((0..AT_ONCE).map(|_| lane())).await?.into_iter().sum::<usize>() as f64;
    let took = begin.elapsed();
    let spent =
        |processes: &[u32], before: Duration| cpu(processes).saturating_sub(before).as_secs_f64() * 1000.0 / answered;
    Ok(Count {
        rate: answered / took.as_secs_f64(),
        relay: spent(&target.processes, before[0]),
        database: spent(&database, before[1]),
    })
}
