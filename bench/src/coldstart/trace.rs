//! Exact counts of a start: the system calls before the first poll, as strace wrote them down.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Function, door};
use crate::Outcome;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub calls: usize,
    pub threads: usize,
    pub sockets: usize,
    pub connects: usize,
    pub certificates: usize,
    pub files: usize,
}

/// A traced start takes many times as long.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn available() -> bool {
    let version = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

pub fn count(function: &Function) -> Outcome<Counts> {
    let log = std::env::temp_dir().join(format!("docent-bench-{}.strace", std::process::id()));
    let mut strace = Command::new("strace");
    // `-D` makes the function our child and strace its grandchild, so that a kill reaches the function.
    strace.args(["-D", "-f", "-qq", "-s", "300", "-o"]).arg(&log).arg(&function.path);
    let (_, moment, mut child) = door::start(function, strace)?;
    let polled = moment.recv_timeout(PATIENCE);
    child.kill()?;
    child.wait()?;
    polled.map_err(|_| format!("{} did not poll under strace", function.name))?;
    let text = written(&log)?;
    fs::remove_file(&log)?;
    Ok(read(&text))
}

/// strace writes the end a moment after the function has met it.
fn written(log: &std::path::Path) -> Outcome<String> {
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let size = fs::metadata(log)?.len();
        if size == before {
            return Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned());
        }
        before = size;
    }
}

fn read(log: &str) -> Counts {
    let mut counts = Counts::default();
    // "1234  openat(AT_FDCWD, …) = 3"; the rest of a call that was interrupted is no call of its own.
    let calls = log.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start()));
    let calls = calls.filter(|call| !call.starts_with(['<', '+', '-']));
    for call in calls.take_while(|call| !ready(call)) {
        counts.calls += 1;
        match call.split('(').next().unwrap_or_default() {
            "clone" | "clone3" => counts.threads += 1,
            "socket" if !call.contains("AF_UNIX") => counts.sockets += 1,
            "connect" => counts.connects += 1,
            "open" | "openat" => {
                counts.files += 1;
                counts.certificates += usize::from(certificate(call));
            }
            _ => {}
        }
    }
    counts
}

fn ready(call: &str) -> bool {
    let writes = call.starts_with("write") || call.starts_with("send");
    writes && (call.contains("/invocation/next") || call.contains("Dev server listening"))
}

fn certificate(call: &str) -> bool {
    [".pem", ".crt", "/ssl/", "/certs", "/pki/", "ca-bundle", "ca-certificates"].iter().any(|part| call.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_until_the_poll() {
        let log = r#"7 execve("/f", ["f"], 0x7 /* 3 vars */) = 0
7 openat(AT_FDCWD, "/etc/ssl/certs/ca-certificates.crt", O_RDONLY) = 3
7 clone3({flags=CLONE_VM} => {parent_tid=[8]}, 88) = 8
8 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 9
8 socket(AF_UNIX, SOCK_STREAM, 0) = 10
8 connect(9, {sa_family=AF_INET}, 16 <unfinished ...>
7 read(3, "", 1) = 0
8 <... connect resumed>) = 0
8 writev(9, [{iov_base="GET /2018-06-01/runtime/invocation/next HTTP/1.1"}], 1) = 90
7 openat(AT_FDCWD, "/late", O_RDONLY) = 11
8 +++ killed by SIGKILL +++
"#;
        let expected = Counts { calls: 7, threads: 1, sockets: 1, connects: 1, certificates: 1, files: 1 };
        assert_eq!(read(log), expected);
    }
}
