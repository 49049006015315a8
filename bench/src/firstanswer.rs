//! From a command to its first cited answer: the steps of `docent ask --file` and of `docent up`, with what dominates.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::system::{Client, Scratch};
use crate::table::{self, Table};
use crate::{Outcome, build, fixture, project};

#[derive(Args)]
pub struct Options {
    /// With empty caches: server binaries and model weights are fetched first
    #[arg(long)]
    cold: bool,
    /// Measure what is built already
    #[arg(long)]
    no_build: bool,
}

/// What a command printed, or did, and when.
type Steps = Vec<(String, Instant)>;

/// A download on a slow line takes minutes.
const PATIENCE: Duration = Duration::from_secs(900);

pub fn run(options: &Options) -> Outcome<()> {
    if !options.no_build {
        build::package("docent-local")?;
    }
    let scratch = Scratch::new()?;
    if !options.cold {
        table::note("filling the caches and the page cache");
        ask(&project().join("README.md"), "What does docent up start?", None)?;
    }
    let cache = options.cold.then(|| scratch.0.join("cache-of-ask"));
    let steps = ask(&project().join("README.md"), "What does docent up start?", cache.as_deref())?;
    print("docent ask --file README.md", options.cold, &steps);
    let cache = options.cold.then(|| scratch.0.join("cache-of-up"));
    let steps = up(&scratch.0.join("data"), cache.as_deref())?;
    print("docent up, then a 100 kB file uploaded and asked about", options.cold, &steps);
    Ok(())
}

fn docent(cache: Option<&Path>) -> Outcome<Command> {
    let mut command = Command::new(build::folder()?.join("docent"));
    for name in ["DATABASE_URL", "DIRECT_DATABASE_URL", "OPENAI_API_KEY", "DOCENT_URL", "DOCENT_TOKEN", "DOCENT_DATA"] {
        command.env_remove(name);
    }
    if let Some(cache) = cache {
        std::fs::create_dir_all(cache)?;
        command.env("XDG_CACHE_HOME", cache);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn ask(file: &Path, question: &str, cache: Option<&Path>) -> Outcome<Steps> {
    let mut steps = vec![("the process starts".to_owned(), Instant::now())];
    let mut child = docent(cache)?.arg("ask").arg(question).arg("--file").arg(file).spawn()?;
    let lines = lines([Box::new(child.stdout.take().ok_or("piped")?), Box::new(child.stderr.take().ok_or("piped")?)]);
    let mut answered = false;
    for (line, moment) in lines {
        if let Some(step) = line.strip_prefix("· ") {
            steps.push((step.to_owned(), moment));
        } else if line.starts_with("ready ") {
            // The command says nothing between its last step and this.
            steps.iter_mut().rev().take(1).for_each(|(step, _)| step.push_str("; then uploading and ingesting"));
            steps.push(("asking".to_owned(), moment));
        } else if !line.is_empty() && !answered && steps.last().is_some_and(|(step, _)| step == "asking") {
            answered = true;
            steps.push(("the answer is printed; stopping".to_owned(), moment));
        }
    }
    let status = child.wait()?;
    steps.push((String::new(), Instant::now()));
    match status.success() && answered {
        true => Ok(steps),
        false => Err(format!("docent ask ended with {status} after {steps:?}").into()),
    }
}

fn up(data: &Path, cache: Option<&Path>) -> Outcome<Steps> {
    let mut steps = vec![("the process starts".to_owned(), Instant::now())];
    let mut child = docent(cache)?.args(["up", "--port", "0", "--data"]).arg(data).spawn()?;
    let lines = lines([Box::new(child.stdout.take().ok_or("piped")?), Box::new(child.stderr.take().ok_or("piped")?)]);
    let used = (|| {
        let console = loop {
            let (line, moment) =
                lines.recv_timeout(PATIENCE).map_err(|_| format!("docent up ended after {steps:?}"))?;
            if let Some(step) = line.strip_prefix("· ") {
                steps.push((step.to_owned(), moment));
            } else if let Some(console) = line.trim().strip_prefix("console ") {
                break console.trim().to_owned();
            }
        };
        let (url, token) = console.split_once("/#token=").ok_or("docent up printed no token")?;
        let client = Client::new(url.to_owned(), token.to_owned())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        steps.push(("uploading and ingesting 100 kB".to_owned(), Instant::now()));
        let prose = fixture::text(100_000);
        let question = prose.split('.').nth(40).unwrap_or_default().to_owned();
        let ended = runtime.block_on(client.ingest("prose.txt", prose.into_bytes()))?;
        steps.push((format!("asking (of {} chunks)", ended.document["chunks"]), Instant::now()));
        runtime.block_on(client.ask(&question))?;
        steps.push((String::new(), Instant::now()));
        Ok(())
    })();
    child.kill()?;
    child.wait()?;
    used.map(|()| steps)
}

/// The lines of both pipes as they come, with their moments.
fn lines(pipes: [Box<dyn Read + Send>; 2]) -> mpsc::Receiver<(String, Instant)> {
    let (sender, receiver) = mpsc::channel();
    for pipe in pipes {
        let sender = sender.clone();
        thread::spawn(move || {
            let lines = BufReader::new(pipe).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send((line, Instant::now()))));
        });
    }
    receiver
}

fn print(command: &str, cold: bool, steps: &Steps) {
    let caches = if cold { "empty caches" } else { "warm caches" };
    let title = format!("{command}: {caches}, {}", build::profile_name());
    let mut table = Table::new(title, &["step", "seconds", "part of all"]);
    let (Some((_, first)), Some((_, last))) = (steps.first(), steps.last()) else { return };
    let all = last.duration_since(*first);
    for (step, next) in steps.iter().zip(steps.iter().skip(1)) {
        let lasted = next.1.duration_since(step.1);
        let part = 100.0 * lasted.as_secs_f64() / all.as_secs_f64();
        table.row(vec![step.0.clone(), table::seconds(lasted), format!("{part:.0} %")]);
    }
    table.row(vec!["all".to_owned(), table::seconds(all), String::new()]);
    table.print();
}
