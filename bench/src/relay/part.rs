//! Processes of their own: this binary in another role, and LiteLLM.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Outcome, process};

/// Ended with its owner.
pub struct Part {
    child: Child,
    /// Kept open: a process that says more to a closed pipe would end.
    _said: Option<BufReader<ChildStdout>>,
    pub url: String,
    pub token: String,
}

impl Part {
    /// A role of this binary; it is ready when it has said its address.
    pub fn role(name: &str, arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Outcome<Part> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["relay-part", name]).args(arguments).envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?).spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or("the pipe was asked for")?);
        let mut part = Part { child, _said: None, url: String::new(), token: String::new() };
        while part.url.is_empty() {
            let mut line = String::new();
            if said.read_line(&mut line)? == 0 {
                return Err(format!("{name} ended early; {} says why", log.display()).into());
            }
            let place = line.find("http://").map(|at| line[at..].trim());
            if let Some((url, token)) = place.map(|place| place.split_once("/#token=").unwrap_or((place, ""))) {
                (part.url, part.token) = (url.to_owned(), token.to_owned());
            }
        }
        part._said = Some(said);
        Ok(part)
    }

    /// Another's program, which is told its port and is ready when it answers there.
    pub fn other(command: &mut Command, token: &str, log: &Path) -> Outcome<Part> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(File::create(log)?).stderr(Stdio::null()).spawn()?;
        Ok(Part { child, _said: None, url: format!("http://127.0.0.1:{port}"), token: token.to_owned() })
    }

    /// The process and those that it has started.
    pub fn family(&self) -> Vec<u32> {
        process::family(self.child.id())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for process in self.family() {
            if let Some(process) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
        }
        let _ = self.child.wait();
    }
}

/// As many as the system lets this process have: each stream is a file on every side of it.
pub fn open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// `docent up` as it is, on a port of its own choice.
pub fn docent(data: &str) -> Outcome<()> {
    let arguments = ["docent", "up", "--port", "0", "--embedder", "hash", "--data", data];
    match docent_local::command::run(docent_local::command::Command::try_parse_from(arguments)?) {
        ExitCode::SUCCESS => Ok(()),
        _ => Err("docent up failed".into()),
    }
}
