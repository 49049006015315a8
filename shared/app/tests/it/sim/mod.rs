//! The proof that ingestion loses nothing: the product's own code, a real Postgres, the real S3 protocol and a provider's
//! real wire, struck by every kind of fault at every kind of step, under seeds that come again.
//!
//! `DOCENT_SIM_SEEDS=1000 cargo test -p docent --test it sim::every_fault -- --nocapture` runs 32 faults × 1,000 seeds ×
//! 2 buckets on `DOCENT_SIM_LANES` threads (4). A run that fails prints the variables that replay it alone:
//! `DOCENT_SIM_SEED=… DOCENT_SIM_FAULT=… DOCENT_SIM_BUCKET=s3|r2`.

mod act;
mod check;
mod fault;
mod front;
mod gate;
mod lane;
mod model;
mod provider;
mod queue;
mod report;
mod run;
mod shelf;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use docent::config::Environment;
use futures_util::FutureExt;

pub use shelf::Shelf;

use crate::dice::{Dice, mixed};
use fault::Fault;
use lane::Lane;
use queue::{Kind, Queue};
use report::Report;
use run::{Run, Ticket};

/// Seeds of each fault and bucket unless `DOCENT_SIM_SEEDS` says otherwise.
const SEEDS: u64 = 1;
const LANES: usize = 4;
/// Runs after which a lane throws away what they left in its database.
const RUNS_BETWEEN_CLEARING: usize = 50;

/// Unoptimised, the state of a whole world's calls is more than a thread's usual stack.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// How a run ended.
pub struct Outcome {
    pub blows: usize,
    pub converged: f64,
    pub trace: Vec<String>,
    pub violation: Option<String>,
}

async fn play(lane: &mut Lane, ticket: Ticket) -> Outcome {
    let kind = u64::from(ticket.kind == Kind::R2);
    let mut dice = Dice::new(mixed(ticket.seed.wrapping_mul(1000) + ticket.fault as u64 * 2 + kind));
    lane.gate.begin();
    lane.present();
    lane.provider.embedded.lock().unwrap().clear();
    lane.front.spare.lock().unwrap().clear();
    while lane.events.try_recv().is_ok() {}
    let queue = Queue::new(ticket.kind, &mut dice);
    let mut run = Run {
        lane,
        ticket,
        dice,
        tenants: Vec::new(),
        docs: Vec::new(),
        queue,
        time: 0.0,
        verdict: check::Verdict::default(),
    };
    let violation = run.play().await.err();
    let (blows, converged) = (run.verdict.blows, run.verdict.converged);
    let (trace, _) = run.lane.gate.begin();
    Outcome { blows, converged, trace, violation }
}

/// Runs all of these on this thread, whose time is its own.
fn lane(next: &(dyn Fn() -> Option<Ticket> + Sync), report: &Mutex<Report>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut lane = Lane::new().await;
        let mut played = 0;
        while let Some(ticket) = next() {
            if played % RUNS_BETWEEN_CLEARING == 0 {
                lane.clear().await;
            }
            played += 1;
            let waits = lane.waits();
            let outcome = tokio::select! {
                outcome = AssertUnwindSafe(play(&mut lane, ticket)).catch_unwind() => outcome,
                never = waits => match never {},
            };
            let outcome = outcome.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Outcome { blows: 0, converged: 0.0, trace: lane.gate.begin().0, violation: text }
            });
            if outcome.violation.is_some() {
                // Whatever it left standing must not fall on the next one.
                lane.mend().await;
                lane.end_idle_transactions().await;
                lane.clear().await;
                *lane.provider.quiet.lock().unwrap() = false;
            }
            report.lock().unwrap().add(ticket, outcome);
        }
    });
}

/// Takes ticket after ticket until none is left.
fn run_all(tickets: &[Ticket], lanes: usize) -> Report {
    let (taken, report) = (AtomicUsize::new(0), Mutex::new(Report::new(tickets.len())));
    let next = || tickets.get(taken.fetch_add(1, Ordering::Relaxed)).copied();
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(tickets.len()) {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, || lane(&next, &report)).unwrap();
        }
    });
    report.into_inner().unwrap()
}

fn number(name: &str) -> Option<u64> {
    Environment::process().get(name).map(|text| text.parse().unwrap())
}

/// The faults and buckets that are asked for; all of them unless variables choose.
fn chosen() -> (Vec<Fault>, Vec<Kind>) {
    let environment = Environment::process();
    let named = |name: &str| Fault::named(name).unwrap_or_else(|| panic!("there is no fault {name}"));
    let faults = environment.get("DOCENT_SIM_FAULT").map_or(fault::ALL.to_vec(), |name| vec![named(name)]);
    let kinds = [Kind::S3, Kind::R2];
    let kinds = match environment.get("DOCENT_SIM_BUCKET") {
        Some(wanted) => kinds.into_iter().filter(|kind| kind.name() == wanted).collect(),
        None => kinds.to_vec(),
    };
    (faults, kinds)
}

#[test]
fn every_fault() {
    let (faults, kinds) = chosen();
    let (first, seeds) = match number("DOCENT_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("DOCENT_SIM_FIRST").unwrap_or(0), number("DOCENT_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let mut tickets = Vec::new();
    for seed in first..first + seeds {
        for fault in &faults {
            tickets.extend(kinds.iter().map(|kind| Ticket { seed, fault: *fault, kind: *kind }));
        }
    }
    let lanes = number("DOCENT_SIM_LANES").map_or(LANES, |lanes| lanes as usize);
    let mut report = run_all(&tickets, lanes);
    report.trace = tickets.len() == 1;
    report.print();
    assert!(report.violations.is_empty(), "{} of {} runs failed", report.violations.len(), tickets.len());
    for fault in faults {
        assert!(report.blows(fault) > 0, "{} never struck: the simulation proves nothing about it", fault.name());
    }
}

#[test]
fn a_seed_replays_step_by_step() {
    let kinds = [Kind::S3, Kind::R2].into_iter().cycle();
    // A bucket that sends nothing is left after real time, which no two replays have the same of.
    let faults = fault::ALL.iter().filter(|fault| **fault != Fault::SlowLoris);
    let tickets = faults.zip(kinds).map(|(fault, kind)| Ticket { seed: 11, fault: *fault, kind });
    let tickets: Vec<Ticket> = tickets.collect();
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run_all(&tickets, 1));
        (run_all(&tickets, 1), other.join().unwrap())
    });
    for ((ticket, one), other) in tickets.iter().zip(one.traces).zip(other.traces) {
        assert!(one.len() > 50, "{ticket:?}: {one:?}");
        // A machine under load may stop a world for longer than the simulation waits for it; chance would not let two
        // of so many steps agree.
        let mut seen = vec![decisive(one), decisive(other)];
        while !agree(&seen) && seen.len() < 5 {
            seen.extend(run_all(&[*ticket], 1).traces.into_iter().map(decisive));
        }
        assert!(agree(&seen), "{ticket:?}: {seen:#?}");
    }
}

/// Without the leases that were kept meanwhile: how often is a matter of the machine.
fn decisive(mut trace: Vec<String>) -> Vec<String> {
    trace.retain(|step| {
        !["begin", "commit", "committed"].contains(&step.as_str())
            && !step.starts_with("update document set lease_until")
    });
    trace
}

/// Whether the last replay is as one of those before.
fn agree(traces: &[Vec<String>]) -> bool {
    traces.split_last().is_some_and(|(last, others)| others.contains(last))
}
