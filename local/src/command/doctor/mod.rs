//! `docent doctor`: looks at everything that a deployment rests on, and says of each what to do. Changes nothing but
//! one small object of the bucket, which it takes away again, and with --url one small document.

mod bucket;
mod configuration;
mod database;
mod service;

use clap::Args;
use docent::config::Environment;
use serde::Serialize;

use super::{Failure, Remote};
use crate::terminal;

#[derive(Args)]
pub struct Options {
    /// A running system besides: its health, and that an upload's event arrives there
    #[command(flatten)]
    remote: Remote,
    /// Another page that has to reach the bucket, besides ALLOWED_ORIGINS
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// It works, but somebody should look at it.
    Warning,
    Bad,
    /// Not looked at, and why.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    state: State,
    found: String,
    /// What to do about it; empty where nothing is to be done.
    next: String,
}

impl Finding {
    fn good(name: &'static str, found: impl Into<String>) -> Finding {
        Finding { name, state: State::Good, found: found.into(), next: String::new() }
    }

    fn warning(name: &'static str, found: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { name, state: State::Warning, found: found.into(), next: next.into() }
    }

    fn bad(name: &'static str, found: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { name, state: State::Bad, found: found.into(), next: next.into() }
    }

    fn skipped(name: &'static str, why: impl Into<String>) -> Finding {
        Finding { name, state: State::Skipped, found: why.into(), next: String::new() }
    }

    fn failed(name: &'static str, failure: impl Into<Failure>) -> Finding {
        let failure = failure.into();
        Finding::bad(name, failure.message, failure.next)
    }
}

/// A clock that is off by more breaks signatures: S3's are good for fifteen minutes, signed messages for five.
const CLOCK_BAD: f64 = 240.0;
const CLOCK_ODD: f64 = 5.0;

/// How far this machine's clock is ahead of another one, in seconds.
fn clock(name: &'static str, here: jiff::Timestamp, there: jiff::Timestamp) -> Finding {
    let off = here.duration_since(there).as_secs_f64();
    let found = format!("this machine is {:.1} s {}", off.abs(), if off < 0.0 { "behind" } else { "ahead" });
    let next = "Set this machine's clock by NTP: signatures of uploads and events expire by it.";
    match off.abs() {
        off if off > CLOCK_BAD => Finding::bad(name, found, next),
        off if off > CLOCK_ODD => Finding::warning(name, found, next),
        _ => Finding::good(name, found),
    }
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    let mut findings = configuration::look(environment);
    findings.extend(database::look(environment).await);
    findings.extend(bucket::look(environment, &options.origin).await);
    findings.extend(service::look(&options.remote).await);
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (bad, warnings) = (count(State::Bad), count(State::Warning));
    match options.json {
        true => terminal::line(&serde_json::to_string_pretty(&findings).unwrap_or_default()),
        false => findings.iter().for_each(print),
    }
    match bad {
        0 => {
            terminal::note(&format!("Nothing is broken; {warnings} to look at."));
            Ok(())
        }
        bad => Err(Failure::new(format!("{bad} broken, {warnings} to look at."), "Do what stands under each `bad`.")),
    }
}

fn print(finding: &Finding) {
    let mark = match finding.state {
        State::Good => "good",
        State::Warning => "look",
        State::Bad => "bad ",
        State::Skipped => "-   ",
    };
    terminal::line(&format!("{mark}  {:<22} {}", finding.name, finding.found));
    if !finding.next.is_empty() {
        terminal::line(&format!("      next: {}", finding.next));
    }
}
