//! The server process, under a shell that holds its life-line.
use super::Error;
use super::cluster::{Cluster, SUPERUSER};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// Recovery after a crash is part of it.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The shell below goes from a fast to an immediate shutdown after ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Between choosing a free port and using it somebody else may take it.
const PORTS_TRIED: usize = 3;

/// The server must end with its parent, even one that is killed outright. Linux' PR_SET_PDEATHSIG would fire when the
/// *thread* that started it exits, which in an async program is any worker; and it exists on Linux only. A pipe has neither
/// flaw: its other end closes exactly when the parent is gone, and the shell then asks for a fast shutdown (SIGINT) and, if
/// that hangs, for an immediate one (SIGQUIT), from which the next start recovers.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
  while read -r line <&3; do :; done
  kill -INT "$server"
  for second in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$server" 2>/dev/null || exit 0
    sleep 1 3<&- >/dev/null 2>&1
  done
  kill -QUIT "$server"
) &
watch=$!
wait "$server"
status=$?
kill "$watch" 2>/dev/null
exit "$status"
"#;

pub(super) struct Server {
    supervisor: Child,
    lifeline: Option<ChildStdin>,
    port: u16,
}

impl Server {
    pub(super) async fn start(cluster: &Cluster, binaries: &Path, password: &str, fast: bool) -> Result<Self, Error> {
        let mut detail = String::new();
        for _ in 0..PORTS_TRIED {
            let before = cluster.log_length();
            let mut server = Self::spawn(cluster, binaries, fast)?;
            match server.until_ready(password).await {
                Ok(()) => return Ok(server),
                Err(reason) => detail = format!("{reason}: {}", cluster.log_tail(before)),
            }
            if !detail.contains("could not bind") {
                break;
            }
        }
        Err(Error::Start { detail })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) async fn stop(mut self, cluster: &Cluster) -> Result<(), Error> {
        drop(self.lifeline.take());
        let deadline = Instant::now() + STOP_WITHIN;
        while matches!(self.supervisor.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                return Err(Error::Stop { log: cluster.log_path() });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    fn spawn(cluster: &Cluster, binaries: &Path, fast: bool) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Start { detail: error.to_string() };
        let port = free_port().map_err(failed)?;
        let mut command = cluster.command(Path::new("/bin/sh"));
        command.args(["-c", SUPERVISOR, "docent-postgres"]).arg(binaries.join("postgres"));
        command.arg("-D").arg(cluster.data()).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=UTC", "log_timezone=UTC"] {
            command.args(["-c", setting]);
        }
        if fast {
            for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
                command.args(["-c", setting]);
            }
        }
        command.stdin(Stdio::piped()).stdout(cluster.log().map_err(failed)?).stderr(cluster.log().map_err(failed)?);
        // Ctrl-C reaches the whole group in the foreground, but the server must outlive its clients' last statements.
        let mut supervisor = command.process_group(0).spawn().map_err(failed)?;
        let lifeline = supervisor.stdin.take();
        Ok(Self { supervisor, lifeline, port })
    }

    async fn until_ready(&mut self, password: &str) -> Result<(), String> {
        let mut config = tokio_postgres::Config::new();
        config.host(Ipv4Addr::LOCALHOST.to_string()).port(self.port).user(SUPERUSER).password(password);
        config.dbname("postgres").connect_timeout(Duration::from_secs(2));
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let refused = match config.connect(tokio_postgres::NoTls).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if !matches!(self.supervisor.try_wait(), Ok(None)) {
                return Err("the process ended".to_owned());
            }
            let password_refused = refused.code() == Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD);
            if password_refused || Instant::now() > deadline {
                return Err(refused.to_string());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
