//! Time to the first token, and what of it Docent waits for its database.

use std::ops::Range;

use futures_util::future::try_join_all;

use super::client::Target;
use super::database::{self, Waits};
use super::provider::Manner;
use super::stage::{DIRECT, Stage};
use super::{Effort, micros, middle};
use crate::table::{Table, quantile};
use crate::{Outcome, build};

const AT_ONCE: [usize; 3] = [1, 4, 16];

/// Streams last so much longer as there are more of them: the same number begins in each second, about 50.
fn manner(at_once: usize) -> Manner {
    Manner { first: 10, ticks: 2 * at_once - 1, every: 10, ..Manner::default() }
}

/// One answer's first token, in nanoseconds, without the time that the provider took for itself.
struct Seen {
    there: f64,
    back: f64,
    /// Of the way there.
    database: f64,
}

/// What one round gave, in nanoseconds.
#[derive(Clone, Copy)]
struct Round {
    whole: [f64; 2],
    /// Without the database.
    apart: [f64; 2],
    database: f64,
    there: f64,
    back: f64,
}

pub async fn run(stage: &Stage, effort: Effort) -> Outcome<()> {
    let (port, waits) = database::watch(stage.database_port()?)?;
    let actors = stage.actors(stage.database_through(port)?).await?;
    let title = format!(
        "Time to the first token in µs, without the provider's own; medians of {} rounds of {} ({})",
        effort.rounds,
        effort.requests,
        build::profile_name()
    );
    let head = [
        "at once, through",
        "p50",
        "p99",
        "added p50",
        "added p99",
        "database p50",
        "added, apart p50",
        "added, apart p99",
        "to the provider, apart p50",
        "from it p50",
    ];
    let mut table = Table::new(title, &head);
    let mut rounds = vec![vec![Vec::new(); actors.all.len()]; AT_ONCE.len()];
    for _ in 0..effort.rounds {
        for (at_once, rounds) in AT_ONCE.iter().zip(&mut rounds) {
            stage.behave(manner(*at_once)).await?;
            for (target, rounds) in actors.all.iter().zip(rounds) {
                rounds.push(round(stage, target, &waits, effort.requests / at_once..*at_once).await?);
            }
        }
    }
    for (at_once, rounds) in AT_ONCE.iter().zip(&rounds) {
        let direct = actors.all.iter().position(|target| target.name == DIRECT).and_then(|place| rounds.get(place));
        for (target, rounds) in actors.all.iter().zip(rounds) {
            row(&mut table, &format!("{at_once}, {}", target.name), rounds, direct.ok_or("nobody is asked directly")?);
        }
    }
    table.print();
    Ok(())
}

/// `each..lanes`: so many answers one after the other, in so many lanes at once.
async fn round(stage: &Stage, target: &Target, waits: &Waits, lanes: Range<usize>) -> Outcome<Round> {
    let Range { start: each, end: lanes } = lanes;
    let lane = async || -> Outcome<Vec<Seen>> {
        let mut all = Vec::new();
        for _ in 0..each {
            let number = stage.number();
            let mut reading = target.ask(&stage.http, &stage.question, number).await?;
            let stamp = reading.stamped().await?;
            let (there, back) = ((stamp.arrived - reading.asked) as f64, (stamp.seen - stamp.sent) as f64);
            all.push(Seen { there, back, database: waits.take(number).as_nanos() as f64 });
            while reading.more().await? {}
        }
        Ok(all)
    };
    let seen: Vec<Seen> = try_join_all((0..lanes).map(|_| lane())).await?.into_iter().flatten().collect();
    let sorted = |value: fn(&Seen) -> f64| {
        let mut all: Vec<f64> = seen.iter().map(value).collect();
        all.sort_by(f64::total_cmp);
        [0.5, 0.99].map(|part| quantile(&all, part).unwrap_or(f64::NAN))
    };
    Ok(Round {
        whole: sorted(|seen| seen.there + seen.back),
        apart: sorted(|seen| seen.there + seen.back - seen.database),
        database: sorted(|seen| seen.database)[0],
        there: sorted(|seen| seen.there - seen.database)[0],
        back: sorted(|seen| seen.back)[0],
    })
}

fn row(table: &mut Table, name: &str, rounds: &[Round], direct: &[Round]) {
    let cell = |value: fn(&Round) -> f64| micros(middle(rounds.iter().map(value).collect()));
    // Each round is compared with the direct call of its own minute.
    let added = |value: fn(&Round) -> f64, base: fn(&Round) -> f64| {
        micros(middle(rounds.iter().zip(direct).map(|(round, direct)| value(round) - base(direct)).collect()))
    };
    table.row(vec![
        name.to_owned(),
        cell(|round| round.whole[0]),
        cell(|round| round.whole[1]),
        added(|round| round.whole[0], |direct| direct.whole[0]),
        added(|round| round.whole[1], |direct| direct.whole[1]),
        cell(|round| round.database),
        added(|round| round.apart[0], |direct| direct.whole[0]),
        added(|round| round.apart[1], |direct| direct.whole[1]),
        cell(|round| round.there),
        cell(|round| round.back),
    ]);
}
