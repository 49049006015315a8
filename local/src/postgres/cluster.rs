//! One data directory: its lock, its password, its cluster.
//!
//! The log is also the lock. Every process of the server inherits the locked file as its standard error, so the lock is free
//! only once the last of them has gone, whatever killed its parent, and a stale `postmaster.pid` can be told from a live one.
use super::Error;
use super::pinned::MAJOR;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub(super) const SUPERUSER: &str = "postgres";
/// Longer than a dying server is given for its shutdown.
const HANDOVER: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const INITDB_WITHIN: Duration = Duration::from_secs(120);
/// A longer log is emptied at the next start.
const LARGEST_LOG: u64 = 8 << 20;
const TAIL_LINES: usize = 5;

pub(super) struct Cluster {
    home: PathBuf,
    log: File,
    user: Option<u32>,
}

impl Cluster {
    /// Take the data directory for this process, waiting for a server that is just shutting down.
    pub(super) async fn claim(home: &Path, user: Option<u32>) -> Result<Self, Error> {
        let home = fs::canonicalize(home).map_err(Error::disk(home))?;
        let path = home.join("postgres.log");
        let log = File::options().create(true).append(true).mode(0o600).open(&path).map_err(Error::disk(&path))?;
        let deadline = Instant::now() + HANDOVER;
        loop {
            match log.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(Error::Disk { path, source }),
                Err(TryLockError::WouldBlock) => {}
            }
            // A living owner keeps the lock; a dead one's server is about to follow it.
            let owner = first_line(&home.join("owner.pid")).filter(|pid| alive(pid));
            if owner.is_some() || Instant::now() > deadline {
                let pid = owner.or_else(|| first_line(&home.join("cluster/postmaster.pid")));
                return Err(Error::AlreadyRunning { path: home, pid: pid.unwrap_or_else(|| "unknown".to_owned()) });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if log.metadata().is_ok_and(|metadata| metadata.len() > LARGEST_LOG) {
            log.set_len(0).map_err(Error::disk(&path))?;
        }
        let owner = home.join("owner.pid");
        fs::write(&owner, std::process::id().to_string()).map_err(Error::disk(&owner))?;
        Ok(Self { home, log, user })
    }

    pub(super) fn wipe(&self) -> Result<(), Error> {
        self.refuse_foreign_server()?;
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::disk(&self.data())(error)),
            _ => Ok(()),
        }
    }

    /// The superuser's password; the cluster is created when there is none.
    pub(super) async fn open(&self, binaries: &Path, progress: &dyn Fn(&str)) -> Result<String, Error> {
        let secret = self.home.join("password");
        if !self.data().exists() {
            progress("creating the database cluster");
            let password = random_password()?;
            self.write_secret(&secret, &password).map_err(Error::disk(&secret))?;
            self.create(binaries, &secret).await?;
            return Ok(password);
        }
        let version = self.data().join("PG_VERSION");
        let found = fs::read_to_string(&version).map_err(Error::disk(&version))?.trim().to_owned();
        if found != MAJOR {
            return Err(Error::OtherMajor { path: self.data(), found, ours: MAJOR });
        }
        self.refuse_foreign_server()?;
        fs::read_to_string(&secret).map_err(Error::disk(&secret))
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.join("cluster")
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    pub(super) fn log(&self) -> std::io::Result<File> {
        self.log.try_clone()
    }

    /// What the server wrote since a position: the part of the log worth showing.
    pub(super) fn log_tail(&self, since: u64) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let recent = log.get(usize::try_from(since).unwrap_or(0)..).unwrap_or_default();
        tail(&String::from_utf8_lossy(recent))
    }

    pub(super) fn log_length(&self) -> u64 {
        self.log.metadata().map_or(0, |metadata| metadata.len())
    }

    /// A command as the server's user, without our environment: it holds provider keys, and PG… variables of other servers.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(&self.home);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Created beside its final place and renamed, so that a killed initdb is not mistaken for a cluster.
    async fn create(&self, binaries: &Path, secret: &Path) -> Result<(), Error> {
        let partial = self.home.join("cluster.partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::disk(&partial))?;
        }
        fs::create_dir(&partial).map_err(Error::disk(&partial))?;
        fs::set_permissions(&partial, Permissions::from_mode(0o700)).map_err(Error::disk(&partial))?;
        self.hand_over(&partial).map_err(Error::disk(&partial))?;
        let mut initdb = self.command(&binaries.join("initdb"));
        initdb.arg("--pgdata").arg(&partial).arg("--pwfile").arg(secret);
        initdb.args(["--username", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]);
        // The built-in provider sorts by code point and knows Unicode's letters, the same on every system.
        initdb.args(["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
        let failed = |detail: String| Error::Initdb { detail };
        let mut initdb = tokio::process::Command::from(initdb);
        let output: Output = tokio::time::timeout(INITDB_WITHIN, initdb.kill_on_drop(true).output())
            .await
            .map_err(|_| failed("it took too long".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(tail(&String::from_utf8_lossy(&output.stderr))));
        }
        fs::rename(&partial, self.data()).map_err(Error::disk(&partial))
    }

    fn write_secret(&self, path: &Path, secret: &str) -> std::io::Result<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(secret.as_bytes())?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> std::io::Result<()> {
        if self.user.is_some() { chown(path, self.user, self.user) } else { Ok(()) }
    }

    /// We hold the lock, so a `postmaster.pid` is a crash's leftover unless somebody started this cluster by other means.
    /// Postgres itself would refuse as soon as any process has that number again, which in a container is the rule.
    fn refuse_foreign_server(&self) -> Result<(), Error> {
        let path = self.data().join("postmaster.pid");
        let Some(pid) = first_line(&path) else { return Ok(()) };
        match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) if name.trim() == "postgres" => Err(Error::AlreadyRunning { path: self.home.clone(), pid }),
            Ok(_) => fs::remove_file(&path).map_err(Error::disk(&path)),
            // No such process, or no such file system: Postgres' own check decides.
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Whoever comes next may now wait for the shutdown instead of being turned away.
        let _ = fs::remove_file(self.home.join("owner.pid"));
    }
}

fn first_line(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().next().map(|line| line.trim().to_owned())
}

fn alive(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    // Not being allowed to signal it also means that it lives.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("; ")
}

fn random_password() -> Result<String, Error> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
