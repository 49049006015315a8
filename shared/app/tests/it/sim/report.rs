//! What many runs came to: a line of progress now and then, a table in the end, and how to replay what failed.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use super::Outcome;
use super::fault::Fault;
use super::run::Ticket;

const PROGRESS_EVERY: Duration = Duration::from_secs(30);
/// Traces that are kept: enough for a test of replaying.
const KEPT: usize = 32;

#[derive(Default)]
struct Line {
    runs: usize,
    blows: usize,
    converged: usize,
    slowest: f64,
    violations: usize,
}

pub struct Report {
    total: usize,
    began: Instant,
    told: Instant,
    lines: BTreeMap<Fault, Line>,
    pub violations: Vec<String>,
    pub traces: Vec<Vec<String>>,
    pub trace: bool,
}

impl Report {
    pub fn new(total: usize) -> Report {
        let now = Instant::now();
        let (violations, traces) = (Vec::new(), Vec::new());
        Report { total, began: now, told: now, lines: BTreeMap::new(), violations, traces, trace: false }
    }

    pub fn add(&mut self, ticket: Ticket, outcome: Outcome) {
        let line = self.lines.entry(ticket.fault).or_default();
        line.runs += 1;
        line.blows += outcome.blows;
        match outcome.violation {
            None => {
                line.converged += 1;
                line.slowest = line.slowest.max(outcome.converged);
            }
            Some(why) => {
                line.violations += 1;
                let (seed, fault, kind) = (ticket.seed, ticket.fault.name(), ticket.kind.name());
                let text = format!("DOCENT_SIM_SEED={seed} DOCENT_SIM_FAULT={fault} DOCENT_SIM_BUCKET={kind}: {why}");
                say(&text);
                self.violations.push(text);
            }
        }
        if self.traces.len() < KEPT {
            self.traces.push(outcome.trace);
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            let done: usize = self.lines.values().map(|line| line.runs).sum();
            let seconds = self.began.elapsed().as_secs_f64();
            let left = (self.total - done) as f64 * seconds / done as f64 / 60.0;
            let failed = self.violations.len();
            let rate = done as f64 / seconds;
            say(&format!(
                "sim: {done} of {} runs, {rate:.1} per second, {failed} violations, {left:.0} min left",
                self.total
            ));
        }
    }

    pub fn blows(&self, fault: Fault) -> usize {
        self.lines.get(&fault).map_or(0, |line| line.blows)
    }

    pub fn print(&self) {
        if self.trace {
            self.traces.iter().flatten().for_each(|step| say(step));
        }
        say(&format!(
            "{:<24}{:>8}{:>10}{:>11}{:>13}{:>12}",
            "fault", "runs", "faults", "converged", "slowest (s)", "violations"
        ));
        let mut sum = Line::default();
        for (fault, line) in &self.lines {
            row(&fault.name(), line);
            sum.runs += line.runs;
            sum.blows += line.blows;
            sum.converged += line.converged;
            sum.slowest = sum.slowest.max(line.slowest);
            sum.violations += line.violations;
        }
        row("all", &sum);
        let seconds = self.began.elapsed().as_secs_f64();
        say(&format!("{} runs in {seconds:.0} s, {:.1} per second", sum.runs, sum.runs as f64 / seconds));
    }
}

fn row(name: &str, line: &Line) {
    let Line { runs, blows, converged, slowest, violations } = line;
    say(&format!("{name:<24}{runs:>8}{blows:>10}{converged:>11}{slowest:>13.0}{violations:>12}"));
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
