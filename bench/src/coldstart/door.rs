//! A platform's side of a start: what a function is given, and the moment at which it says that it is ready.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::Function;
use crate::{Outcome, process};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Lambda,
    Vercel,
}

/// One start.
pub struct Sample {
    pub wall: Duration,
    pub cpu: Duration,
    pub peak: u64,
}

/// A function that has not polled by then has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Enough to start every function; nothing listens at these addresses.
const ENVIRONMENT: [(&str, &str); 15] = [
    ("DATABASE_URL", "postgres://docent_app:secret@127.0.0.1:1/docent"),
    ("S3_ENDPOINT", "http://127.0.0.1:1"),
    ("S3_BUCKET", "documents"),
    ("S3_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("MASTER_KEY_1", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs="),
    ("MASTER_KEY_CURRENT", "1"),
    ("INGEST_SECRET", "a-secret-of-at-least-thirty-two-bytes"),
    ("CRON_SECRET", "another-secret-of-at-least-thirty-two-bytes"),
    ("AWS_LAMBDA_FUNCTION_NAME", "docent"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_REGION", "us-east-1"),
];

pub fn measure(function: &Function) -> Outcome<Sample> {
    let (begin, moment, mut child) = start(function, Command::new(&function.path))?;
    let sample = moment.recv_timeout(PATIENCE).ok().and_then(|moment| {
        // A function that waits for its first event spends nothing more meanwhile.
        let (cpu, peak) = (process::cpu(child.id())?, process::peak(child.id())?);
        Some(Sample { wall: moment.duration_since(begin), cpu, peak })
    });
    child.kill()?;
    child.wait()?;
    sample.ok_or_else(|| format!("{} ended or hung before its first poll", function.name).into())
}

/// Starts it, under a tracer or not; the moment of its first poll comes through the channel.
pub fn start(function: &Function, command: Command) -> Outcome<(Instant, mpsc::Receiver<Instant>, Child)> {
    match function.door {
        Door::Lambda => lambda(command),
        Door::Vercel => vercel(command),
    }
}

/// The Runtime API as far as a cold start sees it: one connection, one `GET …/invocation/next` that is never answered.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
fn lambda(mut command: Command) -> Outcome<(Instant, mpsc::Receiver<Instant>, Child)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, moment) = mpsc::channel();
    thread::spawn(move || {
        if let Ok((connection, _)) = listener.accept() {
            polled(connection, &sender);
        }
    });
    command.env_clear().envs(ENVIRONMENT).env("AWS_LAMBDA_RUNTIME_API", &address);
    let begin = Instant::now();
    let child = quiet(&mut command).spawn()?;
    Ok((begin, moment, child))
}

/// Holds the connection until the function is killed: closing it would make the function try again.
fn polled(mut connection: TcpStream, sender: &mpsc::Sender<Instant>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = connection.read(&mut buffer) {
        let moment = Instant::now();
        let before = request.len();
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let whole = |bytes: &[u8]| bytes.windows(4).any(|end| end == b"\r\n\r\n");
        let next = request.windows(16).any(|path| path == b"/invocation/next");
        if next && whole(&request) && !request.get(..before).is_some_and(whole) {
            let _ = sender.send(moment);
        }
    }
}

fn vercel(mut command: Command) -> Outcome<(Instant, mpsc::Receiver<Instant>, Child)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    command.env_clear().envs(ENVIRONMENT).env("VERCEL_DEV_PORT", port.to_string());
    let begin = Instant::now();
    let mut child = quiet(&mut command).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("the pipe was asked for")?;
    let (sender, moment) = mpsc::channel();
    thread::spawn(move || {
        let mut listening = BufReader::new(output).lines().map_while(Result::ok);
        if listening.any(|line| line.starts_with("Dev server listening")) {
            let _ = sender.send(Instant::now());
        }
        listening.for_each(drop);
    });
    Ok((begin, moment, child))
}

/// What a function complains about is seen: it says why it never polled.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit())
}
